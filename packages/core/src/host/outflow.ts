import { isUtf8 } from "node:buffer";
import type { Readable } from "node:stream";

/** A piece of what a program wrote or of what stands in a file. `Buffer.from(data, encoding)` gives the bytes, always. */
export interface Piece {
  readonly data: string;
  readonly encoding: PieceEncoding;
}

export type PieceEncoding = "utf8" | "base64";

/** A piece of what a program wrote. */
export interface OutputPiece extends Piece {
  readonly stream: "stdout" | "stderr";
}

/** Longest character of UTF-8, without its last byte. */
const LONGEST_REST = 3;

/** Makes bytes to pieces: text where they are text, else base64. A character is not cut in two, and no byte is lost. */
export class Packer {
  readonly #isBase64: boolean;
  #rest: Uint8Array = new Uint8Array(0);

  /** @param encoding what every piece is to have; each its own where absent */
  constructor(encoding?: PieceEncoding) {
    this.#isBase64 = encoding === "base64";
  }

  /** Undefined where there is only a part of a character so far. */
  push(bytes: Uint8Array): Piece | undefined {
    const whole = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    const restLength = this.#isBase64 ? 0 : unfinished(whole);
    this.#rest = whole.subarray(whole.length - restLength);
    return this.#pack(whole.subarray(0, whole.length - restLength));
  }

  end(): Piece | undefined {
    const rest = Buffer.from(this.#rest);
    this.#rest = new Uint8Array(0);
    return this.#pack(rest);
  }

  #pack(bytes: Buffer): Piece | undefined {
    if (bytes.length === 0) return undefined;
    const encoding = !this.#isBase64 && isUtf8(bytes) ? "utf8" : "base64";
    return { data: bytes.toString(encoding), encoding };
  }
}

/** How many bytes at the end are the beginning of a character. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(LONGEST_REST, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

/** Bytes that wait for their reader; more, and the pipes stop. */
const MAX_WAITING_BYTES = 256 * 1_024;

/**
 * What a program writes, as a stream of pieces in the order in which it came. A reader that is slow stops the pipes, and
 * they the program: memory is bounded by {@link MAX_WAITING_BYTES} and a read of each pipe.
 */
export class Outflow {
  readonly #pipes: Readable[] = [];
  readonly #waiting: { readonly piece: OutputPiece; readonly bytes: number }[] = [];
  readonly #encoding: PieceEncoding | undefined;
  #bytes = 0;
  #state: "flows" | "discards" | "over" = "flows";
  #wake: (() => void) | undefined;

  constructor(encoding?: PieceEncoding) {
    this.#encoding = encoding;
  }

  add(stream: OutputPiece["stream"], pipe: Readable): void {
    const packer = new Packer(this.#encoding);
    this.#pipes.push(pipe);
    pipe.on("data", (bytes: Uint8Array) => this.#put(stream, packer.push(bytes), bytes.length));
    pipe.on("close", () => this.#put(stream, packer.end(), LONGEST_REST));
    pipe.on("error", () => undefined); // like its end
  }

  /** Nothing more comes. */
  end(): void {
    if (this.#state === "flows") this.#state = "over";
    this.#wake?.();
  }

  /** Nobody wants it any more: what comes is read and thrown away, so that the program can end. */
  discard(): void {
    this.#state = "discards";
    this.#waiting.length = 0;
    for (const pipe of this.#pipes) pipe.resume();
    this.#wake?.();
  }

  async *read(): AsyncGenerator<OutputPiece> {
    while (this.#state !== "discards") {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#bytes -= next.bytes;
        if (this.#bytes <= MAX_WAITING_BYTES / 2) for (const pipe of this.#pipes) pipe.resume();
        yield next.piece;
      } else if (this.#state === "over") {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #put(stream: OutputPiece["stream"], piece: Piece | undefined, bytes: number): void {
    if (this.#state !== "flows" || piece === undefined) return;
    this.#waiting.push({ piece: { stream, ...piece }, bytes });
    this.#bytes += bytes;
    if (this.#bytes >= MAX_WAITING_BYTES) for (const pipe of this.#pipes) pipe.pause();
    this.#wake?.();
  }
}
