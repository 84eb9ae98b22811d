import type { StoredRecord } from "./record.ts";
import type { Page } from "./store.ts";

/** Records that a consumer keeps ready; what is appended beyond is read when there is room again. */
const MAX_RECORDS = 2_048;
const MAX_SIZE = 8 * 1_048_576;
/** A read begins when less than this is at hand, so that it is done before the rest is delivered. */
const LOW_RECORDS = 512;
const LOW_SIZE = 2 * 1_048_576;

/**
 * The records that a consumer delivers next, in stream order. A consumer that keeps up gets what is appended handed on
 * without a read; one that is behind reads page after page until it has caught up.
 */
export class Inlet {
  readonly #readPage: (afterSequence: number, limit: number) => Promise<Page>;
  #records: StoredRecord[] = [];
  #next = 0;
  /** Of what is at hand: UTF-16 code units of the heads and bytes of the octets. */
  #size = 0;
  /** Everything up to here that there is to deliver is in `#records` or was taken. */
  #through: number;
  #last: number;
  #first: number;
  #isReading = false;

  constructor(
    readPage: (afterSequence: number, limit: number) => Promise<Page>,
    start: { cursor: number; firstSequence: number; lastSequence: number },
  ) {
    this.#readPage = readPage;
    this.#through = start.cursor;
    this.#first = start.firstSequence;
    this.#last = Math.max(start.lastSequence, start.cursor);
  }

  /** How many records lie after `cursor`. */
  pending(cursor: number): number {
    return Math.max(0, this.#last - Math.max(cursor, this.#first - 1));
  }

  /** The next record, if one is at hand. */
  take(): StoredRecord | undefined {
    const record = this.#records[this.#next];
    if (record === undefined) return undefined;
    this.#next++;
    this.#size -= sizeOf(record);
    if (this.#next === this.#records.length) this.#clear();
    else if (this.#next >= MAX_RECORDS) {
      this.#records = this.#records.slice(this.#next);
      this.#next = 0;
    }
    return record;
  }

  /** Whether it is time to read: there is more, and little at hand. */
  get isLow(): boolean {
    return (
      !this.#isReading && this.#through < this.#last && this.#records.length - this.#next < LOW_RECORDS && this.#size < LOW_SIZE
    );
  }

  /** Takes on what was appended, unless records before it are still to be read or there is no room. */
  offer(records: readonly StoredRecord[]): void {
    for (const record of records) {
      if (record.sequence <= this.#through) continue; // a page that was read meanwhile had it
      const hasRoom = this.#records.length - this.#next < MAX_RECORDS && this.#size < MAX_SIZE;
      if (hasRoom && this.#through === this.#last) this.#add(record);
      this.#last = Math.max(this.#last, record.sequence);
    }
  }

  /** Reads the next page. */
  async read(): Promise<void> {
    this.#isReading = true;
    try {
      const after = this.#through;
      const { records, throughSequence } = await this.#readPage(after, MAX_RECORDS);
      if (this.#through !== after) return; // purged meanwhile
      for (const record of records) this.#add(record);
      this.#through = Math.max(this.#through, throughSequence);
      this.#last = Math.max(this.#last, this.#through);
    } finally {
      this.#isReading = false;
    }
  }

  /** Nothing before `sequence` is there any more. */
  moveFirst(sequence: number): void {
    this.#first = Math.max(this.#first, sequence);
  }

  /** Nothing up to `sequence` is to be delivered. */
  skipTo(sequence: number): void {
    const rest = this.#records.slice(this.#next).filter((record) => record.sequence > sequence);
    this.#clear();
    this.#records = rest;
    for (const record of rest) this.#size += sizeOf(record);
    this.#through = Math.max(this.#through, sequence);
    this.#last = Math.max(this.#last, sequence);
  }

  #add(record: StoredRecord): void {
    this.#records.push(record);
    this.#size += sizeOf(record);
    this.#through = record.sequence;
  }

  #clear(): void {
    this.#records = [];
    this.#next = 0;
    this.#size = 0;
  }
}

function sizeOf(record: StoredRecord): number {
  return record.head.length + (record.octets?.length ?? 0);
}
