import type protobuf from "protobufjs";
import { coreError } from "../errors.ts";
import { loadProto } from "../message/proto-root.ts";
import { BatchWriter } from "./batch-writer.ts";
import type { Frame } from "./frames.ts";

let types: { batch: protobuf.Type; frame: protobuf.Type } | undefined;

function linkTypes(): { batch: protobuf.Type; frame: protobuf.Type } {
  if (types === undefined) {
    const root = loadProto("metanode/v1/link.proto");
    types = { batch: root.lookupType("metanode.v1.Batch"), frame: root.lookupType("metanode.v1.Frame") };
  }
  return types;
}

/** Bytes of a batch per frame that are made room for at first; attributes take about 200. */
const EXPECTED_FRAME_BYTES = 512;

/** Frames as the bytes of one `metanode.v1.Batch`. */
export function encodeBatch(frames: readonly Frame[]): Buffer {
  const writer = new BatchWriter(frames.length * EXPECTED_FRAME_BYTES);
  for (const frame of frames) {
    const call = frame.call ?? 0;
    if (frame.request && frame.request.message.extensions === undefined) writer.request(call, frame.request);
    else if (frame.reply) writer.answer(call, "reply", frame.reply);
    else if (frame.item) writer.answer(call, "item", frame.item);
    else writer.encoded(linkTypes().frame.encode(frame).finish());
  }
  return writer.finish();
}

/**
 * The frames of one batch.
 * @throws {MetanodeError} processor.protocol – truncated or foreign bytes.
 */
export function decodeBatch(bytes: Uint8Array): Frame[] {
  try {
    return (linkTypes().batch.decode(bytes) as unknown as { frames: Frame[] }).frames;
  } catch (cause) {
    throw coreError("processor.protocol", `the bytes are no metanode.v1.Batch: ${(cause as Error).message}`, { cause });
  }
}
