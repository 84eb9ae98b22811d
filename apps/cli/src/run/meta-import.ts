import { readDeclarations, tell } from "../declarations.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode meta import` */
export async function run(invocation: Invocation): Promise<void> {
  const { toFile } = await import("@metanode/nature/declare");
  const { output } = invocation;
  const { declarations, notes } = await readDeclarations(invocation.arg(0));
  output.raw(Buffer.from(await output.encode(toFile(declarations))));
  tell(output, notes);
}
