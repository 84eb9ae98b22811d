import type { Block } from "../record/batch.ts";
import { bytesOf } from "../record/value.ts";
import { type Codec, type Decoder, type DecoderOptions, MAX_RECORD_BYTES } from "./codec.ts";
import { tooLarge, truncated } from "./faults.ts";

const HEADER_BYTES = 4;

/**
 * Records as their length, four bytes with the highest first, and then their bytes; any bytes can be in a record.
 * @source GoStreaming's protocol of actions
 */
export const frames: Codec = {
  name: "frames",
  encode: (records) => {
    const parts: Uint8Array[] = [];
    for (const record of records) {
      const bytes = bytesOf(record);
      const header = Buffer.allocUnsafe(HEADER_BYTES);
      header.writeUInt32BE(bytes.length);
      parts.push(header, bytes);
    }
    return Buffer.concat(parts);
  },
  decoder: (options) => new FrameDecoder(options),
  split: (block, count) => {
    let end = 0;
    for (let found = 0; found < count; found++) end += HEADER_BYTES + block.bytes.readUInt32BE(end);
    return [frameBlock(block.bytes.subarray(0, end), count), frameBlock(block.bytes.subarray(end), block.count - count)];
  },
};

class FrameDecoder implements Decoder {
  readonly #maxRecordBytes: number;
  #rest: Buffer[] = [];
  #restBytes = 0;
  /** Bytes of the begun record with its header, as far as they are known. */
  #wanted = HEADER_BYTES;

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
    this.#wanted = HEADER_BYTES;
    while (bytes.length - end >= HEADER_BYTES) {
      const length = bytes.readUInt32BE(end);
      if (length > this.#maxRecordBytes) throw tooLarge(length, this.#maxRecordBytes);
      if (bytes.length - end < HEADER_BYTES + length) {
        this.#wanted = HEADER_BYTES + length;
        break;
      }
      end += HEADER_BYTES + length;
      count++;
    }
    if (end < bytes.length) this.#keep(bytes.subarray(end));
    return count === 0 ? undefined : frameBlock(end === bytes.length ? bytes : bytes.subarray(0, end), count);
  }

  end(): undefined {
    if (this.#restBytes > 0) throw truncated(this.#restBytes, this.#wanted);
  }

  #keep(part: Buffer): void {
    this.#rest.push(part);
    this.#restBytes += part.length;
  }
}

function frameBlock(bytes: Buffer, count: number): Block {
  return {
    codec: frames.name,
    bytes,
    count,
    values: () => {
      const values: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const end = at + HEADER_BYTES + bytes.readUInt32BE(at);
        values.push(bytes.subarray(at + HEADER_BYTES, end));
        at = end;
      }
      return values;
    },
  };
}
