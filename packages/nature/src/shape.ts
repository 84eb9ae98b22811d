import { coreError } from "@metanode/core/errors";

/**
 * Checks of declared things that came as JSON, where types promise nothing. All throw `config.invalid` with the path. What may be left out
 * may also be null.
 */

/** An object, or nothing. */
export function optionalObject(path: string, value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  return refuse(path, value, "an object");
}

/** True, false, or nothing. */
export function optionalFlag(path: string, value: unknown): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === "boolean" ? value : refuse(path, value, "true or false");
}

/** Text, or nothing. */
export function optionalText(path: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === "string" ? value : refuse(path, value, "text");
}

/** A list, or nothing. */
export function optionalList(path: string, value: unknown): readonly unknown[] | undefined {
  if (value === undefined || value === null) return undefined;
  return Array.isArray(value) ? value : refuse(path, value, "a list");
}

/** A list of texts, or nothing. */
export function optionalTexts(path: string, value: unknown): readonly string[] | undefined {
  const list = optionalList(path, value);
  for (const [at, one] of (list ?? []).entries()) {
    if (typeof one !== "string") refuse(`${path}[${at}]`, one, "text");
  }
  return list as readonly string[] | undefined;
}

/** One of some words. */
export function oneOf<T extends string>(path: string, value: unknown, words: readonly T[]): T {
  return words.includes(value as T) ? (value as T) : refuse(path, value, `one of ${words.join(", ")}`);
}

/** Says what was found and what was expected. */
export function refuse(path: string, found: unknown, expected: string): never {
  const text = (JSON.stringify(found) ?? String(found)).slice(0, 100);
  throw coreError("config.invalid", `${path} is ${text}, expected ${expected}`, { details: { path, expected } });
}
