import { byBytes } from "../byte-order.ts";
import type { InstanceData, InstanceId, Locator } from "./instance.ts";

/** Longer text is encoded as a whole. */
const MAX_ASCII = 256;

/**
 * Ids from data: SipHash-1-3 with keys of 0, as the workflow model's own implementation makes them, so that the same data has the same id there and
 * here. Two 32-bit halves per word: BigInt would cost ten times as much.
 * @source spec of the workflow model, I-3 and its vectors
 */
class SipHash13 {
  #v0h = 0x736f6d65;
  #v0l = 0x70736575;
  #v1h = 0x646f7261;
  #v1l = 0x6e646f6d;
  #v2h = 0x6c796765;
  #v2l = 0x6e657261;
  #v3h = 0x74656462;
  #v3l = 0x79746573;
  #low = 0;
  #high = 0;
  #filled = 0;
  #length = 0;

  write(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) this.byte(bytes[i] as number);
  }

  /** Writes short text whose characters are bytes; false = it is none, and nothing was written. Encoding it would cost more than hashing it. */
  ascii(value: string): boolean {
    if (value.length > MAX_ASCII) return false;
    for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 0x7f) return false;
    for (let i = 0; i < value.length; i++) this.byte(value.charCodeAt(i));
    return true;
  }

  byte(value: number): void {
    this.#length++;
    if (this.#filled < 4) this.#low |= value << (8 * this.#filled);
    else this.#high |= value << (8 * (this.#filled - 4));
    if (++this.#filled < 8) return;
    this.#word(this.#high, this.#low);
    this.#filled = 0;
    this.#low = 0;
    this.#high = 0;
  }

  digest(): bigint {
    this.#word(this.#high | ((this.#length & 0xff) << 24), this.#low);
    this.#v2l ^= 0xff;
    this.#round();
    this.#round();
    this.#round();
    const high = (this.#v0h ^ this.#v1h ^ this.#v2h ^ this.#v3h) >>> 0;
    const low = (this.#v0l ^ this.#v1l ^ this.#v2l ^ this.#v3l) >>> 0;
    return (BigInt(high) << 32n) | BigInt(low);
  }

  #word(high: number, low: number): void {
    this.#v3h ^= high;
    this.#v3l ^= low;
    this.#round();
    this.#v0h ^= high;
    this.#v0l ^= low;
  }

  #round(): void {
    let low = (this.#v0l >>> 0) + (this.#v1l >>> 0);
    let v0h = (this.#v0h + this.#v1h + (low > 0xffffffff ? 1 : 0)) | 0;
    let v0l = low | 0;
    let v1h = (this.#v1h << 13) | (this.#v1l >>> 19);
    let v1l = (this.#v1l << 13) | (this.#v1h >>> 19);
    v1h ^= v0h;
    v1l ^= v0l;
    const turned = v0h;
    v0h = v0l;
    v0l = turned;
    low = (this.#v2l >>> 0) + (this.#v3l >>> 0);
    let v2h = (this.#v2h + this.#v3h + (low > 0xffffffff ? 1 : 0)) | 0;
    let v2l = low | 0;
    let v3h = (this.#v3h << 16) | (this.#v3l >>> 16);
    let v3l = (this.#v3l << 16) | (this.#v3h >>> 16);
    v3h ^= v2h;
    v3l ^= v2l;
    low = (v0l >>> 0) + (v3l >>> 0);
    v0h = (v0h + v3h + (low > 0xffffffff ? 1 : 0)) | 0;
    v0l = low | 0;
    const w3h = (v3h << 21) | (v3l >>> 11);
    const w3l = (v3l << 21) | (v3h >>> 11);
    v3h = w3h ^ v0h;
    v3l = w3l ^ v0l;
    low = (v2l >>> 0) + (v1l >>> 0);
    v2h = (v2h + v1h + (low > 0xffffffff ? 1 : 0)) | 0;
    v2l = low | 0;
    const w1h = (v1h << 17) | (v1l >>> 15);
    const w1l = (v1l << 17) | (v1h >>> 15);
    this.#v1h = w1h ^ v2h;
    this.#v1l = w1l ^ v2l;
    this.#v2h = v2l;
    this.#v2l = v2h;
    this.#v0h = v0h;
    this.#v0l = v0l;
    this.#v3h = v3h;
    this.#v3l = v3l;
  }
}

const utf8 = new TextEncoder();
const END = 0xff;

function text(hash: SipHash13, value: string): void {
  if (!hash.ascii(value)) hash.write(utf8.encode(value));
  hash.byte(END);
}

function addData(hash: SipHash13, data: InstanceData): void {
  text(hash, data.content);
  for (const entries of [data.context, data.sysContext]) {
    for (const key of Object.keys(entries).sort(byBytes)) {
      text(hash, key);
      text(hash, entries[key] as string);
    }
  }
  for (const state of [...data.states].sort(byBytes)) text(hash, state);
}

/** The id of data put in from outside: the same data has the same id, whatever its meta. */
export function idOfData(data: InstanceData): InstanceId {
  const hash = new SipHash13();
  addData(hash, data);
  return hash.digest().toString();
}

/** Where an output came from: which upstream, for which relation, the how manieth. */
export interface Origin {
  readonly from: Locator;
  readonly to: string;
  readonly index: number;
}

/**
 * The id of what an executor made without giving it one. It depends on where it came from and not on what it says: work that is done again
 * makes the same instance, also when its content holds a time, and equal contents of different upstreams stay apart.
 */
export function idOfOutput({ from, to, index }: Origin): InstanceId {
  const hash = new SipHash13();
  text(hash, `${from.meta}|${from.id}|${from.para}|${from.version}`);
  text(hash, to);
  text(hash, String(index));
  return hash.digest().toString();
}
