import { coreError } from "../errors.ts";
import type { ResolvedStreamOptions } from "./options.ts";
import type { NewRecord, RecordBody, StoredRecord } from "./record.ts";
import { DONE, freedRanges, type Position, type Range } from "./retention.ts";
import type { ConsumerRecord, ConsumerSave, FullStream, HeldRecord, Page, StreamStats } from "./store.ts";

interface Row extends StoredRecord {
  readonly bytes: number;
}

interface Holding extends HeldRecord {
  /** A replayed message, which the stream may no longer have. */
  readonly own: { readonly storedAtMs: number; readonly body: RecordBody } | undefined;
}

interface ConsumerState {
  readonly id: number;
  readonly name: string;
  cursor: number;
  open: ReadonlySet<number>;
  held: Map<number, Holding>;
}

/** One stream of a log in memory. */
export class MemoryStream {
  readonly id: number;
  readonly name: string;
  options: ResolvedStreamOptions;
  lastSequence = 0;
  #first = 1;
  readonly #rows = new Map<number, Row>();
  /** By key, in the order of being stored. */
  readonly #keys = new Map<string, { readonly sequence: number; readonly atMs: number }>();
  readonly #consumers = new Map<number, ConsumerState>();
  #bytes = 0;

  constructor(id: number, name: string, options: ResolvedStreamOptions) {
    this.id = id;
    this.name = name;
    this.options = options;
  }

  /** Of the oldest record, or of the next one if there is none. */
  get firstSequence(): number {
    return this.#first;
  }

  append(records: readonly NewRecord[], nowMs: number): number[] | FullStream {
    this.#forgetKeys(nowMs);
    const firsts = this.#duplicates(records);
    const fresh = records.filter((_, index) => firsts[index] === undefined);
    const bytes = fresh.reduce((sum, record) => sum + record.bytes, 0);
    const { keep, maxMessages, maxBytes } = this.options;
    if (keep === "until-consumed" && fresh.length > 0) {
      if (this.#rows.size + fresh.length > maxMessages || this.#bytes + bytes > maxBytes) {
        return { messages: this.#rows.size, bytes: this.#bytes };
      }
    }
    return records.map((record, index) => {
      const first = firsts[index];
      if (first === undefined) return this.#add(record, nowMs);
      return -(typeof first === "number" ? first : (this.#keys.get(first.key)?.sequence ?? 0));
    });
  }

  /** For each record the sequence, or the record before it in the same call, that has its key already. */
  #duplicates(records: readonly NewRecord[]): (number | NewRecord | undefined)[] {
    if (this.options.dedupWindowMs === 0) return records.map(() => undefined);
    const seen = new Map<string, NewRecord>();
    return records.map((record) => {
      const known = this.#keys.get(record.key)?.sequence ?? seen.get(record.key);
      if (known === undefined) seen.set(record.key, record);
      return known;
    });
  }

  #add(record: NewRecord, nowMs: number): number {
    const sequence = ++this.lastSequence;
    const { head, octets, bytes, key } = record;
    this.#rows.set(sequence, { sequence, storedAtMs: nowMs, head, octets, bytes });
    this.#bytes += bytes;
    if (this.options.dedupWindowMs > 0) this.#keys.set(key, { sequence, atMs: nowMs });
    return sequence;
  }

  #forgetKeys(nowMs: number): void {
    const oldestMs = nowMs - this.options.dedupWindowMs;
    for (const [key, { atMs }] of this.#keys) {
      if (atMs > oldestMs) break;
      this.#keys.delete(key);
    }
  }

  read(afterSequence: number, limit: number): Page {
    const records: StoredRecord[] = [];
    let at = Math.max(afterSequence + 1, this.firstSequence);
    for (; at <= this.lastSequence && records.length < limit; at++) {
      const row = this.#rows.get(at);
      if (row !== undefined) records.push(row);
    }
    return { records, throughSequence: Math.max(afterSequence, at - 1) };
  }

  // -- Retention --

  /** Removes what is over its age, and from a by-limits stream what is over its size. */
  enforce(nowMs: number): void {
    this.expire(nowMs);
    const { keep, maxMessages, maxBytes } = this.options;
    if (keep === "until-consumed") return;
    while (this.#rows.size > maxMessages || this.#bytes > maxBytes) this.#remove(this.firstSequence);
  }

  /** Removes what is over its age, as far as nobody needs it. */
  expire(nowMs: number): void {
    const { keep, maxAgeMs } = this.options;
    if (maxAgeMs === 0 || (keep === "until-consumed" && this.#consumers.size > 0)) return;
    for (;;) {
      const oldest = this.#rows.get(this.firstSequence);
      if (oldest === undefined || oldest.storedAtMs > nowMs - maxAgeMs) return;
      this.#remove(oldest.sequence);
    }
  }

  /** Removes all that no consumer needs: for a stream that was by-limits before. */
  freeConsumed(): void {
    const positions = this.#positions();
    if (this.options.keep === "by-limits" || positions.length === 0) return;
    const cursor = Math.min(...positions.map((position) => position.cursor));
    const open = new Set(positions.flatMap((position) => [...position.open]));
    this.#free(freedRanges([], { cursor: this.firstSequence - 1, open: DONE.open }, { cursor, open }));
  }

  purge(): number {
    const removed = this.#rows.size;
    this.#rows.clear();
    this.#bytes = 0;
    this.#first = this.lastSequence + 1;
    for (const consumer of this.#consumers.values()) {
      consumer.cursor = this.lastSequence;
      consumer.open = new Set();
      consumer.held.clear();
    }
    return removed;
  }

  #remove(sequence: number): void {
    const row = this.#rows.get(sequence);
    if (row === undefined) return;
    this.#rows.delete(sequence);
    this.#bytes -= row.bytes;
    while (this.#first <= this.lastSequence && !this.#rows.has(this.#first)) this.#first++;
  }

  #free(ranges: readonly Range[]): void {
    for (const [from, to] of ranges) for (let sequence = from; sequence <= to; sequence++) this.#remove(sequence);
  }

  #positions(except?: ConsumerState): Position[] {
    return [...this.#consumers.values()].filter((consumer) => consumer !== except).map(positionOf);
  }

  // -- Consumers --

  consumerId(name: string): number | undefined {
    return this.#consumers.values().find((consumer) => consumer.name === name)?.id;
  }

  addConsumer(id: number, name: string, from: "first" | "new"): void {
    const cursor = from === "first" ? this.firstSequence - 1 : this.lastSequence;
    this.#consumers.set(id, { id, name, cursor, open: new Set(), held: new Map() });
  }

  consumer(id: number): ConsumerRecord {
    const { cursor, open, held } = this.#state(id);
    const { firstSequence, lastSequence } = this;
    const inTurn = [...held.values()].sort((a, b) => a.dueMs - b.dueMs || a.sequence - b.sequence);
    return { id, cursor, open: [...open], held: inTurn, firstSequence, lastSequence };
  }

  removeConsumer(id: number): void {
    const state = this.#state(id);
    this.#consumers.delete(id);
    if (this.options.keep === "until-consumed") this.#free(freedRanges(this.#positions(), positionOf(state), DONE));
  }

  /** Takes over what changed; the consumer's name, or nothing if it was removed. */
  save(save: ConsumerSave): string | undefined {
    const state = this.#consumers.get(save.consumer);
    if (state === undefined) return undefined;
    const before = positionOf(state);
    state.cursor = save.cursor;
    state.open = new Set(save.open);
    for (const held of save.hold) state.held.set(held.sequence, { ...held, own: state.held.get(held.sequence)?.own });
    for (const sequence of save.unhold) state.held.delete(sequence);
    if (this.options.keep === "until-consumed") this.#free(freedRanges(this.#positions(state), before, positionOf(state)));
    return state.name;
  }

  replay(consumer: number, sequence: number, own: { atMs: number; body: RecordBody }): void {
    const holding: Holding = { sequence, failures: 0, dueMs: 0, own: { storedAtMs: own.atMs, body: own.body } };
    this.#state(consumer).held.set(sequence, holding);
  }

  readHeld(consumer: number, sequences: readonly number[]): StoredRecord[] {
    const { held } = this.#state(consumer);
    const records: StoredRecord[] = [];
    for (const sequence of sequences) {
      const own = held.get(sequence)?.own;
      const row = own === undefined ? this.#rows.get(sequence) : { sequence, storedAtMs: own.storedAtMs, ...own.body };
      if (row !== undefined) records.push(row);
    }
    return records;
  }

  stats(): StreamStats {
    const { firstSequence, lastSequence } = this;
    const consumers = [...this.#consumers.values()].map(({ name, cursor, open, held }) => ({
      name,
      pending: Math.max(0, lastSequence - Math.max(cursor, firstSequence - 1)),
      unsettled: open.size + held.size,
    }));
    return {
      messages: this.#rows.size,
      bytes: this.#bytes,
      firstSequence: lastSequence === 0 ? 0 : firstSequence,
      lastSequence,
      consumers,
    };
  }

  #state(id: number): ConsumerState {
    const state = this.#consumers.get(id);
    if (state === undefined) throw coreError("core.internal", `the memory log has no consumer ${id}`);
    return state;
  }
}

function positionOf(state: ConsumerState): Position {
  return { cursor: state.cursor, open: new Set([...state.open, ...state.held.keys()]) };
}
