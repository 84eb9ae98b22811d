import type { Timer } from "../clock.ts";
import type { TreeMeans } from "./means.ts";

/** How many times the first pause the longest one is. */
const LONGEST = 10;

/**
 * Tries again until it is told to stop: at once, then after pauses that double.
 *
 * R1. At most one attempt at a time.
 * R2. A `start` while an attempt is under way counts: what that attempt brings home may be lost already when it ends.
 * R3. After `stop` no attempt begins; what one brings home that was under way is the attempt's to drop.
 */
export class Redial {
  readonly #means: TreeMeans;
  readonly #attempt: () => Promise<boolean>;
  #timer: Timer | undefined;
  #isStopped = true;
  #isBusy = false;
  #isAskedAgain = false;
  #failures = 0;

  /** `attempt` gives true when no more is needed for now; what it throws counts as false. */
  constructor(means: TreeMeans, attempt: () => Promise<boolean>) {
    this.#means = means;
    this.#attempt = attempt;
  }

  get isRunning(): boolean {
    return !this.#isStopped;
  }

  start(): void {
    this.#isStopped = false;
    if (this.#isBusy) this.#isAskedAgain = true;
    else if (this.#timer === undefined) void this.#try();
  }

  stop(): void {
    this.#isStopped = true;
    this.#isAskedAgain = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#failures = 0;
  }

  async #try(): Promise<void> {
    this.#isBusy = true;
    this.#isAskedAgain = false;
    const isDone = await this.#attempt().catch(() => false);
    this.#isBusy = false;
    if (isDone && !this.#isAskedAgain) {
      this.stop();
      return;
    }
    if (this.#isStopped) return;
    if (isDone) {
      void this.#try();
      return;
    }
    const { redialMs } = this.#means.times;
    const pauseMs = Math.min(redialMs * 2 ** this.#failures, redialMs * LONGEST) * (0.5 + this.#means.random() / 2);
    this.#failures++;
    this.#timer = this.#means.clock.setTimer(pauseMs, () => {
      this.#timer = undefined;
      if (!this.#isStopped) void this.#try();
    });
  }
}
