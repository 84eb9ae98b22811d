import { natureError } from "../errors.ts";
import { placeOf, placeText } from "./place.ts";

/**
 * `TYPE:key:version`, the name of a meta. B business, S system, D dynamic, N null, M multi-target, L loop; T template, P
 * private and C couple are reserved.
 */
export const META_TYPES = ["B", "S", "D", "N", "M", "L", "T", "P", "C"] as const;

/** The first part of a meta-string. */
export type MetaType = (typeof META_TYPES)[number];

/** A meta-string in its canonical spelling. */
export type MetaString = string;

/** The parts of a meta-string. */
export interface MetaName {
  readonly type: MetaType;
  readonly key: string;
  readonly version: number;
}

/** All metas of type N are this one. */
export const NULL_META: MetaString = "N::1";

const MAX_VERSION = 0xffff_ffff;
const MAX_KEY_BYTES = 255;
const VERSION = /^\+?\d+$/;

/**
 * The parts of a meta-string, in their canonical form: one leading and one trailing `/` of the key are dropped, the version
 * loses leading zeros, and whatever begins with `N:` is `N::1`.
 * @throws meta.syntax – `details.line` and `details.column` count from 1, in characters
 * @source spec of the workflow model, M-1 to M-5
 */
export function parseMetaString(text: string): MetaName {
  if (typeof text !== "string") throw natureError("meta.syntax", `a meta-string is text, this is ${JSON.stringify(text)}`);
  const parts = text.split(":");
  const [type = "", rawKey = "", rawVersion = ""] = parts;
  if (parts.length !== 3)
    throw syntax(text, text.length, `it has ${parts.length} parts between colons, expected TYPE:key:version`);
  if (!isMetaType(type))
    throw syntax(text, 0, `${JSON.stringify(type)} is no type of a meta, expected one of ${META_TYPES.join(", ")}`);
  if (type === "N") return { type, key: "", version: 1 };
  const key = standardKey(rawKey);
  const keyAt = type.length + 1;
  if (key === "") throw syntax(text, keyAt, "the key is empty");
  const bar = rawKey.indexOf("|");
  if (bar >= 0) throw syntax(text, keyAt + bar, "a key has no |, which parts the keys of instances");
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw syntax(text, keyAt, `the key has more than ${MAX_KEY_BYTES} bytes`);
  if (key.includes("\0") || !key.isWellFormed()) throw syntax(text, keyAt, "the key holds what no database can store");
  const version = VERSION.test(rawVersion) ? Number(rawVersion) : Number.NaN;
  if (!(version <= MAX_VERSION)) {
    throw syntax(
      text,
      keyAt + rawKey.length + 1,
      `the version is ${JSON.stringify(rawVersion)}, expected a whole number from 0 to ${MAX_VERSION}`,
    );
  }
  return { type, key, version };
}

/** The meta-string of its parts. */
export function formatMetaString({ type, key, version }: MetaName): MetaString {
  return `${type}:${key}:${version}`;
}

/** The canonical spelling of a meta-string. @throws meta.syntax */
export function canonicalMeta(text: string): MetaString {
  return formatMetaString(parseMetaString(text));
}

/** The type of a canonical meta-string. */
export function metaTypeOf(meta: MetaString): MetaType {
  return meta[0] as MetaType;
}

function standardKey(key: string): string {
  const noTail = key.endsWith("/") ? key.slice(0, -1) : key;
  return noTail.startsWith("/") ? noTail.slice(1) : noTail;
}

function isMetaType(text: string): text is MetaType {
  return (META_TYPES as readonly string[]).includes(text);
}

function syntax(text: string, at: number, what: string): Error {
  const place = placeOf(text, at);
  return natureError("meta.syntax", `meta-string ${JSON.stringify(text)}, ${placeText(place)}: ${what}`, {
    details: { ...place },
  });
}
