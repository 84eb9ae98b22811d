import * as crypto from "node:crypto";
import { randomUUID } from "node:crypto";
import { coreError } from "../errors.ts";

/** The value of an extension attribute that this platform does not know itself. */
export type ExtensionValue = string | number | boolean;

/**
 * The one envelope: a CloudEvent (https://github.com/cloudevents/spec, 1.0) with the extension attributes of this
 * platform as fields of their own. Attribute names are those of CloudEvents, so they are lower case. Immutable.
 */
export interface Message<T = unknown> {
  /** Unique per source; the log drops a second message with the same id (or the same idempotency key). */
  readonly id: string;
  /** Where it comes from: a URI reference, for example `/nodes/eu` or `https://shop.example/checkout`. */
  readonly source: string;
  /** What it is, in dotted words: `order.price`. Dispatch goes by this. */
  readonly type: string;
  /** What it is about: the key of ordering and of sharding. */
  readonly subject?: string | undefined;
  /** When it arose, RFC 3339. */
  readonly time?: string | undefined;
  /** Media type of `data`. Without one, `data` is a JSON value, or octets if it is a `Uint8Array`. */
  readonly datacontenttype?: string | undefined;
  /** Where the schema of `data` stands: a URI. */
  readonly dataschema?: string | undefined;
  /** The payload: a JSON value, a string, or a `Uint8Array`. */
  readonly data?: T | undefined;
  /** W3C trace context. */
  readonly traceparent?: string | undefined;
  /** W3C trace state. */
  readonly tracestate?: string | undefined;
  /** The moment after which nobody wants an answer, in milliseconds since the Unix epoch. RFC 3339 on every wire. */
  readonly deadline?: number | undefined;
  /** The key by which repeated sends of one intention are known as one. The id serves where there is none. */
  readonly idempotencykey?: string | undefined;
  /** The version of the type that the sender speaks; without one, the oldest version registered answers. */
  readonly typeversion?: string | undefined;
  /** How many nodes and processors the message has passed. */
  readonly hops?: number | undefined;
  /** Extension attributes of others, kept as they came. Names are lower-case letters and digits. */
  readonly extensions?: Readonly<Record<string, ExtensionValue>> | undefined;
}

/** What a sender states; the rest is filled in. */
export type MessageInit<T = unknown> = Partial<Message<T>> & Pick<Message<T>, "type">;

/** Hops after which a message is taken to run in a circle. A chain of 64 nodes, each with a processor, passes 128. */
export const DEFAULT_HOP_LIMIT = 128;

const uuid: () => string = "randomUUIDv7" in crypto ? (crypto.randomUUIDv7 as () => string) : randomUUID;

/** A new message id: a UUID that sorts by the millisecond of its making (version 7, RFC 9562) where the runtime has it. */
export function newMessageId(): string {
  return uuid();
}

let lastStampMs = 0;
let lastStamp = "";

function timestamp(): string {
  const nowMs = Date.now();
  if (nowMs !== lastStampMs) {
    lastStampMs = nowMs;
    lastStamp = new Date(nowMs).toISOString();
  }
  return lastStamp;
}

/**
 * Completes `init` to a message: `id` and `time` are made, `source` is `defaultSource`.
 * @throws {MetanodeError} message.invalid – an attribute is malformed; `details.path` names it.
 */
export function createMessage<T>(init: MessageInit<T>, defaultSource = "/"): Message<T> {
  const message: Message<T> = {
    ...init,
    id: init.id ?? newMessageId(),
    source: init.source ?? defaultSource,
    time: init.time ?? timestamp(),
  };
  assertAttributes(message, init.id !== undefined, init.source !== undefined);
  return message;
}

/** The key under which a message is sent at most once into a log. */
export function dedupKey(message: Message): string {
  return message.idempotencykey ?? message.id;
}

/**
 * One more hop for a message that is passed on.
 * @throws {MetanodeError} call.hop_limit – it has passed `limit` hops already.
 */
export function withHop(message: Message, limit: number = DEFAULT_HOP_LIMIT): Message {
  const hops = (message.hops ?? 0) + 1;
  if (hops > limit) {
    throw coreError(
      "call.hop_limit",
      `message ${message.id} of type ${message.type} passed ${limit} hops, the limit; look for members that hand it to each other in a circle`,
      { details: { id: message.id, type: message.type, limit } },
    );
  }
  return { ...message, hops };
}

/** Longest value of an attribute, in UTF-16 code units. CloudEvents asks consumers to take at least 64 KB a message in all. */
const MAX_ATTRIBUTE_LENGTH = 4_096;
// Control characters and lone surrogates are not part of a CloudEvents String (spec 1.0, "Type System").
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the purpose
const BAD_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;
const EXTENSION_NAME = /^[a-z0-9]{1,64}$/;
const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;
const TYPE = /^[^\s.*>]+(\.[^\s.*>]+)*$/;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;

/** Names that a CloudEvents attribute cannot have as an extension, because they mean something already. */
export const KNOWN_ATTRIBUTES: ReadonlySet<string> = new Set([
  "id",
  "source",
  "type",
  "subject",
  "time",
  "datacontenttype",
  "dataschema",
  "data",
  "data_base64",
  "specversion",
  "traceparent",
  "tracestate",
  "deadline",
  "idempotencykey",
  "typeversion",
  "hops",
]);

function invalid(path: string, found: unknown, expected: string): never {
  const shown = typeof found === "string" ? JSON.stringify(found.slice(0, 80)) : String(found);
  throw coreError("message.invalid", `${path} is ${shown}, expected ${expected}`, {
    details: { path: `/${path}`, expected },
  });
}

function checkText(name: string, value: unknown): asserts value is string {
  if (typeof value !== "string" || value === "") invalid(name, value, "a non-empty string");
  if (value.length > MAX_ATTRIBUTE_LENGTH) invalid(name, value, `at most ${MAX_ATTRIBUTE_LENGTH} characters`);
  if (BAD_CHARACTER.test(value)) invalid(name, value, "no control characters");
  if (!value.isWellFormed()) invalid(name, value, "well-formed Unicode");
}

/**
 * Checks every attribute of a message that came from outside.
 * @throws {MetanodeError} message.invalid – with the path of the first attribute that is wrong.
 */
export function assertMessage(message: Message): void {
  assertAttributes(message, true, true);
}

/** What we made ourselves (an id, a source) is right already. */
function assertAttributes(message: Message, checkId: boolean, checkSource: boolean): void {
  if (checkId) checkText("id", message.id);
  if (checkSource) checkText("source", message.source);
  checkText("type", message.type);
  if (!TYPE.test(message.type)) invalid("type", message.type, "words joined by dots, without spaces, `*` and `>`");
  if (message.subject !== undefined) checkText("subject", message.subject);
  if (message.time !== undefined) checkTime(message.time);
  if (message.datacontenttype !== undefined) checkText("datacontenttype", message.datacontenttype);
  if (message.dataschema !== undefined) checkText("dataschema", message.dataschema);
  if (message.idempotencykey !== undefined) checkText("idempotencykey", message.idempotencykey);
  if (message.typeversion !== undefined) checkText("typeversion", message.typeversion);
  if (message.traceparent !== undefined && !(typeof message.traceparent === "string" && TRACEPARENT.test(message.traceparent))) {
    invalid("traceparent", message.traceparent, "a W3C traceparent");
  }
  if (message.tracestate !== undefined) checkText("tracestate", message.tracestate);
  if (message.deadline !== undefined && !Number.isFinite(message.deadline)) {
    invalid("deadline", message.deadline, "a moment in time");
  }
  if (message.hops !== undefined && !(Number.isInteger(message.hops) && message.hops >= 0)) {
    invalid("hops", message.hops, "a whole number, 0 or more");
  }
  if (message.extensions !== undefined) checkExtensions(message.extensions);
}

function checkTime(time: unknown): void {
  if (time === lastStamp) return; // made by us this very millisecond
  if (typeof time !== "string" || !RFC3339.test(time) || Number.isNaN(Date.parse(time))) {
    invalid("time", time, "an RFC 3339 timestamp such as 2026-11-20T10:00:00Z");
  }
}

function checkExtensions(extensions: Readonly<Record<string, ExtensionValue>>): void {
  for (const [name, value] of Object.entries(extensions)) {
    if (!EXTENSION_NAME.test(name)) invalid(name, name, "an attribute name of lower-case letters and digits");
    if (KNOWN_ATTRIBUTES.has(name)) invalid(name, value, "no extension of that name: it is an attribute of its own");
    if (typeof value === "string") {
      if (value !== "") checkText(name, value);
    } else if (typeof value === "number") {
      if (!Number.isInteger(value) || Math.abs(value) > 2_147_483_647) invalid(name, value, "a 32-bit integer");
    } else if (typeof value !== "boolean") {
      invalid(name, value, "a string, a 32-bit integer or a boolean");
    }
  }
}
