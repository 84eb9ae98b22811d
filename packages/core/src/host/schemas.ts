import { UNIT_NAME } from "./options.ts";
import { MAX_CHUNK_BYTES } from "./pull.ts";
import type { HostVerb } from "./rules.ts";

/** A zero ends a text for the operating system; and Node's own error about one would show the text. */
const plainText = { type: "string", pattern: "^[^\\u0000]*$" };
const path = { type: "string", minLength: 1, maxLength: 4_096, pattern: "^[^\\u0000]*$" };
const encoding = { enum: ["utf8", "base64"] };
const whole = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const positive = { type: "integer", minimum: 1, maximum: Number.MAX_SAFE_INTEGER };
const sha256 = { type: "string", pattern: "^[0-9a-fA-F]{64}$" };
const unit = { type: "string", pattern: UNIT_NAME };

function object(properties: object, required: readonly string[] = []): object {
  return { type: "object", properties, required, additionalProperties: false };
}

/** JSON Schemas of what the types take. */
export const INPUT_SCHEMAS: Readonly<Record<HostVerb, object>> = {
  facts: { anyOf: [{ type: "null" }, object({})] },
  exec: object(
    {
      argv: { type: "array", minItems: 1, items: plainText, prefixItems: [path] },
      cwd: { ...path, pattern: "^/[^\\u0000]*$" },
      env: { type: "object", propertyNames: { pattern: "^[^=\\u0000]+$" }, additionalProperties: plainText },
      stdin: { type: "string" },
      stdinEncoding: encoding,
      timeoutMs: positive,
      graceMs: { type: "integer", minimum: 0, maximum: 60_000 },
      encoding,
      limits: object({ cpuSeconds: positive, memoryBytes: positive, openFiles: positive }),
    },
    ["argv"],
  ),
  // `data` may also be bytes, which no schema knows.
  push: object(
    {
      path,
      offset: whole,
      data: true,
      sha256,
      last: { type: "boolean" },
      fileSha256: sha256,
      mode: { type: "integer", minimum: 0, maximum: 0o777 },
    },
    ["path", "offset", "data", "sha256"],
  ),
  pull: object({ path, offset: whole, chunkBytes: { type: "integer", minimum: 1, maximum: MAX_CHUNK_BYTES } }, ["path"]),
  unit: object({ unit, action: { enum: ["start", "stop", "restart", "status"] } }, ["unit", "action"]),
  log: {
    ...object({ path, unit, lines: { type: "integer", minimum: 0, maximum: 10_000 }, follow: { type: "boolean" } }),
    oneOf: [{ required: ["path"] }, { required: ["unit"] }],
  },
};

/** What the types are for, in one line. */
export const DESCRIPTIONS: Readonly<Record<HostVerb, string>> = {
  facts: "What the host is and how it does: system, memory, disks, load, processes of interest",
  exec: "Runs a program; what it writes comes while it runs, how it ended comes last",
  push: "Writes a file, one chunk a message; it takes its place when it is complete and its checksum is right",
  pull: "Reads a file in chunks with checksums",
  unit: "Starts, stops or restarts a unit of the host, or tells how it does",
  log: "The last lines of a file or of a unit, and with follow those that come",
};

/** The verbs that answer with a stream. */
export const STREAMING: ReadonlySet<HostVerb> = new Set<HostVerb>(["exec", "pull", "log"]);
