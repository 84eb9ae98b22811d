import { type Timer, wait } from "@metanode/core/clock";
import { MetanodeError } from "@metanode/core/errors";
import { streamError } from "../errors.ts";
import type { Batch } from "../record/batch.ts";
import { delayAfter, type FailurePolicy, resolveFailurePolicy } from "../stage/failure.ts";
import type { Stage, StageHost, StageState } from "../stage/stage.ts";
import { Gathering, type Load, type Portion } from "./load.ts";

/** What a sink does with records, a load at a time. */
export interface Writer {
  /**
   * Resolves when all records of the load are where they have to be, for good. A rejection means that none is known to be:
   * with an error that says `retryable: false` the records are to blame, and they are tried one by one; any other is tried
   * again as a whole. `details.retryAfterMs` says how long to wait at least.
   */
  write(load: Load, signal: AbortSignal): Promise<void>;
  /** Every record is written, and there will be no more. */
  end?(): Promise<void>;
  close?(): Promise<void>;
  readonly state?: StageState;
  describe?(): Readonly<Record<string, unknown>>;
}

export interface BatchingOptions {
  /** Most records of one load. */
  readonly maxRecords: number;
  /** Most bytes of one load. @default 4 MiB */
  readonly maxBytes?: number;
  /** How long records wait for others to come along, in milliseconds. @default 0: a load is what has come during the last write */
  readonly maxWaitMs?: number;
  /** Loads under way at a time; more than one, and what is written out of order. @default 1 */
  readonly concurrency?: number;
  /** How long one write may take where the node does not say, in milliseconds. @default 0: for ever */
  readonly timeoutMs?: number;
}

/**
 * A sink that writes in loads.
 *
 *  B1. A receipt is released, or goes on to the next stages, only after its records are written, or given up as the policy says.
 *  B2. One bad record stops no other: a load that cannot be written is tried record by record, and only what fails then is
 *      given up.
 *  B3. What is written goes on in the order in which it came, whatever the order of writing was.
 */
export class BatchingStage implements Stage {
  readonly state?: StageState;
  readonly #writer: Writer;
  readonly #host: StageHost;
  readonly #policy: FailurePolicy;
  readonly #maxWaitMs: number;
  readonly #concurrency: number;
  readonly #maxWaiting: number;
  readonly #gathering: Gathering;
  #waiting = 0;
  /** Records taken in all. */
  #taken = 0;
  #underWay = 0;
  /** What has been gathered is to go now. */
  #isDue = false;
  #timer: Timer | undefined;
  #isClosed = false;
  readonly #turns: (() => void)[] = [];
  #written: Promise<void> = Promise.resolve();

  constructor(writer: Writer, host: StageHost, options: BatchingOptions) {
    this.#writer = writer;
    this.#host = host;
    const { timeoutMs = options.timeoutMs } = host.node;
    this.#policy = resolveFailurePolicy({ ...host.node, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
    this.#maxWaitMs = options.maxWaitMs ?? 0;
    this.#concurrency = options.concurrency ?? 1;
    this.#maxWaiting = Math.max(1_000, options.maxRecords * this.#concurrency * 2);
    this.#gathering = new Gathering({ maxRecords: options.maxRecords, maxBytes: options.maxBytes ?? 4 * 1_024 * 1_024 });
    if (writer.state !== undefined) this.state = writer.state;
  }

  get waiting(): number {
    return this.#waiting;
  }

  hasRoom(): boolean {
    const isFull = this.#gathering.isFull && this.#underWay >= this.#concurrency;
    return !isFull && this.#waiting < this.#maxWaiting && this.#host.outlet.hasRoom();
  }

  take(batch: Batch, from: string): void {
    if (batch.count === 0) {
      batch.receipt.release();
      return;
    }
    this.#waiting += batch.count;
    this.#taken += batch.count;
    this.#gathering.add(batch, from);
    this.#consider();
  }

  async settle(): Promise<void> {
    const taken = this.#taken;
    while (this.#taken - this.#gathering.count < taken && !this.#isClosed) {
      this.#isDue = true;
      this.#consider();
      if (this.#taken - this.#gathering.count < taken) await this.#turn();
    }
    await this.#written;
  }

  async end(): Promise<void> {
    await this.settle();
    if (!this.#isClosed) await this.#writer.end?.();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#gathering.clear();
    for (const resolve of this.#turns.splice(0)) resolve();
    await this.#writer.close?.();
  }

  describe(): Readonly<Record<string, unknown>> {
    return { gathered: this.#gathering.count, writing: this.#underWay, ...this.#writer.describe?.() };
  }

  /** Resolves when a write has ended. */
  #turn(): Promise<void> {
    return new Promise((resolve) => this.#turns.push(resolve));
  }

  #consider(): void {
    const gathering = this.#gathering;
    while (this.#underWay < this.#concurrency && gathering.count > 0 && (this.#isDue || gathering.isFull))
      this.#begin(gathering.next());
    if (gathering.count === 0) this.#isDue = false;
    else this.#becomeDue();
  }

  #becomeDue(): void {
    if (this.#isDue || this.#timer !== undefined || this.#isClosed) return;
    const become = (): void => {
      this.#timer = undefined;
      this.#isDue = true;
      this.#consider();
    };
    if (this.#maxWaitMs > 0) this.#timer = this.#host.clock.setTimer(this.#maxWaitMs, become);
    else {
      const immediate = setImmediate(become); // what else comes within this turn goes along
      this.#timer = { cancel: () => clearImmediate(immediate) };
    }
  }

  #begin(load: Load): void {
    this.#underWay++;
    const before = this.#written;
    const work = this.#work(load, before);
    this.#written = work.catch((error) => {
      if (!this.#isClosed && !this.#host.signal.aborted) this.#host.fail(error);
    });
  }

  async #work(load: Load, before: Promise<void>): Promise<void> {
    let lost: ReadonlySet<string>;
    try {
      lost = await this.#write(load);
    } finally {
      this.#underWay--;
      this.#consider();
      for (const resolve of this.#turns.splice(0)) resolve();
    }
    await before;
    for (const portion of load.portions) await this.#giveOn(portion, lost);
    this.#waiting -= load.count;
    this.#host.wake();
  }

  /** Writes a load, whatever it takes. Returns the ids of what was given up. */
  async #write(load: Load): Promise<ReadonlySet<string>> {
    const fault = await this.#attempts(load);
    if (fault === undefined) return new Set();
    if (load.count === 1) return this.#giveUp(load, fault);
    const lost = new Set<string>();
    for (const one of load.single()) {
      const error = await this.#attempt(one);
      if (error === undefined) continue;
      for (const id of await this.#giveUp(one, { error, attempts: fault.attempts + 1 })) lost.add(id);
    }
    return lost;
  }

  /** Tries as often as the policy says. Returns why it could not be written, or nothing when it was. */
  async #attempts(load: Load): Promise<Fault | undefined> {
    for (let attempts = 1; ; attempts++) {
      const error = await this.#attempt(load);
      if (error === undefined) return undefined;
      if (isHopeless(error) || attempts >= this.#policy.attempts) return { error, attempts };
      this.#host.count("retries");
      const delayMs = Math.max(delayAfter(this.#policy, attempts), askedDelayMs(error));
      await wait(this.#host.clock, delayMs, this.#host.signal);
    }
  }

  async #attempt(load: Load): Promise<Error | undefined> {
    try {
      await this.#inTime(load);
      return undefined;
    } catch (error) {
      if (this.#isClosed || this.#host.signal.aborted) throw error;
      this.#host.count("errors");
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  async #inTime(load: Load): Promise<void> {
    const { timeoutMs } = this.#policy;
    if (timeoutMs === 0) return this.#writer.write(load, this.#host.signal);
    const overtime = new AbortController();
    const late = Promise.withResolvers<never>();
    const timer = this.#host.clock.setTimer(timeoutMs, () => {
      const error = streamError("stream.record_timeout", `not written within ${timeoutMs} ms`, { details: { timeoutMs } });
      overtime.abort(error);
      late.reject(error);
    });
    const signal = AbortSignal.any([this.#host.signal, overtime.signal]);
    await Promise.race([this.#writer.write(load, signal), late.promise]).finally(() => timer.cancel());
  }

  /** Gives one record up; where somebody has mended the cause it is tried anew. */
  async #giveUp(load: Load, fault: Fault): Promise<ReadonlySet<string>> {
    const [{ batch, from, first }] = load.portions as readonly [Portion];
    const id = batch.idOf(first);
    const trace = batch.traceOf(first);
    for (let last: Fault | undefined = fault; last !== undefined; last = await this.#attempts(load)) {
      if ((await this.#host.giveUp({ record: batch.records[first], id, trace, from, ...last })) === "done") return new Set([id]);
    }
    return new Set();
  }

  async #giveOn({ batch, first, end }: Portion, lost: ReadonlySet<string>): Promise<void> {
    const { outlet, node } = this.#host;
    while (!outlet.hasRoom()) await new Promise<void>((resolve) => outlet.whenRoom(resolve));
    const isWhole = first === 0 && end === batch.count;
    if (isWhole && lost.size === 0) {
      outlet.push(batch.derive(batch.block === undefined ? { records: batch.records } : { block: batch.block }, node.name));
      return;
    }
    const indexes: number[] = [];
    for (let index = first; index < end; index++) if (lost.size === 0 || !lost.has(batch.idOf(index))) indexes.push(index);
    const rest = batch.pick(indexes);
    outlet.push(rest.derive({ records: rest.records }, node.name));
  }
}

/** Why something could not be written. */
interface Fault {
  readonly error: Error;
  readonly attempts: number;
}

function isHopeless(error: Error): boolean {
  return error instanceof MetanodeError && !error.retryable;
}

function askedDelayMs(error: Error): number {
  const asked = error instanceof MetanodeError ? error.details?.retryAfterMs : undefined;
  return typeof asked === "number" ? asked : 0;
}
