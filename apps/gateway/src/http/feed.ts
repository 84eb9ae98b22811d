import type { Clock } from "@metanode/core";

/** After this much silence a comment is sent, so that proxies keep the connection and a dead client is noticed. */
const KEEP_ALIVE_MS = 15_000;
/** Events that may wait for a slow reader before the oldest are dropped. */
const MAX_WAITING = 1_000;

/** Events for one reader; when he is slow the oldest are dropped, and he is told how many. */
export class Feed {
  readonly #clock: Clock;
  #texts: string[] = [];
  #dropped = 0;
  #isOver = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `id` is what a reader comes back with as Last-Event-ID. */
  add(event: string, data: unknown, id?: string): void {
    this.#texts.push(`event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
    if (this.#texts.length > MAX_WAITING) {
      this.#texts.shift();
      this.#dropped++;
    }
    this.#wake?.();
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  async *read(stop: () => void): AsyncGenerator<string> {
    try {
      yield ": open\n\n";
      for (;;) {
        if (this.#texts.length > 0) yield this.#take();
        else if (this.#isOver) return;
        else await this.#more();
      }
    } finally {
      stop();
    }
  }

  #take(): string {
    const dropped = this.#dropped === 0 ? "" : `event: dropped\ndata: ${JSON.stringify({ count: this.#dropped })}\n\n`;
    const text = dropped + this.#texts.join("");
    this.#texts = [];
    this.#dropped = 0;
    return text;
  }

  /** Waits for an event; says that it is still there when none comes. */
  #more(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(KEEP_ALIVE_MS, () => {
        this.#texts.push(": still here\n\n");
        resolve();
      });
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
