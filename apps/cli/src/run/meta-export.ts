import { readDeclarations, tell } from "../declarations.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode meta export` */
export async function run(invocation: Invocation): Promise<void> {
  const { toFile, toNatureRows, toNatureSql } = await import("@metanode/nature/declare");
  const { output } = invocation;
  const form = invocation.text("as") ?? "sql";
  const { declarations, notes } = await readDeclarations(invocation.arg(0));
  if (form === "json") {
    output.raw(Buffer.from(await output.encode(toFile(declarations))));
    tell(output, notes);
    return;
  }
  const exported = toNatureRows(declarations);
  output.raw(Buffer.from(form === "rows" ? await output.encode(exported.rows) : toNatureSql(exported.rows)));
  tell(output, [...notes, ...exported.notes]);
}
