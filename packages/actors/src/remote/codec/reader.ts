import { actorError } from "../../errors.ts";
import { Alias, EventName, PID, ProcessName, Ref } from "../../identity/index.ts";
import { ADDRESS, MAX_KEY_LENGTH, MAX_KEYS, NODE, SHORT_TEXT, TAG } from "./tags.ts";
import type { TypeTable } from "./types.ts";

/** The two nodes that bytes go between, as their receiver knows them. */
export interface ReaderSide {
  readonly node: string;
  readonly creation: number;
  readonly peer: string;
  readonly peerCreation: number;
  readonly types: TypeTable;
  now(): number;
  /** The PID of a process of this node, with what hangs on it. */
  ownPid(id: number): PID | undefined;
  /** A ref of this node that somebody waits behind. */
  ownRef(id: number): Ref | undefined;
}

/** PIDs of the peer that are kept, so that a sender's is made once. */
const KEPT_PIDS = 4_096;
const SHORT = 12;

/** Reads the bytes of batches. Everything that breaks the rules throws `actor.malformed`. */
export class Reader {
  readonly side: ReaderSide;
  /** Why what is being read must not be delivered, though it could be read to its end. */
  fault: Error | undefined = undefined;
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  readonly #keys: string[] = [];
  #pids = new Map<number, PID>();

  constructor(side: ReaderSide) {
    this.side = side;
  }

  open(batch: Uint8Array): void {
    this.bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
    this.at = 0;
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    const value = this.bytes[this.at++];
    if (value === undefined) throw malformed("the batch ends too early");
    return value;
  }

  uint(): number {
    let value = this.byte();
    if (value < 0x80) return value;
    value &= 0x7f;
    for (let factor = 128; factor <= 2 ** 49; factor *= 128) {
      const next = this.byte();
      value += (next & 0x7f) * factor;
      if (next < 0x80) return value;
    }
    throw malformed("a number is too long");
  }

  /** A number of things of at least one byte each. */
  count(): number {
    const value = this.uint();
    if (value > this.bytes.length - this.at) throw malformed("there is less than is announced");
    return value;
  }

  double(): number {
    if (this.at + 8 > this.bytes.length) throw malformed("the batch ends too early");
    const value = this.bytes.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  /** Bytes that stay those of the batch. */
  raw(): Buffer {
    const length = this.count();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  text(): string {
    return this.textOf(this.byte());
  }

  /** The text behind a tag. */
  textOf(tag: number): string {
    if (tag >= SHORT_TEXT && tag < 2 * SHORT_TEXT) return this.#shortText(tag - SHORT_TEXT);
    if (tag === TAG.text) return this.raw().toString("utf8");
    if (tag === TAG.text16) return this.raw().toString("utf16le");
    throw malformed(`a text was expected, not a value of kind ${tag}`);
  }

  key(): string {
    const number = this.uint();
    if (number > 0) {
      const known = this.#keys[number - 1];
      if (known === undefined) throw malformed("a key was never written");
      return known;
    }
    const key = this.text();
    if (this.#keys.length < MAX_KEYS && key.length <= MAX_KEY_LENGTH) this.#keys.push(key);
    return key;
  }

  address(): PID | ProcessName | Alias | EventName {
    const byte = this.byte();
    const whose = byte & 0x0f;
    switch (byte & 0xf0) {
      case ADDRESS.pid:
        return this.#pid(whose);
      case ADDRESS.name: {
        const node = this.#node(whose);
        return new ProcessName(this.key(), node);
      }
      case ADDRESS.event: {
        const node = this.#node(whose);
        return new EventName(this.key(), node);
      }
      case ADDRESS.alias: {
        const { node, creation } = this.#life(whose);
        return new Alias(node, this.uint(), creation);
      }
      default:
        throw malformed(`there is no kind of address ${byte >> 4}`);
    }
  }

  pid(): PID {
    const byte = this.byte();
    if ((byte & 0xf0) !== ADDRESS.pid) throw malformed("the PID of a process was expected");
    return this.#pid(byte);
  }

  ref(): Ref {
    const { node, creation } = this.#life(this.byte() & 0x0f);
    const id = this.uint();
    const leftMs = this.uint();
    const { side } = this;
    const own = node === side.node && creation === side.creation ? side.ownRef(id) : undefined;
    return own ?? new Ref(node, id, creation, leftMs === 0 ? 0 : side.now() + leftMs);
  }

  #pid(whose: number): PID {
    const { side } = this;
    if (whose === NODE.receiver) {
      const id = this.uint();
      return side.ownPid(id) ?? new PID(side.node, id, side.creation);
    }
    if (whose === NODE.sender) {
      const id = this.uint();
      return this.#pids.get(id) ?? this.#keep(id);
    }
    const { node, creation } = this.#life(whose);
    return new PID(node, this.uint(), creation);
  }

  #keep(id: number): PID {
    const pid = new PID(this.side.peer, id, this.side.peerCreation);
    if (this.#pids.size >= KEPT_PIDS) this.#pids = new Map();
    this.#pids.set(id, pid);
    return pid;
  }

  #node(whose: number): string {
    if (whose === NODE.sender) return this.side.peer;
    if (whose === NODE.receiver) return this.side.node;
    if (whose === NODE.other) return this.key();
    throw malformed(`there is no node ${whose}`);
  }

  #life(whose: number): { node: string; creation: number } {
    const { side } = this;
    if (whose === NODE.sender) return { node: side.peer, creation: side.peerCreation };
    if (whose === NODE.receiver) return { node: side.node, creation: side.creation };
    if (whose === NODE.senderBefore) return { node: side.peer, creation: this.uint() };
    if (whose === NODE.receiverBefore) return { node: side.node, creation: this.uint() };
    const node = this.#node(whose);
    return { node, creation: this.uint() };
  }

  #shortText(length: number): string {
    const start = this.at;
    const end = start + length;
    const { bytes } = this;
    if (end > bytes.length) throw malformed("the batch ends too early");
    this.at = end;
    if (length > SHORT) return bytes.toString("utf8", start, end);
    let text = "";
    for (let at = start; at < end; at++) {
      const code = bytes[at] as number;
      if (code > 0x7f) return bytes.toString("utf8", start, end);
      text += String.fromCharCode(code);
    }
    return text;
  }
}

/** The error for bytes that break the rules. */
export function malformed(what: string): Error {
  return actorError("actor.malformed", `a batch of another node breaks the rules: ${what}`);
}
