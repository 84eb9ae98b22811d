import type { Clock } from "@metanode/core/clock";
import type { StateChange } from "../delivery/progress.ts";
import type { Source } from "../delivery/source.ts";
import type { GraphNode } from "../graph/form.ts";
import type { Batch } from "../record/batch.ts";
import type { Receipt } from "../record/receipt.ts";

/**
 * What works on the records at one node of a graph.
 *
 *  T1. `take` owns one hold of the batch's receipt: it passes it on with what it made, or releases it once it is done.
 *  T2. Batches of one upstream come in order. `take` never throws and never waits; a stage that has no room says so, and
 *      the next batch comes after `host.wake()`.
 *  T3. Records that fail go through the failure policy of the node. None is released without having been handled, dropped on
 *      purpose, or kept as a dead letter.
 */
export interface Stage {
  /** `from` is the upstream node. */
  take(batch: Batch, from: string): void;
  /** Whether it wants more. */
  hasRoom(): boolean;
  /** Records that it has taken and is not done with. */
  readonly waiting: number;
  /** One upstream will give nothing more, others may. */
  upstreamEnded?(from: string): void;
  /** Every upstream has ended: gives what it still has, and resolves when it is done with everything. */
  end(): Promise<void>;
  /**
   * Finishes with what was taken before this call, without waiting for more: the run is about to store a checkpoint or to
   * stop, or a source has no credit left. What belongs to later (an open window) stays in the state. Resolves when that is
   * done; the upstream stages have settled before.
   */
  settle(): Promise<void>;
  /** For stages that remember something from record to record. */
  readonly state?: StageState;
  /** Drops what it has and lets go of what it holds. Idempotent. */
  close(): Promise<void>;
  /** Details for people: processes, versions, watermark. */
  describe?(): Readonly<Record<string, unknown>>;
}

/** What a stage keeps over restarts: text by key. It is stored together with the positions of the sources, or not at all. */
export interface StageState {
  /** Called once before the first record. */
  restore(entries: ReadonlyMap<string, string>): void;
  /** The changes since the last call. Called only while no record is under way. */
  changes(): readonly Omit<StateChange, "stage">[];
}

/** Where a stage puts what it made: every edge that leaves its node. */
export interface Outlet {
  /** Passes a batch to every next stage, in order, with the caller's hold of its receipt. Without a next stage the hold is released. */
  push(batch: Batch): void;
  /** Whether every next stage wants more. */
  hasRoom(): boolean;
  /** Calls back once, when there is room again or may be. */
  whenRoom(callback: () => void): void;
}

/** What a stage counts, beyond what its edges count. */
export type StageCounter = "filtered" | "errors" | "retries" | "dropped" | "deadLetters" | "restarts" | "duplicates" | "late";

/** A record that a stage could not handle. */
export interface FailedRecord {
  readonly record: unknown;
  readonly id: string;
  /** The W3C traceparent that it belongs to. */
  readonly trace: string | undefined;
  /** The upstream that it came from. */
  readonly from: string;
  readonly attempts: number;
  readonly error: unknown;
  /** The last that the action wrote to stderr. */
  readonly stderr?: string;
}

/** What a run lends to the sources of its nodes. */
export interface SourceHost {
  readonly graph: string;
  readonly node: GraphNode;
  /** Which run of the graph this is; grows with every one. */
  readonly epoch: number;
  readonly clock: Clock;
  /** A folder of this node's own, which outlives the run; made on first use by whoever needs it. */
  readonly folder: string;
  /** Aborted when the run ends. */
  readonly signal: AbortSignal;
  /** A line for the log of the node. */
  log(level: LogLevel, text: string): void;
  count(what: StageCounter, by?: number): void;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** What a run lends to its stages. */
export interface StageHost extends SourceHost {
  /** From 0; a node with several replicas has a stage for each. */
  readonly replica: number;
  /** The nodes that feed this one. */
  readonly upstreams: readonly string[];
  readonly outlet: Outlet;
  /**
   * A record has used up its attempts. Does with it what the policy of the node says: `done` when it is dropped or kept as a
   * dead letter, so that the stage is done with it; `retry` when somebody mended the cause and it is to be tried anew.
   * Never resolves when the run fails because of it.
   */
  giveUp(failed: FailedRecord): Promise<"done" | "retry">;
  /** Ends the run as failed; it begins again from what was committed. */
  fail(error: unknown): void;
  /** The stage wants more again. */
  wake(): void;
  /** Work that no record waits for, but that a checkpoint has to: it waits until the receipt is settled. */
  receipt(): Receipt;
}

/** Opens one stage for several nodes in a row. */
export type OpenFused = (row: FusedRow) => Stage | Promise<Stage>;

/** Nodes in a row, each feeding the next and nobody else. */
export interface FusedRow {
  /** The hosts of the nodes, in order. */
  readonly hosts: readonly [StageHost, ...StageHost[]];
  /** The stage of the first node alone. */
  readonly alone: Stage;
  /** The stages of the other nodes, which work when the first one works alone. */
  readonly others: () => readonly Stage[];
  /** Whether somebody looks at an edge between them: then the records have to come by. */
  readonly isWatched: () => boolean;
}

/** What a node runs, once its settings are understood: the same thing as a source, as a stage, or both. */
export interface Action {
  /** For a node that nothing feeds. Absent: it cannot be the beginning of a graph. */
  readonly source?: (host: SourceHost) => Source | Promise<Source>;
  /** Whether its source gives the same records again (S1). @default true */
  readonly replays?: boolean;
  /**
   * Whether its records come again in another order, because whoever sent them sends them again when they did not get through.
   * Nothing is lost then, but ids hold for one run only. @default false
   */
  readonly renumbers?: boolean;
  /** For a node that is fed. Absent: it can only be the beginning. */
  readonly stage?: (host: StageHost) => Stage | Promise<Stage>;
  /** Whether its stages remember something from record to record. @default false */
  readonly keepsState?: boolean;
  /**
   * Whether it can do its work together with that of the actions which follow it in a row, without the records coming by in
   * between. `undefined` when it cannot with these.
   */
  readonly fuse?: (followers: readonly Action[]) => OpenFused | undefined;
  /**
   * Whether its stage keeps everything until the stream ends, so that nothing settles before. Such a graph has no bound on
   * what is under way, and begins anew after a failure or a stop. @default false
   */
  readonly holdsEverything?: boolean;
  /** What planning should tell: guarantees that cannot hold, programs that buffer. */
  readonly warnings?: readonly string[];
}
