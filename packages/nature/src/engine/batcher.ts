import { type Clock, wait } from "@metanode/core/clock";

/**
 * Group commit: gathers single requests into batches, one or a few at a time.
 *
 *  B1. A request is in exactly one batch; batches leave in the order of its coming.
 *  B2. While all lanes are taken what comes meanwhile waits together: the size follows the load, and a lone request waits for nothing but the
 *      rest of its turn. What comes all at once is shared out to the free lanes, so that the other side works on one batch while the
 *      answers to another are dealt with.
 *  B3. When the other side is away, one batch at a time finds out whether it is back. Who insists stays in front of those who came later and is tried again until it is back; all others of
 *      that batch are told.
 *  B4. When a batch fails for another reason, each of its requests is tried alone, so that one that cannot be done fails by itself.
 */

/** How a batcher works. */
export interface BatcherOptions<Request, Answer> {
  readonly maxBatch: number;
  /** Batches under way at a time. @default 1 */
  readonly lanes?: number;
  readonly clock: Clock;
  readonly work: (requests: readonly Request[]) => Promise<readonly Answer[]>;
  /** Whether an error says that the other side is away. */
  readonly isAway: (error: unknown) => boolean;
  /** Told when the other side goes away, with the error, and when it is back. */
  readonly onAway?: (error: unknown) => void;
}

interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly insists: boolean;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** Fewer are not shared out: what a batch costs by itself would be more than what is won. */
const LEAST_SHARE = 16;
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;

export class Batcher<Request, Answer> {
  readonly #options: BatcherOptions<Request, Answer>;
  readonly #closing = new AbortController();
  #waiting: Waiting<Request, Answer>[] = [];
  #underWay = 0;
  #isScheduled = false;
  /** Failures in a row because the other side is away. */
  #failures = 0;
  #idle: (() => void)[] = [];

  constructor(options: BatcherOptions<Request, Answer>) {
    this.#options = options;
  }

  /** Whether the other side was away at the last try. */
  get isAway(): boolean {
    return this.#failures > 0;
  }

  /** Does a request. One that insists is not told of an absence of the other side; it waits for the end of it. */
  add(request: Request, insists = false): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, insists, resolve, reject });
      this.#schedule();
    });
  }

  /** Resolves when nothing waits and nothing is under way. */
  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** From now on nobody waits for the end of an absence: all are told. */
  giveUp(): void {
    this.#closing.abort();
  }

  get #isIdle(): boolean {
    return this.#underWay === 0 && this.#waiting.length === 0;
  }

  get #freeLanes(): number {
    const lanes = this.isAway ? 1 : (this.#options.lanes ?? 1);
    return lanes - this.#underWay;
  }

  /** Begins what waits at the end of this turn: what the turn brings goes along, and those who were just answered may ask again. */
  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0 || this.#freeLanes <= 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (this.#waiting.length > 0 && this.#freeLanes > 0) void this.#run(this.#share());
    });
  }

  /** The next batch. */
  #share(): readonly Waiting<Request, Answer>[] {
    const share = Math.max(Math.ceil(this.#waiting.length / this.#freeLanes), LEAST_SHARE);
    return this.#waiting.splice(0, Math.min(share, this.#options.maxBatch));
  }

  async #run(batch: readonly Waiting<Request, Answer>[]): Promise<void> {
    this.#underWay++;
    await this.#do(batch);
    this.#underWay--;
    this.#schedule();
    if (this.#isIdle) for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #do(batch: readonly Waiting<Request, Answer>[]): Promise<void> {
    try {
      const answers = await this.#options.work(batch.map(({ request }) => request));
      this.#failures = 0;
      for (let at = 0; at < batch.length; at++) batch[at]?.resolve(answers[at] as Answer);
    } catch (error) {
      if (this.#options.isAway(error)) await this.#away(batch, error);
      else if (batch.length === 1) batch[0]?.reject(error);
      else for (const one of batch) await this.#do([one]);
    }
  }

  async #away(batch: readonly Waiting<Request, Answer>[], error: unknown): Promise<void> {
    this.#failures++;
    this.#options.onAway?.(error);
    const isClosing = this.#closing.signal.aborted;
    const kept = isClosing ? [] : batch.filter(({ insists }) => insists);
    for (const one of batch) if (isClosing || !one.insists) one.reject(error);
    if (kept.length === 0) return;
    this.#waiting = [...kept, ...this.#waiting];
    const waitMs = Math.min(FIRST_WAIT_MS * 2 ** (this.#failures - 1), LONGEST_WAIT_MS);
    await wait(this.#options.clock, waitMs, this.#closing.signal).catch(() => undefined);
  }
}
