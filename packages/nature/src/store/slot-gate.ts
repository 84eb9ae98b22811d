/**
 * Keeps statements that work under a slot apart from changes of the slot.
 *
 *  G1. A change waits for what is under way, and what comes meanwhile waits for the change.
 *  G2. Changes happen one at a time.
 */
export class SlotGate {
  #slot: number;
  #users = 0;
  #idle: (() => void)[] = [];
  #changing: Promise<unknown> = Promise.resolve();
  #isChanging = false;

  constructor(slot: number) {
    this.#slot = slot;
  }

  get slot(): number {
    return this.#slot;
  }

  async use<T>(work: (slot: number) => Promise<T>): Promise<T> {
    while (this.#isChanging) await this.#changing;
    this.#users++;
    try {
      return await work(this.#slot);
    } finally {
      this.#users--;
      if (this.#users === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  /** Changes the slot; with `from` only if it still is that one. */
  async change(work: (slot: number) => Promise<number>, from?: number): Promise<void> {
    while (this.#isChanging) await this.#changing;
    if (from !== undefined && this.#slot !== from) return;
    this.#isChanging = true;
    const changing = this.#change(work);
    this.#changing = changing.catch(() => undefined);
    await changing;
  }

  async #change(work: (slot: number) => Promise<number>): Promise<void> {
    try {
      if (this.#users > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
      this.#slot = await work(this.#slot);
    } finally {
      this.#isChanging = false;
    }
  }
}
