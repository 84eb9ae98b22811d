import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ResolvedStreamOptions } from "./options.ts";
import type { NewRecord, StoredRecord } from "./record.ts";
import type { Range } from "./retention.ts";
import type { FullStream, Page } from "./store.ts";

/**
 * The messages of all streams, in SQLite.
 *
 * A message's place is `stream << 43 | sequence`: a million streams, and a sequence that lasts for years at a million
 * messages a second. SQLite computes it, as JavaScript's numbers end at 53 bits.
 *
 * Rows go in one by one through prepared statements. Whole sets at once (`INSERT … SELECT FROM json_each(?)`) were
 * measured beside that and are no faster (320 k/s each with the dedup key at 2,500 rows a commit, half of it at 10,000),
 * and could not tell which row was a duplicate.
 */

const SEQUENCE_BITS = 43;
/** The largest number of 43 bits. */
const SEQUENCE_MASK = 2 ** SEQUENCE_BITS - 1;
/** The size at which a page of a read ends, so that neither a thread's message nor a consumer holds much. */
const MAX_PAGE_SIZE = 2 * 1_048_576;
/** Dedup keys looked at for their age per message appended: enough to go round twice in a window. */
const SWEEP_FACTOR = 4;
const MIN_SWEEP = 64;

/** What is kept in memory of a stream; equal to what is stored. */
export interface StreamState {
  readonly id: number;
  readonly name: string;
  options: ResolvedStreamOptions;
  lastSequence: number;
  messages: number;
  bytes: number;
  /** Of the oldest message; one after the last if there is none. */
  firstSequence: number;
  /** When the oldest was stored; infinite if there is none. */
  firstStoredAtMs: number;
  sweep: Sweep;
}

/** A round over the dedup keys, in the order of keys, a few with each commit. */
interface Sweep {
  afterKey: string;
  isUnderWay: boolean;
  nextAtMs: number;
}

/** A round that has not begun. */
export function newSweep(): Sweep {
  return { afterKey: "", isUnderWay: false, nextAtMs: 0 };
}

type Statements = ReturnType<typeof prepare>;

function prepare(database: DatabaseSync) {
  const position = (sequence: string): string => `(?1 << ${SEQUENCE_BITS} | ${sequence})`;
  const statements = {
    insert: `INSERT INTO message (position, stored_at, bytes, head, octets) VALUES (${position("?2")}, ?3, ?4, ?5, ?6)`,
    // One statement looks the key up and takes it: no change means that it is taken.
    takeKey: `INSERT INTO dedup (stream, key, sequence, stored_at) VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT DO UPDATE SET sequence = ?3, stored_at = ?4 WHERE stored_at <= ?5`,
    findKey: "SELECT sequence FROM dedup WHERE stream = ?1 AND key = ?2",
    first: `SELECT position & ${SEQUENCE_MASK}, stored_at FROM message
      WHERE position >= ${position("?2")} AND position <= ${position(`${SEQUENCE_MASK}`)} ORDER BY position LIMIT 1`,
    read: `SELECT position & ${SEQUENCE_MASK}, stored_at, head, octets FROM message
      WHERE position > ${position("?2")} AND position <= ${position(`${SEQUENCE_MASK}`)} ORDER BY position LIMIT ?3`,
    readOne: `SELECT stored_at, head, octets FROM message WHERE position = ${position("?2")}`,
    sizes: `SELECT position & ${SEQUENCE_MASK}, bytes FROM message
      WHERE position >= ${position("?2")} AND position <= ${position(`${SEQUENCE_MASK}`)} ORDER BY position`,
    // The oldest message that is young enough to stay.
    young: `SELECT position & ${SEQUENCE_MASK} FROM message
      WHERE position >= ${position("?2")} AND position <= ${position(`${SEQUENCE_MASK}`)} AND stored_at > ?3 ORDER BY position LIMIT 1`,
    measure: `SELECT count(*), total(bytes) FROM message WHERE position >= ${position("?2")} AND position <= ${position("?3")}`,
    remove: `DELETE FROM message WHERE position >= ${position("?2")} AND position <= ${position("?3")}`,
    sweepEnd: "SELECT key FROM dedup WHERE stream = ?1 AND key > ?2 ORDER BY key LIMIT 1 OFFSET ?3",
    sweep: "DELETE FROM dedup WHERE stream = ?1 AND key > ?2 AND key <= ?3 AND stored_at <= ?4",
    sweepRest: "DELETE FROM dedup WHERE stream = ?1 AND key > ?2 AND stored_at <= ?3",
  };
  const prepared = Object.entries(statements).map(([name, sql]) => {
    const statement = database.prepare(sql);
    statement.setReturnArrays(true);
    return [name, statement] as const;
  });
  return Object.fromEntries(prepared) as Record<keyof typeof statements, StatementSync>;
}

/** A row as an array; the types of its columns are those of the statement. */
type Row = readonly (number | string | Uint8Array | null)[];

/** See the top of the file. Everything here runs within a transaction of the caller. */
export class SqliteMessages {
  readonly #database: DatabaseSync;
  readonly #sql: Statements;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#sql = prepare(database);
  }

  /** Stores the records of one call, or refuses them all. */
  append(stream: StreamState, records: readonly NewRecord[], nowMs: number): number[] | FullStream {
    const { keep, maxMessages, maxBytes } = stream.options;
    const bytes = records.reduce((sum, record) => sum + record.bytes, 0);
    if (keep === "by-limits" || (stream.messages + records.length <= maxMessages && stream.bytes + bytes <= maxBytes)) {
      return this.#insert(stream, records, nowMs);
    }
    // Perhaps too much; how much is new only shows while it is stored.
    const before = { ...stream };
    this.#database.exec("SAVEPOINT call");
    const sequences = this.#insert(stream, records, nowMs);
    const hasNews = stream.messages > before.messages;
    if (!hasNews || (stream.messages <= maxMessages && stream.bytes <= maxBytes)) {
      this.#database.exec("RELEASE call");
      return sequences;
    }
    this.#database.exec("ROLLBACK TO call; RELEASE call");
    Object.assign(stream, before);
    return { messages: stream.messages, bytes: stream.bytes };
  }

  #insert(stream: StreamState, records: readonly NewRecord[], nowMs: number): number[] {
    const { id } = stream;
    const { dedupWindowMs } = stream.options;
    const sequences: number[] = [];
    for (const { key, head, octets, bytes } of records) {
      const sequence = stream.lastSequence + 1;
      if (dedupWindowMs > 0 && this.#sql.takeKey.run(id, key, sequence, nowMs, nowMs - dedupWindowMs).changes === 0) {
        const known = this.#sql.findKey.get(id, key) as unknown as Row;
        sequences.push(-Number(known[0]));
        continue;
      }
      this.#sql.insert.run(id, sequence, nowMs, bytes, head, octets ?? null);
      stream.lastSequence = sequence;
      stream.messages++;
      stream.bytes += bytes;
      sequences.push(sequence);
    }
    if (stream.firstStoredAtMs === Number.POSITIVE_INFINITY && stream.messages > 0) stream.firstStoredAtMs = nowMs;
    return sequences;
  }

  read(stream: StreamState, afterSequence: number, limit: number): Page {
    const records: StoredRecord[] = [];
    let size = 0;
    const after = Math.max(0, afterSequence, stream.firstSequence - 1);
    for (const row of this.#sql.read.iterate(stream.id, after, limit) as Iterable<unknown>) {
      const [sequence, storedAtMs, head, octets] = row as [number, number, string, Uint8Array | null];
      records.push({ sequence, storedAtMs, head, octets: octets ?? undefined });
      size += head.length + (octets?.length ?? 0);
      if (size >= MAX_PAGE_SIZE) break;
    }
    const isWhole = records.length < limit && size < MAX_PAGE_SIZE;
    const throughSequence = isWhole ? stream.lastSequence : (records.at(-1)?.sequence ?? after);
    return { records, throughSequence: Math.max(afterSequence, throughSequence) };
  }

  readOne(stream: StreamState, sequence: number): StoredRecord | undefined {
    const row = this.#sql.readOne.get(stream.id, sequence) as unknown as Row | undefined;
    if (row === undefined) return undefined;
    const [storedAtMs, head, octets] = row as [number, string, Uint8Array | null];
    return { sequence, storedAtMs, head, octets: octets ?? undefined };
  }

  /** Removes what is over its age and, from a by-limits stream, what is over its size. */
  enforce(stream: StreamState, nowMs: number, isNeeded: boolean): void {
    const { keep, maxAgeMs, maxMessages, maxBytes } = stream.options;
    if (isNeeded && keep === "until-consumed") return;
    if (maxAgeMs > 0 && stream.firstStoredAtMs <= nowMs - maxAgeMs) {
      const young = this.#sql.young.get(stream.id, stream.firstSequence, nowMs - maxAgeMs) as unknown as Row | undefined;
      this.remove(stream, [[stream.firstSequence, young === undefined ? stream.lastSequence : Number(young[0]) - 1]]);
    }
    if (keep === "until-consumed" || (stream.messages <= maxMessages && stream.bytes <= maxBytes)) return;
    let { messages, bytes } = stream;
    let last = 0;
    for (const row of this.#sql.sizes.iterate(stream.id, stream.firstSequence) as Iterable<unknown>) {
      if (messages <= maxMessages && bytes <= maxBytes) break;
      const [sequence, size] = row as [number, number];
      messages--;
      bytes -= size;
      last = sequence;
    }
    this.remove(stream, [[stream.firstSequence, last]]);
  }

  /** Removes what there is in `ranges`. How many. */
  remove(stream: StreamState, ranges: readonly Range[]): number {
    let removed = 0;
    let hasFirst = false;
    for (const [from, to] of ranges) {
      const [count, bytes] = this.#sql.measure.get(stream.id, from, to) as unknown as [number, number];
      if (count === 0) continue;
      this.#sql.remove.run(stream.id, from, to);
      stream.messages -= count;
      stream.bytes -= bytes;
      removed += count;
      hasFirst ||= from <= stream.firstSequence;
    }
    if (hasFirst) this.findFirst(stream);
    return removed;
  }

  /** Finds the oldest message at or after the one that is known as the oldest. */
  findFirst(stream: StreamState): void {
    const row = this.#sql.first.get(stream.id, stream.firstSequence) as unknown as [number, number] | undefined;
    stream.firstSequence = row?.[0] ?? stream.lastSequence + 1;
    stream.firstStoredAtMs = row?.[1] ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Removes a few of the dedup keys that are over the window. No index by age is needed, which every append would pay
   * for: rounds over all keys, twice in a window, keep the table below two windows' worth.
   */
  sweep(stream: StreamState, appended: number, nowMs: number): void {
    const { sweep, id } = stream;
    const { dedupWindowMs } = stream.options;
    if (dedupWindowMs === 0 || (!sweep.isUnderWay && nowMs < sweep.nextAtMs)) return;
    if (!sweep.isUnderWay) stream.sweep = { afterKey: "", isUnderWay: true, nextAtMs: nowMs + dedupWindowMs / 2 };
    const after = stream.sweep.afterKey;
    const steps = Math.max(MIN_SWEEP, appended * SWEEP_FACTOR);
    const end = this.#sql.sweepEnd.get(id, after, steps) as unknown as [string] | undefined;
    if (end === undefined) {
      this.#sql.sweepRest.run(id, after, nowMs - dedupWindowMs);
      stream.sweep = { ...stream.sweep, isUnderWay: false };
    } else {
      this.#sql.sweep.run(id, after, end[0], nowMs - dedupWindowMs);
      stream.sweep = { ...stream.sweep, afterKey: end[0] };
    }
  }
}
