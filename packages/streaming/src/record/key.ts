import { readValue, textOf } from "./value.ts";

/** What a record is keyed by: a path into its value (`user.id`), or without one the record itself. */
export type KeyOf = (record: unknown) => string;

/** Makes the reader of a key. Records without the key share the empty one. */
export function keyReader(path: string | undefined): KeyOf {
  if (path === undefined || path === "") return textOf;
  const parts = path.split(".");
  return (record) => {
    let value = readValue(record);
    for (const part of parts) value = typeof value === "object" && value !== null ? Reflect.get(value, part) : undefined;
    return value === undefined || value === null ? "" : typeof value === "object" ? textOf(value) : String(value);
  };
}

/**
 * 32 bits of a text, spread evenly: FNV-1a over its UTF-16 units.
 * @source http://www.isthe.com/chongo/tech/comp/fnv
 */
export function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
