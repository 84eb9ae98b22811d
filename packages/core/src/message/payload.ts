import { coreError } from "../errors.ts";

/** The media type that `data` has when a message names none. */
export const JSON_TYPE = "application/json";
/** The media type of a `Uint8Array` when a message names none. */
export const OCTETS_TYPE = "application/octet-stream";

/** Whether a media type means JSON: `application/json`, `text/json` or any `+json`. */
export function isJsonType(mediaType: string): boolean {
  if (mediaType === JSON_TYPE) return true;
  const bare = (mediaType.split(";", 1)[0] ?? "").trim().toLowerCase();
  return bare === JSON_TYPE || bare === "text/json" || bare.endsWith("+json");
}

/** Whether a media type is text: `text/*` or XML. */
export function isTextType(mediaType: string): boolean {
  const bare = mediaType.toLowerCase();
  return bare.startsWith("text/") || bare.startsWith("application/xml") || bare.includes("+xml");
}

const decoder = new TextDecoder("utf-8", { fatal: true });
const NO_BYTES = new Uint8Array(0);

/**
 * The bytes of a payload on a wire. `undefined` becomes no bytes at all.
 * @throws {MetanodeError} message.invalid – the value cannot be written as its media type.
 */
export function encodePayload(data: unknown, mediaType?: string): Uint8Array {
  if (data === undefined) return NO_BYTES;
  if (data instanceof Uint8Array) return data;
  if (mediaType !== undefined && !isJsonType(mediaType)) {
    if (typeof data === "string") return Buffer.from(data, "utf8");
    throw coreError("message.invalid", `data of type ${mediaType} is a ${typeof data}, expected a string or a Uint8Array`, {
      details: { path: "/data", datacontenttype: mediaType },
    });
  }
  return Buffer.from(jsonText(data), "utf8");
}

/** JSON text of a payload; what JSON cannot say (a cycle, a BigInt) is an error with a name. */
export function jsonText(data: unknown): string {
  try {
    const text = JSON.stringify(data);
    if (text !== undefined) return text;
  } catch (cause) {
    throw coreError("message.invalid", `data cannot be written as JSON: ${(cause as Error).message}`, {
      details: { path: "/data" },
      cause,
    });
  }
  throw coreError("message.invalid", `data is a ${typeof data}, which JSON cannot say`, { details: { path: "/data" } });
}

/**
 * The payload that stands in `bytes`: a JSON value, a string for text, else the bytes themselves.
 * @throws {MetanodeError} message.invalid – the bytes are not what the media type says.
 */
export function decodePayload(bytes: Uint8Array, mediaType?: string): unknown {
  if (mediaType === undefined || isJsonType(mediaType)) {
    if (bytes.length === 0) return undefined;
    return parseJson(bytes);
  }
  return isTextType(mediaType) ? readText(bytes) : bytes;
}

/** JSON from UTF-8 bytes; the message of the error says where it breaks. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = readText(bytes);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw coreError("message.invalid", `malformed JSON: ${(cause as Error).message}`, { details: { path: "/data" }, cause });
  }
}

function readText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw coreError("message.invalid", "the text is not UTF-8", { details: { path: "/data" }, cause });
  }
}
