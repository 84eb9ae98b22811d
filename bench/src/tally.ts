import { lost, type Took } from "./actors.ts";

/** Waits until several receivers have told how many messages each of them has handled. */
export function tallied(receivers: number, count: number, begin: (done: (seen: number) => void) => void): Promise<Took> {
  return new Promise((resolve, reject) => {
    let left = receivers;
    begin((seen) => {
      if (seen !== count) reject(lost(seen, count));
      else if (--left === 0) resolve({});
    });
  });
}

/** Counts what an audience has handled of one message to all. */
export class Handled {
  readonly #audience: number;
  #seen = 0;
  #done: (() => void) | undefined;

  constructor(audience: number) {
    this.#audience = audience;
  }

  /** One of them has handled it. */
  count(): void {
    if (++this.#seen < this.#audience) return;
    this.#seen = 0;
    this.#done?.();
  }

  /** Resolves when all have handled what `publish` sends. */
  async all(publish: () => void): Promise<Took> {
    const done = new Promise<void>((resolve) => {
      this.#done = resolve;
    });
    publish();
    await done;
    return {};
  }
}

/** Lets what was ended go before anything else is measured. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
