import { statfsSync } from "node:fs";
import type { NewRecord } from "./record.ts";
import type { LowDisk } from "./store.ts";

/** How much may be appended before the disk is looked at again: little beside what is kept free. */
const CHECK_EVERY_BYTES = 4 * 1_048_576;

/**
 * Keeps the log from filling its disk to the last byte: a database on a full disk cannot even record what was consumed,
 * so it would never get room again by itself.
 */
export class DiskGuard {
  readonly #folder: string;
  readonly #minFreeBytes: number;
  readonly #reusableBytes: () => number;
  #uncheckedBytes = CHECK_EVERY_BYTES;

  /** `reusableBytes` says what is free within the database: its file never shrinks. */
  constructor(folder: string, minFreeBytes: number, reusableBytes: () => number) {
    this.#folder = folder;
    this.#reusableBytes = reusableBytes;
    this.#minFreeBytes = minFreeBytes;
  }

  /** Why `records` cannot be taken, if so. */
  check(records: readonly NewRecord[]): LowDisk | undefined {
    if (this.#minFreeBytes === 0) return undefined;
    for (const record of records) this.#uncheckedBytes += record.bytes;
    if (this.#uncheckedBytes < CHECK_EVERY_BYTES) return undefined;
    const { bavail, bsize } = statfsSync(this.#folder);
    const freeBytes = bavail * bsize + this.#reusableBytes();
    if (freeBytes < this.#minFreeBytes) return { freeBytes, minFreeBytes: this.#minFreeBytes };
    this.#uncheckedBytes = 0;
    return undefined;
  }
}
