import { Alias, EventName, PID, ProcessName, Ref } from "@metanode/actors";
import { codeOf } from "@metanode/core/internal";

/** How deep a value is shown. */
const MAX_DEPTH = 32;

/**
 * A value that actors exchange, as JSON: addresses as their text, errors as code and message, octets in base64, maps as
 * objects, sets as lists. What JSON cannot say is named in words.
 */
export function toPlain(value: unknown): unknown {
  return plain(value, []);
}

function plain(value: unknown, above: readonly object[]): unknown {
  switch (typeof value) {
    case "bigint":
      return String(value);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "function":
      return `(function ${value.name || "without a name"})`;
    case "symbol":
      return `(${String(value)})`;
    case "object":
      return value === null ? null : plainObject(value, above);
    default:
      return value;
  }
}

function plainObject(value: object, above: readonly object[]): unknown {
  if (above.includes(value)) return "(itself)";
  if (above.length >= MAX_DEPTH) return "(too deep)";
  if (value instanceof PID || value instanceof ProcessName || value instanceof Alias) return String(value);
  if (value instanceof Ref || value instanceof EventName) return String(value);
  if (value instanceof Error) return { code: codeOf(value) ?? "core.internal", message: value.message };
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? String(value) : value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  const within = [...above, value];
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [String(key), plain(one, within)]));
  if (value instanceof Set || Array.isArray(value)) return [...value].map((one) => plain(one, within) ?? null);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === "function") return plain((value as { toJSON(): unknown }).toJSON(), within);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one, within)]));
}
