import { readFileSync } from "node:fs";
import { coreError } from "@metanode/core/errors";
import { readAll } from "./api/client.ts";

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The bytes that an argument stands for: itself, `@file`, or `-` for standard input.
 * @throws {MetanodeError} usage.invalid – the file cannot be read.
 */
export async function readInput(argument: string): Promise<Buffer> {
  if (argument === "-") return readAll(process.stdin);
  if (!argument.startsWith("@")) return Buffer.from(argument, "utf8");
  const file = argument.slice(1);
  try {
    return readFileSync(file);
  } catch (cause) {
    throw coreError("usage.invalid", `the file ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** JSON from an argument; the error says what it is taken for. @throws {MetanodeError} usage.invalid */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch (cause) {
    throw coreError("usage.invalid", `${what} is not UTF-8 text; for bytes name their media type with --content-type`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw coreError(
      "usage.invalid",
      `${what} is no JSON: ${(cause as Error).message}; a text needs its quotes ('"tea"'), another form of data its --content-type`,
      { cause },
    );
  }
}

/** A payload as it stands in a structured CloudEvent. */
export interface EventPayload {
  readonly data?: unknown;
  readonly data_base64?: string;
  readonly datacontenttype?: string;
}

/** The payload in `bytes`: JSON unless another media type is named. */
export function payloadOf(bytes: Uint8Array, mediaType: string | undefined, what: string): EventPayload {
  const bare = (mediaType ?? "application/json").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const named = mediaType === undefined ? {} : { datacontenttype: mediaType };
  if (bare === "application/json" || bare === "text/json" || bare.endsWith("+json")) {
    return bytes.length === 0 ? named : { data: parseJson(bytes, what), ...named };
  }
  if (bare.startsWith("text/")) return { data: Buffer.from(bytes).toString("utf8"), ...named };
  return { data_base64: Buffer.from(bytes).toString("base64"), ...named };
}

/** A JSON object from an argument: the text itself, `@file`, or `-`; without one an empty object. @throws {MetanodeError} usage.invalid */
export async function jsonObject(argument: string | undefined, what: string): Promise<Record<string, unknown>> {
  if (argument === undefined) return {};
  const value = parseJson(await readInput(argument), what);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw coreError("usage.invalid", `${what} is ${JSON.stringify(value).slice(0, 80)}, expected a JSON object`);
}
