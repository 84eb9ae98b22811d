import { streamError } from "../errors.ts";

/**
 * The frames of the protocol that a stage's program may speak: a length (four bytes, highest first), a kind (one byte), and what
 * the kind says. Described with its bytes in docs/stream-protocol.md.
 */

/** The only version there is. Both sides say theirs in their hello; the lower one counts. */
export const PROTOCOL_VERSION = 1;

/** From the engine to the program. */
export type EngineFrame =
  | { readonly kind: "hello"; readonly hello: EngineHello }
  | { readonly kind: "record"; readonly sequence: number; readonly data: Uint8Array }
  /** There are no more records: answer what is open, then end. */
  | { readonly kind: "end" }
  /** To a source: everything up to this position is through, and that is stored. */
  | { readonly kind: "commit"; readonly position: string };

/** From the program to the engine. */
export type ProgramFrame =
  | { readonly kind: "hello"; readonly hello: ProgramHello }
  /** One of the outputs for an input, any number before its ack. */
  | { readonly kind: "output"; readonly sequence: number; readonly data: Uint8Array }
  /** The input is done, with all its outputs. */
  | { readonly kind: "ack"; readonly sequence: number }
  | { readonly kind: "nack"; readonly sequence: number; readonly canRetry: boolean; readonly reason: string }
  /** Still at work. */
  | { readonly kind: "heartbeat" }
  /** Of a source: a record, and where to go on behind it. */
  | { readonly kind: "source"; readonly position: string; readonly data: Uint8Array }
  /** Of a source: there are no more records. */
  | { readonly kind: "end" };

export interface EngineHello {
  readonly protocol: "metanode";
  readonly version: number;
  readonly role: "stage" | "source";
  readonly graph: string;
  readonly stage: string;
  /** Of a source: where to go on; absent at the very beginning. */
  readonly position?: string;
  /** Of a source: records given up to there. */
  readonly sequence?: number;
}

export interface ProgramHello {
  readonly protocol: "metanode";
  readonly version: number;
  /** Records that the program takes before it has acknowledged any. @default 256 */
  readonly window?: number;
}

const ENGINE = { hello: 1, record: 2, end: 3, commit: 4 } as const;
const PROGRAM = { hello: 1, output: 2, ack: 3, nack: 4, heartbeat: 5, source: 6, end: 7 } as const;
const LENGTH_BYTES = 4;

export function encodeEngine(frame: EngineFrame): Buffer {
  switch (frame.kind) {
    case "hello":
      return framed(ENGINE.hello, jsonBytes(frame.hello));
    case "record":
      return framed(ENGINE.record, sequenceBytes(frame.sequence), frame.data);
    case "end":
      return framed(ENGINE.end);
    case "commit":
      return framed(ENGINE.commit, Buffer.from(frame.position));
  }
}

export function encodeProgram(frame: ProgramFrame): Buffer {
  switch (frame.kind) {
    case "hello":
      return framed(PROGRAM.hello, jsonBytes(frame.hello));
    case "output":
      return framed(PROGRAM.output, sequenceBytes(frame.sequence), frame.data);
    case "ack":
      return framed(PROGRAM.ack, sequenceBytes(frame.sequence));
    case "nack":
      return framed(
        PROGRAM.nack,
        sequenceBytes(frame.sequence),
        Buffer.from([frame.canRetry ? 1 : 0]),
        Buffer.from(frame.reason),
      );
    case "heartbeat":
      return framed(PROGRAM.heartbeat);
    case "source": {
      const position = Buffer.from(frame.position);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(position.length);
      return framed(PROGRAM.source, length, position, frame.data);
    }
    case "end":
      return framed(PROGRAM.end);
  }
}

/** Finds frames in chunks. @throws {MetanodeError} stream.codec, stream.record_too_large */
export class FrameReader<Frame> {
  readonly #decode: (kind: number, body: Buffer) => Frame;
  readonly #maxBytes: number;
  /** The begun frame, in parts: joined once it is whole, so that a large one is copied once and not with every chunk. */
  #rest: Buffer[] = [];
  #restBytes = 0;
  /** Bytes of the begun frame with its length, as far as they are known. */
  #wanted = LENGTH_BYTES;

  constructor(decode: (kind: number, body: Buffer) => Frame, maxBytes: number) {
    this.#decode = decode;
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): Frame[] {
    if (this.#restBytes + chunk.length < this.#wanted) {
      this.#keep(chunk);
      return [];
    }
    const bytes = this.#restBytes === 0 ? chunk : Buffer.concat([...this.#rest, chunk]);
    this.#rest = [];
    this.#restBytes = 0;
    this.#wanted = LENGTH_BYTES;
    const frames: Frame[] = [];
    let at = 0;
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(at);
      if (length > this.#maxBytes) {
        throw streamError("stream.record_too_large", `a frame of ${length} bytes, at most ${this.#maxBytes} are allowed`);
      }
      if (length === 0) throw malformed("a frame without a kind", "a kind of 1 to 7");
      const end = at + LENGTH_BYTES + length;
      if (bytes.length < end) {
        this.#wanted = LENGTH_BYTES + length;
        break;
      }
      frames.push(this.#decode(bytes[at + LENGTH_BYTES] as number, bytes.subarray(at + LENGTH_BYTES + 1, end)));
      at = end;
    }
    if (at < bytes.length) this.#keep(bytes.subarray(at));
    return frames;
  }

  #keep(part: Buffer): void {
    this.#rest.push(part);
    this.#restBytes += part.length;
  }
}

export function decodeProgram(kind: number, body: Buffer): ProgramFrame {
  switch (kind) {
    case PROGRAM.hello:
      return { kind: "hello", hello: readHello<ProgramHello>(body) };
    case PROGRAM.output:
      return { kind: "output", sequence: readSequence(body), data: body.subarray(8) };
    case PROGRAM.ack:
      return { kind: "ack", sequence: readSequence(body) };
    case PROGRAM.nack:
      return { kind: "nack", sequence: readSequence(body), canRetry: body[8] === 1, reason: body.toString("utf8", 9) };
    case PROGRAM.heartbeat:
      return { kind: "heartbeat" };
    case PROGRAM.source: {
      const end = body.length < 2 ? 0 : 2 + body.readUInt16BE(0);
      if (end === 0 || end > body.length) throw malformed("a record of a source without its position", "a length and a position");
      return { kind: "source", position: body.toString("utf8", 2, end), data: body.subarray(end) };
    }
    case PROGRAM.end:
      return { kind: "end" };
    default:
      throw malformed(`a frame of kind ${kind}`, "a kind of 1 to 7");
  }
}

export function decodeEngine(kind: number, body: Buffer): EngineFrame {
  switch (kind) {
    case ENGINE.hello:
      return { kind: "hello", hello: readHello<EngineHello>(body) };
    case ENGINE.record:
      return { kind: "record", sequence: readSequence(body), data: body.subarray(8) };
    case ENGINE.end:
      return { kind: "end" };
    case ENGINE.commit:
      return { kind: "commit", position: body.toString("utf8") };
    default:
      throw malformed(`a frame of kind ${kind}`, "a kind of 1 to 4");
  }
}

function framed(kind: number, ...parts: readonly Uint8Array[]): Buffer {
  let length = 1;
  for (const part of parts) length += part.length;
  const head = Buffer.allocUnsafe(5);
  head.writeUInt32BE(length);
  head[4] = kind;
  return Buffer.concat([head, ...parts]);
}

function sequenceBytes(sequence: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(sequence));
  return bytes;
}

function readSequence(body: Buffer): number {
  if (body.length < 8) throw malformed(`a frame of ${body.length} bytes`, "a sequence number of eight");
  return Number(body.readBigUInt64BE(0));
}

function readHello<Hello extends { protocol: string; version: number }>(body: Buffer): Hello {
  let hello: unknown;
  try {
    hello = JSON.parse(body.toString("utf8"));
  } catch {
    hello = undefined;
  }
  const { protocol, version } = (hello ?? {}) as Partial<Hello>;
  if (protocol === "metanode" && typeof version === "number" && version >= 1) return hello as Hello;
  const found = JSON.stringify(body.toString("utf8", 0, 80));
  throw malformed(found, '{"protocol": "metanode", "version": 1}');
}

function jsonBytes(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function malformed(found: string, expected: string): Error {
  return streamError("stream.codec", `found ${found}, expected ${expected}; does the program speak the protocol metanode?`);
}
