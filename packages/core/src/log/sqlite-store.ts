import type { DatabaseSync, StatementSync } from "node:sqlite";
import { coreError } from "../errors.ts";
import { DiskGuard } from "./disk-guard.ts";
import { type ResolvedStreamOptions, resolveStreamOptions } from "./options.ts";
import type { RecordBody, StoredRecord } from "./record.ts";
import { DONE, freedRanges } from "./retention.ts";
import { type ConsumerState, positionOf, SqliteConsumers } from "./sqlite-consumers.ts";
import { SqliteDead } from "./sqlite-dead.ts";
import { newSweep, SqliteMessages, type StreamState } from "./sqlite-messages.ts";
import { type DatabaseOptions, freeBytes, openDatabase, storageError } from "./sqlite-schema.ts";
import type {
  CommitBatch,
  CommitResult,
  ConsumerRecord,
  ConsumerSave,
  DeadQuery,
  DeadRow,
  LogStore,
  Page,
  Refusal,
  ReplayedRecord,
  StreamRecord,
  StreamStats,
} from "./store.ts";

/** How the store is opened. */
export interface StoreOptions extends DatabaseOptions {
  /** Appends are refused while the disk has less room; 0 does not look. */
  readonly minFreeBytes: number;
}

/** {@link LogStore} as it looks in the thread that has the database: each method returns when it is done. */
export type SyncLogStore = {
  [K in keyof LogStore]: (...args: Parameters<LogStore[K]>) => Awaited<ReturnType<LogStore[K]>>;
};

/**
 * The store of the SQLite log. Every method that writes is one transaction; when it fails, what is kept in memory is
 * read anew before the next, so that both always agree.
 */
export class SqliteStore implements SyncLogStore {
  readonly #database: DatabaseSync;
  readonly #folder: string;
  readonly #disk: DiskGuard;
  readonly #messages: SqliteMessages;
  readonly #consumerRows: SqliteConsumers;
  readonly #dead: SqliteDead;
  readonly #streams = new Map<number, StreamState>();
  readonly #consumers = new Map<number, ConsumerState>();
  readonly #updateStream: StatementSync;
  /** A transaction failed: what is kept in memory may say more than what is stored. */
  #isStale = false;

  constructor(options: StoreOptions) {
    this.#folder = options.folder;
    this.#disk = new DiskGuard(options.folder, options.minFreeBytes, () => freeBytes(this.#database));
    this.#database = openDatabase(options);
    try {
      this.#messages = new SqliteMessages(this.#database);
      this.#consumerRows = new SqliteConsumers(this.#database);
      this.#dead = new SqliteDead(this.#database);
      this.#updateStream = this.#database.prepare(
        "UPDATE stream SET options = ?, last_sequence = ?, messages = ?, bytes = ? WHERE id = ?",
      );
      this.#load();
    } catch (thrown) {
      this.#database.close();
      throw storageError(thrown, `the log in ${this.#folder} cannot be read`);
    }
  }

  /**
   * Undoes what a failed transaction left behind; to be called before each request.
   * @throws {MetanodeError} log.storage – the database cannot be read now.
   */
  recover(): void {
    if (!this.#isStale) return;
    this.#query("be read after a failure", () => {
      // Some failures, a full disk for one, have ended the transaction already.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      this.#load();
    });
    this.#isStale = false;
    this.#checkpoint();
  }

  /**
   * Moves the write-ahead log into the database, after which its file is written from the beginning again: on a full disk
   * that is often all the room that is needed. Whether it could be done.
   */
  #checkpoint(): boolean {
    try {
      this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)");
      return true;
    } catch {
      return false; // no room for this either: the next commit tells
    }
  }

  #load(): void {
    const sweeps = new Map([...this.#streams].map(([id, stream]) => [id, stream.sweep]));
    this.#streams.clear();
    this.#consumers.clear();
    for (const row of this.#database.prepare("SELECT id, name, options, last_sequence, messages, bytes FROM stream").all()) {
      const stream: StreamState = {
        id: Number(row.id),
        name: String(row.name),
        options: resolveStreamOptions(JSON.parse(String(row.options))),
        lastSequence: Number(row.last_sequence),
        messages: Number(row.messages),
        bytes: Number(row.bytes),
        firstSequence: 1,
        firstStoredAtMs: Number.POSITIVE_INFINITY,
        sweep: sweeps.get(Number(row.id)) ?? newSweep(),
      };
      this.#messages.findFirst(stream);
      this.#streams.set(stream.id, stream);
    }
    for (const consumer of this.#consumerRows.load()) this.#consumers.set(consumer.id, consumer);
  }

  /** Runs `work` as one transaction: it is on the disk when this returns, or nothing of it happened. */
  #transact<T>(what: string, work: () => T): T {
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (thrown) {
      this.#isStale = true;
      throw storageError(thrown, `the log in ${this.#folder} could not ${what}`);
    }
  }

  #query<T>(what: string, work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      throw storageError(thrown, `the log in ${this.#folder} could not ${what}`);
    }
  }

  // -- Streams --

  openStream(name: string, options: ResolvedStreamOptions | undefined, nowMs: number): StreamRecord {
    const known = this.#streams.values().find((stream) => stream.name === name);
    if (known !== undefined && options === undefined) return { id: known.id, options: known.options };
    const stream = this.#transact(`open stream ${name}`, () => {
      const opened = known ?? this.#addStream(name);
      opened.options = options ?? opened.options;
      if (opened.options.dedupWindowMs === 0) this.#database.prepare("DELETE FROM dedup WHERE stream = ?").run(opened.id);
      this.#freeConsumed(opened);
      this.#messages.enforce(opened, nowMs, this.#consumersOf(opened).length > 0);
      this.#saveStream(opened);
      return opened;
    });
    this.#streams.set(stream.id, stream);
    return { id: stream.id, options: stream.options };
  }

  #addStream(name: string): StreamState {
    const options = resolveStreamOptions();
    const insert = this.#database.prepare(
      "INSERT INTO stream (name, options, last_sequence, messages, bytes) VALUES (?, ?, 0, 0, 0)",
    );
    const id = Number(insert.run(name, JSON.stringify(options)).lastInsertRowid);
    const first = { firstSequence: 1, firstStoredAtMs: Number.POSITIVE_INFINITY };
    return { id, name, options, lastSequence: 0, messages: 0, bytes: 0, ...first, sweep: newSweep() };
  }

  #saveStream(stream: StreamState): void {
    const { id, options, lastSequence, messages, bytes } = stream;
    this.#updateStream.run(JSON.stringify(options), lastSequence, messages, bytes, id);
  }

  /** Removes all that no consumer needs: for a stream that was by-limits before. */
  #freeConsumed(stream: StreamState): void {
    const positions = this.#consumersOf(stream).map(positionOf);
    if (stream.options.keep === "by-limits" || positions.length === 0) return;
    const cursor = Math.min(...positions.map((position) => position.cursor));
    const open = new Set(positions.flatMap((position) => [...position.open]));
    const before = { cursor: stream.firstSequence - 1, open: DONE.open };
    this.#messages.remove(stream, freedRanges([], before, { cursor, open }));
  }

  streamNames(): string[] {
    return [...this.#streams.values()].map((stream) => stream.name);
  }

  streamStats(id: number, nowMs: number): StreamStats {
    const stream = this.#stream(id);
    this.#expire(stream, nowMs);
    const { messages, bytes, firstSequence, lastSequence } = stream;
    const consumers = this.#consumersOf(stream).map(({ name, cursor, open, held }) => ({
      name,
      pending: Math.max(0, lastSequence - Math.max(cursor, firstSequence - 1)),
      unsettled: open.size + held.size,
    }));
    return { messages, bytes, firstSequence: lastSequence === 0 ? 0 : firstSequence, lastSequence, consumers };
  }

  commit(batch: CommitBatch): CommitResult {
    const { nowMs, calls, saves } = batch;
    if (calls.length === 0 && saves.length === 0) return { calls: [], firstSequences: [] };
    return this.#transact("store a commit", () => {
      const touched = new Set<StreamState>();
      for (const save of saves) this.#save(save, touched);
      const appended = new Map<StreamState, number>();
      const results = calls.map((call): number[] | Refusal => {
        const low = this.#disk.check(call.records);
        if (low !== undefined) return low;
        const stream = this.#stream(call.stream);
        touched.add(stream);
        appended.set(stream, (appended.get(stream) ?? 0) + call.records.length);
        return this.#messages.append(stream, call.records, nowMs);
      });
      for (const [stream, count] of appended) {
        this.#messages.enforce(stream, nowMs, this.#consumersOf(stream).length > 0);
        this.#messages.sweep(stream, count, nowMs);
      }
      for (const stream of touched) this.#saveStream(stream);
      return { calls: results, firstSequences: [...appended.keys()].map((stream) => [stream.id, stream.firstSequence]) };
    });
  }

  read(id: number, afterSequence: number, limit: number, nowMs: number): Page {
    const stream = this.#stream(id);
    this.#expire(stream, nowMs);
    return this.#query(`read stream ${stream.name}`, () => this.#messages.read(stream, afterSequence, limit));
  }

  purge(id: number): { removed: number; lastSequence: number } {
    const stream = this.#stream(id);
    const { lastSequence } = stream;
    return this.#transact(`purge stream ${stream.name}`, () => {
      const removed = this.#messages.remove(stream, [[stream.firstSequence, lastSequence]]);
      for (const consumer of this.#consumersOf(stream)) this.#consumerRows.skipTo(consumer, lastSequence);
      this.#saveStream(stream);
      return { removed, lastSequence };
    });
  }

  expire(nowMs: number): void {
    for (const stream of this.#streams.values()) this.#expire(stream, nowMs);
  }

  #expire(stream: StreamState, nowMs: number): void {
    const { keep, maxAgeMs } = stream.options;
    if (maxAgeMs === 0 || stream.firstStoredAtMs > nowMs - maxAgeMs) return;
    const isNeeded = this.#consumersOf(stream).length > 0;
    if (isNeeded && keep === "until-consumed") return;
    this.#transact(`remove old messages of stream ${stream.name}`, () => {
      this.#messages.enforce(stream, nowMs, isNeeded);
      this.#saveStream(stream);
    });
  }

  // -- Consumers --

  openConsumer(id: number, name: string, from: "first" | "new", nowMs: number): ConsumerRecord {
    const stream = this.#stream(id);
    this.#expire(stream, nowMs);
    const { firstSequence, lastSequence } = stream;
    let state = this.#consumersOf(stream).find((consumer) => consumer.name === name);
    if (state === undefined) {
      const cursor = from === "first" ? firstSequence - 1 : lastSequence;
      state = this.#transact(`open consumer ${name}`, () => this.#consumerRows.add(id, name, cursor));
      this.#consumers.set(state.id, state);
    }
    const { cursor, open } = state;
    const opened = state;
    const held = this.#query(`open consumer ${name}`, () => this.#consumerRows.held(opened));
    return { id: state.id, cursor, open: [...open], held, firstSequence, lastSequence };
  }

  removeConsumer(id: number, name: string): boolean {
    const stream = this.#stream(id);
    const all = this.#consumersOf(stream);
    const state = all.find((consumer) => consumer.name === name);
    if (state === undefined) return false;
    this.#transact(`remove consumer ${name}`, () => {
      this.#consumerRows.remove(state);
      if (stream.options.keep !== "until-consumed") return;
      const others = all.filter((consumer) => consumer !== state).map(positionOf);
      this.#messages.remove(stream, freedRanges(others, positionOf(state), DONE));
      this.#saveStream(stream);
    });
    this.#consumers.delete(state.id);
    return true;
  }

  #save(save: ConsumerSave, touched: Set<StreamState>): void {
    const state = this.#consumers.get(save.consumer);
    if (state === undefined) return; // removed meanwhile
    const stream = this.#stream(state.stream);
    const before = positionOf({ ...state, held: new Map(state.held) });
    this.#consumerRows.save(state, save);
    for (const dead of save.dead) this.#dead.add(dead, { stream: stream.name, consumer: state.name });
    if (stream.options.keep !== "until-consumed") return;
    const others = this.#consumersOf(stream).filter((consumer) => consumer !== state);
    const removed = this.#messages.remove(stream, freedRanges(others.map(positionOf), before, positionOf(state)));
    if (removed > 0) touched.add(stream);
  }

  readHeld(consumer: number, sequences: readonly number[]): StoredRecord[] {
    const state = this.#consumers.get(consumer);
    if (state === undefined) return [];
    const stream = this.#stream(state.stream);
    return this.#query(`read stream ${stream.name}`, () =>
      sequences.flatMap((sequence) => this.#consumerRows.own(state, sequence) ?? this.#messages.readOne(stream, sequence) ?? []),
    );
  }

  // -- Dead letters --

  listDead(query: DeadQuery): DeadRow[] {
    return this.#query("list dead letters", () => this.#dead.list(query));
  }

  countDead(): number {
    return this.#query("count dead letters", () => this.#dead.count());
  }

  getDead(id: number): DeadRow | undefined {
    return this.#query("read a dead letter", () => this.#dead.get(id));
  }

  editDead(id: number, body: RecordBody): boolean {
    return this.#transact("edit a dead letter", () => this.#dead.edit(id, body));
  }

  dropDead(id: number): boolean {
    return this.#transact("drop a dead letter", () => this.#dead.drop(id));
  }

  replayDead(id: number): ReplayedRecord | "orphan" | undefined {
    const row = this.getDead(id);
    if (row === undefined) return undefined;
    // By name: a consumer that was removed and made anew takes it back.
    const stream = this.#streams.values().find((known) => known.name === row.stream);
    const state = stream && this.#consumersOf(stream).find((consumer) => consumer.name === row.consumer);
    if (state === undefined) return "orphan";
    return this.#transact("replay a dead letter", () => {
      this.#consumerRows.giveBack(state, id, row.sequence);
      this.#dead.drop(id);
      return { consumer: state.id, sequence: row.sequence };
    });
  }

  close(): void {
    this.#query("be closed", () => this.#database.close());
  }

  #stream(id: number): StreamState {
    const stream = this.#streams.get(id);
    if (stream === undefined) throw coreError("core.internal", `the log in ${this.#folder} has no stream with id ${id}`);
    return stream;
  }

  #consumersOf(stream: StreamState): ConsumerState[] {
    return [...this.#consumers.values().filter((consumer) => consumer.stream === stream.id)];
  }
}
