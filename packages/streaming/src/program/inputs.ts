import type { Codec } from "../codec/codec.ts";
import type { Batch } from "../record/batch.ts";

/** The bytes of a batch for a program: as they are where they come from one of the same codec. */
export function inputOf(batch: Batch, codec: Codec): Buffer {
  return batch.block !== undefined && batch.block.codec === codec.name ? batch.block.bytes : codec.encode(batch.records);
}

/** A batch cut into two under one receipt, which is held once more for it. */
export function halves(batch: Batch): [Batch, Batch] {
  const middle = batch.count >> 1;
  const indexes = Array.from({ length: batch.count }, (_, index) => index);
  batch.receipt.hold();
  return [batch.pick(indexes.slice(0, middle)), batch.pick(indexes.slice(middle))];
}
