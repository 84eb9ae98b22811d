import type { NodeLogLine } from "../run/options.ts";

/** Lines that are kept of a graph. */
const MAX_LINES = 2_000;

/** The last lines of a graph's stages, and those who read along. */
export class LogRing {
  #lines: NodeLogLine[] = [];
  readonly #readers = new Set<(line: NodeLogLine) => void>();

  add(line: NodeLogLine): void {
    this.#lines.push(line);
    if (this.#lines.length >= MAX_LINES * 2) this.#lines = this.#lines.slice(-MAX_LINES);
    for (const read of this.#readers) read(line);
  }

  /** The last lines, of one node or of all, oldest first. */
  last(limit: number, node?: string): NodeLogLine[] {
    const lines = node === undefined ? this.#lines : this.#lines.filter((line) => line.node === node);
    return lines.slice(-Math.min(limit, MAX_LINES));
  }

  /** Reads along. Returns how to stop. */
  follow(read: (line: NodeLogLine) => void): () => void {
    this.#readers.add(read);
    return () => this.#readers.delete(read);
  }
}
