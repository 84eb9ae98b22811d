import { StringDecoder } from "node:string_decoder";

/** Longest line that is kept whole; a longer one comes in parts. */
const MAX_LINE_CHARS = 16_384;

/** Cuts bytes into lines without their ends. What is no UTF-8 becomes U+FFFD: logs are for people. */
export class Lines {
  #decoder = new StringDecoder("utf8");
  #rest = "";

  push(bytes: Uint8Array): string[] {
    const parts = (this.#rest + this.#decoder.write(Buffer.from(bytes))).split("\n");
    this.#rest = parts.pop() ?? "";
    const lines = parts.flatMap((part) => inParts(part.endsWith("\r") ? part.slice(0, -1) : part));
    while (this.#rest.length > MAX_LINE_CHARS) {
      lines.push(this.#rest.slice(0, MAX_LINE_CHARS));
      this.#rest = this.#rest.slice(MAX_LINE_CHARS);
    }
    return lines;
  }

  /** The last line, if it has no end. What comes then is another text. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = "";
    this.#decoder = new StringDecoder("utf8");
    return rest === "" ? [] : inParts(rest);
  }
}

function inParts(line: string): string[] {
  if (line.length <= MAX_LINE_CHARS) return [line];
  const parts: string[] = [];
  for (let at = 0; at < line.length; at += MAX_LINE_CHARS) parts.push(line.slice(at, at + MAX_LINE_CHARS));
  return parts;
}

/** Lines that are remembered of one unit, and that may wait for one reader. */
const CAPACITY = 10_000;

/** The newest lines of a text that goes on, and whoever reads along. */
export class LineRing {
  #lines: string[] = [];
  readonly #listeners = new Set<(line: string) => void>();

  add(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > CAPACITY * 1.5) this.#lines = this.#lines.slice(-CAPACITY);
    for (const listener of this.#listeners) listener(line);
  }

  last(count: number): string[] {
    return count === 0 ? [] : this.#lines.slice(-Math.min(count, CAPACITY));
  }

  /**
   * The last `count` lines, then those that come, until `signal` is aborted. A reader that is slow holds up nobody: what it
   * cannot take is left out, and counted.
   */
  async *follow(count: number, signal: AbortSignal): AsyncGenerator<LogItem> {
    let waiting = this.last(count);
    let leftOut = 0;
    let wake = (): void => undefined;
    const listener = (line: string): void => {
      if (waiting.length < CAPACITY) waiting.push(line);
      else leftOut++;
      wake();
    };
    const onAbort = (): void => wake();
    this.#listeners.add(listener);
    signal.addEventListener("abort", onAbort);
    try {
      while (!signal.aborted) {
        if (waiting.length > 0) {
          const item: LogItem = { lines: waiting, ...(leftOut === 0 ? {} : { leftOut }) };
          waiting = [];
          leftOut = 0;
          yield item;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener("abort", onAbort);
    }
  }
}

/** Some lines of a log, in their order. */
export interface LogItem {
  readonly lines: readonly string[];
  /** How many lines came after these and were left out, because the reader was slow. */
  readonly leftOut?: number;
}
