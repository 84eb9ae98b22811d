import type { ActorWorld } from "./actors.ts";
import { openOurActors } from "./ours/actors.ts";
import { openNact } from "./peers/nact.ts";
import { openXstate } from "./peers/xstate.ts";

/** Who runs in Node and can make idle actors. */
export type NodeWorld = "ours" | "nact" | "xstate";

/** How each of them is opened. */
export const nodeWorlds: Readonly<Record<NodeWorld, () => Promise<ActorWorld>>> = {
  ours: openOurActors,
  nact: openNact,
  xstate: openXstate,
};
