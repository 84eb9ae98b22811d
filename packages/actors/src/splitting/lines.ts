/**
 * Text tokens: cuts a stream of UTF-8 at a delimiter, by default into lines.
 *
 * L1. A token is decoded only when it is whole, so a character that is split across reads stays one character.
 * L2. The search for a delimiter resumes where it stopped: no byte is looked at twice, but for the length of a delimiter.
 */
import type { MetanodeError } from "@metanode/core/errors";
import { HeldBytes } from "./held-bytes.ts";
import { knownOptions, type Splitter, streamError, wholeNumber } from "./splitting.ts";

/** How to find the tokens of a text. */
export interface LineOptions {
  /** What ends a token; not a part of it. Without it lines are read, which end with a line feed, or carriage return and line feed. */
  delimiter?: string;
  /** Longest token in bytes of UTF-8, without its delimiter; a longer one is `actor.too_large`. @default 65_536 */
  maxBytes?: number;
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/**
 * A splitter into text tokens. Bytes that are not UTF-8 become U+FFFD. What stands after the last delimiter is a token as
 * well when the stream ends, unless it is empty.
 * @throws {MetanodeError} actor.incorrect – when an option is unknown, the delimiter empty or `maxBytes` below 1
 */
export function createLineSplitter(options: LineOptions = {}): Splitter<string> {
  knownOptions("lines", options, ["delimiter", "maxBytes"]);
  if (options.delimiter === "") {
    throw streamError("actor.incorrect", "lines.delimiter is empty, expected at least one character", {
      option: "lines.delimiter",
    });
  }
  return new LineSplitter(options.delimiter, wholeNumber("lines.maxBytes", options.maxBytes ?? 65_536, 1));
}

class LineSplitter implements Splitter<string> {
  readonly #delimiter: Buffer;
  /** Whether a carriage return before the delimiter belongs to it. */
  readonly #trimsReturn: boolean;
  readonly #maxBytes: number;
  /** Bytes beyond `maxBytes` that may be the beginning of a delimiter. */
  readonly #slackBytes: number;
  readonly #held = new HeldBytes();
  #failure: MetanodeError | undefined;

  constructor(delimiter: string | undefined, maxBytes: number) {
    this.#delimiter = Buffer.from(delimiter ?? "\n", "utf8");
    this.#trimsReturn = delimiter === undefined;
    this.#maxBytes = maxBytes;
    this.#slackBytes = this.#trimsReturn ? 1 : this.#delimiter.length - 1;
  }

  get failure(): MetanodeError | undefined {
    return this.#failure;
  }

  push(bytes: Uint8Array): string[] {
    if (this.#failure !== undefined) throw this.#failure;
    const tokens: string[] = [];
    const searched = this.#held.length;
    if (searched > 0) this.#held.append(bytes);
    const text = asBuffer(searched > 0 ? this.#held.view() : bytes);
    let start = 0;
    let from = Math.max(0, searched - this.#delimiter.length + 1);
    for (;;) {
      const end = this.#find(text, from);
      if (end === -1) break;
      if (!this.#emit(text, start, end, tokens)) return tokens;
      start = end + this.#delimiter.length;
      from = start;
    }
    if (text.length - start > this.#maxBytes + this.#slackBytes) this.#fail(text.length - start);
    else if (searched > 0) this.#held.drop(start);
    else if (start < text.length) this.#held.append(text.subarray(start));
    return tokens;
  }

  end(): string[] {
    if (this.#failure !== undefined) throw this.#failure;
    const tokens: string[] = [];
    const rest = asBuffer(this.#held.take());
    if (rest.length > 0) this.#emit(rest, 0, rest.length, tokens);
    return tokens;
  }

  #find(text: Buffer, from: number): number {
    return this.#trimsReturn ? text.indexOf(LINE_FEED, from) : text.indexOf(this.#delimiter, from);
  }

  #emit(text: Buffer, start: number, end: number, tokens: string[]): boolean {
    const last = this.#trimsReturn && end > start && text[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
    if (last - start > this.#maxBytes) {
      this.#fail(last - start);
      return false;
    }
    tokens.push(text.toString("utf8", start, last));
    return true;
  }

  #fail(length: number): void {
    this.#held.take();
    this.#failure = streamError("actor.too_large", `a text token has ${length} bytes or more, allowed are ${this.#maxBytes}`, {
      maxBytes: this.#maxBytes,
    });
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
