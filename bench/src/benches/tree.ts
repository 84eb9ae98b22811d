import type { Bench } from "../contender.ts";
import { ourTree } from "../ours/tree.ts";
import { ourTreeStream } from "../ours/tree-stream.ts";
import { moleculerTree } from "../peers/moleculer-tree.ts";
import { treeMeasures } from "../tree.ts";
import { treeStreamMeasures } from "../tree-stream.ts";

/** Nodes that know of each other. */
export const treeBench: Bench = {
  name: "tree",
  question: "How soon have a thousand nodes answered, and what does it cost that they know of each other?",
  measures: treeMeasures,
  ours: ourTree,
  peers: [moleculerTree],
};

/** A long run; takes minutes. */
export const treeStreamBench: Bench = {
  name: "tree-stream",
  question: "Do ten gigabytes pass three levels of a tree in bounded memory?",
  measures: treeStreamMeasures,
  ours: ourTreeStream,
  peers: [],
};
