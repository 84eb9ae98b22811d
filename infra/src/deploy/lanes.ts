/** Does work so many at a time for each key; what is too much waits in order. */
export class Lanes {
  readonly #limit: number;
  readonly #taken = new Map<string, number>();
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const taken = this.#taken.get(key) ?? 0;
    if (taken < this.#limit) this.#taken.set(key, taken + 1);
    else await new Promise<void>((resolve) => this.#queueOf(key).push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#queueOf(key).shift();
      // Whoever comes next has the place of this one.
      if (next === undefined) this.#taken.set(key, (this.#taken.get(key) ?? 1) - 1);
      else next();
    }
  }

  #queueOf(key: string): (() => void)[] {
    const queue = this.#waiting.get(key) ?? [];
    this.#waiting.set(key, queue);
    return queue;
  }
}
