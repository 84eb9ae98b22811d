import type { Clock, Timer } from "../clock.ts";

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * Time that stands still until {@link advance} moves it. Timers fire in the order of their moments, those of one
 * moment in the order of being set.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  #wallAheadMs = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();
  readonly #settle: () => Promise<void>;

  /** `settleBetween` waits until what a timer has started has happened; simulations have a quicker one. */
  constructor(startMs = Date.UTC(2026, 0, 1), settleBetween: () => Promise<void> = settle) {
    this.#nowMs = startMs;
    this.#settle = settleBetween;
  }

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return this.#nowMs + this.#wallAheadMs;
  }

  /** Sets the clock on the wall forward, or back if `ms` is negative; no time passes, and no timer fires. */
  stepWall(ms: number): void {
    this.#wallAheadMs += ms;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const entry: Pending = { at: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#pending.add(entry);
    return { cancel: () => void this.#pending.delete(entry) };
  }

  /** Timers that have not fired. */
  get pendingTimers(): number {
    return this.#pending.size;
  }

  /**
   * Moves time on by `ms`, firing what falls due, and lets promises settle between two timers: what a timer's callback
   * starts has happened before the next timer fires.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    await this.#settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#pending.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.at);
      next.callback();
      await this.#settle();
    }
    this.#nowMs = end;
    await this.#settle();
  }

  #next(end: number): Pending | undefined {
    let best: Pending | undefined;
    for (const entry of this.#pending) {
      if (entry.at > end) continue;
      if (best === undefined || entry.at < best.at || (entry.at === best.at && entry.order < best.order)) best = entry;
    }
    return best;
  }
}

/** Lets every promise that can settle without time do so: two rounds of the event loop. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}

/**
 * As {@link settle}, in one round: for work that waits for nothing outside of this thread. What is due at the end of the present
 * round is done in it, because promises have settled before the round is asked for.
 */
export async function settleInside(): Promise<void> {
  await new Promise<void>((resolve) => process.nextTick(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}
