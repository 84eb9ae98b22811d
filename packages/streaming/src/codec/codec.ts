import type { Block } from "../record/batch.ts";

/** Longest record by default, in bytes. */
export const MAX_RECORD_BYTES = 16 * 1_024 * 1_024;

/**
 * How records are written one after the other into a stream of bytes, and found in it again.
 *
 * Whole records that stand together are a {@link Block}: they can be passed on without being cut apart, and without being
 * copied, from one program to the next.
 */
export interface Codec {
  readonly name: string;
  /** The bytes of these records. @throws {MetanodeError} stream.record – one cannot be written so. */
  encode(records: readonly unknown[]): Buffer;
  /** Finds records in chunks of a stream. */
  decoder(options?: DecoderOptions): Decoder;
  /** The first `count` records of a block, and the others. */
  split(block: Block, count: number): [Block, Block];
}

export interface DecoderOptions {
  /** Longer records are refused before any memory is taken for them. @default 16 MiB */
  readonly maxRecordBytes?: number;
}

export interface Decoder {
  /**
   * The whole records that have come in; `undefined` when none is complete. Keeps the chunk.
   * @throws {MetanodeError} stream.record_too_large, stream.codec – the bytes are no records; nothing more can be found.
   */
  push(chunk: Buffer): Block | undefined;
  /** The stream has ended. @throws {MetanodeError} stream.codec – in the middle of a record. */
  end(): Block | undefined;
}
