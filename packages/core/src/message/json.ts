import { coreError } from "../errors.ts";
import { assertMessage, type ExtensionValue, KNOWN_ATTRIBUTES, type Message } from "./message.ts";
import { isJsonType, OCTETS_TYPE } from "./payload.ts";

/** A CloudEvent in the JSON event format (CloudEvents JSON format 1.0). */
export type JsonEvent = Record<string, unknown>;

const PLAIN = [
  "subject",
  "time",
  "datacontenttype",
  "dataschema",
  "traceparent",
  "tracestate",
  "idempotencykey",
  "typeversion",
  "hops",
] as const;

/** A message as a JSON event; octets travel as `data_base64`. */
export function toJsonEvent(message: Message): JsonEvent {
  const event: JsonEvent = { specversion: "1.0", id: message.id, source: message.source, type: message.type };
  for (const name of PLAIN) if (message[name] !== undefined) event[name] = message[name];
  if (message.deadline !== undefined) event.deadline = new Date(message.deadline).toISOString();
  if (message.extensions) Object.assign(event, message.extensions);
  if (message.data instanceof Uint8Array) {
    event.data_base64 = Buffer.from(message.data).toString("base64");
    event.datacontenttype ??= OCTETS_TYPE;
  } else if (message.data !== undefined) {
    event.data = message.data;
  }
  return event;
}

/**
 * The message in a JSON event. Attributes that nobody defined become `extensions`; null means absent.
 * @throws {MetanodeError} message.invalid – with the path of what is wrong.
 */
export function fromJsonEvent(value: unknown): Message {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw coreError("message.invalid", "a structured event must be a JSON object", { details: { path: "" } });
  }
  const event = value as JsonEvent;
  if (event.specversion !== "1.0") {
    throw coreError("message.invalid", `specversion is ${JSON.stringify(event.specversion)}, expected "1.0"`, {
      details: { path: "/specversion", expected: "1.0" },
    });
  }
  const fields: Record<string, unknown> = {};
  const extensions: Record<string, ExtensionValue> = {};
  for (const [name, field] of Object.entries(event)) {
    if (field === null || field === undefined || name === "specversion" || name === "data_base64") continue;
    if (name === "deadline") fields.deadline = parseMoment(field);
    else if (KNOWN_ATTRIBUTES.has(name)) fields[name] = field;
    else extensions[name] = field as ExtensionValue;
  }
  if (event.data === null) fields.data = null;
  if (event.data_base64 !== undefined && event.data_base64 !== null) fields.data = parseBase64(event);
  if (Object.keys(extensions).length > 0) fields.extensions = extensions;
  const message = fields as unknown as Message;
  assertMessage(message);
  const mediaType = message.datacontenttype;
  if (
    mediaType !== undefined &&
    !isJsonType(mediaType) &&
    message.data !== undefined &&
    typeof message.data === "object" &&
    !(message.data instanceof Uint8Array)
  ) {
    throw coreError("message.invalid", `data is a JSON object, but datacontenttype is ${mediaType}`, {
      details: { path: "/data" },
    });
  }
  return message;
}

/** Milliseconds of an RFC 3339 moment. */
export function parseMoment(value: unknown): number {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw coreError("message.invalid", `deadline is ${JSON.stringify(value)}, expected an RFC 3339 timestamp`, {
      details: { path: "/deadline" },
    });
  }
  return ms;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function parseBase64(event: JsonEvent): Uint8Array {
  if (event.data !== undefined) {
    throw coreError("message.invalid", "both data and data_base64 are present, expected one", {
      details: { path: "/data_base64" },
    });
  }
  if (typeof event.data_base64 !== "string" || !BASE64.test(event.data_base64)) {
    throw coreError("message.invalid", "data_base64 is not base64", { details: { path: "/data_base64" } });
  }
  return new Uint8Array(Buffer.from(event.data_base64, "base64"));
}
