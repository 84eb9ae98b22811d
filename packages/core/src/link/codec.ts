import type protobuf from "protobufjs";
import { coreError, type MetanodeError } from "../errors.ts";
import { loadProto } from "../message/proto-root.ts";
import { BatchWriter } from "./batch-writer.ts";
import { type FailureBody, type Frame, toFailure } from "./frames.ts";

let types: { batch: protobuf.Type; frame: protobuf.Type } | undefined;

function linkTypes(): { batch: protobuf.Type; frame: protobuf.Type } {
  if (types === undefined) {
    const root = loadProto("metanode/v1/link.proto");
    types = { batch: root.lookupType("metanode.v1.Batch"), frame: root.lookupType("metanode.v1.Frame") };
  }
  return types;
}

/** Reads the proto files ahead of the first frame, which does it otherwise. */
export function loadCodec(): void {
  linkTypes();
}

/** Bytes of a batch per frame that are made room for at first, besides its payload; attributes take about 200. */
const EXPECTED_FRAME_BYTES = 512;

/** Room for a batch, payloads included: one that grows while it is written copies large payloads again and again. */
function expectedBytes(frames: readonly Frame[]): number {
  let bytes = frames.length * EXPECTED_FRAME_BYTES;
  for (const { request, reply, item } of frames) {
    const data = request?.message.data ?? reply?.data ?? item?.data;
    bytes += data?.byteLength ?? 0;
  }
  return bytes;
}

/** Frames as the bytes of one `metanode.v1.Batch`. */
export function encodeBatch(frames: readonly Frame[]): Buffer {
  const writer = new BatchWriter(expectedBytes(frames));
  for (const frame of frames) {
    const call = frame.call ?? 0;
    if (frame.request && frame.request.message.extensions === undefined) writer.request(call, frame.request);
    else if (frame.reply) writer.answer(call, "reply", frame.reply);
    else if (frame.item) writer.answer(call, "item", frame.item);
    else writer.encoded(linkTypes().frame.encode(frame).finish());
  }
  return writer.finish();
}

/** What a batch holds: frames, and after them the error for which the link ends. */
export interface Batch {
  readonly frames: Frame[];
  readonly end?: FailureBody | null;
}

/** The batch of whoever ends a link for `error`. */
export function encodeEnd(error: MetanodeError): Buffer {
  return Buffer.from(
    linkTypes()
      .batch.encode({ end: toFailure(error) })
      .finish(),
  );
}

/**
 * What one batch holds.
 * @throws {MetanodeError} processor.protocol – truncated or foreign bytes.
 */
export function readBatch(bytes: Uint8Array): Batch {
  try {
    return linkTypes().batch.decode(bytes) as unknown as Batch;
  } catch (cause) {
    throw coreError("processor.protocol", `the bytes are no metanode.v1.Batch: ${(cause as Error).message}`, { cause });
  }
}

/** The frames of one batch, in the middle of a link. @throws {MetanodeError} processor.protocol */
export function decodeBatch(bytes: Uint8Array): Frame[] {
  return readBatch(bytes).frames;
}
