import type { Bench } from "../contender.ts";
import { rxjsContender } from "../peers/rxjs.ts";
import { shellPipe } from "../peers/shell-pipe.ts";
import { linesFolder } from "../stream-load.ts";
import { streamContender, streamMeasures, tenGigabytesMeasures } from "../streams.ts";

/** Graphs of stages. */
export const streamingBench: Bench = {
  name: "streaming",
  question: "How fast do records pass graphs of programs and of functions, and how soon do they again when something was killed?",
  measures: streamMeasures,
  ours: streamContender("ours", "ours", linesFolder),
  peers: [shellPipe, streamContender("node-stream", "node-stream"), rxjsContender],
};

/** A long run; takes minutes. */
export const tenGigabytesBench: Bench = {
  name: "streaming-10gb",
  question: "Do ten gigabytes pass four stages in bounded memory?",
  measures: tenGigabytesMeasures,
  ours: streamContender("ours", "ours-10gb"),
  peers: [],
};
