import { statfsSync } from "node:fs";
import { natureError } from "../errors.ts";

/** How much may be stored before the disk is looked at again: little beside what is kept free. */
const CHECK_EVERY = 4 * 1_048_576;

/** Keeps a store from filling its disk to the last byte, on which not even the end of a task could be recorded. */
export class DiskWatch {
  readonly #folder: string;
  readonly #minFreeBytes: number;
  readonly #reusableBytes: () => number;
  #unchecked = CHECK_EVERY;

  /** `reusableBytes` says what is free within the database: its file never shrinks. */
  constructor(folder: string, minFreeBytes: number, reusableBytes: () => number) {
    this.#folder = folder;
    this.#minFreeBytes = minFreeBytes;
    this.#reusableBytes = reusableBytes;
  }

  /** @throws store.unavailable – there is less room than is to be kept free */
  check(size: number): void {
    if (this.#minFreeBytes === 0) return;
    this.#unchecked += size;
    if (this.#unchecked < CHECK_EVERY) return;
    const { bavail, bsize } = statfsSync(this.#folder);
    const freeBytes = bavail * bsize + this.#reusableBytes();
    if (freeBytes < this.#minFreeBytes) {
      throw natureError(
        "store.unavailable",
        `the disk under ${this.#folder} has ${freeBytes} bytes left, ${this.#minFreeBytes} are kept free; make room, nothing was stored meanwhile`,
        { details: { freeBytes, minFreeBytes: this.#minFreeBytes } },
      );
    }
    this.#unchecked = 0;
  }
}
