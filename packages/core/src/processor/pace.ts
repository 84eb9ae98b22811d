/*
 * How fast a pool gets on with the calls of one type that wait for it.
 *
 * A queue that is first in, first out, and longer than its callers wait, comes to nothing when more is asked than can be
 * done: whoever reaches its head has just no time left, is begun all the same and ends unanswered. So a call is better
 * refused when it comes than when its time is up, and for that one must know how long it would wait.
 */

/** Ends before which nothing can be said. */
const LEAST_ENDS = 4;
/** A window is over when it was that long and had that many ends; what counts is this one and the one before. */
const WINDOW_MS = 500;
const WINDOW_ENDS = 32;
/** What was known is still true when calls begin to wait again within so many milliseconds. */
const KEEP_MS = 1_000;
/** The mean time that a call takes follows the last calls, so many or so. */
const MEAN_ENDS = 16;

interface Window {
  sinceMs: number;
  /** Calls that ended in it, and of those the ones that ended with an answer or an error of their own. */
  ended: number;
  done: number;
}

export class Pace {
  #window: Window | undefined;
  #before: Window | undefined;
  #serviceMs = 0;
  #endedMs = 0;

  /** Milliseconds that a call takes once it has begun; 0 if that is not known. */
  get serviceMs(): number {
    return this.#serviceMs;
  }

  /** Calls begin to wait; the time in which none did does not count, and what was long before says nothing about it. */
  begin(nowMs: number): void {
    const idleMs = nowMs - this.#endedMs;
    if (this.#window !== undefined && idleMs < KEEP_MS) {
      this.#window.sinceMs += idleMs;
      if (this.#before !== undefined) this.#before.sinceMs += idleMs;
      return;
    }
    this.#window = { sinceMs: nowMs, ended: 0, done: 0 };
    this.#before = undefined;
    this.#serviceMs = 0;
  }

  /** A call that had waited is over. One whose caller gave up left its place early, and says nothing of how fast work is done. */
  ended(nowMs: number, tookMs: number, isDone: boolean): void {
    const window = this.#window;
    if (window === undefined) return;
    this.#endedMs = nowMs;
    window.ended++;
    if (isDone) {
      window.done++;
      this.#serviceMs += (tookMs - this.#serviceMs) / (this.#serviceMs === 0 ? 1 : MEAN_ENDS);
    }
    if (window.ended < WINDOW_ENDS || nowMs - window.sinceMs < WINDOW_MS) return;
    this.#before = window;
    this.#window = { sinceMs: nowMs, ended: 0, done: 0 };
  }

  /** Milliseconds until a call with so many others before it is answered, by all that is known; `undefined` if too little is. */
  answerMs(others: number, nowMs: number): number | undefined {
    const window = this.#window;
    if (window === undefined) return undefined;
    const { sinceMs, ended, done } = this.#before ?? { sinceMs: window.sinceMs, ended: 0, done: 0 };
    if (window.ended + ended < LEAST_ENDS) return undefined;
    const all = window.done + done;
    return all === 0 ? Number.POSITIVE_INFINITY : (others * (nowMs - sinceMs)) / all + this.#serviceMs;
  }
}
