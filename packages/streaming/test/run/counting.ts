import type { ReadOptions, Source, SourceBatch } from "../../src/index.ts";

/** Numbers from 0 on, one batch of `size` after the other, given only when `give` was called for them. Replays from its position. */
export class NumberSource implements Source {
  readonly committed: string[] = [];
  isClosed = false;
  #available = 0;
  #isOver = false;
  #wake: (() => void) | undefined;

  /** Lets `count` more numbers out. */
  give(count: number): void {
    this.#available += count;
    this.#wake?.();
  }

  /** There are no more numbers than were let out. */
  finish(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  async *read({ position, signal }: ReadOptions): AsyncGenerator<SourceBatch> {
    let next = Number(position ?? 0);
    signal.addEventListener("abort", () => this.#wake?.());
    while (!signal.aborted) {
      if (next < this.#available) {
        const records = Array.from({ length: Math.min(10, this.#available - next) }, (_, index) => next + index);
        next += records.length;
        yield { records, position: String(next) };
      } else if (this.#isOver) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  commit(position: string): void {
    this.committed.push(position);
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
