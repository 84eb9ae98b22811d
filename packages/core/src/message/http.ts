import { coreError } from "../errors.ts";
import { fromJsonEvent, type JsonEvent, parseMoment, toJsonEvent } from "./json.ts";
import { assertMessage, type ExtensionValue, KNOWN_ATTRIBUTES, type Message } from "./message.ts";
import { decodePayload, encodePayload, JSON_TYPE, jsonText, OCTETS_TYPE, parseJson } from "./payload.ts";
import { decodeProtobufEvent, PROTOBUF_TYPE } from "./protobuf.ts";

/** Content types of CloudEvents' structured modes over HTTP. */
export const STRUCTURED_TYPE = "application/cloudevents+json";
/** Content type of a batch of events. */
export const BATCH_TYPE = "application/cloudevents-batch+json";

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** One message as HTTP headers and body, binary mode (CloudEvents HTTP binding 1.0, §3.1). */
export function toBinaryHttp(message: Message): { headers: Record<string, string>; body: Uint8Array } {
  const event = toJsonEvent(message);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(event)) {
    if (name === "data" || name === "data_base64" || name === "datacontenttype") continue;
    headers[`ce-${name}`] = encodeHeader(String(value));
  }
  if (message.data !== undefined) {
    headers["content-type"] = message.datacontenttype ?? (message.data instanceof Uint8Array ? OCTETS_TYPE : JSON_TYPE);
  }
  return { headers, body: encodePayload(message.data, message.datacontenttype) };
}

/** One message as HTTP headers and body, structured mode. */
export function toStructuredHttp(message: Message): { headers: Record<string, string>; body: string } {
  return { headers: { "content-type": `${STRUCTURED_TYPE}; charset=utf-8` }, body: jsonText(toJsonEvent(message)) };
}

/**
 * The messages of one HTTP request, in order: structured JSON, structured protobuf, a JSON batch, or binary mode.
 * @throws {MetanodeError} message.invalid, message.content_type – with the path of what is wrong; in a batch the path
 * begins with the index.
 */
export function fromHttp(headers: Headers, body: Uint8Array): Message[] {
  const contentType = single(headers["content-type"])?.toLowerCase() ?? "";
  if (contentType.startsWith(BATCH_TYPE)) return readBatch(parseJson(body));
  if (contentType.startsWith(STRUCTURED_TYPE)) return [fromJsonEvent(parseJson(body))];
  if (contentType.startsWith(PROTOBUF_TYPE)) return [decodeProtobufEvent(body)];
  if (contentType.startsWith("application/cloudevents")) {
    throw coreError(
      "message.content_type",
      `content type ${contentType} is not one that this node reads; send ${STRUCTURED_TYPE}, ${BATCH_TYPE}, ${PROTOBUF_TYPE}, or binary mode with ce- headers`,
    );
  }
  if (headers["ce-specversion"] === undefined) {
    throw coreError(
      "message.content_type",
      `the request is no CloudEvent: it has neither content type ${STRUCTURED_TYPE} nor a ce-specversion header`,
    );
  }
  return [fromBinaryHttp(headers, body)];
}

function readBatch(value: unknown): Message[] {
  if (!Array.isArray(value)) {
    throw coreError("message.invalid", "a batch must be a JSON array of events", { details: { path: "" } });
  }
  return value.map((event, index) => {
    try {
      return fromJsonEvent(event);
    } catch (error) {
      const path = `/${index}${(error as { details?: { path?: string } }).details?.path ?? ""}`;
      throw coreError("message.invalid", `event ${index}: ${(error as Error).message}`, { details: { path }, cause: error });
    }
  });
}

function fromBinaryHttp(headers: Headers, body: Uint8Array): Message {
  const specversion = single(headers["ce-specversion"]);
  if (specversion !== "1.0") {
    throw coreError("message.invalid", `ce-specversion is ${specversion}, expected 1.0`, { details: { path: "/specversion" } });
  }
  const fields: Record<string, unknown> = {};
  const extensions: Record<string, ExtensionValue> = {};
  for (const [header, raw] of Object.entries(headers)) {
    if (!header.startsWith("ce-") || raw === undefined || header === "ce-specversion") continue;
    const name = header.slice(3);
    const value = decodeHeader(single(raw) ?? "");
    if (name === "deadline") fields.deadline = parseMoment(value);
    else if (name === "hops") fields.hops = Number(value);
    else if (name === "data" || name === "data_base64" || name === "datacontenttype") continue;
    else if (KNOWN_ATTRIBUTES.has(name)) fields[name] = value;
    else extensions[name] = value;
  }
  // A bare W3C header serves where the event itself carries no trace.
  fields.traceparent ??= single(headers.traceparent);
  fields.tracestate ??= single(headers.tracestate);
  const mediaType = single(headers["content-type"]);
  if (mediaType !== undefined && body.length > 0) fields.datacontenttype = mediaType;
  if (body.length > 0) fields.data = decodePayload(body, mediaType);
  if (Object.keys(extensions).length > 0) fields.extensions = extensions;
  const message = fields as unknown as Message;
  assertMessage(message);
  return message;
}

function single(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "object" ? value[0] : value;
}

/** Percent-encodes what a header value cannot hold (HTTP binding §3.1.3.2). */
function encodeHeader(value: string): string {
  return value.replace(/[^\u0021\u0023\u0024\u0026-\u007e]+/gu, (part) => encodeURIComponent(part).replace(/"/g, "%22"));
}

function decodeHeader(value: string): string {
  const unquoted =
    value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
  try {
    return decodeURIComponent(unquoted);
  } catch {
    return unquoted; // a stray % is the sender's own text
  }
}

export type { JsonEvent };
