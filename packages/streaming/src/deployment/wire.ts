import { createMessage, type Message } from "@metanode/core";
import { codecs } from "../codec/codecs.ts";
import { streamError } from "../errors.ts";
import type { Batch, Block, Content } from "../record/batch.ts";

/** The type of messages that carry records of a graph through the log. */
export const RECORDS_TYPE = "metanode.stream.records";

/** A batch as one message of the log. Records keep what they are: text, bytes, or values. */
export function batchMessage(batch: Batch, source: string): Message {
  const block = batch.block ?? blockOf(batch.records);
  return createMessage({
    id: `${batch.idOf(0)}+${batch.count}`,
    source,
    type: RECORDS_TYPE,
    datacontenttype: "application/octet-stream",
    data: block.bytes,
    extensions: { codec: block.codec, count: block.count },
  });
}

/** What a message of the log holds. @throws {MetanodeError} stream.codec */
export function contentOf({ data, extensions, id }: Message): Content {
  const codec = codecs[extensions?.codec as keyof typeof codecs];
  if (codec === undefined || !(data instanceof Uint8Array)) {
    throw streamError("stream.codec", `message ${id} holds no records of a graph`);
  }
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const decoder = codec.decoder({ maxRecordBytes: Number.MAX_SAFE_INTEGER });
  const block = decoder.push(bytes);
  return block === undefined ? { records: [] } : { block };
}

/** Bytes as frames, everything else as lines of JSON, which tell text from values. */
function blockOf(records: readonly unknown[]): Block {
  const codec = records.every((record) => record instanceof Uint8Array) ? codecs.frames : codecs.json;
  const bytes = codec.encode(records);
  const block = codec.decoder({ maxRecordBytes: Number.MAX_SAFE_INTEGER }).push(bytes);
  return block ?? { codec: codec.name, bytes, count: 0, values: () => [] };
}
