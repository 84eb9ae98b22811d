import type { Timer } from "@metanode/core/clock";
import { Batch } from "../record/batch.ts";
import { RunLineage } from "../record/lineage.ts";
import { jointReceipt } from "../record/receipt.ts";
import type { Action, Stage, StageHost } from "../stage/stage.ts";

export interface BatchOptions {
  /** Records in a list. */
  readonly count: number;
  /** Longest time for which a record waits for its list to be full, in milliseconds. @default 1_000 */
  readonly afterMs?: number;
}

/** Gathers records into lists, each given on as one record: what writes to somewhere does so less often. */
export function batchAction({ count, afterMs = 1_000 }: BatchOptions): Action {
  return { stage: (host) => new BatchStage(host, { count, afterMs }) };
}

class BatchStage implements Stage {
  readonly #host: StageHost;
  readonly #options: Required<BatchOptions>;
  #batches: Batch[] = [];
  #count = 0;
  #timer: Timer | undefined;

  constructor(host: StageHost, options: Required<BatchOptions>) {
    this.#host = host;
    this.#options = options;
  }

  get waiting(): number {
    return this.#count;
  }

  hasRoom(): boolean {
    return this.#host.outlet.hasRoom();
  }

  take(batch: Batch): void {
    if (batch.count === 0) {
      batch.receipt.release();
      return;
    }
    let rest = batch;
    for (let missing = this.#options.count - this.#count; rest.count > missing; missing = this.#options.count) {
      const indexes = Array.from({ length: rest.count }, (_, index) => index);
      rest.receipt.hold();
      this.#add(rest.pick(indexes.slice(0, missing)));
      this.#give();
      rest = rest.pick(indexes.slice(missing));
    }
    this.#add(rest);
    if (this.#count >= this.#options.count) this.#give();
    else this.#timer ??= this.#host.clock.setTimer(this.#options.afterMs, () => this.#give());
  }

  async settle(): Promise<void> {
    this.#give();
  }

  async end(): Promise<void> {
    this.#give();
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
  }

  #add(batch: Batch): void {
    this.#batches.push(batch);
    this.#count += batch.count;
  }

  #give(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const batches = this.#batches;
    const [first] = batches;
    if (first === undefined) return;
    this.#batches = [];
    this.#count = 0;
    const receipt = jointReceipt(batches.map((batch) => batch.receipt));
    const lineage = new RunLineage(first.lineage, this.#host.node.name, 0);
    this.#host.outlet.push(new Batch({ records: [batches.flatMap(({ records }) => records)] }, { receipt, lineage }));
  }
}

export interface ThrottleOptions {
  readonly perSecond: number;
  /** Records that may pass at once after a pause. @default 1 */
  readonly burst?: number;
}

/** Lets so many records pass in a second. The others wait, and so does whoever gives them: nothing is dropped. */
export function throttleAction({ perSecond, burst = 1 }: ThrottleOptions): Action {
  return { stage: (host) => new ThrottleStage(host, { perSecond, burst }) };
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
    const { perSecond, burst } = this.#options;
    const nowMs = this.#host.clock.now();
    this.#tokens = Math.min(Math.max(burst, 1), this.#tokens + ((nowMs - this.#sinceMs) * perSecond) / 1_000);
    this.#sinceMs = nowMs;
    for (let first = this.#batches[0]; first !== undefined; first = this.#batches[0]) {
      const count = Math.min(Math.floor(this.#tokens + 1e-9), first.batch.count - first.given);
      if (count === 0) break;
      this.#tokens -= count;
      this.#give(first, count);
    }
    if (this.#waiting > 0) this.#timer = this.#host.clock.setTimer(((1 - this.#tokens) * 1_000) / perSecond, () => this.#go());
    else {
      for (const resolve of this.#waiters.splice(0)) resolve();
      this.#host.wake();
    }
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
