import { natureError } from "../errors.ts";
import { type Instance, type InstanceId, KEY_SEPARATOR, keyOf, type Locator } from "../instance/instance.ts";
import type { Meta } from "../meta/meta.ts";
import type { Relation } from "../relation/relation.ts";
import type { FailedTask, NewTask, Task } from "./store.ts";

/**
 * How things look as rows. Rows are arrays in the order of these columns, the same on both databases: that is what both drivers are
 * fastest with, and what crosses to the thread of SQLite at the least cost.
 */

/** A value in a row. */
export type Cell = string | number | null;
export type Row = readonly Cell[];

export const INSTANCE_COLUMNS = [
  "meta",
  "id",
  "para",
  "version",
  "content",
  "context",
  "sys_context",
  "states",
  "from_key",
  "created_ms",
] as const;

export const TASK_COLUMNS = [
  "id",
  "from_meta",
  "from_id",
  "from_para",
  "from_version",
  "to_meta",
  "mission",
  "created_ms",
  "due_ms",
  "attempts",
] as const;

export const FAILED_COLUMNS = [...TASK_COLUMNS, "code", "error", "failed_ms"] as const;

/** The width of an id in the database: all digits of 2^64, so that text sorts as numbers do. */
export const ID_DIGITS = 20;

/** An id as the database holds it. */
export function storedId(id: InstanceId): string {
  return id.padStart(ID_DIGITS, "0");
}

/** The opposite of {@link storedId}. */
export function readId(stored: string): InstanceId {
  let at = 0;
  while (at < stored.length - 1 && stored.charCodeAt(at) === 48) at++;
  return stored.slice(at);
}

/** A key as {@link keyOf} writes it. */
export function locatorOf(key: string): Locator {
  const [meta = "", id = "", para = "", version = "0"] = key.split(KEY_SEPARATOR);
  return { meta, id, para, version: Number(version) };
}

export function instanceRow(instance: Instance): Cell[] {
  const { meta, id, para, version, content, context, sysContext, states, from, createdMs } = instance;
  const fromKey = from === undefined ? null : keyOf(from);
  return [meta, storedId(id), para, version, content, entries(context), entries(sysContext), list(states), fromKey, createdMs];
}

export function instanceOf(row: Row): Instance {
  const [meta, id, para, version, content, context, sysContext, states, fromKey, createdMs] = row;
  return {
    meta: meta as string,
    id: readId(id as string),
    para: para as string,
    version: version as number,
    content: content as string,
    context: context === "{}" ? {} : JSON.parse(context as string),
    sysContext: sysContext === "{}" ? {} : JSON.parse(sysContext as string),
    states: states === "[]" ? [] : JSON.parse(states as string),
    from: fromKey === null ? undefined : locatorOf(fromKey as string),
    createdMs: createdMs as number,
  };
}

// Most have neither contexts nor states.
function entries(context: Readonly<Record<string, string>>): string {
  for (const _ in context) return JSON.stringify(context);
  return "{}";
}

function list(states: readonly string[]): string {
  return states.length === 0 ? "[]" : JSON.stringify(states);
}

export function taskRow({ id, upstream, to, mission, createdMs, dueMs, attempts }: NewTask): Cell[] {
  return [id, upstream.meta, storedId(upstream.id), upstream.para, upstream.version, to, mission, createdMs, dueMs, attempts];
}

export function taskOf(row: Row): Task {
  const [id, meta, fromId, para, version, to, mission, createdMs, dueMs, attempts] = row;
  return {
    id: id as number,
    upstream: { meta: meta as string, id: readId(fromId as string), para: para as string, version: version as number },
    to: to as string,
    mission: mission as string,
    createdMs: createdMs as number,
    dueMs: dueMs as number,
    attempts: attempts as number,
  };
}

export function failedTaskOf(row: Row): FailedTask {
  const [code, error, failedMs] = row.slice(TASK_COLUMNS.length);
  return { ...taskOf(row), code: code as string, error: error as string, failedMs: failedMs as number };
}

/** Meta, description, states, fields, settings, enabled. */
export function metaOf(row: readonly unknown[]): Meta {
  const [meta, description, states, fields, settings, enabled] = row as [string, string, string, string | null, string, unknown];
  return {
    meta,
    description,
    states,
    ...(fields === null ? {} : { fields: JSON.parse(fields) as object }),
    settings: JSON.parse(settings),
    enabled: Boolean(enabled),
  };
}

/** From, to, settings, enabled. */
export function relationOf(row: readonly unknown[]): Relation {
  const [from, to, settings, enabled] = row as [string, string, string, unknown];
  return { from, to, settings: JSON.parse(settings), enabled: Boolean(enabled) };
}

/** Oldest due first. */
export function byDue(a: Task, b: Task): number {
  return a.dueMs - b.dueMs || a.id - b.id;
}

const MAX_ID = 2n ** 64n - 1n;

/** The beginning of a key as cells: a bound of a range. @throws instance.invalid */
export function boundOf(text: string): Cell[] {
  const [meta = "", id, para, version, ...more] = text.split(KEY_SEPARATOR);
  const cells: Cell[] = [meta];
  if (id !== undefined) {
    if (!/^\d{0,20}$/.test(id) || BigInt(id) > MAX_ID) throw badBound(text, `its id is ${JSON.stringify(id)}`);
    cells.push(storedId(id));
  }
  if (para !== undefined) cells.push(para);
  if (version !== undefined) {
    if (!/^\d{1,15}$/.test(version)) throw badBound(text, `its version is ${JSON.stringify(version)}`);
    cells.push(Number(version));
  }
  if (more.length > 0) throw badBound(text, `it has ${4 + more.length} parts`);
  return cells;
}

function badBound(text: string, what: string): Error {
  return natureError(
    "instance.invalid",
    `${JSON.stringify(text)} bounds no range of keys: ${what}; expected meta|id|para|version or a beginning of it`,
    { details: { bound: text } },
  );
}
