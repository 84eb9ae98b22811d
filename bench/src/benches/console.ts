import type { Bench } from "../contender.ts";
import { ourConsole } from "../ours/console.ts";

const frame = (name: string, note: string) => ({ name, unit: "ms", better: "lower", note, maxSamples: 3 }) as const;

/** The console in a browser. */
export const consoleBench: Bench = {
  name: "console",
  question: "How soon can the console be used, and does it stay smooth over a node that is full?",
  measures: [
    {
      name: "interactive",
      unit: "ms",
      better: "lower",
      note: "from the navigation to the first screen with the node's numbers, on loopback",
      maxSamples: 10,
    },
    { name: "script.gzip", unit: "KiB", better: "lower", note: "script that the first view loads, compressed", maxSamples: 1 },
    frame("frame.actors5000", "95th percentile of the time between frames while a list of 5,000 actors is scrolled"),
    frame("frame.instances10000", "the same over 10,000 instances of a workflow"),
    frame("frame.graph200", "the same while a running graph of 200 stages is zoomed"),
  ],
  ours: ourConsole,
  peers: [],
};
