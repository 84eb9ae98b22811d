import { type Instance, keyOf, type Locator } from "../instance/instance.ts";
import type { Statement } from "./postgres-connections.ts";
import { INSTANCE_COLUMNS, instanceOf, type Row, storedId } from "./rows.ts";

/*
 * Many instances at once, each looked up by itself: LIMIT keeps these from being joins, for which all instances of a table might be read.
 */

const INSTANCE = INSTANCE_COLUMNS.map((name) => `i.${name}`).join(", ");

const LATEST = `SELECT k.ord, ${INSTANCE} FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k (meta, id, para, ord)
  CROSS JOIN LATERAL (SELECT * FROM instance i
    WHERE i.meta = k.meta AND i.id = k.id AND i.para = k.para ORDER BY i.version DESC LIMIT 1) i`;

const LOAD = `SELECT k.ord, ${INSTANCE}
  FROM unnest($1::text[], $2::text[], $3::text[], $4::int4[]) WITH ORDINALITY AS k (meta, id, para, version, ord)
  CROSS JOIN LATERAL (SELECT * FROM instance i
    WHERE i.meta = k.meta AND i.id = k.id AND i.para = k.para AND i.version = k.version LIMIT 1) i`;

// OFFSET 0 does for many what LIMIT does for one.
const MADE = `SELECT k.ord, ${INSTANCE} FROM unnest($1::text[]) WITH ORDINALITY AS k (from_key, ord)
  CROSS JOIN LATERAL (SELECT * FROM instance i WHERE i.from_key = k.from_key OFFSET 0) i ORDER BY i.meta, i.id, i.para, i.version`;

const ON_KEY = "t.from_meta = k.meta AND t.from_id = k.id AND t.from_para = k.para AND t.from_version = k.version";
const OPEN = `SELECT k.ord, (SELECT count(*) FROM task t WHERE ${ON_KEY}), (SELECT count(*) FROM failed_task t WHERE ${ON_KEY})
  FROM unnest($1::text[], $2::text[], $3::text[], $4::int4[]) WITH ORDINALITY AS k (meta, id, para, version, ord)`;

/** The texts of the statements, for a look at how they are planned. */
export const lookupStatements: readonly string[] = [LATEST, LOAD, MADE, OPEN];

/** The last versions of lines. */
export function latestStatement(lines: readonly Omit<Locator, "version">[]): Statement {
  return { name: "latest", text: LATEST, values: lineValues(lines) };
}

/** Instances by their whole keys. */
export function loadStatement(keys: readonly Locator[]): Statement {
  return { name: "load", text: LOAD, values: [...lineValues(keys), keys.map(({ version }) => version)] };
}

/** What was made from instances, in ascending order of keys. */
export function madeStatement(keys: readonly Locator[]): Statement {
  return { name: "made", text: MADE, values: [keys.map(keyOf)] };
}

/** How many tasks, and how many failed ones, work on each of some instances. */
export function openStatement(keys: readonly Locator[]): Statement {
  return { name: "open", text: OPEN, values: [...lineValues(keys), keys.map(({ version }) => version)] };
}

function lineValues(lines: readonly Omit<Locator, "version">[]): string[][] {
  return [lines.map(({ meta }) => meta), lines.map(({ id }) => storedId(id)), lines.map(({ para }) => para)];
}

/** The answers to what was asked for, whose first cells say where they belong, from 1. */
export function placed(length: number, rows: readonly Row[]): (Instance | undefined)[] {
  const found = new Array<Instance | undefined>(length).fill(undefined);
  for (const [ord, ...row] of rows) found[(ord as number) - 1] = instanceOf(row);
  return found;
}
