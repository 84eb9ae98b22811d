import { fromWire, type WireError } from "@metanode/core/errors";
import { actorError } from "../../errors.ts";
import { EventName, isReason, Terminate } from "../../identity/index.ts";
import {
  MessageDown,
  MessageEvent,
  MessageEventStart,
  MessageEventStop,
  MessageExit,
  MessageFallback,
} from "../../mailbox/index.ts";
import { malformed, type Reader } from "./reader.ts";
import { BINARY, MAX_DEPTH, SHORT_TEXT, SMALL_INTEGER, TAG } from "./tags.ts";

/** Room for what an encoder may nest beside the depth that it counts. */
const DEPTH_SLACK = 16;

/** Reads a value. @throws actor.malformed */
export function decode(r: Reader, depth = 0): unknown {
  const tag = r.byte();
  if (tag >= SMALL_INTEGER) return tag - SMALL_INTEGER;
  if (tag >= SHORT_TEXT) return r.textOf(tag);
  switch (tag) {
    case TAG.undefined:
      return undefined;
    case TAG.null:
      return null;
    case TAG.false:
      return false;
    case TAG.true:
      return true;
    case TAG.integer: {
      const zigzag = r.uint();
      return (zigzag >>> 1) ^ -(zigzag & 1);
    }
    case TAG.double:
      return r.double();
    case TAG.object:
      return fields(r, deeper(depth));
    case TAG.array:
      return array(r, deeper(depth));
    default:
      return rare(r, tag, deeper(depth));
  }
}

function deeper(depth: number): number {
  if (depth > MAX_DEPTH + DEPTH_SLACK) throw malformed("values are nested too deep");
  return depth + 1;
}

function fields(r: Reader, depth: number): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (let left = r.count(); left > 0; left--) {
    const key = r.key();
    const field = decode(r, depth);
    // Assigned like the others, this one would change the prototype.
    if (key === "__proto__")
      Object.defineProperty(value, key, { value: field, enumerable: true, configurable: true, writable: true });
    else value[key] = field;
  }
  return value;
}

function array(r: Reader, depth: number): unknown[] {
  const length = r.count();
  const value: unknown[] = [];
  for (let i = 0; i < length; i++) value.push(decode(r, depth));
  return value;
}

function rare(r: Reader, tag: number, depth: number): unknown {
  switch (tag) {
    case TAG.text:
    case TAG.text16:
      return r.textOf(tag);
    case TAG.bigint:
      return bigint(r.text());
    case TAG.map: {
      const value = new Map<unknown, unknown>();
      for (let left = r.count(); left > 0; left--) {
        const key = decode(r, depth);
        value.set(key, decode(r, depth));
      }
      return value;
    }
    case TAG.set: {
      const value = new Set<unknown>();
      for (let left = r.count(); left > 0; left--) value.add(decode(r, depth));
      return value;
    }
    case TAG.date:
      return new Date(r.double());
    case TAG.regexp:
      return regexp(r.text(), r.text());
    case TAG.binary:
      return binary(r);
    case TAG.arrayBuffer:
      return bytesOf(r.raw());
    case TAG.address:
      return r.address();
    case TAG.ref:
      return r.ref();
    case TAG.error:
    case TAG.coded:
      return error(r, tag, depth);
    case TAG.typed:
      return typed(r, depth);
    default:
      return message(r, tag, depth);
  }
}

function message(r: Reader, tag: number, depth: number): unknown {
  switch (tag) {
    case TAG.exit:
    case TAG.down: {
      const kind = r.key() as MessageExit["kind"];
      const target = decode(r, depth) as MessageExit["target"];
      const reason = reasonOf(decode(r, depth));
      return tag === TAG.exit ? new MessageExit(kind, target, reason) : new MessageDown(kind, target, reason);
    }
    case TAG.event: {
      const event = r.address();
      if (!(event instanceof EventName)) throw malformed("an event was expected");
      const timeMs = r.double();
      return new MessageEvent(event, timeMs, decode(r, depth));
    }
    case TAG.eventStart:
      return new MessageEventStart(r.text());
    case TAG.eventStop:
      return new MessageEventStop(r.text());
    case TAG.fallback: {
      const pid = r.pid();
      const mark = r.text();
      const target = decode(r, depth) as MessageFallback["target"];
      return new MessageFallback(pid, mark, target, decode(r, depth));
    }
    case TAG.terminate: {
      const reason = reasonOf(decode(r, depth));
      return new Terminate(reason, decode(r, depth));
    }
    default:
      throw malformed(`there is no kind of value ${tag}`);
  }
}

/** What stands where a reason must. */
export function reasonOf(value: unknown): MessageExit["reason"] {
  if (!isReason(value)) throw malformed("the reason of an end was expected");
  return value;
}

function bigint(hex: string): bigint {
  if (!/^-?[0-9a-f]+$/.test(hex)) throw malformed("a bigint was expected");
  return hex.startsWith("-") ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex}`);
}

function regexp(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch {
    throw malformed("a regular expression was expected");
  }
}

/** A copy: the batch may be large, and what was sent small. */
function bytesOf(raw: Buffer): ArrayBuffer {
  const copy = new Uint8Array(raw.byteLength);
  copy.set(raw);
  return copy.buffer;
}

function binary(r: Reader): unknown {
  const kind = BINARY[r.byte()];
  const bytes = bytesOf(r.raw());
  if (kind === undefined) throw malformed("there is no such kind of bytes");
  if (kind === Buffer) return Buffer.from(bytes);
  const size = "BYTES_PER_ELEMENT" in kind ? kind.BYTES_PER_ELEMENT : 1;
  if (bytes.byteLength % size !== 0) throw malformed("bytes do not fill their elements");
  return new (kind as typeof Uint8Array)(bytes);
}

function error(r: Reader, tag: number, depth: number): Error {
  let value: Error;
  if (tag === TAG.coded) {
    if (r.byte() !== TAG.object) throw malformed("an error was expected");
    const { details, ...wire } = fields(r, depth) as Omit<WireError, "details"> & { details?: string };
    if (typeof wire.code !== "string" || typeof wire.message !== "string") throw malformed("an error was expected");
    value = fromWire({ ...wire, ...(details === undefined ? {} : { details: jsonOf(details) }) }, r.side.peer);
  } else {
    const name = r.text();
    value = new Error(r.text());
    if (name !== "Error") Object.defineProperty(value, "name", { value: name, configurable: true, writable: true });
    const stack = r.text();
    if (stack !== "") value.stack = stack;
  }
  const cause = decode(r, depth);
  if (cause !== undefined) Object.defineProperty(value, "cause", { value: cause, configurable: true, writable: true });
  return value;
}

function jsonOf(details: unknown): Record<string, unknown> {
  try {
    return JSON.parse(String(details)) as Record<string, unknown>;
  } catch {
    throw malformed("the details of an error were expected");
  }
}

/** A registered type. What goes wrong in it spoils the message, not the connection: the rest of the batch can be read. */
function typed(r: Reader, depth: number): unknown {
  const name = r.key();
  const sent = decode(r, depth);
  const type = r.side.types.ofName(name);
  if (type === undefined) {
    r.fault ??= actorError("actor.malformed", `the type ${name} is not registered at node ${r.side.node}`);
    return undefined;
  }
  try {
    return type.decode(sent);
  } catch (cause) {
    r.fault ??= actorError("actor.malformed", `the type ${name} refused what was sent`, { cause });
    return undefined;
  }
}
