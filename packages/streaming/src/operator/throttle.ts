import type { Timer } from "@metanode/core/clock";
import type { Batch } from "../record/batch.ts";
import type { Action, Stage, StageHost } from "../stage/stage.ts";

export interface ThrottleOptions {
  readonly perSecond: number;
  /** Records that may pass at once after a pause. @default 1 */
  readonly burst?: number;
  /** What becomes of records beyond that: they wait, and so does whoever gives them; or they are dropped and counted. @default "wait" */
  readonly excess?: "wait" | "drop";
}

/** Lets so many records pass in a second. Nothing is dropped unless it is told to. */
export function throttleAction({ perSecond, burst = 1, excess = "wait" }: ThrottleOptions): Action {
  return { stage: (host) => new ThrottleStage(host, { perSecond, burst, excess }) };
}

class ThrottleStage implements Stage {
  readonly #host: StageHost;
  readonly #options: Required<ThrottleOptions>;
  readonly #batches: { readonly batch: Batch; given: number }[] = [];
  #waiting = 0;
  #tokens: number;
  #sinceMs: number;
  #timer: Timer | undefined;
  readonly #waiters: (() => void)[] = [];

  constructor(host: StageHost, options: Required<ThrottleOptions>) {
    this.#host = host;
    this.#options = options;
    this.#tokens = options.burst;
    this.#sinceMs = host.clock.now();
  }

  get waiting(): number {
    return this.#waiting;
  }

  hasRoom(): boolean {
    return this.#waiting === 0 && this.#host.outlet.hasRoom();
  }

  take(batch: Batch): void {
    if (batch.count === 0) {
      batch.receipt.release();
      return;
    }
    this.#batches.push({ batch, given: 0 });
    this.#waiting += batch.count;
    if (this.#timer === undefined) this.#go();
  }

  settle(): Promise<void> {
    return this.#waiting === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  end(): Promise<void> {
    return this.settle();
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  #go(): void {
    this.#timer = undefined;
    const { perSecond, excess } = this.#options;
    this.#refill();
    for (let first = this.#batches[0]; first !== undefined; first = this.#batches[0]) {
      const count = Math.min(Math.floor(this.#tokens + 1e-9), first.batch.count - first.given);
      if (count === 0) break;
      this.#tokens -= count;
      this.#give(first, count);
    }
    if (excess === "drop") this.#dropRest();
    if (this.#waiting > 0) this.#timer = this.#host.clock.setTimer(((1 - this.#tokens) * 1_000) / perSecond, () => this.#go());
    else {
      for (const resolve of this.#waiters.splice(0)) resolve();
      this.#host.wake();
    }
  }

  #refill(): void {
    const { perSecond, burst } = this.#options;
    const nowMs = this.#host.clock.now();
    this.#tokens = Math.min(Math.max(burst, 1), this.#tokens + ((nowMs - this.#sinceMs) * perSecond) / 1_000);
    this.#sinceMs = nowMs;
  }

  #dropRest(): void {
    if (this.#waiting > 0) this.#host.count("dropped", this.#waiting);
    this.#waiting = 0;
    for (const { batch } of this.#batches.splice(0)) batch.receipt.release();
  }

  #give(first: { readonly batch: Batch; given: number }, count: number): void {
    const { batch, given } = first;
    first.given += count;
    this.#waiting -= count;
    if (first.given < batch.count) batch.receipt.hold();
    else this.#batches.shift();
    const indexes = Array.from({ length: count }, (_, index) => given + index);
    this.#host.outlet.push(count === batch.count ? batch : batch.pick(indexes));
  }
}
