import { streamError } from "../errors.ts";
import type { Block } from "../record/batch.ts";
import { bytesOf } from "../record/value.ts";
import { type Codec, type Decoder, type DecoderOptions, MAX_RECORD_BYTES } from "./codec.ts";
import { tooLarge, truncated } from "./faults.ts";

const COLON = 58;
const COMMA = 44;
const ZERO = 48;
const NINE = 57;

/**
 * Records as `<length>:<bytes>,` with the length in decimal digits; any bytes can be in a record.
 * @source https://cr.yp.to/proto/netstrings.txt
 */
export const netstrings: Codec = {
  name: "netstrings",
  encode: (records) => {
    const parts: Uint8Array[] = [];
    for (const record of records) {
      const bytes = bytesOf(record);
      parts.push(Buffer.from(`${bytes.length}:`), bytes, Buffer.from(","));
    }
    return Buffer.concat(parts);
  },
  decoder: (options) => new NetstringDecoder(options),
  split: (block, count) => {
    let end = 0;
    for (let found = 0; found < count; found++) end = (spanAt(block.bytes, end, Number.MAX_SAFE_INTEGER) as Span).next;
    return [blockOf(block.bytes.subarray(0, end), count), blockOf(block.bytes.subarray(end), block.count - count)];
  },
};

interface Span {
  readonly start: number;
  readonly end: number;
  /** Behind the comma. */
  readonly next: number;
}

class NetstringDecoder implements Decoder {
  readonly #maxRecordBytes: number;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #wanted = 1;

  constructor({ maxRecordBytes = MAX_RECORD_BYTES }: DecoderOptions = {}) {
    this.#maxRecordBytes = maxRecordBytes;
  }

  push(chunk: Buffer): Block | undefined {
    if (this.#restBytes + chunk.length < this.#wanted) {
      this.#keep(chunk);
      return undefined;
    }
    const bytes = this.#restBytes === 0 ? chunk : Buffer.concat([...this.#rest, chunk]);
    this.#rest = [];
    this.#restBytes = 0;
    let end = 0;
    let count = 0;
    for (let span = spanAt(bytes, end, this.#maxRecordBytes); ; span = spanAt(bytes, end, this.#maxRecordBytes)) {
      if (typeof span === "number") {
        this.#wanted = span;
        break;
      }
      end = span.next;
      count++;
    }
    if (end < bytes.length) this.#keep(bytes.subarray(end));
    return count === 0 ? undefined : blockOf(end === bytes.length ? bytes : bytes.subarray(0, end), count);
  }

  end(): undefined {
    if (this.#restBytes > 0) throw truncated(this.#restBytes, this.#wanted);
  }

  #keep(part: Buffer): void {
    this.#rest.push(part);
    this.#restBytes += part.length;
  }
}

/** The record at `at`, or the bytes that are needed from there on to know more. */
function spanAt(bytes: Buffer, at: number, maxRecordBytes: number): Span | number {
  let length = 0;
  let colon = at;
  for (; ; colon++) {
    const digit = bytes[colon];
    if (digit === undefined) return colon - at + 1;
    if (digit === COLON && colon > at) break;
    const isPadded = colon === at + 1 && bytes[at] === ZERO;
    if (digit < ZERO || digit > NINE || isPadded) throw malformed(bytes, at, "a length in decimal digits, then a colon");
    length = length * 10 + (digit - ZERO);
    if (length > maxRecordBytes) throw tooLarge(length, maxRecordBytes);
  }
  const start = colon + 1;
  const end = start + length;
  if (end >= bytes.length) return end + 1 - at;
  if (bytes[end] !== COMMA) throw malformed(bytes, end, "a comma behind the record");
  return { start, end, next: end + 1 };
}

function malformed(bytes: Buffer, at: number, expected: string): Error {
  const found = JSON.stringify(bytes.toString("latin1", at, at + 20));
  return streamError("stream.codec", `found ${found}, expected ${expected}`, { details: { found, expected } });
}

function blockOf(bytes: Buffer, count: number): Block {
  return {
    codec: netstrings.name,
    bytes,
    count,
    values: () => {
      const values: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const span = spanAt(bytes, at, Number.MAX_SAFE_INTEGER) as Span;
        values.push(bytes.subarray(span.start, span.end));
        at = span.next;
      }
      return values;
    },
  };
}
