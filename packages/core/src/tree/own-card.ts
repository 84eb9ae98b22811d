import { codeOf } from "../errors.ts";
import type { Router } from "../router/router.ts";
import type { NodeCard } from "./card.ts";

/** What the tree shows of the node of a router; undefined where it is in none. For modules that do not load the tree. */
export async function ownCard(router: Router): Promise<NodeCard | undefined> {
  try {
    return ((await router.call({ type: "metanode.node.describe" })) as { card: NodeCard }).card;
  } catch (error) {
    if (codeOf(error) === "message.unknown_type") return undefined;
    throw error;
  }
}
