import type { Clock } from "@metanode/core/clock";

/**
 * Who runs next.
 *
 *  S1. A process stands in the queue at most once; it says so itself.
 *  S2. A process runs until its mail is handled or its share is used up, then goes to the end of the queue.
 *  S3. After a budget of messages or of time the rest waits for the next turn of the event loop, so that sockets and
 *      timers are served. The budget counts over all microtasks of a turn, and not over those of the turns before.
 */

/** Something with mail. */
export interface Runnable {
  /** Handles at most `share` messages and says how many it handled. Adds itself again if mail is left. */
  run(share: number): number;
}

/** Messages that a process handles before the next one runs. */
const SHARE = 128;
/** Messages after which the time is looked at. */
const LOOK_EVERY = 32;
const TURN_MESSAGES = 50_000;
const TURN_MS = 8;

/** What reacts to it runs in the next microtask, as with `queueMicrotask` of Node, which checks and wraps what it is given. */
const microtask = Promise.resolve();

/** One queue of processes that have mail. */
export class Scheduler {
  readonly #clock: Clock;
  #queue: Runnable[] = [];
  #next: Runnable[] = [];
  #armed = false;
  #spent = 0;
  #unlooked = 0;
  #turn = 0;
  #turnStartMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(process: Runnable): void {
    this.#next.push(process);
    if (this.#armed) return;
    this.#armed = true;
    void microtask.then(this.#pump);
  }

  readonly #pump = (): void => {
    if (this.#spent === 0) this.#begin(turnOfLoop());
    while (this.#next.length > 0) {
      const batch = this.#next;
      this.#next = this.#queue;
      this.#queue = batch;
      for (let i = 0; i < batch.length; i++) {
        const process = batch[i];
        if (process !== undefined) this.#count(process.run(SHARE) + 1);
        if (this.#isOver()) {
          this.#yield(i + 1);
          return;
        }
      }
      batch.length = 0;
    }
    this.#armed = false;
  };

  #count(handled: number): void {
    this.#spent += handled;
    this.#unlooked += handled;
  }

  /** Asks which turn it is only when the budget would be spent, because that costs more than a look at the time. */
  #isOver(): boolean {
    if (this.#spent < TURN_MESSAGES) {
      if (this.#unlooked < LOOK_EVERY) return false;
      this.#unlooked = 0;
      if (this.#clock.now() - this.#turnStartMs < TURN_MS) return false;
    }
    const turn = turnOfLoop();
    if (turn === this.#turn) return true;
    this.#begin(turn);
    return false;
  }

  #begin(turn: number): void {
    this.#turn = turn;
    this.#spent = 0;
    this.#unlooked = 0;
    this.#turnStartMs = this.#clock.now();
  }

  /** Keeps the rest of the batch, from `at` on, in front of what came meanwhile. */
  #yield(at: number): void {
    const rest = this.#queue.slice(at);
    this.#next = rest.length === 0 ? this.#next : rest.concat(this.#next);
    this.#queue = [];
    setImmediate(() => {
      this.#spent = 0;
      this.#pump();
    });
  }
}

/** Counts the turns of the event loop. */
function turnOfLoop(): number {
  return performance.nodeTiming.uvMetricsInfo.loopCount;
}
