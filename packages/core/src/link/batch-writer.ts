import type { ReplyBody, RequestBody, WireMessage } from "./frames.ts";

/*
 * Writes the two frames that make up almost all traffic, requests and replies, straight into the bytes of a
 * `metanode.v1.Batch`. The general encoder of protobufjs measures a message before it writes it and builds a list of
 * what to write; this writes once, on the path that every call takes. Everything else (greetings,
 * failures, extension attributes) goes through the general one. A test holds the two against each other.
 *
 * Lengths of a request's nested messages are not known before they are written, so room for four bytes is left and filled in
 * afterwards: a varint may have more bytes than it needs, and every protobuf reader takes it.
 */

/** Tags: field number times 8, plus 0 for a number or 2 for bytes. Numbers as in `link.proto`. */
const TAG = {
  batch: { frames: 10 },
  frame: { call: 8, request: 18, reply: 26, item: 42 },
  call: { message: 10, timeoutMs: 16, mode: 24, window: 32, attempt: 40 },
  message: {
    id: 10,
    source: 18,
    type: 26,
    subject: 34,
    time: 42,
    datacontenttype: 50,
    dataschema: 58,
    data: 66,
    traceparent: 74,
    tracestate: 82,
    idempotencykey: 90,
    typeversion: 98,
    hops: 104,
  },
  reply: { data: 10, datacontenttype: 18 },
} as const;

/** Texts up to this long have a length of one byte, even if every character takes three. */
const SHORT_TEXT = 42;

export class BatchWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(expectedBytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(expectedBytes);
  }

  /** What was written. The writer must not be used afterwards: whoever gets the bytes keeps them. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  request(call: number, body: RequestBody): void {
    const frame = this.#open(TAG.batch.frames);
    this.#number(TAG.frame.call, call);
    const request = this.#open(TAG.frame.request);
    const message = this.#open(TAG.call.message);
    this.#message(body.message);
    this.#close(message);
    this.#number(TAG.call.timeoutMs, body.timeoutMs);
    this.#number(TAG.call.mode, body.mode);
    this.#number(TAG.call.window, body.window);
    this.#number(TAG.call.attempt, body.attempt);
    this.#close(request);
    this.#close(frame);
  }

  /**
   * Answers are written with lengths no longer than need be: they go to the side that listens, whose HTTP/2 window stays at
   * 64 KiB (grpc-js can widen that of the dialling side only), and 256 answers of 200 bytes just fit.
   */
  answer(call: number, kind: "reply" | "item", body: ReplyBody): void {
    const { data, datacontenttype } = body;
    const type = datacontenttype ? Buffer.byteLength(datacontenttype) : 0;
    const octets = data?.byteLength ?? 0;
    const reply = (data ? 1 + sizeOf(octets) + octets : 0) + (type > 0 ? 1 + sizeOf(type) + type : 0);
    const frame = (call === 0 ? 0 : 1 + sizeOf(call)) + 1 + sizeOf(reply) + reply;
    this.#room(frame + 8);
    this.#bytes[this.#at++] = TAG.batch.frames;
    this.#varint(frame);
    this.#number(TAG.frame.call, call);
    this.#bytes[this.#at++] = TAG.frame[kind];
    this.#varint(reply);
    this.#octets(TAG.reply.data, data);
    this.#text(TAG.reply.datacontenttype, datacontenttype);
  }

  /** A frame that was encoded elsewhere. */
  encoded(frame: Uint8Array): void {
    this.#octets(TAG.batch.frames, frame);
  }

  #message(message: WireMessage): void {
    const tag = TAG.message;
    this.#text(tag.id, message.id);
    this.#text(tag.source, message.source);
    this.#text(tag.type, message.type);
    this.#text(tag.subject, message.subject);
    this.#text(tag.time, message.time);
    this.#text(tag.datacontenttype, message.datacontenttype);
    this.#text(tag.dataschema, message.dataschema);
    this.#octets(tag.data, message.data);
    this.#text(tag.traceparent, message.traceparent);
    this.#text(tag.tracestate, message.tracestate);
    this.#text(tag.idempotencykey, message.idempotencykey);
    this.#text(tag.typeversion, message.typeversion);
    this.#number(tag.hops, message.hops);
  }

  #open(tag: number): number {
    this.#room(8);
    this.#bytes[this.#at++] = tag;
    this.#at += 4;
    return this.#at;
  }

  #close(start: number): void {
    const length = this.#at - start;
    const bytes = this.#bytes;
    bytes[start - 4] = (length & 0x7f) | 0x80;
    bytes[start - 3] = ((length >>> 7) & 0x7f) | 0x80;
    bytes[start - 2] = ((length >>> 14) & 0x7f) | 0x80;
    bytes[start - 1] = (length >>> 21) & 0x7f;
  }

  /** 0 is what a reader takes an absent number for. */
  #number(tag: number, value: number | undefined): void {
    if (value === undefined || value === 0) return;
    this.#room(8);
    this.#bytes[this.#at++] = tag;
    this.#varint(value);
  }

  #varint(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  #octets(tag: number, value: Uint8Array | null | undefined): void {
    if (value === undefined || value === null) return;
    this.#room(value.byteLength + 8);
    this.#bytes[this.#at++] = tag;
    this.#varint(value.byteLength);
    this.#bytes.set(value, this.#at);
    this.#at += value.byteLength;
  }

  #text(tag: number, value: string | undefined): void {
    if (value === undefined || value === "") return;
    this.#room(value.length * 3 + 8);
    this.#bytes[this.#at++] = tag;
    if (value.length > SHORT_TEXT) {
      this.#varint(Buffer.byteLength(value));
      this.#at += this.#bytes.write(value, this.#at, "utf8");
      return;
    }
    // Short ones, nearly always ASCII, are written here: going over to native code costs more than the letters.
    const bytes = this.#bytes;
    const start = this.#at + 1;
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) {
        const length = bytes.write(value, start, "utf8");
        bytes[start - 1] = length;
        this.#at = start + length;
        return;
      }
      bytes[start + index] = code;
    }
    bytes[start - 1] = value.length;
    this.#at = start + value.length;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + bytes));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

/** Bytes of a varint. */
function sizeOf(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}
