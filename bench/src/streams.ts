import type { Contender, Measure, Running, Sampler } from "./contender.ts";
import { startAsked } from "./processes.ts";
import { type StreamQuestion, sizes } from "./stream-load.ts";

const MAX_SAMPLES = 3;
/** Names of sizes as they follow the name of a measure. */
const named = Object.keys(sizes) as (keyof typeof sizes)[];

const external = named.map(
  (size): Measure => ({
    name: `pipe4.external${size}`,
    unit: "MB/s",
    better: "higher",
    maxSamples: MAX_SAMPLES,
    note: `cat, grep a, tr a-z A-Z, wc -l over 268 MB of lines of ${sizes[size]} B, LC_ALL=C; the lines counted are compared`,
  }),
);

const inProcess = named.map(
  (size): Measure => ({
    name: `pipe4.inprocess${size}`,
    unit: "records/s",
    better: "higher",
    maxSamples: MAX_SAMPLES,
    note: `four functions, the first a filter, over texts of ${sizes[size]} B; count and sum at the end are compared`,
  }),
);

const rate = (name: string, note: string): Measure => ({
  name,
  unit: "records/s",
  better: "higher",
  maxSamples: MAX_SAMPLES,
  note,
});
const delay = (name: string, note: string): Measure => ({
  name,
  unit: "ms",
  better: "lower",
  maxSamples: 5,
  isFresh: true,
  note,
});

/** The measures of graphs of stages, in the order in which they are taken. */
export const streamMeasures: readonly Measure[] = [
  ...external,
  ...inProcess,
  rate("fanout8", "one source to 8 functions, 64 B; records that arrived at any of them"),
  rate("fanin8", "8 sources to one function, 64 B; records that arrived"),
  rate("edge.memory", "a hosted graph of a source and a function, 64 B, acked"),
  rate("edge.durable", "the same with the edge in the log: SQLite, synced to the disk"),
  rate("edge.fused", "pipe4.external over 67 MB, its programs joined by pipes"),
  rate("edge.unfused", "the same with `fuse: false`: every record comes by between the programs"),
  delay(
    "recovery.kill9",
    "from the kill of the process that hosts a graph, 1,000 records/s, to the first new record; started again at once",
  ),
  delay("recovery.start", "the same from the start of the next process"),
  delay(
    "program.restart",
    "from the kill of a program that answers one to one to the first record that the source gave after it",
  ),
  {
    name: "idle100",
    unit: "% of a core",
    better: "lower",
    maxSamples: 1,
    isFresh: true,
    note: "processor time of a process with a graph of 100 edges over 5 s in which nothing passes",
  },
];

/** The measures of ten gigabytes: one run for all of them. */
export const tenGigabytesMeasures: readonly Measure[] = [
  {
    ...once("tengig.rate", "MB/s", "higher"),
    note: "10 GB of lines of 64 to 1,024 B through grep, tr, cat and wc -l, whose counts are summed and compared",
  },
  { ...once("tengig.growth", "MB", "lower"), note: "the greatest resident memory of the process, less that before the run" },
  { ...once("tengig.growth.later", "MB", "lower"), note: "the greatest after the first gigabyte, less the greatest during it" },
];

function once(name: string, unit: string, better: Measure["better"]): Omit<Measure, "note"> {
  return { name, unit, better, maxSamples: 1, isFresh: true };
}

/** A contender with a process of its own, so that the garbage of one disturbs no other. `args` are for {@link StreamQuestion}'s answerer. */
export function streamContender(name: string, system: string, where: () => string = () => ""): Contender {
  return {
    name,
    async open(): Promise<Running> {
      const { ask, stop } = await startAsked(new URL("./stream-worker.ts", import.meta.url), [system, where()]);
      const sampler =
        (measure: string): Sampler =>
        async (durationMs) =>
          (await ask({ measure, durationMs } satisfies StreamQuestion)) as number;
      const names = (await ask({ measure: "", durationMs: 0 } satisfies StreamQuestion)) as string[];
      return { samplers: Object.fromEntries(names.map((measure) => [measure, sampler(measure)])), close: stop };
    },
  };
}
