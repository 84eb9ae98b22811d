import { coreError, fromWire, type MetanodeError, toWire, type WireError } from "../errors.ts";
import { DEFAULT_HOP_LIMIT, type ExtensionValue, type Message, withHop } from "../message/message.ts";
import { decodePayload, encodePayload, OCTETS_TYPE } from "../message/payload.ts";

/** The range of protocol versions that this code speaks. */
export const PROTOCOL_VERSION = { min: 1, max: 1 } as const;

/** How the caller wants to be answered; numbers as in `link.proto`. */
export const CALL_MODE = { unary: 0, stream: 1, cast: 2, send: 3 } as const;
export type CallMode = (typeof CALL_MODE)[keyof typeof CALL_MODE];

/** A message as it stands on the wire: payload as bytes, absent attributes empty. */
export interface WireMessage {
  id: string;
  source: string;
  type: string;
  subject?: string;
  time?: string;
  datacontenttype?: string;
  dataschema?: string;
  data?: Uint8Array | null;
  traceparent?: string;
  tracestate?: string;
  idempotencykey?: string;
  typeversion?: string;
  hops?: number;
  extensions?: Record<string, { text?: string; integer?: number; boolean?: boolean }>;
}

export interface RequestBody {
  message: WireMessage;
  timeoutMs?: number;
  mode?: CallMode;
  window?: number;
  attempt?: number;
}

export interface ReplyBody {
  data?: Uint8Array | null;
  datacontenttype?: string;
}

export interface FailureBody {
  code: string;
  message: string;
  retryable?: boolean;
  retryAfterMs?: number;
  details?: string;
  origin?: string[];
  stack?: string;
  cause?: FailureBody | null;
}

export interface TypeDeclaration {
  type: string;
  version?: string;
  description?: string;
  /** JSON text. */
  inputSchema?: string;
  /** JSON text. */
  outputSchema?: string;
  streaming?: boolean;
  ordered?: boolean;
}

export interface Hello {
  versionMin: number;
  versionMax: number;
  secret?: string;
  name: string;
  types: TypeDeclaration[];
  concurrency: number;
  runtime?: string;
  pid?: number;
  /** A node's id and what it comes for, where a node dials a node. */
  nodeId?: string;
  purpose?: string;
}

export interface Welcome {
  version: number;
  concurrency: number;
  maxBatchBytes: number;
  node: string;
  nodeId?: string;
}

/** One frame of a link: a call's number and exactly one body. The rules stand in `link.proto`. */
export interface Frame {
  call?: number;
  request?: RequestBody | null;
  reply?: ReplyBody | null;
  failure?: FailureBody | null;
  item?: ReplyBody | null;
  cancel?: { reason?: string } | null;
  credit?: { items?: number } | null;
  ping?: object | null;
  pong?: object | null;
  hello?: Hello | null;
  welcome?: Welcome | null;
  drain?: { graceMs?: number } | null;
  drained?: object | null;
}

/**
 * A message on its way over a link: payload encoded, one hop added.
 * @throws {MetanodeError} message.invalid, message.too_large, call.hop_limit
 */
export function toWireMessage(message: Message, maxBytes: number): WireMessage {
  const hops = (message.hops ?? 0) + 1;
  if (hops > DEFAULT_HOP_LIMIT) withHop(message);
  const wire: WireMessage = { id: message.id, source: message.source, type: message.type, hops };
  if (message.data !== undefined) {
    const data = encodePayload(message.data, message.datacontenttype);
    if (data.byteLength > maxBytes) throw tooLarge(message.type, data.byteLength, maxBytes);
    wire.data = data;
    if (message.datacontenttype !== undefined) wire.datacontenttype = message.datacontenttype;
    else if (message.data instanceof Uint8Array) wire.datacontenttype = OCTETS_TYPE;
  }
  if (message.subject !== undefined) wire.subject = message.subject;
  if (message.time !== undefined) wire.time = message.time;
  if (message.dataschema !== undefined) wire.dataschema = message.dataschema;
  if (message.traceparent !== undefined) wire.traceparent = message.traceparent;
  if (message.tracestate !== undefined) wire.tracestate = message.tracestate;
  if (message.idempotencykey !== undefined) wire.idempotencykey = message.idempotencykey;
  if (message.typeversion !== undefined) wire.typeversion = message.typeversion;
  if (message.extensions !== undefined) wire.extensions = toWireExtensions(message.extensions);
  return wire;
}

/** The error for a payload over a limit. */
export function tooLarge(type: string, bytes: number, maxBytes: number): MetanodeError {
  return coreError(
    "message.too_large",
    `the payload of ${type} has ${bytes} bytes, the limit is ${maxBytes}; send a reference instead, or raise the limit`,
    {
      details: { type, bytes, maxBytes },
    },
  );
}

/** The message that came over a link. `deadlineMs` is the caller's deadline in our clock. */
export function fromWireMessage(wire: WireMessage, deadlineMs?: number): Message {
  const data = wire.data;
  return {
    id: wire.id,
    source: wire.source,
    type: wire.type,
    subject: wire.subject || undefined,
    time: wire.time || undefined,
    datacontenttype: wire.datacontenttype || undefined,
    dataschema: wire.dataschema || undefined,
    data: data === undefined || data === null ? undefined : decodePayload(data, wire.datacontenttype || undefined),
    traceparent: wire.traceparent || undefined,
    tracestate: wire.tracestate || undefined,
    deadline: deadlineMs,
    idempotencykey: wire.idempotencykey || undefined,
    typeversion: wire.typeversion || undefined,
    hops: wire.hops || undefined,
    extensions: fromWireExtensions(wire.extensions),
  };
}

function toWireExtensions(extensions: Readonly<Record<string, ExtensionValue>>): NonNullable<WireMessage["extensions"]> {
  const wire: NonNullable<WireMessage["extensions"]> = {};
  for (const [name, value] of Object.entries(extensions)) {
    if (typeof value === "string") wire[name] = { text: value };
    else wire[name] = typeof value === "number" ? { integer: value } : { boolean: value };
  }
  return wire;
}

function fromWireExtensions(wire: WireMessage["extensions"]): Message["extensions"] {
  if (wire === undefined) return undefined;
  let extensions: Record<string, ExtensionValue> | undefined;
  for (const name in wire) {
    const value = wire[name];
    if (value === undefined) continue;
    extensions ??= {};
    // Members of a oneof that are not set read as their defaults in what protobufjs decodes; only own ones count.
    if (Object.hasOwn(value, "integer")) extensions[name] = value.integer ?? 0;
    else if (Object.hasOwn(value, "boolean")) extensions[name] = value.boolean ?? false;
    else extensions[name] = value.text ?? "";
  }
  return extensions;
}

/** An answer's value as bytes. @throws {MetanodeError} message.invalid, message.too_large */
export function toReply(value: unknown, type: string, maxBytes: number): ReplyBody {
  if (value === undefined) return {};
  const data = encodePayload(value);
  if (data.byteLength > maxBytes) throw tooLarge(`the answer to ${type}`, data.byteLength, maxBytes);
  return value instanceof Uint8Array ? { data, datacontenttype: OCTETS_TYPE } : { data };
}

/** The value of an answer. */
export function fromReply(reply: ReplyBody): unknown {
  if (reply.data === undefined || reply.data === null) return undefined;
  return decodePayload(reply.data, reply.datacontenttype || undefined);
}

/** An error as a failure frame. Causes and stacks go along: the other side is part of the same system. */
export function toFailure(error: unknown): FailureBody {
  return wireToFailure(toWire(error, "processor.failed"));
}

function wireToFailure(wire: WireError): FailureBody {
  const failure: FailureBody = { code: wire.code, message: wire.message, retryable: wire.retryable };
  if (wire.retryAfterMs !== undefined) failure.retryAfterMs = Math.ceil(wire.retryAfterMs);
  if (wire.details) failure.details = JSON.stringify(wire.details);
  if (wire.origin) failure.origin = wire.origin;
  if (wire.stack) failure.stack = wire.stack;
  if (wire.cause) failure.cause = wireToFailure(wire.cause);
  return failure;
}

/** The error in a failure frame; `hop` names the member it came from, if it is one's. */
export function fromFailure(failure: FailureBody, hop?: string): MetanodeError {
  return fromWire(failureToWire(failure), hop);
}

function failureToWire(failure: FailureBody): WireError {
  const wire: WireError = {
    code: failure.code || "processor.failed",
    message: failure.message || "the processor gave no reason",
    retryable: failure.retryable ?? false,
  };
  if (failure.retryAfterMs) wire.retryAfterMs = failure.retryAfterMs;
  if (failure.details) wire.details = readDetails(failure.details);
  if (failure.origin && failure.origin.length > 0) wire.origin = [...failure.origin];
  if (failure.stack) wire.stack = failure.stack;
  if (failure.cause) wire.cause = failureToWire(failure.cause);
  return wire;
}

function readDetails(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Written by somebody else's library: keep what it said.
  }
  return { text };
}
