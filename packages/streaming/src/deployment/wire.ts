import { createMessage, type Message } from "@metanode/core";
import { codecs } from "../codec/codecs.ts";
import { streamError } from "../errors.ts";
import type { Batch, Block, Content } from "../record/batch.ts";
import type { Lineage } from "../record/lineage.ts";

/** The type of messages that carry records of a graph through the log. */
export const RECORDS_TYPE = "metanode.stream.records";

/** A batch as one message of the log. Records keep what they are: text, bytes, or values. */
export function batchMessage(batch: Batch, source: string): Message {
  const block = batch.block ?? blockOf(batch.records);
  const traces = tracesOf(batch);
  return createMessage({
    id: `${batch.idOf(0)}+${batch.count}`,
    source,
    type: RECORDS_TYPE,
    datacontenttype: "application/octet-stream",
    data: block.bytes,
    extensions: { codec: block.codec, count: block.count, ...(traces === undefined ? {} : { traces }) },
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

/** The identities of records that come out of the log. */
export function lineageOf({ id, extensions }: Message): Lineage {
  const idOf = (index: number): string => `${id}.${index}`;
  const { traces } = extensions ?? {};
  if (typeof traces !== "string") return { idOf };
  let known: (string | undefined)[] | undefined;
  return {
    idOf,
    traceOf: (index) => {
      known ??= readTraces(traces);
      return known[index];
    },
  };
}

/** The trace of each record, joined by commas: nothing where it is that of the one before, `-` where there is none. */
function tracesOf(batch: Batch): string | undefined {
  if (batch.lineage.traceOf === undefined) return undefined;
  const parts: string[] = [];
  let last: string | undefined;
  let isTraced = false;
  for (let index = 0; index < batch.count; index++) {
    const trace = batch.traceOf(index);
    parts.push(index > 0 && trace === last ? "" : (trace ?? "-"));
    isTraced ||= trace !== undefined;
    last = trace;
  }
  return isTraced ? parts.join() : undefined;
}

function readTraces(text: string): (string | undefined)[] {
  let last: string | undefined;
  return text.split(",").map((part) => {
    if (part !== "") last = part === "-" ? undefined : part;
    return last;
  });
}

/** Bytes as frames, everything else as lines of JSON, which tell text from values. */
export function blockOf(records: readonly unknown[]): Block {
  const codec = records.every((record) => record instanceof Uint8Array) ? codecs.frames : codecs.json;
  const bytes = codec.encode(records);
  const block = codec.decoder({ maxRecordBytes: Number.MAX_SAFE_INTEGER }).push(bytes);
  return block ?? { codec: codec.name, bytes, count: 0, values: () => [] };
}
