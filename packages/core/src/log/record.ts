import { coreError } from "../errors.ts";
import { assertMessage, dedupKey, type Message } from "../message/message.ts";
import { jsonText } from "../message/payload.ts";

/** A message as a store holds it. Octets stand beside the rest, so that they need no base64. */
export interface RecordBody {
  /** The message as JSON, without `data` where that is octets. */
  readonly head: string;
  /** The payload, if and only if it is octets. */
  readonly octets: Uint8Array | undefined;
}

/** A message on its way into a store. */
export interface NewRecord extends RecordBody {
  /** What makes a second append of the same message known as one. */
  readonly key: string;
  /** Size of head and octets. */
  readonly bytes: number;
}

/** A message in a stream. */
export interface StoredRecord extends RecordBody {
  readonly sequence: number;
  readonly storedAtMs: number;
}

/**
 * The form in which a message is stored. What JSON keeps is kept exactly, octets are copied; nothing that the caller
 * changes later can reach the log.
 * @throws {MetanodeError} message.invalid – an attribute is malformed, or `data` is nothing that JSON can say.
 */
export function encodeRecord(message: Message): NewRecord {
  assertMessage(message);
  const { data } = message;
  if (data instanceof Uint8Array) {
    const head = JSON.stringify({ ...message, data: undefined });
    return { key: dedupKey(message), head, octets: new Uint8Array(data), bytes: Buffer.byteLength(head) + data.length };
  }
  if (typeof data === "function" || typeof data === "symbol") {
    throw coreError("message.invalid", `data is a ${typeof data}, which JSON cannot say`, { details: { path: "/data" } });
  }
  const head = jsonText(message);
  return { key: dedupKey(message), head, octets: undefined, bytes: Buffer.byteLength(head) };
}

/** The message in its stored form: each call makes a new one, so that no reader can change another's. */
export function decodeRecord(record: RecordBody): Message {
  const message = JSON.parse(record.head) as Message;
  return record.octets === undefined ? message : { ...message, data: new Uint8Array(record.octets) };
}
