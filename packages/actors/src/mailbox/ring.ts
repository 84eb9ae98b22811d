import type { PID } from "../identity/index.ts";

const FIRST_SLOTS = 8;
/** A ring longer than this is given back when it has run empty. */
const KEPT_SLOTS = 2_048;

/**
 * A queue of mail that grows. An entry takes two slots, sender and payload, and allocates nothing else; an entry without
 * a sender holds an envelope.
 */
export class Ring {
  /** Entries waiting. */
  size = 0;
  #slots: unknown[] = new Array(FIRST_SLOTS).fill(undefined);
  #mask = FIRST_SLOTS - 1;
  #head = 0;

  push(from: PID | undefined, payload: unknown): void {
    if (this.size * 2 > this.#mask) this.#grow();
    const at = (this.#head + this.size * 2) & this.#mask;
    this.#slots[at] = from;
    this.#slots[at + 1] = payload;
    this.size++;
  }

  /** The sender of the first entry. Only while `size` is over 0. */
  peekFrom(): PID | undefined {
    return this.#slots[this.#head] as PID | undefined;
  }

  /** The payload of the first entry, which leaves the queue. Only while `size` is over 0. */
  take(): unknown {
    const head = this.#head;
    const slots = this.#slots;
    const payload = slots[head + 1];
    slots[head] = undefined;
    slots[head + 1] = undefined;
    this.#head = (head + 2) & this.#mask;
    this.size--;
    return payload;
  }

  /** Gives memory back after a flood. Does nothing while mail waits. */
  shrink(): void {
    if (this.size > 0 || this.#mask < KEPT_SLOTS) return;
    this.#slots = new Array(FIRST_SLOTS).fill(undefined);
    this.#mask = FIRST_SLOTS - 1;
    this.#head = 0;
  }

  #grow(): void {
    const old = this.#slots;
    const length = old.length;
    const grown: unknown[] = new Array(length * 2).fill(undefined);
    for (let i = 0; i < length; i++) grown[i] = old[(this.#head + i) & this.#mask];
    this.#slots = grown;
    this.#mask = length * 2 - 1;
    this.#head = 0;
  }
}
