import type { Batch } from "../record/batch.ts";

/** Records of one batch that are written together: those from `first` on, up to `end`. */
export interface Portion {
  readonly batch: Batch;
  /** The upstream that it came from. */
  readonly from: string;
  readonly first: number;
  readonly end: number;
}

/** A record that is about to be written. */
export interface LoadedRecord {
  readonly record: unknown;
  /** Stable identity: the same when the record comes again. */
  readonly id: string;
}

/** Records that a sink writes at once. */
export class Load {
  readonly portions: readonly Portion[];
  /** How many records. */
  readonly count: number;

  constructor(portions: readonly Portion[]) {
    this.portions = portions;
    let count = 0;
    for (const { first, end } of portions) count += end - first;
    this.count = count;
  }

  /** The records with their ids, in order. */
  *records(): Generator<LoadedRecord> {
    for (const { batch, first, end } of this.portions) {
      for (let index = first; index < end; index++) yield { record: batch.records[index], id: batch.idOf(index) };
    }
  }

  /** The same records as loads of one each. */
  *single(): Generator<Load> {
    for (const { batch, from, first, end } of this.portions) {
      for (let index = first; index < end; index++) yield new Load([{ batch, from, first: index, end: index + 1 }]);
    }
  }
}

/** Limits of one load. */
export interface LoadLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

/** What waits to be written, and gives it out in loads within their limits. */
export class Gathering {
  readonly #limits: LoadLimits;
  readonly #portions: Portion[] = [];
  count = 0;
  #bytes = 0;

  constructor(limits: LoadLimits) {
    this.#limits = limits;
  }

  /** Whether there is enough for a whole load. */
  get isFull(): boolean {
    return this.count >= this.#limits.maxRecords || this.#bytes >= this.#limits.maxBytes;
  }

  add(batch: Batch, from: string): void {
    this.#portions.push({ batch, from, first: 0, end: batch.count });
    this.count += batch.count;
    this.#bytes += batch.bytes;
  }

  clear(): void {
    this.#portions.length = 0;
    this.count = 0;
    this.#bytes = 0;
  }

  /** Takes out what goes next: at least one record. Where a batch is cut, its receipt is held once more for the rest. */
  next(): Load {
    const taken: Portion[] = [];
    let roomRecords = this.#limits.maxRecords;
    let roomBytes = this.#limits.maxBytes;
    for (let portion = this.#portions[0]; portion !== undefined; portion = this.#portions[0]) {
      const count = portion.end - portion.first;
      const recordBytes = Math.max(1, portion.batch.bytes / portion.batch.count);
      const fitting = Math.min(count, roomRecords, Math.floor(roomBytes / recordBytes));
      if (fitting === 0 && taken.length > 0) break;
      const cut = portion.first + Math.max(1, fitting);
      taken.push({ ...portion, end: cut });
      roomRecords -= cut - portion.first;
      roomBytes -= (cut - portion.first) * recordBytes;
      this.#bytes -= (cut - portion.first) * recordBytes;
      if (cut < portion.end) {
        portion.batch.receipt.hold();
        this.#portions[0] = { ...portion, first: cut };
        break;
      }
      this.#portions.shift();
    }
    const load = new Load(taken);
    this.count -= load.count;
    if (this.count === 0) this.#bytes = 0; // fractions do not add up
    return load;
  }
}
