import type { DeadLetter } from "./log.ts";
import type { ResolvedStreamOptions } from "./options.ts";
import type { NewRecord, RecordBody, StoredRecord } from "./record.ts";

/**
 * What the embedded log asks of its storage: sets of rows and the state of consumers, and nothing about attempts or
 * time. Memory and SQLite implement it; everything else of the log is shared (`hosted.ts`, `consumer.ts`).
 *
 * Promises of a store:
 *  R1. A commit is applied wholly or, if it rejects, not at all; only a call that is refused is left out.
 *  R2. Requests take effect in the order in which they were made.
 *  R3. What a commit stored is on disk when it resolves.
 */
export interface LogStore {
  /** Creates or finds a stream; `options` replace the stored ones. */
  openStream(name: string, options: ResolvedStreamOptions | undefined, nowMs: number): Promise<StreamRecord>;
  streamNames(): Promise<string[]>;
  streamStats(stream: number, nowMs: number): Promise<StreamStats>;
  commit(batch: CommitBatch): Promise<CommitResult>;
  /** Records after `afterSequence`, in order: at most `limit`, and fewer if they grow large, but at least one if there is any. */
  read(stream: number, afterSequence: number, limit: number, nowMs: number): Promise<Page>;
  /** The records that a consumer holds for another attempt, in the order asked for; those that are gone are left out. */
  readHeld(consumer: number, sequences: readonly number[]): Promise<StoredRecord[]>;
  openConsumer(stream: number, name: string, from: "first" | "new", nowMs: number): Promise<ConsumerRecord>;
  /** Whether there was one. */
  removeConsumer(stream: number, name: string): Promise<boolean>;
  purge(stream: number): Promise<{ removed: number; lastSequence: number }>;
  /** Removes what is over its age in all streams. */
  expire(nowMs: number): Promise<void>;
  listDead(query: DeadQuery): Promise<DeadRow[]>;
  countDead(): Promise<number>;
  getDead(id: number): Promise<DeadRow | undefined>;
  /** Whether there was one. */
  editDead(id: number, body: RecordBody): Promise<boolean>;
  dropDead(id: number): Promise<boolean>;
  /** Moves a dead letter back to its consumer, in one commit. `undefined` if there is none; `orphan` if its consumer was removed. */
  replayDead(id: number): Promise<ReplayedRecord | "orphan" | undefined>;
  close(): Promise<void>;
}

export interface StreamRecord {
  readonly id: number;
  readonly options: ResolvedStreamOptions;
}

export interface StreamStats {
  readonly messages: number;
  readonly bytes: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly consumers: readonly { readonly name: string; readonly pending: number; readonly unsettled: number }[];
}

/** One call of `append`. */
export interface AppendCall {
  readonly stream: number;
  readonly records: readonly NewRecord[];
}

/** Saves first, then calls: what was acked makes room for what is appended. */
export interface CommitBatch {
  readonly nowMs: number;
  readonly calls: readonly AppendCall[];
  readonly saves: readonly ConsumerSave[];
}

export interface CommitResult {
  /** One per call: a sequence per record, negative where it is that of an earlier record; or why nothing was stored. */
  readonly calls: readonly (readonly number[] | Refusal)[];
  /** The first sequence that each stream of the batch still has, where retention removed something. */
  readonly firstSequences: readonly (readonly [stream: number, sequence: number])[];
}

/** Why a call was left out. */
export type Refusal = FullStream | LowDisk;

/** The stream is full. */
export interface FullStream {
  readonly messages: number;
  readonly bytes: number;
}

/** The disk has less room than is to be kept free. */
export interface LowDisk {
  readonly freeBytes: number;
  readonly minFreeBytes: number;
}

export interface Page {
  readonly records: readonly StoredRecord[];
  /** Every record up to here that the stream still has is in this page or before it. */
  readonly throughSequence: number;
}

/**
 * A consumer's state: everything up to `cursor` was delivered, and is done unless it is `open` or held for a retry. Its
 * size is bounded by the deliveries in flight and the messages that wait.
 */
export interface ConsumerRecord {
  readonly id: number;
  readonly cursor: number;
  /** Delivered, neither settled nor failed. */
  readonly open: readonly number[];
  /** Failed or replayed, to be tried again. */
  readonly held: readonly HeldRecord[];
  readonly firstSequence: number;
  readonly lastSequence: number;
}

export interface HeldRecord {
  readonly sequence: number;
  /** Attempts that failed. */
  readonly failures: number;
  /** When the next one is due. */
  readonly dueMs: number;
}

/** What changed since the last save; `cursor` and `open` are whole. */
export interface ConsumerSave {
  readonly consumer: number;
  readonly cursor: number;
  readonly open: readonly number[];
  readonly hold: readonly HeldRecord[];
  /** Sequences that are no longer held. */
  readonly unhold: readonly number[];
  readonly dead: readonly NewDead[];
}

export interface NewDead {
  readonly sequence: number;
  readonly attempts: number;
  readonly error: DeadLetter["error"];
  readonly atMs: number;
  readonly body: RecordBody;
}

export interface DeadRow extends NewDead {
  readonly id: number;
  readonly stream: string;
  readonly consumer: string;
  readonly edited: boolean;
}

export interface DeadQuery {
  readonly stream: string | undefined;
  readonly consumer: string | undefined;
  readonly afterId: number;
  readonly limit: number;
}

export interface ReplayedRecord {
  readonly consumer: number;
  readonly sequence: number;
}
