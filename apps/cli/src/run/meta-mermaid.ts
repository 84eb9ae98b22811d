import { readDeclarations, tell } from "../declarations.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode meta mermaid` */
export async function run(invocation: Invocation): Promise<void> {
  const { toMermaid } = await import("@metanode/nature/declare");
  const { output } = invocation;
  const view = (invocation.text("view") ?? "relation") as Parameters<typeof toMermaid>[1];
  const { declarations, notes } = await readDeclarations(invocation.arg(0));
  const mermaid = toMermaid(declarations, view);
  await output.show({ view, mermaid }, () => mermaid.trimEnd());
  tell(output, notes);
}
