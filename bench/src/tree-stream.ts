import type { Measure } from "./contender.ts";

/** Bytes of an item: what one read of a file gives. */
export const ITEM_BYTES = 65_536;
/** The type that the leaf answers with a stream of bytes. */
export const STREAMED_TYPE = "bench.bytes";
/** The three levels, from the one that reads to the one that gives. */
export const LEVELS = ["root", "middle", "leaf"] as const;
export type Level = (typeof LEVELS)[number];

/** What came of it. */
export interface StreamedThrough {
  readonly bytes: number;
  readonly items: number;
  readonly seconds: number;
  /** The greatest resident memory of each process less that before, in megabytes. */
  readonly growth: Readonly<Record<Level, number>>;
}

/** What a process of the stream is asked; see `ours/tree-stream-host.ts`. */
export interface StreamOrder {
  readonly verb: "make" | "adopt" | "open" | "read" | "given" | "watch" | "grown";
  readonly name?: string;
  readonly token?: string;
  readonly path?: string;
  readonly items?: number;
}

export const treeStreamMeasures: readonly Measure[] = [
  {
    ...once("treestream.rate", "MB/s"),
    better: "higher",
    note: `10 GB in items of ${ITEM_BYTES} B from a leaf through its manager to the root, each a process of its own; count, order and length of the items are compared`,
  },
  ...LEVELS.map((level) => ({
    ...once(`treestream.growth.${level}`, "MB"),
    note: "the greatest resident memory of the process during those 10 GB, less that before; aim: under 100",
  })),
];

function once(name: string, unit: string): Omit<Measure, "note"> {
  return { name, unit, better: "lower", maxSamples: 1, isFresh: true };
}
