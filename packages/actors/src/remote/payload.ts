import { deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib";
import { hasCode } from "@metanode/core/errors";
import { actorError } from "../errors.ts";
import type { Compression } from "../process/extras.ts";
import { decode } from "./codec/decode.ts";
import { encode } from "./codec/encode.ts";
import { malformed, type Reader } from "./codec/reader.ts";
import { COMPRESSED } from "./codec/tags.ts";
import type { Writer } from "./codec/writer.ts";

const DEFAULT_THRESHOLD_BYTES = 1_024;
/** What unpacks to more than any batch may hold was made to do harm. */
const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;

/**
 * Writes what a frame carries for somebody. The size that counts against the limit is the uncompressed one.
 * @throws actor.too_large, actor.not_sendable
 */
export function writePayload(w: Writer, value: unknown, limitBytes: number, compression?: Compression): void {
  const start = w.at;
  encode(w, value);
  const size = w.at - start;
  if (size > limitBytes) throw tooLarge(size, limitBytes, w.side.peer);
  if (compression === undefined || size < (compression.thresholdBytes ?? DEFAULT_THRESHOLD_BYTES)) return;
  const raw = w.bytes.subarray(start, w.at);
  const level = compression.level === undefined ? {} : { level: compression.level };
  const isGzip = compression.type !== "zlib";
  const packed = isGzip ? gzipSync(raw, level) : deflateSync(raw, level);
  if (packed.byteLength + 5 >= size) return;
  w.at = start;
  w.byte(isGzip ? COMPRESSED.gzip : COMPRESSED.zlib);
  w.raw(packed);
}

/** Reads what {@link writePayload} wrote. Over the limit it is a fault of the message. @throws actor.malformed */
export function readPayload(r: Reader, limitBytes: number): unknown {
  r.fault = undefined;
  const first = r.bytes[r.at];
  if (first !== COMPRESSED.gzip && first !== COMPRESSED.zlib) {
    const start = r.at;
    const value = decode(r);
    const size = r.at - start;
    if (size > limitBytes) r.fault = tooLarge(size, limitBytes, r.side.node);
    return value;
  }
  r.at++;
  const unpacked = unpack(first, r.raw(), Math.max(limitBytes, MAX_UNPACKED_BYTES));
  const { bytes, at } = r;
  r.open(unpacked);
  const value = decode(r);
  if (unpacked.byteLength > limitBytes) r.fault = tooLarge(unpacked.byteLength, limitBytes, r.side.node);
  if (!r.isAtEnd) throw malformed("a compressed message is longer than its value");
  r.bytes = bytes;
  r.at = at;
  return value;
}

/** What cannot be unpacked ends the connection: its keys are unknown, so nothing after it could be read. */
function unpack(kind: number, packed: Uint8Array, limitBytes: number): Buffer {
  try {
    const options = { maxOutputLength: limitBytes };
    return kind === COMPRESSED.gzip ? gunzipSync(packed, options) : inflateSync(packed, options);
  } catch (cause) {
    throw malformed(`a message cannot be unpacked into at most ${limitBytes} bytes (${(cause as Error).message})`);
  }
}

function tooLarge(size: number, limit: number, node: string): Error {
  return actorError("actor.too_large", `the message has ${size} bytes, node ${node} takes ${limit} at most`, {
    details: { bytes: size, maxBytes: limit, node },
  });
}

/** The error for whoever wanted to send something that did not let itself be written. */
export function unwritable(thrown: unknown): Error {
  if (hasCode(thrown, "actor.not_sendable") || hasCode(thrown, "actor.too_large")) return thrown as Error;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return actorError("actor.not_sendable", `the message could not be written: ${text}`, { cause: thrown });
}
