import { natureError } from "../errors.ts";

/** Ids in a block. With 2^53 numbers there are 2^33 blocks: a new one every second lasts for 272 years. */
export const TASK_BLOCK = 2 ** 20;

/**
 * Gives ids away without asking the database for each: it takes blocks of a million, the next one when half of the last is used.
 */
export class TaskIds {
  readonly #nextBlock: () => Promise<number>;
  #next: number;
  #end: number;
  #spare: number | undefined;
  #isAsking = false;

  /** `block` is the first one; the others come from `nextBlock`, which never gives one twice. */
  constructor(block: number, nextBlock: () => Promise<number>) {
    this.#nextBlock = nextBlock;
    // No task has the id 0.
    this.#next = Math.max(1, block * TASK_BLOCK);
    this.#end = (block + 1) * TASK_BLOCK;
  }

  /** @throws store.unavailable – no block could be had for half a million ids */
  next(): number {
    if (this.#end - this.#next <= TASK_BLOCK / 2 && this.#spare === undefined && !this.#isAsking) void this.#ask();
    if (this.#next === this.#end) this.#turn();
    return this.#next++;
  }

  #turn(): void {
    if (this.#spare === undefined) {
      throw natureError("store.unavailable", "the database has given no new block of task ids for half a million tasks");
    }
    this.#next = this.#spare * TASK_BLOCK;
    this.#end = this.#next + TASK_BLOCK;
    this.#spare = undefined;
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    try {
      this.#spare = await this.#nextBlock();
    } catch {
      // The next id asks again.
    }
    this.#isAsking = false;
  }
}
