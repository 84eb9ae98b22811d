import { type Clock, wait } from "@metanode/core/clock";

/**
 * Group commit: gathers single requests into batches, one batch at a time.
 *
 *  B1. A request is in exactly one batch, in the order of its coming.
 *  B2. While a batch is under way what comes meanwhile waits together: the size follows the load, and a lone request waits for nothing but the
 *      rest of its turn.
 *  B3. When the other side is away, who insists stays in front of those who came later and is tried again until it is back; all others of
 *      that batch are told.
 *  B4. When a batch fails for another reason, each of its requests is tried alone, so that one that cannot be done fails by itself.
 */

/** How a batcher works. */
export interface BatcherOptions<Request, Answer> {
  readonly maxBatch: number;
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

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;

export class Batcher<Request, Answer> {
  readonly #options: BatcherOptions<Request, Answer>;
  readonly #closing = new AbortController();
  #waiting: Waiting<Request, Answer>[] = [];
  #isBusy = false;
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
      if (this.#isBusy) return;
      this.#isBusy = true;
      // What the same turn brings goes along.
      setImmediate(() => void this.#pump());
    });
  }

  /** Resolves when nothing waits and nothing is under way. */
  idle(): Promise<void> {
    if (!this.#isBusy) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** From now on nobody waits for the end of an absence: all are told. */
  giveUp(): void {
    this.#closing.abort();
  }

  async #pump(): Promise<void> {
    while (this.#waiting.length > 0) {
      const { maxBatch } = this.#options;
      const batch = this.#waiting.length <= maxBatch ? this.#waiting : this.#waiting.slice(0, maxBatch);
      this.#waiting = batch === this.#waiting ? [] : this.#waiting.slice(maxBatch);
      await this.#do(batch);
      // Those who were answered may ask again before the next batch leaves.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isBusy = false;
    for (const resolve of this.#idle.splice(0)) resolve();
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
