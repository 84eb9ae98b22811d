import { loadMeta } from "../meta/meta.ts";
import { type MetaString, NULL_META } from "../meta/meta-string.ts";
import type { LoadedRelation } from "../relation/loaded.ts";
import type { ExecutorSpec } from "../relation/relation.ts";
import type { OutputSpec } from "./options.ts";

/**
 * Instances that are told to the node, as relations that nobody declared: their task is stored with the instance, and done when the node's log
 * has taken the message. So each is told at least once, and with a key by which the log drops what comes twice.
 */
export function outputRelations(outputs: ReadonlyMap<MetaString, OutputSpec>): (meta: MetaString) => readonly LoadedRelation[] {
  const none: readonly LoadedRelation[] = [];
  const to = loadMeta({ meta: NULL_META });
  const relations = new Map(
    [...outputs].map(([from, { type, selector, pass }]): [MetaString, readonly LoadedRelation[]] => {
      const settings = JSON.stringify(pass === "content" ? { mode: "send", pass } : { mode: "send" });
      const executor: ExecutorSpec = { protocol: "processor", url: type, settings };
      return [from, [{ from, to, executor, settings: { executor, ...(selector === undefined ? {} : { selector }) } }]];
    }),
  );
  return (meta) => relations.get(meta) ?? none;
}
