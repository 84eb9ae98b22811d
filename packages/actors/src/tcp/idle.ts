import type { Clock, Timer } from "@metanode/core/clock";

/**
 * Calls `onIdle` once, when nothing happened for `timeoutMs`. What happens costs one reading of the clock and no timer.
 */
export class IdleWatch {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #onIdle: () => void;
  #lastMs: number;
  #timer: Timer;

  constructor(clock: Clock, timeoutMs: number, onIdle: () => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#onIdle = onIdle;
    this.#lastMs = clock.now();
    this.#timer = clock.setTimer(timeoutMs, this.#look);
  }

  /** Something happened. */
  touch(): void {
    this.#lastMs = this.#clock.now();
  }

  /** Looks no more. Idempotent. */
  stop(): void {
    this.#timer.cancel();
  }

  readonly #look = (): void => {
    const leftMs = this.#lastMs + this.#timeoutMs - this.#clock.now();
    if (leftMs > 0) this.#timer = this.#clock.setTimer(leftMs, this.#look);
    else this.#onIdle();
  };
}
