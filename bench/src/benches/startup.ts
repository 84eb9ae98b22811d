import type { Bench } from "../contender.ts";
import { bareNode, ourStartup } from "../ours/startup.ts";

/** From nothing to a node that answers. */
export const startupBench: Bench = {
  name: "startup",
  question: "How soon is a node ready that hosts every model, and what does it weigh when it has nothing to do?",
  measures: [
    {
      name: "ready",
      unit: "ms",
      better: "lower",
      note: "from `npm start` to the first 200 of /readyz",
      isFresh: true,
      maxSamples: 10,
    },
    {
      name: "ready.node",
      unit: "ms",
      better: "lower",
      note: "the same without npm, which takes its time before it starts anything",
      isFresh: true,
      maxSamples: 10,
    },
    {
      name: "idle.rss",
      unit: "MB",
      better: "lower",
      note: "resident memory of the node's process, ten seconds after it was ready",
      isFresh: true,
      maxSamples: 3,
    },
  ],
  ours: ourStartup,
  peers: [bareNode],
};
