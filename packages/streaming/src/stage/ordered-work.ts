import type { Batch } from "../record/batch.ts";
import { Many } from "./answer.ts";
import type { StageHost } from "./stage.ts";

export interface OrderedWorkOptions {
  readonly host: StageHost;
  readonly concurrency: number;
  /** The answer for one record, or a promise of it that never rejects while the run lives. */
  readonly answer: (batch: Batch, index: number, from: string) => unknown;
}

interface Entry {
  readonly batch: Batch;
  readonly from: string;
  /** By index; a hole where the record was not begun, {@link PENDING} where it is under way. */
  readonly answers: unknown[];
  /** Records begun. */
  begun: number;
  /** Records whose answers have gone on. */
  given: number;
}

const PENDING = Symbol("pending");

/**
 * Records that wait for their answers: several at a time, begun in order, and given on in order whichever is ready first.
 * What is ready at the front goes on at the end of the turn of the event loop, as one batch.
 */
export class OrderedWork {
  readonly #options: OrderedWorkOptions;
  readonly #entries: Entry[] = [];
  #underWay = 0;
  /** Records taken, and records given on, in all. */
  #taken = 0;
  #given = 0;
  #isFlushing = false;
  #isClosed = false;
  readonly #waiters: { readonly taken: number; readonly resolve: () => void }[] = [];

  constructor(options: OrderedWorkOptions) {
    this.#options = options;
  }

  /** Records taken and not given on. */
  get waiting(): number {
    return this.#taken - this.#given;
  }

  /** Takes a batch over, of which the first records may have been answered already: with an answer, or with a promise. */
  add(batch: Batch, from: string, answers: unknown[]): void {
    if (batch.count === 0) {
      batch.receipt.release();
      return;
    }
    const entry: Entry = { batch, from, answers, begun: answers.length, given: 0 };
    this.#entries.push(entry);
    this.#taken += batch.count;
    const last = answers.length - 1;
    if (answers[last] instanceof Promise) this.#await(entry, last, answers[last]);
    this.#begin();
    this.#flushSoon();
  }

  /** Resolves when everything taken so far was given on; also when it is closed. */
  finished(): Promise<void> {
    if (this.waiting === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ taken: this.#taken, resolve }));
  }

  close(): void {
    this.#isClosed = true;
    this.#entries.length = 0;
    this.#given = this.#taken;
    this.#tellFinished();
  }

  /** Puts the answers for the records from `first` on into one batch and passes it on, with one hold of the receipt. */
  give(batch: Batch, answers: readonly unknown[], first: number): void {
    const { host } = this.#options;
    const records: unknown[] = [];
    const parents: number[] = [];
    const marks: number[] = [];
    let filtered = 0;
    for (let index = 0; index < answers.length; index++) {
      const answer = answers[index];
      const given = answer instanceof Many ? answer.records : answer === undefined ? [] : [answer];
      if (given.length === 0) filtered++;
      for (let mark = 0; mark < given.length; mark++) {
        records.push(given[mark]);
        parents.push(first + index);
        marks.push(mark);
      }
    }
    if (filtered > 0) host.count("filtered", filtered);
    if (records.length === 0) batch.receipt.release();
    else host.outlet.push(batch.derive({ records }, host.node.name, { parents, marks }));
  }

  #begin(): void {
    for (const entry of this.#entries) {
      while (entry.begun < entry.batch.count) {
        if (this.#underWay >= this.#options.concurrency || this.#isClosed) return;
        const index = entry.begun++;
        const answer = this.#options.answer(entry.batch, index, entry.from);
        if (answer instanceof Promise) this.#await(entry, index, answer);
        else entry.answers[index] = answer;
      }
    }
  }

  #await(entry: Entry, index: number, answer: Promise<unknown>): void {
    entry.answers[index] = PENDING;
    this.#underWay++;
    answer.then(
      (value) => {
        this.#underWay--;
        entry.answers[index] = value;
        this.#begin();
        this.#flushSoon();
      },
      (error) => {
        if (!this.#isClosed && !this.#options.host.signal.aborted) this.#options.host.fail(error);
      },
    );
  }

  #flushSoon(): void {
    if (this.#isFlushing || this.#isClosed) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      if (!this.#isClosed) this.#flush();
    });
  }

  #flush(): void {
    const { host } = this.#options;
    for (let entry = this.#entries[0]; entry !== undefined; entry = this.#entries[0]) {
      if (!host.outlet.hasRoom()) {
        host.outlet.whenRoom(() => this.#flushSoon());
        return;
      }
      const ready = this.#readyOf(entry);
      if (ready.length > 0) {
        const first = entry.given;
        entry.given += ready.length;
        this.#given += ready.length;
        if (entry.given < entry.batch.count) entry.batch.receipt.hold(); // for the rest of the batch
        this.give(entry.batch, ready, first);
      }
      if (entry.given < entry.batch.count) break;
      this.#entries.shift();
    }
    this.#tellFinished();
    host.wake();
  }

  #tellFinished(): void {
    for (let first = this.#waiters[0]; first !== undefined && first.taken <= this.#given; first = this.#waiters[0]) {
      this.#waiters.shift();
      first.resolve();
    }
  }

  #readyOf(entry: Entry): unknown[] {
    let end = entry.given;
    while (end < entry.begun && entry.answers[end] !== PENDING) end++;
    return entry.answers.slice(entry.given, end);
  }
}
