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
const MAX_LINES = 10_000;
/** And their characters. */
const MAX_CHARS = 4 * 1_024 * 1_024;

/** The newest lines of a text that goes on, and whoever reads along. */
export class LineRing {
  #lines: string[] = [];
  #chars = 0;
  readonly #listeners = new Set<(line: string) => void>();

  add(line: string): void {
    this.#lines.push(line);
    this.#chars += line.length;
    // Half as much again may stand there, so that not every line moves all the others.
    if (this.#lines.length > MAX_LINES * 1.5 || this.#chars > MAX_CHARS * 1.5) this.#forget();
    for (const listener of this.#listeners) listener(line);
  }

  last(count: number): string[] {
    return count === 0 ? [] : this.#lines.slice(-count);
  }

  /**
   * The last `count` lines, then those that come, until `signal` is aborted. A reader that is slow holds up nobody: what it
   * cannot take is left out, and counted.
   */
  async *follow(count: number, signal: AbortSignal): AsyncGenerator<LogItem> {
    const backlog = new Backlog(this.last(count));
    const { wake } = backlog;
    const listener = (line: string): void => backlog.add(line);
    this.#listeners.add(listener);
    signal.addEventListener("abort", wake);
    try {
      while (!signal.aborted) {
        const item = backlog.take();
        if (item === undefined) await backlog.next();
        else yield item;
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener("abort", wake);
    }
  }

  #forget(): void {
    let from = Math.max(0, this.#lines.length - MAX_LINES);
    let chars = 0;
    for (let at = this.#lines.length - 1; at >= from; at--) {
      chars += (this.#lines[at] as string).length;
      if (chars > MAX_CHARS) from = at + 1;
    }
    this.#lines = this.#lines.slice(from);
    this.#chars = this.#lines.reduce((sum, line) => sum + line.length, 0);
  }
}

/** What waits for one reader. */
class Backlog {
  #lines: string[];
  #chars = 0;
  #leftOut = 0;
  #wake: () => void = () => undefined;
  readonly wake = (): void => this.#wake();

  constructor(lines: string[]) {
    this.#lines = lines;
  }

  add(line: string): void {
    if (this.#lines.length < MAX_LINES && this.#chars < MAX_CHARS) {
      this.#lines.push(line);
      this.#chars += line.length;
    } else this.#leftOut++;
    this.#wake();
  }

  take(): LogItem | undefined {
    if (this.#lines.length === 0) return undefined;
    const item: LogItem = { lines: this.#lines, ...(this.#leftOut === 0 ? {} : { leftOut: this.#leftOut }) };
    this.#lines = [];
    this.#chars = 0;
    this.#leftOut = 0;
    return item;
  }

  /** Resolves with the next line, or when it is woken. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** Some lines of a log, in their order. */
export interface LogItem {
  readonly lines: readonly string[];
  /** How many lines came after these and were left out, because the reader was slow. */
  readonly leftOut?: number;
}
