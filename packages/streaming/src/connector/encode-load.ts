import type { Codec } from "../codec/codec.ts";
import type { Load } from "./load.ts";

/** The bytes of a load; blocks that are written so already stay as they are. @throws {MetanodeError} stream.record */
export function encodeLoad({ portions }: Load, codec: Codec): Buffer[] {
  return portions.map(({ batch, first, end }) => {
    const { block } = batch;
    if (block !== undefined && block.codec === codec.name && end - first === batch.count) return block.bytes;
    return codec.encode(first === 0 && end === batch.count ? batch.records : batch.records.slice(first, end));
  });
}
