import type { Clock } from "@metanode/core/clock";
import { Batch } from "../record/batch.ts";
import { SourceLineage } from "../record/lineage.ts";
import { Receipt } from "../record/receipt.ts";
import type { Progress } from "./progress.ts";
import type { SourceBatch } from "./source.ts";

/** How much of a source may be under way at a time. */
export interface Credit {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

interface InFlight {
  readonly count: number;
  readonly bytes: number;
  readonly progress: Progress;
  readonly sinceMs: number;
  readonly onSettled: (() => void) | undefined;
  isSettled: boolean;
}

export interface OriginOptions {
  /** The name of the source. */
  readonly name: string;
  /** What the ids of its records begin with. @default the name */
  readonly ids?: string;
  readonly credit: Credit;
  readonly clock: Clock;
  /** Called when something has settled: there may be credit, progress, or quiet. */
  readonly onSettled: () => void;
}

/**
 * What one source has under way.
 *
 *  O1. Progress moves only over records that are settled without a gap: what is settled out of order waits.
 *  O2. Credit counts from handing over to settling, wherever a record is by then; it bounds the memory of the whole graph.
 */
export class Origin {
  readonly name: string;
  readonly #ids: string;
  readonly #credit: Credit;
  readonly #clock: Clock;
  readonly #onSettled: () => void;
  #inFlight: InFlight[] = [];
  #head = 0;
  #records = 0;
  #bytes = 0;
  #sequence = 0;
  #progress: Progress | undefined;

  constructor({ name, ids, credit, clock, onSettled }: OriginOptions) {
    this.name = name;
    this.#ids = ids ?? name;
    this.#credit = credit;
    this.#clock = clock;
    this.#onSettled = onSettled;
  }

  /** Begins at what was committed. */
  restore(progress: Progress): void {
    this.#sequence = progress.sequence;
    this.#progress = progress;
  }

  /** Records under way. */
  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Records handed over in all. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Up to where every record is through. */
  get progress(): Progress | undefined {
    return this.#progress;
  }

  /** How long the oldest record has been under way, in milliseconds; 0 when none is. */
  get oldestAgeMs(): number {
    const oldest = this.#inFlight[this.#head];
    return oldest === undefined ? 0 : this.#clock.now() - oldest.sinceMs;
  }

  hasCredit(): boolean {
    return this.#records < this.#credit.maxRecords && this.#bytes < this.#credit.maxBytes;
  }

  isQuiet(): boolean {
    return this.#head === this.#inFlight.length;
  }

  /** Takes records over from the source and puts them under a receipt. */
  admit(given: SourceBatch): Batch {
    const entry: { -readonly [Key in keyof InFlight]: InFlight[Key] } = {
      count: 0,
      bytes: 0,
      progress: { position: given.position, sequence: 0 },
      sinceMs: this.#clock.now(),
      onSettled: given.onSettled,
      isSettled: false,
    };
    const receipt = new Receipt(() => this.#settled(entry));
    const batch = new Batch(given, { receipt, lineage: given.lineage ?? new SourceLineage(this.#ids, this.#sequence) });
    this.#sequence += batch.count;
    entry.count = batch.count;
    entry.bytes = batch.bytes;
    entry.progress = { position: given.position, sequence: this.#sequence };
    this.#records += batch.count;
    this.#bytes += batch.bytes;
    this.#inFlight.push(entry);
    return batch;
  }

  #settled(entry: InFlight): void {
    entry.isSettled = true;
    this.#records -= entry.count;
    this.#bytes -= entry.bytes;
    entry.onSettled?.();
    this.#advance();
    this.#onSettled();
  }

  #advance(): void {
    const list = this.#inFlight;
    let head = this.#head;
    for (let next = list[head]; next?.isSettled === true; next = list[++head]) this.#progress = next.progress;
    if (head === list.length) {
      list.length = 0;
      head = 0;
    } else if (head > 1_024) {
      this.#inFlight = list.slice(head); // what is through must not be kept for the sake of what is not
      head = 0;
    }
    this.#head = head;
  }
}
