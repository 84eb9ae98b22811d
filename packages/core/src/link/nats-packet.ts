import { asMetanodeError, coreError, MetanodeError } from "../errors.ts";

/*
 * What links over NATS put into a message of NATS. A packet is 13 bytes of head, then its body:
 *
 *   byte 0      kind
 *   bytes 1-6   sequence: of a batch, a part or an end its own number, counted from 1; of all others the last number before it
 *   bytes 7-12  taken: bytes of batches and parts, heads included, that whoever sends this has taken of the other side so far
 *
 * Numbers are big-endian. Every packet names the inbox of its sender as its reply subject: where nobody receives it, the server
 * answers there (`isNobodyThere`).
 */

/** Kinds of packets. A batch that one message cannot hold comes as parts, which are joined with the batch that follows them. */
export const PACKET = { batch: 0, part: 1, note: 2, end: 3, accept: 4 } as const;
export type PacketKind = (typeof PACKET)[keyof typeof PACKET];

/** Bytes before the body of a packet. */
export const HEAD_BYTES = 13;

/** Of this form of packets and greetings. */
const VERSION = 1;

/** Longest text of an error that ends a link, in characters: an end has to fit into any message. */
const MAX_REASON = 500;

export interface Packet {
  readonly kind: PacketKind;
  readonly sequence: number;
  readonly taken: number;
  readonly body: Buffer;
}

/** The bytes of a packet. */
export function encodePacket({ kind, sequence, taken, body }: Packet): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + body.length);
  bytes[0] = kind;
  bytes.writeUIntBE(sequence, 1, 6);
  bytes.writeUIntBE(taken, 7, 6);
  body.copy(bytes, HEAD_BYTES);
  return bytes;
}

/** @throws {MetanodeError} processor.protocol – it is none, or one of a later version. */
export function decodePacket(data: Uint8Array): Packet {
  // A Buffer and not the bare bytes: what protobuf cuts out of it is then not copied.
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const kind = bytes[0];
  if (bytes.length < HEAD_BYTES || kind === undefined || kind > PACKET.accept) {
    throw coreError("processor.protocol", `${bytes.length} bytes that came over NATS are no packet of a link`);
  }
  return {
    kind: kind as PacketKind,
    sequence: bytes.readUIntBE(1, 6),
    taken: bytes.readUIntBE(7, 6),
    body: bytes.subarray(HEAD_BYTES),
  };
}

/** What each side says of itself before anything else. */
export interface Greeting {
  /** How often it wants to hear of the other side, in milliseconds. */
  readonly heartbeatMs: number;
  /** Bytes of packets that may be under way to it. */
  readonly windowBytes: number;
}

export function encodeGreeting({ heartbeatMs, windowBytes }: Greeting): Buffer {
  return Buffer.from(JSON.stringify({ version: VERSION, heartbeatMs, windowBytes }));
}

/** @throws {MetanodeError} protocol.version, processor.protocol */
export function decodeGreeting(body: Buffer): Greeting {
  let said: { version?: unknown; heartbeatMs?: unknown; windowBytes?: unknown };
  try {
    said = JSON.parse(body.toString("utf8")) ?? {};
  } catch (cause) {
    throw coreError("processor.protocol", "what came over NATS is no greeting of a link", { cause });
  }
  const { version, heartbeatMs, windowBytes } = said;
  if (version !== VERSION) {
    throw coreError(
      "protocol.version",
      `the other side speaks version ${String(version)} of links over NATS, this one ${VERSION}`,
    );
  }
  if (!isCount(heartbeatMs) || !isCount(windowBytes)) {
    throw coreError("processor.protocol", "the greeting of a link over NATS lacks its numbers");
  }
  return { heartbeatMs, windowBytes };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

/** The body of an end: empty for an orderly one. */
export function encodeReason(error: MetanodeError | undefined): Buffer {
  if (error === undefined) return Buffer.alloc(0);
  return Buffer.from(JSON.stringify({ code: error.code, message: error.message.slice(0, MAX_REASON) }));
}

/** Why the other side ended the link; undefined if it was in order. */
export function decodeReason(body: Buffer): MetanodeError | undefined {
  if (body.length === 0) return undefined;
  try {
    const { code, message } = JSON.parse(body.toString("utf8")) as { code: string; message: string };
    return new MetanodeError(String(code), String(message));
  } catch (cause) {
    return coreError("processor.protocol", "the other side ended the link and gave an unreadable reason", { cause });
  }
}

/** Any thrown value as the reason of an end. */
export function reasonOf(error: unknown): MetanodeError {
  return asMetanodeError(error, "node.unreachable");
}
