import { z } from "zod";
import type { Codec, Decoder, DecoderOptions } from "../codec/codec.ts";
import { codecs } from "../codec/codecs.ts";
import type { Block } from "../record/batch.ts";
import { bytesOf } from "../record/value.ts";

/** How records stand in a stream of bytes that is not a conversation. */
export const codecSetting = z
  .enum(["lines", "json", "netstrings", "frames", "bytes"])
  .default("lines")
  .describe("How records stand in the bytes; `bytes` cuts nothing: each record is as much as was read at a time.");

export const maxRecordBytesSetting = z
  .int()
  .min(1)
  .optional()
  .describe("Longest record, in bytes; a longer one fails the run. @default 16 MiB");

/** The codec of that name. */
export function codecOf(name: z.infer<typeof codecSetting>): Codec {
  return name === "bytes" ? plainBytes : codecs[name];
}

/** Bytes without records in them: what comes at a time is a record, and records are written one behind the other. */
const plainBytes: Codec = {
  name: "bytes",
  encode: (records) => Buffer.concat(records.map(bytesOf)),
  decoder: (_options?: DecoderOptions): Decoder => ({ push: byteBlock, end: () => undefined }),
  split: (block, count) => {
    // There is one record in a block, so one of both is empty.
    const none: Block = { codec: "bytes", bytes: Buffer.alloc(0), count: 0, values: () => [] };
    return count === 0 ? [none, block] : [block, none];
  },
};

function byteBlock(bytes: Buffer): Block {
  return { codec: "bytes", bytes, count: 1, values: () => [bytes] };
}
