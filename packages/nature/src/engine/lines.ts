/**
 * Lines of versions at work. Whoever is on a line has it alone; others come after, in their order.
 *
 *  L1. A line belongs to one holder at a time, from `enter` (or the call of `resume`) to `leave`.
 *  L2. Those who wait get it in the order of their coming.
 */
export class Lines {
  /** By line: who waits for it. A line that nobody is on has no entry. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Lines that somebody is on. */
  get size(): number {
    return this.#waiting.size;
  }

  /** True = the line is yours. Otherwise `resume` is called when it is. */
  enter(line: string, resume: () => void): boolean {
    const waiting = this.#waiting.get(line);
    if (waiting === undefined) {
      this.#waiting.set(line, []);
      return true;
    }
    waiting.push(resume);
    return false;
  }

  leave(line: string): void {
    const next = this.#waiting.get(line)?.shift();
    if (next === undefined) this.#waiting.delete(line);
    else next();
  }

  /** Does work alone on some lines. They are entered in one order by everybody, so that no two wait for each other. */
  async run<T>(lines: Iterable<string>, work: () => Promise<T>): Promise<T> {
    const held: string[] = [];
    try {
      for (const line of [...new Set(lines)].sort()) {
        await new Promise<void>((resolve) => {
          if (this.enter(line, resolve)) resolve();
        });
        held.push(line);
      }
      return await work();
    } finally {
      for (const line of held) this.leave(line);
    }
  }
}
