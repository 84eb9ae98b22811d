import { natureError } from "@metanode/nature/errors";
import type { Instance, StoreReads } from "@metanode/nature/internal";
import type { Workflows } from "../../workflows/module.ts";
import { library } from "./access.ts";

/** What Nature's queries ask for; numbers may come as text. @source spec of the workflow model, §7.2 */
export interface Condition {
  readonly id: string;
  readonly meta: string | undefined;
  readonly para: string;
  readonly version: number;
  readonly timeGe: number | undefined;
  readonly timeLt: number | undefined;
  readonly bounds: Readonly<Partial<Record<"keyGt" | "keyGe" | "keyLt" | "keyLe", string>>>;
  readonly limit: number;
}

const MAX_LIMIT = 1_000;

/** @throws instance.invalid */
export async function conditionOf(body: unknown): Promise<Condition> {
  const { digitsOf, canonicalMeta, checkId } = await library();
  const given = objectOf(body, "the condition");
  const other = objectOf(given.other, "other");
  const whole = (name: string, value: unknown): number | undefined => {
    if (value === undefined || value === null) return undefined;
    const digits = typeof value === "string" && /^\d{1,15}$/.test(value) ? value : digitsOf(value);
    return digits === undefined ? wrong(name, "a whole number") : Number(digits);
  };
  const text = (name: string): string | undefined => {
    const value = other[name] ?? undefined;
    return value === undefined || typeof value === "string" ? value : wrong(`other.${name}`, "text");
  };
  const id = given.id === undefined || given.id === null ? "0" : typeof given.id === "string" ? given.id : digitsOf(given.id);
  const meta = text("meta");
  const bounds = { keyGt: text("key_gt"), keyGe: text("key_ge"), keyLt: text("key_lt"), keyLe: text("key_le") };
  return {
    id: checkId(id === "" || id === undefined ? "0" : id),
    meta: meta === undefined || meta === "" ? undefined : canonicalMeta(meta),
    para: text("para") ?? "",
    version: whole("other.state_version", other.state_version) ?? 0,
    timeGe: whole("time_ge", given.time_ge),
    timeLt: whole("time_lt", given.time_lt),
    bounds: Object.fromEntries(Object.entries(bounds).filter(([, value]) => value !== undefined && value !== "")),
    limit: Math.min(whole("other.limit", other.limit) ?? 1, MAX_LIMIT),
  };
}

/** One instance by its whole key, or null. */
export async function readById(
  workflows: Workflows,
  { meta, id, para, version }: Condition,
  isText: boolean,
): Promise<object | null> {
  if (meta === undefined) return wrong("other.meta", "a meta-string");
  const found = await workflows.instance({ meta, id, para, version });
  return found === undefined ? null : shapeOf(found, isText);
}

/**
 * A range of keys. The order is that of Nature where people depend on it: the versions of one line come with the last first, so that
 * `key_le` of a line with a huge version and a limit of 1 gives the last one; all else comes in the order of keys, so that it can be read
 * page by page.
 */
export async function readRange({ reads }: Workflows, { meta, timeGe, timeLt, bounds, limit }: Condition): Promise<object[]> {
  if (limit === 0) return [];
  const times = {
    ...(timeGe === undefined ? {} : { createdGeMs: timeGe }),
    ...(timeLt === undefined ? {} : { createdLtMs: timeLt }),
  };
  const query = { ...bounds, ...times, ...(meta === undefined ? {} : { meta }) };
  const line = lineOf(Object.values(bounds));
  const found = line === undefined ? await prefixed(reads, query, limit) : await lastOf(reads, { ...query, line }, limit);
  return Promise.all(found.map((one) => shapeOf(one, false)));
}

type Query = Omit<Parameters<StoreReads["range"]>[0], "limit" | "cursor">;

/** All parts of a bound but the last have to be equal; that is what tells it from a plain order of keys. */
async function prefixed(reads: StoreReads, query: Query, limit: number): Promise<readonly Instance[]> {
  const prefixes = ["keyGt", "keyGe", "keyLt", "keyLe"].flatMap((name) => {
    const bound = query[name as "keyGt"];
    return bound === undefined ? [] : [bound.split("|").slice(0, -1)];
  });
  const isWithin = (one: Instance): boolean => {
    const parts = [one.meta, one.id, one.para];
    return prefixes.every((prefix) => prefix.every((part, at) => (at === 1 && part === "" ? "0" : part) === parts[at]));
  };
  const [first] = prefixes;
  if (first === undefined) return (await reads.range({ ...query, limit })).items;
  // Bounds of different beginnings contradict each other.
  if (prefixes.some((prefix) => prefix.slice(0, first.length).some((part, at) => part !== (first[at] ?? part)))) return [];
  const longest = prefixes.reduce((a, b) => (b.length > a.length ? b : a), first);
  const begin = longest.length === 0 ? {} : beginOf(query, longest);
  return (await reads.range({ ...query, ...begin, limit })).items.filter(isWithin);
}

/** Without a lower bound, the range begins where its beginning does. */
function beginOf(query: Query, prefix: readonly string[]): Query {
  return query.keyGt === undefined && query.keyGe === undefined ? { keyGe: prefix.join("|") } : {};
}

/** The line that all bounds are about, if they go down to versions. */
function lineOf(bounds: readonly string[]): readonly [meta: string, id: string, para: string] | undefined {
  const parts = bounds.map((bound) => bound.split("|"));
  const [first] = parts;
  if (first === undefined || parts.some((one) => one.length < 4)) return undefined;
  const [meta = "", id = "", para = ""] = first;
  const isOne = parts.every((one) => one[0] === meta && one[1] === id && one[2] === para);
  return isOne ? [meta, id === "" ? "0" : id, para] : undefined;
}

async function lastOf(
  reads: StoreReads,
  { line, ...query }: Query & { line: readonly [string, string, string] },
  limit: number,
): Promise<readonly Instance[]> {
  const { canonicalMeta, checkId } = await library();
  const [meta, id, para] = [canonicalMeta(line[0]), checkId(line[1]), line[2]];
  if (query.meta !== undefined && query.meta !== meta) return [];
  const versionOf = (bound: string | undefined): number | undefined =>
    bound === undefined ? undefined : Number(bound.split("|")[3]);
  const isWithin = ({ version, createdMs }: Instance): boolean =>
    version > (versionOf(query.keyGt) ?? -1) &&
    version >= (versionOf(query.keyGe) ?? 0) &&
    version < (versionOf(query.keyLt) ?? Number.POSITIVE_INFINITY) &&
    version <= (versionOf(query.keyLe) ?? Number.POSITIVE_INFINITY) &&
    createdMs >= (query.createdGeMs ?? 0) &&
    createdMs < (query.createdLtMs ?? Number.POSITIVE_INFINITY);
  const found: Instance[] = [];
  let cursor: string | undefined;
  do {
    const page = await reads.versions(
      { meta, id, para },
      cursor === undefined ? { limit: MAX_LIMIT } : { limit: MAX_LIMIT, cursor },
    );
    found.push(...page.items.filter(isWithin));
    cursor = page.cursor;
  } while (cursor !== undefined && found.length < limit);
  return found.slice(0, limit);
}

async function shapeOf(instance: Instance, isText: boolean): Promise<object> {
  const { toNature } = await library();
  const shape = toNature(instance) as { id?: unknown; from?: { id?: unknown } };
  if (!isText) return shape;
  const { from } = instance;
  return {
    ...shape,
    id: instance.id,
    ...(from === undefined ? {} : { from: { ...shape.from, id: from.id } }),
    create_time: new Date(instance.createdMs).toISOString(),
  };
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  return wrong(what, "an object");
}

function wrong(what: string, expected: string): never {
  throw natureError("instance.invalid", `${what} is none, expected ${expected}`, { details: { path: what } });
}
