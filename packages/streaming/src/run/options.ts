import type { Clock } from "@metanode/core/clock";
import type { Credit } from "../delivery/origin.ts";
import type { ProgressStore } from "../delivery/progress.ts";
import type { Graph } from "../graph/form.ts";
import type { Action, FailedRecord, LogLevel } from "../stage/stage.ts";
import type { Quiet } from "./quiet.ts";

export interface GraphRunOptions {
  readonly graph: Graph;
  /** What each node runs, by its name. */
  readonly actions: ReadonlyMap<string, Action>;
  /** Where progress is kept. @default in memory: the next run begins anew */
  readonly progress?: ProgressStore;
  /** Which run of the graph this is. @default 1 */
  readonly epoch?: number;
  readonly clock?: Clock;
  /** A folder of the graph's own; each node gets one below it. */
  readonly folder: string;
  /** How much of each source may be under way. @default a million records, 24 MiB */
  readonly credit?: Partial<Credit>;
  /** Longest time from the settling of a record to the storing of that, in milliseconds. @default 50 */
  readonly commitMs?: number;
  /** Time between checkpoints of a graph that keeps state, in milliseconds; more when they take long. @default 1_000 */
  readonly checkpointMs?: number;
  readonly onLog?: (line: NodeLogLine) => void;
  /** Keeps a record that was given up on; a rejection fails the run. @default the run fails */
  readonly onDeadLetter?: (failed: FailedRecord, node: string) => Promise<void>;
}

export interface NodeLogLine {
  readonly node: string;
  readonly atMs: number;
  readonly level: LogLevel;
  readonly text: string;
}

/** How a run ended. */
export interface RunEnd {
  /** `completed`: every source has ended and every record is through. `stopped`: on request. `failed`: see `error`. */
  readonly outcome: "completed" | "stopped" | "failed";
  readonly error?: unknown;
  /** Records handed over that are not known to be through; they come again with the next run. */
  readonly inFlight: number;
}

/** A run as those see it who work for it. */
export interface RunHost {
  readonly options: GraphRunOptions & { readonly clock: Clock; readonly epoch: number };
  /** Aborted when the run ends. */
  readonly signal: AbortSignal;
  readonly quiet: Quiet;
  fail(error: unknown): void;
  wake(): void;
  pause(reason?: string): void;
  whenResumed(): Promise<void>;
  /** Whether it is to end once everything is through, or has ended. */
  readonly isStopping: boolean;
  close(): Promise<RunEnd>;
}
