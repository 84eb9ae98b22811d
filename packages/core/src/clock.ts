/**
 * The only place where time is read. Everything that waits takes a {@link Clock}, so that tests and simulations can
 * drive time by hand (`VirtualClock` in `@metanode/core/testing`).
 */

/** A pending timer. */
export interface Timer {
  /** Prevents the callback. Idempotent; does nothing once it ran. */
  cancel(): void;
}

/** A source of time and of timers. */
export interface Clock {
  /** Milliseconds since the Unix epoch, never going backwards within a process. May have a fraction. */
  now(): number;
  /**
   * The same by the clock on the wall, which people and time servers set: for what is to happen at a time of the day, and
   * for nothing else. @default {@link now}
   */
  wallNow?(): number;
  /** Runs `callback` once, `delayMs` from now (at once for 0 or less, but never before this call returns). Does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

/** setTimeout treats a longer delay as 1 ms. */
const LONGEST_TIMEOUT_MS = 2_147_483_647;

class SystemTimer implements Timer {
  #handle: NodeJS.Timeout;

  constructor(delayMs: number, callback: () => void) {
    this.#handle = this.#arm(delayMs, callback);
  }

  #arm(delayMs: number, callback: () => void): NodeJS.Timeout {
    const handle =
      delayMs > LONGEST_TIMEOUT_MS
        ? setTimeout(() => {
            this.#handle = this.#arm(delayMs - LONGEST_TIMEOUT_MS, callback);
          }, LONGEST_TIMEOUT_MS)
        : setTimeout(callback, Math.max(0, Math.ceil(delayMs))); // a fraction would be cut off, and the timer fire too soon
    return handle.unref();
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }
}

/** The machine's clock: monotonic within a process (a stepped wall clock moves no deadline). */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  wallNow: () => Date.now(),
  setTimer: (delayMs, callback) => new SystemTimer(delayMs, callback),
};

/** Resolves after `delayMs` of `clock`; rejects with the signal's reason if it is aborted first. */
export function wait(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Something that can run out of time. */
export interface Expiring {
  /** Called once, at its deadline or up to one tick later. */
  expire(): void;
}

/**
 * Deadlines for very many short-lived things: one timer for all of them instead of one each.
 * An entry expires between its deadline and one tick after it; adding and removing cost one Set operation.
 */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #buckets = new Map<number, Set<Expiring>>();
  #timer: Timer | undefined;
  #timerSlot = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, tickMs = 8) {
    this.#clock = clock;
    this.#tickMs = tickMs;
  }

  /** Adds an entry and returns its slot, which {@link remove} wants back. */
  add(entry: Expiring, deadlineMs: number): number {
    const slot = Math.ceil(deadlineMs / this.#tickMs);
    let bucket = this.#buckets.get(slot);
    if (bucket === undefined) {
      bucket = new Set();
      this.#buckets.set(slot, bucket);
      if (slot < this.#timerSlot) this.#arm(slot);
    }
    bucket.add(entry);
    return slot;
  }

  /** Removes an entry that no longer needs its deadline. */
  remove(entry: Expiring, slot: number): void {
    const bucket = this.#buckets.get(slot);
    if (bucket === undefined) return;
    bucket.delete(entry);
    if (bucket.size === 0) this.#buckets.delete(slot);
  }

  /** Gives the timer back if nothing waits for it; the next entry sets a new one. */
  rest(): void {
    if (this.#buckets.size > 0) return;
    this.#timer?.cancel();
    this.#timerSlot = Number.POSITIVE_INFINITY;
  }

  #arm(slot: number): void {
    this.#timer?.cancel();
    this.#timerSlot = slot;
    this.#timer = this.#clock.setTimer(slot * this.#tickMs - this.#clock.now(), () => this.#fire());
  }

  #fire(): void {
    this.#timerSlot = Number.POSITIVE_INFINITY;
    const due = Math.floor(this.#clock.now() / this.#tickMs);
    let next = Number.POSITIVE_INFINITY;
    for (const [slot, bucket] of this.#buckets) {
      if (slot > due) {
        if (slot < next) next = slot;
        continue;
      }
      this.#buckets.delete(slot);
      for (const entry of bucket) entry.expire();
    }
    if (next < this.#timerSlot) this.#arm(next);
  }
}
