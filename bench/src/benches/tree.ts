import type { Bench } from "../contender.ts";
import { ourTree } from "../ours/tree.ts";
import { moleculerTree } from "../peers/moleculer-tree.ts";
import { treeMeasures } from "../tree.ts";

/** Nodes that know of each other. */
export const treeBench: Bench = {
  name: "tree",
  question: "How soon have a thousand nodes answered, and what does it cost that they know of each other?",
  measures: treeMeasures,
  ours: ourTree,
  peers: [moleculerTree],
};
