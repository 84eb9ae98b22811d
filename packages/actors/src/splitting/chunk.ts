/**
 * Chunks: cuts a stream of bytes into messages, of one fixed length or of the length that a header of each tells.
 *
 * C1. A chunk is given when its last byte has come, whole, header included, in the order of the stream.
 * C2. A byte is copied only where a chunk is split across reads, and then a constant number of times on average.
 * C3. After a failure no chunk is given any more: where the next one begins is not known.
 */
import type { MetanodeError } from "@metanode/core/errors";
import { HeldBytes } from "./held-bytes.ts";
import { knownOptions, type Splitter, streamError, wholeNumber } from "./splitting.ts";

/** How to find the chunks of a stream. All lengths and positions are in bytes. */
export interface ChunkOptions {
  /** Every chunk has exactly this length. The options of the header and `maxLength` then mean nothing. 0 reads headers. @default 0 */
  fixedLength?: number;
  /** Length of the header that each chunk begins with. Required, unless `fixedLength` is given. */
  headerSize?: number;
  /** Where in the header the length stands. @default 0 */
  headerLengthPosition?: number;
  /** Size of the length in the header, an unsigned number with its highest byte first. Required, unless `fixedLength` is given. */
  headerLengthSize?: 1 | 2 | 4;
  /** Whether the length counts the header too. @default false */
  headerLengthIncludesHeader?: boolean;
  /** Longest chunk with its header; a longer one is `actor.too_large`. 0 sets no limit. @default 0 */
  maxLength?: number;
}

const KNOWN = [
  "fixedLength",
  "headerSize",
  "headerLengthPosition",
  "headerLengthSize",
  "headerLengthIncludesHeader",
  "maxLength",
] as const satisfies readonly (keyof ChunkOptions)[];

/**
 * Checks the options, and fills in what was left out.
 * @throws {MetanodeError} actor.incorrect – when an option is unknown or has no meaning
 */
export function resolveChunkOptions(given: ChunkOptions): Readonly<Required<ChunkOptions>> {
  knownOptions("chunk", given, KNOWN);
  const options = {
    fixedLength: wholeNumber("chunk.fixedLength", given.fixedLength ?? 0, 0),
    headerSize: wholeNumber("chunk.headerSize", given.headerSize ?? 0, 0),
    headerLengthPosition: wholeNumber("chunk.headerLengthPosition", given.headerLengthPosition ?? 0, 0),
    headerLengthSize: given.headerLengthSize ?? (0 as 1),
    headerLengthIncludesHeader: given.headerLengthIncludesHeader ?? false,
    maxLength: wholeNumber("chunk.maxLength", given.maxLength ?? 0, 0),
  };
  if (options.fixedLength > 0) return Object.freeze(options);
  if (options.headerSize === 0) {
    throw streamError("actor.incorrect", "chunk.headerSize is 0, expected 1 or more, or a chunk.fixedLength", {
      option: "chunk.headerSize",
    });
  }
  if (![1, 2, 4].includes(options.headerLengthSize)) {
    throw streamError("actor.incorrect", `chunk.headerLengthSize is ${options.headerLengthSize}, expected 1, 2 or 4`, {
      option: "chunk.headerLengthSize",
    });
  }
  const end = options.headerLengthPosition + options.headerLengthSize;
  if (end > options.headerSize) {
    throw streamError(
      "actor.incorrect",
      `chunk.headerLengthPosition is ${options.headerLengthPosition}: the length would end at byte ${end} of a header of ${options.headerSize}`,
      { option: "chunk.headerLengthPosition" },
    );
  }
  return Object.freeze(options);
}

/**
 * A splitter into chunks. It fails with `actor.too_large` on a chunk over `maxLength`, and with `actor.malformed` on a
 * length that is smaller than the header which it counts. An unfinished chunk at the end of the stream is dropped.
 * @throws {MetanodeError} actor.incorrect – when the options mean nothing
 */
export function createChunker(options: ChunkOptions): Splitter<Uint8Array> {
  return new Chunker(resolveChunkOptions(options));
}

class Chunker implements Splitter<Uint8Array> {
  readonly #options: Readonly<Required<ChunkOptions>>;
  /** How much of a chunk must be there to know its length. */
  readonly #lengthKnownAt: number;
  readonly #held = new HeldBytes();
  /** The length of the chunk whose beginning is held, once it is known. */
  #total: number | undefined;
  #failure: MetanodeError | undefined;

  constructor(options: Readonly<Required<ChunkOptions>>) {
    this.#options = options;
    this.#lengthKnownAt = options.fixedLength > 0 ? 0 : options.headerLengthPosition + options.headerLengthSize;
  }

  get failure(): MetanodeError | undefined {
    return this.#failure;
  }

  push(bytes: Uint8Array): Uint8Array[] {
    if (this.#failure !== undefined) throw this.#failure;
    const chunks: Uint8Array[] = [];
    let at = this.#held.length === 0 ? 0 : this.#continue(bytes, chunks);
    while (at < bytes.length && this.#failure === undefined) {
      const total = this.#totalAt(bytes, at);
      if (total === undefined || bytes.length - at < total) {
        if (this.#failure === undefined) this.#hold(bytes.subarray(at), total);
        break;
      }
      chunks.push(bytes.subarray(at, at + total));
      at += total;
    }
    return chunks;
  }

  end(): Uint8Array[] {
    if (this.#failure !== undefined) throw this.#failure;
    this.#held.take();
    return [];
  }

  /** Adds to the held chunk what it lacks, and says how much of `bytes` that took. */
  #continue(bytes: Uint8Array, chunks: Uint8Array[]): number {
    let at = 0;
    if (this.#total === undefined) {
      at = Math.min(this.#lengthKnownAt - this.#held.length, bytes.length);
      this.#held.append(bytes.subarray(0, at));
      this.#total = this.#totalAt(this.#held.view(), 0);
      if (this.#total === undefined) return at;
    }
    const lacking = Math.min(this.#total - this.#held.length, bytes.length - at);
    this.#hold(bytes.subarray(at, at + lacking), this.#total);
    if (this.#held.length === this.#total) {
      this.#total = undefined;
      chunks.push(this.#held.take());
    }
    return at + lacking;
  }

  #hold(bytes: Uint8Array, total: number | undefined): void {
    this.#held.append(bytes, total);
    this.#total = total;
  }

  /** The length of the chunk that begins at `start`; undefined while too little of it is there, and after a failure. */
  #totalAt(bytes: Uint8Array, start: number): number | undefined {
    const { fixedLength, headerSize, headerLengthPosition, headerLengthSize, maxLength } = this.#options;
    if (fixedLength > 0) return fixedLength;
    if (bytes.length - start < this.#lengthKnownAt) return undefined;
    let length = 0;
    const first = start + headerLengthPosition;
    for (let index = first; index < first + headerLengthSize; index++) length = length * 256 + (bytes[index] ?? 0);
    const total = this.#options.headerLengthIncludesHeader ? length : length + headerSize;
    if (total < headerSize) {
      this.#failure = streamError(
        "actor.malformed",
        `a chunk says that it has ${total} bytes, its header alone has ${headerSize}`,
        {
          length: total,
          headerSize,
        },
      );
      return undefined;
    }
    if (maxLength > 0 && total > maxLength) {
      this.#failure = streamError("actor.too_large", `a chunk says that it has ${total} bytes, allowed are ${maxLength}`, {
        length: total,
        maxLength,
      });
      return undefined;
    }
    return total;
  }
}
