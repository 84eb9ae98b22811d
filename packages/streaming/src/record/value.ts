import { streamError } from "../errors.ts";

/** What a value that is neither text nor bytes is taken for: counting it exactly would cost more than handling it. */
const OBJECT_BYTES = 64;
const RECORD_BYTES = 16;

/** About how much memory a record takes, in bytes. */
export function sizeOf(record: unknown): number {
  if (typeof record === "string") return record.length + RECORD_BYTES;
  if (record instanceof Uint8Array) return record.byteLength + RECORD_BYTES;
  return OBJECT_BYTES;
}

/**
 * A record as bytes, for whatever lies outside the process: bytes stay, text becomes UTF-8, everything else JSON.
 * @throws {MetanodeError} stream.record – the value has no JSON form.
 */
export function bytesOf(record: unknown): Uint8Array {
  if (record instanceof Uint8Array) return record;
  return Buffer.from(textOf(record));
}

/** A record as text: bytes are taken as UTF-8, what is neither text nor bytes becomes JSON. @throws {MetanodeError} stream.record */
export function textOf(record: unknown): string {
  if (typeof record === "string") return record;
  if (record instanceof Uint8Array) return Buffer.from(record.buffer, record.byteOffset, record.byteLength).toString("utf8");
  return jsonOf(record);
}

/** A record as a value: text and bytes are read as JSON where they are JSON, and stay text where they are not. */
export function readValue(record: unknown): unknown {
  if (typeof record !== "string" && !(record instanceof Uint8Array)) return record;
  const text = textOf(record);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function jsonOf(record: unknown): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(record);
  } catch (error) {
    cause = error;
  }
  if (text !== undefined) return text;
  const found = `a record of type ${typeof record}`;
  throw streamError("stream.record", `${found} has no JSON form; give text, bytes or plain data`, { cause });
}
