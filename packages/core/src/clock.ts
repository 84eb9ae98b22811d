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

/** Read once: it never changes, and reading it costs more than `now`. */
const originMs = performance.timeOrigin;

/** The machine's clock: monotonic within a process (a stepped wall clock moves no deadline). */
export const systemClock: Clock = {
  now: () => originMs + performance.now(),
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

/** A place in a ring of those that are due together; alone at first. */
class Due {
  #next: Due = this;
  #previous: Due = this;

  /** Whoever comes after `place`; the place itself if it is alone. */
  static after(place: Due): Due {
    return place.#next;
  }

  /** Puts `entry`, which is alone, before `place`. */
  static join(entry: Due, place: Due): void {
    const last = place.#previous;
    entry.#previous = last;
    entry.#next = place;
    last.#next = entry;
    place.#previous = entry;
  }

  static leave(entry: Due): void {
    entry.#previous.#next = entry.#next;
    entry.#next.#previous = entry.#previous;
    entry.#next = entry;
    entry.#previous = entry;
  }
}

/** Something that can run out of time. It stands in one {@link DeadlineQueue} at a time. */
export abstract class Expiring extends Due {
  /** Called once, at its deadline or up to one tick later. */
  abstract expire(): void;
}

/**
 * Deadlines for very many short-lived things: one timer for all of them instead of one each.
 * An entry expires between its deadline and one tick after it; adding and removing link and unlink it and allocate nothing.
 */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #tickMs: number;
  /** Those that are due in the same tick, by the number of the tick. One that has run empty stays until the timer fires. */
  readonly #rings = new Map<number, Due>();
  /** The ring of {@link #slot}: what is added at a time is mostly due at a time. */
  #ring = new Due();
  #slot = Number.NaN;
  #timer: Timer | undefined;
  #timerSlot = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, tickMs = 8) {
    this.#clock = clock;
    this.#tickMs = tickMs;
  }

  /** Adds an entry that stands in no queue. */
  add(entry: Expiring, deadlineMs: number): void {
    const slot = Math.ceil(deadlineMs / this.#tickMs);
    const ring = slot === this.#slot ? this.#ring : this.#find(slot);
    Due.join(entry, ring);
  }

  /** Takes an entry that no longer needs its deadline out of whatever queue it stands in, if any. */
  static remove(entry: Expiring): void {
    Due.leave(entry);
  }

  #find(slot: number): Due {
    let ring = this.#rings.get(slot);
    if (ring === undefined) {
      ring = new Due();
      this.#rings.set(slot, ring);
    }
    if (slot < this.#timerSlot) this.#arm(slot);
    this.#ring = ring;
    this.#slot = slot;
    return ring;
  }

  /** Gives the timer back if nothing waits for it; the next entry sets a new one. */
  rest(): void {
    for (const ring of this.#rings.values()) if (Due.after(ring) !== ring) return;
    this.#rings.clear();
    this.#slot = Number.NaN;
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
    this.#slot = Number.NaN;
    const due = Math.floor(this.#clock.now() / this.#tickMs);
    let next = Number.POSITIVE_INFINITY;
    for (const [slot, ring] of this.#rings) {
      if (slot > due && Due.after(ring) !== ring) {
        if (slot < next) next = slot;
        continue;
      }
      this.#rings.delete(slot);
      for (let entry = Due.after(ring); entry !== ring; entry = Due.after(ring)) {
        Due.leave(entry);
        (entry as Expiring).expire();
      }
    }
    if (next < this.#timerSlot) this.#arm(next);
  }
}
