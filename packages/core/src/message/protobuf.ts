import type protobuf from "protobufjs";
import { coreError, MetanodeError } from "../errors.ts";
import { assertMessage, type ExtensionValue, type Message } from "./message.ts";
import { decodePayload, encodePayload, isJsonType, isTextType, OCTETS_TYPE } from "./payload.ts";
import { loadProto } from "./proto-root.ts";

/** Content type of one event in the protobuf event format. */
export const PROTOBUF_TYPE = "application/cloudevents+protobuf";

interface Timestamp {
  seconds: number | { toNumber(): number };
  nanos: number;
}
interface AttributeValue {
  ceBoolean?: boolean;
  ceInteger?: number;
  ceString?: string;
  ceBytes?: Uint8Array;
  ceUri?: string;
  ceUriRef?: string;
  ceTimestamp?: Timestamp;
}
interface ProtoEvent {
  id: string;
  source: string;
  specVersion: string;
  type: string;
  attributes: Record<string, AttributeValue>;
  binaryData?: Uint8Array;
  textData?: string;
  protoData?: unknown;
}

let eventType: protobuf.Type | undefined;

function cloudEvent(): protobuf.Type {
  eventType ??= loadProto("io/cloudevents/v1/cloudevents.proto").lookupType("io.cloudevents.v1.CloudEvent");
  return eventType;
}

const STRINGS = ["subject", "datacontenttype", "traceparent", "tracestate", "idempotencykey", "typeversion"] as const;

/** A message in the CloudEvents protobuf event format. */
export function encodeProtobufEvent(message: Message): Uint8Array {
  const attributes: Record<string, AttributeValue> = {};
  for (const name of STRINGS) {
    const value = message[name];
    if (value !== undefined) attributes[name] = { ceString: value };
  }
  if (message.time !== undefined) attributes.time = { ceTimestamp: toTimestamp(Date.parse(message.time)) };
  if (message.dataschema !== undefined) attributes.dataschema = { ceUri: message.dataschema };
  if (message.deadline !== undefined) attributes.deadline = { ceTimestamp: toTimestamp(message.deadline) };
  if (message.hops !== undefined) attributes.hops = { ceInteger: message.hops };
  for (const [name, value] of Object.entries(message.extensions ?? {})) attributes[name] = toAttribute(value);
  const event: Partial<ProtoEvent> = {
    id: message.id,
    source: message.source,
    specVersion: "1.0",
    type: message.type,
    attributes,
  };
  if (message.data !== undefined) {
    const mediaType = message.datacontenttype;
    const isText =
      mediaType === undefined ? !(message.data instanceof Uint8Array) : isJsonType(mediaType) || isTextType(mediaType);
    const bytes = encodePayload(message.data, mediaType);
    if (isText) event.textData = Buffer.from(bytes).toString("utf8");
    else event.binaryData = bytes;
    if (mediaType === undefined && !isText) attributes.datacontenttype = { ceString: OCTETS_TYPE };
  }
  return cloudEvent().encode(event).finish();
}

/**
 * The message in the bytes of a CloudEvents protobuf event.
 * @throws {MetanodeError} message.invalid – truncated bytes, or an attribute that is wrong, with its path.
 */
export function decodeProtobufEvent(bytes: Uint8Array): Message {
  try {
    return fromProto(cloudEvent().decode(bytes) as unknown as ProtoEvent);
  } catch (error) {
    if (error instanceof MetanodeError) throw error;
    throw coreError("message.invalid", `the bytes are no protobuf CloudEvent: ${(error as Error).message}`, {
      details: { path: "" },
      cause: error,
    });
  }
}

function fromProto(event: ProtoEvent): Message {
  if (event.specVersion !== "1.0") {
    throw coreError("message.invalid", `spec_version is ${JSON.stringify(event.specVersion)}, expected "1.0"`, {
      details: { path: "/spec_version" },
    });
  }
  const fields: Record<string, unknown> = { id: event.id, source: event.source, type: event.type };
  const extensions: Record<string, ExtensionValue> = {};
  for (const [name, value] of Object.entries(event.attributes)) {
    if (name === "time" && value.ceTimestamp) fields.time = new Date(toMillis(value.ceTimestamp)).toISOString();
    else if (name === "deadline" && value.ceTimestamp) fields.deadline = toMillis(value.ceTimestamp);
    else if (name === "hops" || name === "dataschema" || name === "time" || (STRINGS as readonly string[]).includes(name)) {
      fields[name] = fromAttribute(value);
    } else extensions[name] = fromAttribute(value);
  }
  const mediaType = fields.datacontenttype as string | undefined;
  if (Object.hasOwn(event, "textData") && event.textData !== undefined) {
    fields.data = decodePayload(Buffer.from(event.textData, "utf8"), mediaType);
  } else if (Object.hasOwn(event, "binaryData") && event.binaryData !== undefined) {
    fields.data = mediaType === undefined ? event.binaryData : decodePayload(event.binaryData, mediaType);
  } else if (event.protoData !== undefined && event.protoData !== null) {
    throw coreError("message.content_type", "proto_data is not read by this node; send binary_data or text_data", {
      details: { path: "/proto_data" },
    });
  }
  if (Object.keys(extensions).length > 0) fields.extensions = extensions;
  const message = fields as unknown as Message;
  assertMessage(message);
  return message;
}

function toTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1_000);
  return { seconds, nanos: Math.round((ms - seconds * 1_000) * 1e6) };
}

function toMillis(stamp: Timestamp): number {
  const seconds = typeof stamp.seconds === "number" ? stamp.seconds : stamp.seconds.toNumber();
  return seconds * 1_000 + stamp.nanos / 1e6;
}

function toAttribute(value: ExtensionValue): AttributeValue {
  if (typeof value === "boolean") return { ceBoolean: value };
  return typeof value === "number" ? { ceInteger: value } : { ceString: value };
}

/** Members of a oneof that are not set read as their defaults in what protobufjs decodes; only own ones count. */
function fromAttribute(value: AttributeValue): ExtensionValue {
  if (Object.hasOwn(value, "ceTimestamp") && value.ceTimestamp) return new Date(toMillis(value.ceTimestamp)).toISOString();
  if (Object.hasOwn(value, "ceBytes") && value.ceBytes) return Buffer.from(value.ceBytes).toString("base64");
  if (Object.hasOwn(value, "ceInteger")) return value.ceInteger ?? 0;
  if (Object.hasOwn(value, "ceBoolean")) return value.ceBoolean ?? false;
  if (Object.hasOwn(value, "ceUri")) return value.ceUri ?? "";
  return (Object.hasOwn(value, "ceUriRef") ? value.ceUriRef : value.ceString) ?? "";
}
