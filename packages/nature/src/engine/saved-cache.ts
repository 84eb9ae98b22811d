import type { Clock } from "@metanode/core/clock";

/** Keys that were stored a short while ago, bounded: the oldest go first. */
export class SavedCache {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #limit: number;
  /** In the order of their last use. */
  readonly #expiry = new Map<string, number>();

  constructor(clock: Clock, ttlMs: number, limit: number) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#limit = limit;
  }

  add(key: string): void {
    this.#expiry.delete(key);
    this.#expiry.set(key, this.#clock.now() + this.#ttlMs);
    if (this.#expiry.size > this.#limit) this.#expiry.delete(this.#expiry.keys().next().value as string);
  }

  /** Whether it is there; a hit counts as a use. */
  has(key: string): boolean {
    const expiryMs = this.#expiry.get(key);
    if (expiryMs === undefined) return false;
    if (expiryMs <= this.#clock.now()) {
      this.#expiry.delete(key);
      return false;
    }
    this.add(key);
    return true;
  }
}
