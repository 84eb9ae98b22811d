/**
 * Group commit: gathers single requests into batches, one batch at a time.
 *
 *  B1. A request is in exactly one batch, in the order of its coming.
 *  B2. While a batch is under way what comes meanwhile waits together: the size follows the load, and a lone request waits for nothing but the rest of its turn.
 *  B3. A batch that fails, fails all its requests with the same error.
 */
export class Batcher<Request, Answer> {
  readonly #work: (requests: readonly Request[]) => Promise<readonly Answer[]>;
  readonly #maxBatch: number;
  #waiting: { request: Request; resolve: (answer: Answer) => void; reject: (error: unknown) => void }[] = [];
  #isBusy = false;
  #idle: (() => void)[] = [];

  constructor(maxBatch: number, work: (requests: readonly Request[]) => Promise<readonly Answer[]>) {
    this.#maxBatch = maxBatch;
    this.#work = work;
  }

  add(request: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
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

  async #pump(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#maxBatch);
      try {
        const answers = await this.#work(batch.map(({ request }) => request));
        for (const [at, { resolve }] of batch.entries()) resolve(answers[at] as Answer);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      // Those who were answered may ask again before the next batch leaves.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isBusy = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
