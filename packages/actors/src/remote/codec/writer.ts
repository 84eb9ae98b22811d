import { actorError } from "../../errors.ts";
import { type Alias, EventName, PID, ProcessName, type Ref } from "../../identity/index.ts";
import { ADDRESS, MAX_KEY_LENGTH, MAX_KEYS, NODE, SHORT_TEXT, TAG } from "./tags.ts";
import type { TypeTable } from "./types.ts";

/** The two nodes that bytes go between, as their sender knows them. */
export interface WriterSide {
  readonly node: string;
  readonly creation: number;
  readonly peer: string;
  /** Undefined until the peer has said it. */
  peerCreation: number | undefined;
  readonly types: TypeTable;
  now(): number;
  /** A ref leaves the node. */
  onRef(ref: Ref): void;
}

/** Room of a new batch: a full one, and the message that made it full. */
const FIRST_BYTES = 80 * 1024;
const SMALL_BYTES = 8 * 1024;
/** Texts up to this length are written letter by letter: going over to native code costs more. */
const SHORT = 24;

/**
 * Writes the bytes of batches.
 *
 *  B1. What is written after `begin` can be taken back by `abort`, until the next `begin`.
 *  B2. Keys are numbered in the order in which they are first written, and the reader numbers them alike; an abort takes
 *      their numbers back too.
 */
export class Writer {
  readonly side: WriterSide;
  bytes: Buffer;
  at = 0;
  readonly #numbers = new Map<string, number>();
  readonly #keys: string[] = [];
  #startAt = 0;
  #startKeys = 0;

  constructor(side: WriterSide) {
    this.side = side;
    this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  begin(): void {
    this.#startAt = this.at;
    this.#startKeys = this.#keys.length;
  }

  abort(): void {
    this.at = this.#startAt;
    while (this.#keys.length > this.#startKeys) this.#numbers.delete(this.#keys.pop() as string);
  }

  /** Gives what was written, for good, and begins anew. A small batch is copied: a large room would leave with it. */
  take(): Uint8Array {
    const written = this.bytes.subarray(0, this.at);
    this.at = 0;
    if (written.byteLength < SMALL_BYTES) return Buffer.from(written);
    this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return written;
  }

  room(bytes: number): void {
    if (this.at + bytes <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.at + bytes));
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
  }

  byte(value: number): void {
    if (this.at === this.bytes.length) this.room(1);
    this.bytes[this.at++] = value;
  }

  /** A whole number from 0 to 2^53. */
  uint(value: number): void {
    if (this.at + 9 > this.bytes.length) this.room(9);
    const bytes = this.bytes;
    let rest = value;
    while (rest > 0x7fff_ffff) {
      bytes[this.at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      bytes[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[this.at++] = rest;
  }

  double(value: number): void {
    this.room(8);
    this.at = this.bytes.writeDoubleLE(value, this.at);
  }

  raw(bytes: Uint8Array): void {
    this.uint(bytes.byteLength);
    this.room(bytes.byteLength);
    this.bytes.set(bytes, this.at);
    this.at += bytes.byteLength;
  }

  /** A text with its tag: UTF-8, unless it holds half a character, which that cannot say. */
  text(value: string): void {
    const { length } = value;
    if (length <= SHORT && this.#shortText(value)) return;
    this.room(length * 3 + 10);
    if (!value.isWellFormed()) {
      this.byte(TAG.text16);
      this.raw(Buffer.from(value, "utf16le"));
    } else if (length * 3 < SHORT_TEXT) {
      const written = this.bytes.write(value, this.at + 1, "utf8");
      this.bytes[this.at] = SHORT_TEXT + written;
      this.at += 1 + written;
    } else {
      this.byte(TAG.text);
      this.uint(Buffer.byteLength(value));
      this.at += this.bytes.write(value, this.at, "utf8");
    }
  }

  /** A key of an object or the name of something: the number of one that was written before, or 0 and the text. */
  key(value: string): void {
    const number = this.#numbers.get(value);
    if (number !== undefined) {
      this.uint(number);
      return;
    }
    this.byte(0);
    this.text(value);
    if (this.#keys.length >= MAX_KEYS || value.length > MAX_KEY_LENGTH) return;
    this.#keys.push(value);
    this.#numbers.set(value, this.#keys.length);
  }

  address(address: PID<never, never> | ProcessName<never, never> | Alias<never, never> | EventName): void {
    if (address instanceof PID) this.#numbered(ADDRESS.pid, address);
    else if (address instanceof ProcessName) this.#named(ADDRESS.name, address);
    else if (address instanceof EventName) this.#named(ADDRESS.event, address);
    else this.#numbered(ADDRESS.alias, address);
  }

  /** A ref; its deadline goes as the time that is left, because clocks differ. */
  ref(ref: Ref): void {
    this.side.onRef(ref);
    this.#numbered(ADDRESS.pid, ref);
    this.uint(ref.deadlineMs === 0 ? 0 : Math.max(1, Math.ceil(ref.deadlineMs - this.side.now())));
  }

  #numbered(kind: number, { node, id, creation }: { node: string; id: number; creation: number }): void {
    const { side } = this;
    if (node === side.node) {
      if (creation === side.creation) this.byte(kind | NODE.sender);
      else {
        this.byte(kind | NODE.senderBefore);
        this.uint(creation);
      }
    } else if (node === side.peer) {
      if (creation === side.peerCreation) this.byte(kind | NODE.receiver);
      else {
        this.byte(kind | NODE.receiverBefore);
        this.uint(creation);
      }
    } else {
      this.byte(kind | NODE.other);
      this.key(node);
      this.uint(creation);
    }
    this.uint(id);
  }

  #named(kind: number, { node, name }: { node: string; name: string }): void {
    const { side } = this;
    if (node === "" || node === side.node) this.byte(kind | NODE.sender);
    else if (node === side.peer) this.byte(kind | NODE.receiver);
    else {
      this.byte(kind | NODE.other);
      this.key(node);
    }
    this.key(name);
  }

  /** Writes a text of ASCII letters; false if it is none. */
  #shortText(value: string): boolean {
    const { length } = value;
    if (this.at + SHORT + 1 > this.bytes.length) this.room(SHORT + 1);
    const { bytes, at } = this;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[at + 1 + i] = code;
    }
    bytes[at] = SHORT_TEXT + length;
    this.at = at + 1 + length;
    return true;
  }
}

/** The error for something that cannot go to another node. */
export function notSendable(what: string): Error {
  return actorError("actor.not_sendable", `${what} cannot go to another node`);
}
