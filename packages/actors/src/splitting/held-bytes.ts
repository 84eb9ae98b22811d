/** What a first, small allocation holds. */
const FIRST_BYTES = 256;

/**
 * The unfinished end of a stream, in one piece of memory that doubles: each byte is moved a constant number of times on
 * average, however small the reads are, and nothing is set aside on the mere word of a peer.
 */
export class HeldBytes {
  #memory: Uint8Array | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds a copy of `bytes`. `limit` is how long this will get at most, where it is known. */
  append(bytes: Uint8Array, limit = Number.POSITIVE_INFINITY): void {
    const needed = this.#length + bytes.length;
    let memory = this.#memory;
    if (memory === undefined || memory.length < needed) {
      const roomy = Math.max(needed, FIRST_BYTES, 2 * (memory?.length ?? 0));
      const larger = new Uint8Array(Math.max(needed, Math.min(roomy, limit)));
      if (memory !== undefined) larger.set(memory.subarray(0, this.#length));
      memory = larger;
      this.#memory = memory;
    }
    memory.set(bytes, this.#length);
    this.#length = needed;
  }

  /** All that is held; valid until the next change. */
  view(): Uint8Array {
    return this.#memory?.subarray(0, this.#length) ?? new Uint8Array(0);
  }

  /** Gives all that is held away, and starts anew. */
  take(): Uint8Array {
    const taken = this.view();
    this.#memory = undefined;
    this.#length = 0;
    return taken;
  }

  /** Drops the first `count` bytes. The memory is kept for what comes. */
  drop(count: number): void {
    this.#memory?.copyWithin(0, count, this.#length);
    this.#length -= count;
  }
}
