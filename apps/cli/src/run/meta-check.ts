import type { Invocation } from "../invocation.ts";
import { renderFields } from "../output/table.ts";

/** What the types are, for people. */
const TYPES = {
  B: "business",
  S: "system",
  D: "dynamic: exists by being named",
  N: "null: all of them are one",
  M: "multi-target: stands for several metas",
  L: "loop",
  T: "template (reserved)",
  P: "private (reserved)",
  C: "couple (reserved)",
} as const;

/** `metanode meta check` */
export async function run(invocation: Invocation): Promise<void> {
  const { formatMetaString, parseMetaString } = await import("@metanode/nature/declare");
  const name = parseMetaString(invocation.arg(0));
  const meta = formatMetaString(name);
  await invocation.output.show({ meta, ...name }, () =>
    renderFields([
      ["meta", meta],
      ["type", `${name.type} (${TYPES[name.type]})`],
      ["key", name.key || undefined],
      ["version", name.version],
    ]),
  );
}
