import { types } from "node:util";
import { codeOf, toWire } from "@metanode/core/errors";
import { actorError } from "../../errors.ts";
import { Alias, EventName, PID, ProcessName, Ref, Terminate } from "../../identity/index.ts";
import {
  MessageDown,
  MessageEvent,
  MessageEventStart,
  MessageEventStop,
  MessageExit,
  MessageFallback,
} from "../../mailbox/index.ts";
import { BINARY, MAX_DEPTH, SMALL_INTEGER, TAG } from "./tags.ts";
import { notSendable, type Writer } from "./writer.ts";

/** How deep a chain of causes is carried; more says nothing to a reader. */
const MAX_CAUSES = 5;

/**
 * Writes a value as structured cloning would copy it, with these differences: addresses, refs, system messages, errors
 * with a code and registered types keep their class; what is found twice arrives as two; a cycle is refused.
 * @throws actor.not_sendable – a function, a symbol, a promise, a cycle …
 */
export function encode(w: Writer, value: unknown, depth = 0): void {
  switch (typeof value) {
    case "number":
      number(w, value);
      return;
    case "string":
      w.text(value);
      return;
    case "object":
      if (value === null) w.byte(TAG.null);
      else if (depth > MAX_DEPTH) throw tooDeep();
      else object(w, value, depth + 1);
      return;
    case "boolean":
      w.byte(value ? TAG.true : TAG.false);
      return;
    case "undefined":
      w.byte(TAG.undefined);
      return;
    case "bigint":
      w.byte(TAG.bigint);
      w.text(value.toString(16));
      return;
    default:
      throw notSendable(`a ${typeof value}`);
  }
}

function tooDeep(): Error {
  return actorError("actor.not_sendable", `the value holds itself, or more than ${MAX_DEPTH} values one in the other`);
}

function number(w: Writer, value: number): void {
  const whole = value | 0;
  if (whole !== value || (value === 0 && Object.is(value, -0))) {
    w.byte(TAG.double);
    w.double(value);
  } else if (whole >= 0 && whole < 128) w.byte(SMALL_INTEGER + whole);
  else {
    w.byte(TAG.integer);
    w.uint(((whole << 1) ^ (whole >> 31)) >>> 0);
  }
}

function object(w: Writer, value: object, depth: number): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) fields(w, value as Record<string, unknown>, depth);
  else if (Array.isArray(value)) array(w, value, depth);
  else known(w, value, depth);
}

function fields(w: Writer, value: Record<string, unknown>, depth: number): void {
  const keys = Object.keys(value);
  w.byte(TAG.object);
  w.uint(keys.length);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    w.key(key);
    encode(w, value[key], depth);
  }
}

function array(w: Writer, value: readonly unknown[], depth: number): void {
  w.byte(TAG.array);
  w.uint(value.length);
  for (let i = 0; i < value.length; i++) encode(w, value[i], depth);
}

function known(w: Writer, value: object, depth: number): void {
  const type = w.side.types.ofInstance(value);
  if (type !== undefined) {
    w.byte(TAG.typed);
    w.key(type.name);
    encode(w, type.encode(value), depth);
    return;
  }
  const write = byClass.get(value.constructor);
  if (write !== undefined) write(w, value as never, depth);
  else if (value instanceof Error) error(w, value, 0);
  else if (ArrayBuffer.isView(value)) view(w, value);
  else if (value instanceof PID || value instanceof ProcessName || value instanceof Alias) address(w, value);
  else if (isOpaque(value)) throw notSendable(`a ${value.constructor?.name ?? "value"}`);
  else fields(w, value as Record<string, unknown>, depth);
}

/** What has no fields that could stand for it. */
function isOpaque(value: object): boolean {
  if (typeof (value as { then?: unknown }).then === "function") return true;
  return types.isWeakMap(value) || types.isWeakSet(value) || types.isSharedArrayBuffer(value) || types.isGeneratorObject(value);
}

type Write = (w: Writer, value: never, depth: number) => void;

const byClass = new Map<unknown, Write>([
  [PID, address],
  [ProcessName, address],
  [Alias, address],
  [EventName, address],
  [
    Ref,
    (w: Writer, value: Ref) => {
      w.byte(TAG.ref);
      w.ref(value);
    },
  ],
  [Map, map],
  [
    Set,
    (w: Writer, value: Set<unknown>, depth: number) => {
      w.byte(TAG.set);
      w.uint(value.size);
      for (const each of value) encode(w, each, depth);
    },
  ],
  [
    Date,
    (w: Writer, value: Date) => {
      w.byte(TAG.date);
      w.double(value.getTime());
    },
  ],
  [
    RegExp,
    (w: Writer, value: RegExp) => {
      w.byte(TAG.regexp);
      w.text(value.source);
      w.text(value.flags);
    },
  ],
  [
    ArrayBuffer,
    (w: Writer, value: ArrayBuffer) => {
      w.byte(TAG.arrayBuffer);
      w.raw(new Uint8Array(value));
    },
  ],
  [MessageExit, (w: Writer, value: MessageExit, depth: number) => ended(w, TAG.exit, value, depth)],
  [MessageDown, (w: Writer, value: MessageDown, depth: number) => ended(w, TAG.down, value, depth)],
  [
    MessageEvent,
    (w: Writer, value: MessageEvent, depth: number) => {
      w.byte(TAG.event);
      w.address(value.event);
      w.double(value.timeMs);
      encode(w, value.message, depth);
    },
  ],
  [
    MessageEventStart,
    (w: Writer, value: MessageEventStart) => {
      w.byte(TAG.eventStart);
      w.text(value.name);
    },
  ],
  [
    MessageEventStop,
    (w: Writer, value: MessageEventStop) => {
      w.byte(TAG.eventStop);
      w.text(value.name);
    },
  ],
  [
    MessageFallback,
    (w: Writer, value: MessageFallback, depth: number) => {
      w.byte(TAG.fallback);
      w.address(value.pid);
      w.text(value.tag);
      encode(w, value.target, depth);
      encode(w, value.message, depth);
    },
  ],
  [
    Terminate,
    (w: Writer, value: Terminate, depth: number) => {
      w.byte(TAG.terminate);
      encode(w, value.reason, depth);
      encode(w, value.answer, depth);
    },
  ],
]);

function address(w: Writer, value: PID | ProcessName | Alias | EventName): void {
  w.byte(TAG.address);
  w.address(value);
}

function map(w: Writer, value: Map<unknown, unknown>, depth: number): void {
  w.byte(TAG.map);
  w.uint(value.size);
  for (const [key, each] of value) {
    encode(w, key, depth);
    encode(w, each, depth);
  }
}

function ended(w: Writer, tag: number, { kind, target, reason }: MessageExit | MessageDown, depth: number): void {
  w.byte(tag);
  w.key(kind);
  encode(w, target, depth);
  encode(w, reason, depth);
}

function view(w: Writer, value: ArrayBufferView): void {
  if (types.isSharedArrayBuffer(value.buffer)) throw notSendable("memory that is shared");
  const number = BINARY.indexOf(value.constructor as (typeof BINARY)[number]);
  w.byte(TAG.binary);
  w.byte(number < 0 ? 0 : number);
  w.raw(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
}

/**
 * Errors with a code go by the wire form of core, which keeps code and details; others as name, text and stack. Never
 * fails: an error is the reason of an end, which must be told.
 */
export function error(w: Writer, value: Error, causes: number): void {
  if (codeOf(value) !== undefined) {
    const { cause: _, details, ...wire } = toWire(value);
    w.byte(TAG.coded);
    fields(w, { ...wire, ...(details === undefined ? {} : { details: jsonOf(details) }) }, 0);
  } else {
    w.byte(TAG.error);
    w.text(String(value.name));
    w.text(String(value.message));
    w.text(String(value.stack ?? ""));
  }
  const { cause } = value;
  if (cause === undefined || causes === MAX_CAUSES) w.byte(TAG.undefined);
  else if (cause instanceof Error) error(w, cause, causes + 1);
  else if (typeof cause === "object" || typeof cause === "function" || typeof cause === "symbol") w.text(textOf(cause));
  else encode(w, cause);
}

function jsonOf(details: unknown): string {
  try {
    return JSON.stringify(details) ?? "{}";
  } catch {
    return "{}";
  }
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return typeof value;
  }
}
