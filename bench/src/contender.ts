/** Takes one sample of one measure: works for about `durationMs` and gives the figure in the measure's unit. */
export type Sampler = (durationMs: number) => Promise<number>;

/** A contender that is open: its processes run and its connections stand. */
export interface Running {
  /** By the name of the measure. A measure that is absent is one that this contender cannot take part in. */
  readonly samplers: Readonly<Record<string, Sampler>>;
  /** What a reader of the figures must know about this contender. */
  readonly note?: string;
  /** Ends its processes and removes its files. */
  close(): Promise<void>;
}

/** One way of doing the work of a bench: ours or a peer's. */
export interface Contender {
  /** As in the output: `ours` or the name of the peer. */
  readonly name: string;
  /** @throws {Unavailable} It cannot take part on this machine. */
  open(): Promise<Running>;
}

/** A figure that a bench takes. */
export interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** What is done, how often at a time, and what the figure does not say. */
  readonly note: string;
  /** Samples beyond which more are not worth their time. @default no limit */
  readonly maxSamples?: number;
  /** Whether each sample is taken of something fresh, so that there is nothing to warm up. @default false */
  readonly isFresh?: boolean;
}

/** A question with the contenders that answer it. */
export interface Bench {
  readonly name: string;
  /** What the bench asks, in one sentence. */
  readonly question: string;
  readonly measures: readonly Measure[];
  readonly ours: Contender;
  readonly peers: readonly Contender[];
}

/** A contender cannot take part here; the message says why, in words that fit behind its name. */
export class Unavailable extends Error {
  override name = "Unavailable";
}

/** Imports a package that only `bench/` depends on. @throws {Unavailable} It is not installed. */
export async function importPeer<T>(specifier: string): Promise<T> {
  try {
    return (await import(specifier)) as T;
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new Unavailable(`${specifier} is not installed`, { cause });
  }
}
