import { intWithin } from "@metanode/core/internal";
import { byBytes } from "../byte-order.ts";
import { natureError } from "../errors.ts";
import { shown } from "../executor/answer.ts";
import type { ConvertRequest, ConvertResult } from "../executor/executor.ts";
import { digitsOf, parseLossless } from "../executor/lossless-json.ts";
import { pickPara } from "../instance/para.ts";
import { oneOf, optionalFlag, optionalObject, refuse } from "../shape.ts";
import { indexesOf, parseSettings } from "./settings.ts";

/**
 * Merges whole numbers (64 bits with a sign, exact) by key.
 *
 *  M1. Whatever a merge gives can be the last version of a further one: its content may be a number, a map of keys, or
 *      `{"detail": map, "total": number}`, and the merge goes on from there. What a top has dropped counts in the total only.
 *  M2. Equal work gives equal text: keys stand in the order of their bytes, and of equal values the top keeps those with the smaller keys.
 */

const WHEN_SAME = ["Old", "New", "Sum", "Min", "Max"] as const;
type WhenSame = (typeof WHEN_SAME)[number];

type Key = { readonly by: "none" } | { readonly by: "content" } | { readonly by: "para"; readonly parts: readonly number[] };

interface Top {
  readonly order: "max" | "min";
  readonly limit: number;
}

/** The settings of `merge`, resolved. */
export interface MergeSettings {
  readonly key: Key;
  readonly whenSame: WhenSame;
  readonly sumAll: boolean;
  readonly top: Top | undefined;
}

/** What was merged so far. */
export interface Merged {
  readonly detail: Map<string, bigint>;
  total: bigint;
}

/** The key of everything where nothing has a key of its own. */
const NO_KEY = "";
const MAX_I64 = 2n ** 63n - 1n;
const MIN_I64 = -(2n ** 63n);

/** Merges the upstream into the last version. @throws config.invalid, executor.logic */
export function merge({ from, last, settings }: ConvertRequest): ConvertResult {
  const resolved = mergeSettings(settings);
  const merged = last === undefined ? empty() : readMerged(last.content);
  for (const [key, value] of itemsOf(resolved.key, from)) add(merged, key, value, resolved.whenSame);
  const content = write(keepTop(merged, resolved.top), resolved);
  return { type: "instances", instances: [{ id: from.id, para: from.para, content }] };
}

/** @throws config.invalid */
export function mergeSettings(text: string): MergeSettings {
  const given = parseSettings("merge", text, ["key", "when_same", "sum_all", "top"]);
  return {
    key: keyOf(given.key),
    whenSame: oneOf("merge.when_same", given.when_same ?? "Sum", WHEN_SAME),
    sumAll: optionalFlag("merge.sum_all", given.sum_all) ?? false,
    top: topOf(given.top),
  };
}

function keyOf(given: unknown): Key {
  if (given === undefined || given === null || given === "None") return { by: "none" };
  if (given === "Content") return { by: "content" };
  const parts = typeof given === "object" ? indexesOf("merge.key.Para", (given as { Para?: unknown }).Para, 1) : undefined;
  return parts === undefined || Object.keys(given).length > 1
    ? refuse("merge.key", given, '"None", "Content" or {"Para":[0,…]}')
    : { by: "para", parts };
}

function topOf(given: unknown): Top | undefined {
  if (given === undefined || given === null || given === "None") return undefined;
  const expected = '"None", {"MaxTop":n} or {"MinTop":n}';
  const [entry, another] = typeof given === "object" ? Object.entries(optionalObject("merge.top", given) ?? {}) : [];
  if (entry === undefined || another !== undefined) return refuse("merge.top", given, expected);
  const [name, limit] = entry;
  if (name === "MaxTop") return { order: "max", limit: intWithin("merge.top.MaxTop", limit, 0) };
  if (name === "MinTop") return { order: "min", limit: intWithin("merge.top.MinTop", limit, 0) };
  return refuse("merge.top", given, expected);
}

function empty(): Merged {
  return { detail: new Map(), total: 0n };
}

/** What an earlier merge has written (M1); no content is nothing merged. @throws executor.logic */
export function readMerged(content: string): Merged {
  if (content === "") return empty();
  const given = parse(content, "the last version");
  const single = integer(given);
  if (single !== undefined) return { detail: new Map([[NO_KEY, single]]), total: single };
  const whole = objectOf(given, content);
  const isWhole = typeof whole.detail === "object" && whole.detail !== null && integer(whole.detail) === undefined;
  const detail = new Map<string, bigint>();
  let total = 0n;
  for (const [key, value] of Object.entries(isWhole ? objectOf(whole.detail, content) : whole)) {
    const number = integer(value) ?? garbled(content);
    detail.set(key, number);
    total += number;
  }
  if (isWhole) total = whole.total === undefined ? 0n : (integer(whole.total) ?? garbled(content));
  return { detail, total };
}

function objectOf(given: unknown, content: string): Record<string, unknown> {
  return typeof given === "object" && given !== null && !Array.isArray(given)
    ? (given as Record<string, unknown>)
    : garbled(content);
}

function garbled(content: string): never {
  throw natureError(
    "executor.logic",
    `merge: the content of the last version is ${shown(content)}, expected a whole number, a map of them, or {"detail":{…},"total":n}`,
  );
}

function itemsOf(key: Key, { content, para }: ConvertRequest["from"]): [string, bigint][] {
  if (key.by === "para") return [[pickPara(para, key.parts).picked, integerText(content)]];
  const list = parse(content, "the upstream");
  if (!Array.isArray(list)) throw natureError("executor.logic", `merge: the content is ${shown(content)}, expected a list`);
  return list.map((item) => (key.by === "none" ? [NO_KEY, integer(item) ?? integerText(item)] : keyedItem(item)));
}

/** `["key", number]`, mostly as the text of an instance's content. */
function keyedItem(item: unknown): [string, bigint] {
  const pair = typeof item === "string" ? parse(item, "an item") : item;
  const [key, value, more] = Array.isArray(pair) ? pair : [];
  const number = integer(value);
  if (typeof key === "string" && number !== undefined && more === undefined) return [key, number];
  throw natureError("executor.logic", `merge: an item is ${shown(item)}, expected ["key",number]`);
}

function integerText(text: unknown): bigint {
  const number =
    typeof text === "string" && /^\s*[+-]?\d+\s*$/.test(text) ? inRange(BigInt(text.trim().replace(/^\+/, ""))) : undefined;
  if (number !== undefined) return number;
  throw natureError("executor.logic", `merge: a value is ${shown(text)}, expected a whole number of 64 bits`);
}

/** A whole number of 64 bits as it stands in JSON. */
function integer(value: unknown): bigint | undefined {
  const digits = digitsOf(value);
  return digits === undefined ? undefined : inRange(BigInt(digits));
}

function inRange(value: bigint): bigint | undefined {
  return value >= MIN_I64 && value <= MAX_I64 ? value : undefined;
}

function add(merged: Merged, key: string, value: bigint, whenSame: WhenSame): void {
  const old = merged.detail.get(key);
  const next = old === undefined ? value : combine(whenSame, old, value);
  merged.total = checked(merged.total + next - (old ?? 0n));
  merged.detail.set(key, checked(next));
}

function combine(whenSame: WhenSame, old: bigint, value: bigint): bigint {
  if (whenSame === "Old") return old;
  if (whenSame === "New") return value;
  if (whenSame === "Sum") return old + value;
  return value < old === (whenSame === "Min") ? value : old;
}

function checked(value: bigint): bigint {
  if (inRange(value) !== undefined) return value;
  throw natureError("executor.logic", `merge: ${value} is more than a whole number of 64 bits can be`);
}

/** The total stays: it counts what is dropped as well. */
function keepTop(merged: Merged, top: Top | undefined): Merged {
  if (top === undefined || merged.detail.size <= top.limit) return merged;
  const sign = top.order === "max" ? -1 : 1;
  const order = ([a, x]: [string, bigint], [b, y]: [string, bigint]): number => (x === y ? byBytes(a, b) : x < y ? -sign : sign);
  return { detail: new Map([...merged.detail].sort(order).slice(0, top.limit)), total: merged.total };
}

function write({ detail, total }: Merged, { key, sumAll }: MergeSettings): string {
  if (key.by === "none") return String(detail.get(NO_KEY) ?? 0n);
  const entries = [...detail].sort(([a], [b]) => byBytes(a, b)).map(([name, value]) => `${JSON.stringify(name)}:${value}`);
  const map = `{${entries.join(",")}}`;
  if (!sumAll) return map;
  return total === 0n ? `{"detail":${map}}` : `{"detail":${map},"total":${total}}`;
}

function parse(text: string, whose: string): unknown {
  try {
    return parseLossless(text);
  } catch (cause) {
    throw natureError("executor.logic", `merge: the content of ${whose} is no JSON: ${(cause as Error).message}`, { cause });
  }
}
