import type { WireError } from "../errors.ts";
import type { NewRecord, StoredRecord } from "./record.ts";
import type { StoreOptions } from "./sqlite-store.ts";
import type { CommitBatch, CommitResult, ConsumerSave, LogStore, Refusal } from "./store.ts";

/**
 * What crosses between the log and its thread. Whatever may hold many records goes as columns: cloning an array of
 * strings costs a third of cloning an array of objects, and less than packing the strings into bytes first.
 */

/** What the thread is started with. */
export type WorkerStart = StoreOptions;

/** Asks the thread for one method of its store. */
export interface WorkerRequest {
  readonly id: number;
  readonly op: keyof LogStore;
  readonly args: readonly unknown[];
}

/** The thread's answers; id 0 is about its start. */
export type WorkerAnswer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: WireError };

/** Octets by the index of their record: few records have some. */
type SparseOctets = [index: number, octets: Uint8Array][];

/** A {@link CommitBatch} in columns. */
export interface PackedBatch {
  readonly nowMs: number;
  /** Per call: its stream, and how many records it has. */
  readonly streams: readonly number[];
  readonly counts: readonly number[];
  /** Per record, those of the first call first. */
  readonly keys: readonly string[];
  readonly heads: readonly string[];
  readonly bytes: readonly number[];
  readonly octets: SparseOctets;
  readonly saves: readonly ConsumerSave[];
}

/** A {@link CommitResult} in columns. */
export interface PackedResult {
  /** Per record; nothing for the records of a refused call. */
  readonly sequences: Float64Array<ArrayBuffer>;
  readonly refusals: readonly (readonly [call: number, refusal: Refusal])[];
  readonly firstSequences: CommitResult["firstSequences"];
}

/** Stored records in columns. */
export interface PackedRecords {
  readonly sequences: readonly number[];
  readonly storedAtMs: readonly number[];
  readonly heads: readonly string[];
  readonly octets: SparseOctets;
}

export function packBatch(batch: CommitBatch): PackedBatch {
  const keys: string[] = [];
  const heads: string[] = [];
  const bytes: number[] = [];
  const octets: SparseOctets = [];
  for (const call of batch.calls) {
    for (const record of call.records) {
      if (record.octets !== undefined) octets.push([keys.length, record.octets]);
      keys.push(record.key);
      heads.push(record.head);
      bytes.push(record.bytes);
    }
  }
  const streams = batch.calls.map((call) => call.stream);
  const counts = batch.calls.map((call) => call.records.length);
  return { nowMs: batch.nowMs, streams, counts, keys, heads, bytes, octets, saves: batch.saves };
}

export function unpackBatch(packed: PackedBatch): CommitBatch {
  const octets = new Map(packed.octets);
  let at = 0;
  const calls = packed.streams.map((stream, call) => {
    const records: NewRecord[] = [];
    for (let left = packed.counts[call] ?? 0; left > 0; left--, at++) {
      records.push({
        key: packed.keys[at] ?? "",
        head: packed.heads[at] ?? "",
        bytes: packed.bytes[at] ?? 0,
        octets: octets.get(at),
      });
    }
    return { stream, records };
  });
  return { nowMs: packed.nowMs, calls, saves: packed.saves };
}

export function packResult(batch: PackedBatch, result: CommitResult): PackedResult {
  const sequences = new Float64Array(batch.keys.length);
  const refusals: [number, Refusal][] = [];
  let at = 0;
  result.calls.forEach((outcome, call) => {
    if ("length" in outcome) sequences.set(outcome, at);
    else refusals.push([call, outcome]);
    at += batch.counts[call] ?? 0;
  });
  return { sequences, refusals, firstSequences: result.firstSequences };
}

export function unpackResult(batch: PackedBatch, packed: PackedResult): CommitResult {
  const refusals = new Map(packed.refusals);
  let at = 0;
  const calls = batch.counts.map((count, call) => {
    const sequences = count === 1 ? [packed.sequences[at] ?? 0] : Array.from(packed.sequences.subarray(at, at + count));
    at += count;
    return refusals.get(call) ?? sequences;
  });
  return { calls, firstSequences: packed.firstSequences };
}

export function packRecords(records: readonly StoredRecord[]): PackedRecords {
  return {
    sequences: records.map((record) => record.sequence),
    storedAtMs: records.map((record) => record.storedAtMs),
    heads: records.map((record) => record.head),
    octets: records.flatMap((record, index): SparseOctets => (record.octets === undefined ? [] : [[index, record.octets]])),
  };
}

export function unpackRecords(packed: PackedRecords): StoredRecord[] {
  const octets = new Map(packed.octets);
  return packed.sequences.map((sequence, index) => ({
    sequence,
    storedAtMs: packed.storedAtMs[index] ?? 0,
    head: packed.heads[index] ?? "",
    octets: octets.get(index),
  }));
}
