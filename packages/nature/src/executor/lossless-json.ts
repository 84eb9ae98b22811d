/**
 * JSON whose numbers keep all their digits. Ids have 64 bits and stand in JSON as numbers, which other languages read well and
 * JavaScript's own parser rounds.
 */

/** A number as it stands in JSON, for {@link JSON.stringify}. */
export type RawNumber = object;

/** What newer engines know of JSON; the compiler's library does not yet. @source https://github.com/tc39/proposal-json-parse-with-source */
interface SourceJson {
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is { readonly rawJSON: string };
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown;
}

const json = JSON as unknown as SourceJson;

/** Only such numbers can come out other than they went in: long ones, and those with a point, an exponent or a sign before 0. */
const DELICATE = /\d{16}|\d[.eE]|-0/;

/** The value of a JSON text in which a number that JavaScript would change is a {@link RawNumber}. @throws SyntaxError */
export function parseLossless(text: string): unknown {
  // A reviver costs several times as much as the parsing.
  if (!DELICATE.test(text)) return JSON.parse(text);
  return json.parse(text, (_key, value, { source }) => {
    if (typeof value !== "number" || source === undefined || String(value) === source) return value;
    return json.rawJSON(source);
  });
}

/** A number for JSON out of its digits. */
export function rawNumber(digits: string): RawNumber | number {
  return digits.length < 16 ? Number(digits) : json.rawJSON(digits);
}

/** The digits of a whole number that was parsed without loss, or undefined if it is none. */
export function digitsOf(value: unknown): string | undefined {
  const text = typeof value === "number" ? String(value) : json.isRawJSON(value) ? value.rawJSON : undefined;
  return text !== undefined && /^-?\d+$/.test(text) ? text : undefined;
}
