import { MetanodeError } from "@metanode/core/errors";
import { lineKeyOf } from "../instance/instance.ts";
import type { Statement } from "./postgres-connections.ts";
import { type Cell, INSTANCE_COLUMNS, instanceRow, type Row, TASK_COLUMNS, taskRow } from "./rows.ts";
import type { Unit, UnitResult } from "./store.ts";

/**
 * How units of work are stored: one statement for all of them, which is a transaction of its own.
 *
 *  C1. Units in one statement touch different lines and different tasks, so that the order of rows in it does not matter. What would meet goes
 *      into a later statement of the same transaction.
 *  C2. A statement does nothing if its engine's slot is gone. While it runs the slot stays: freeing the tasks of a slot waits for it.
 *  C3. A version that was taken is found by looking before; one that is taken between looking and storing breaks the unique key, and the whole
 *      statement is made anew.
 *  C4. How a statement is planned does not depend on what is in the tables. It is planned once, often while they are nearly empty, and used
 *      while they grow by thousands of rows a second: a plan that reads a whole table then would read it for every commit.
 *
 * Measured beside `unnest`: sets as JSON and one long list of VALUES, 64 and 512 rows each, are as fast within what the machine varies.
 */

const INSTANCE_TYPES: Readonly<Record<(typeof INSTANCE_COLUMNS)[number], string>> = {
  meta: "text",
  id: "text",
  para: "text",
  version: "int4",
  content: "text",
  context: "text",
  sys_context: "text",
  states: "text",
  from_key: "text",
  created_ms: "int8",
};

const TASK_TYPES: Readonly<Record<(typeof TASK_COLUMNS)[number], string>> = {
  id: "int8",
  from_meta: "text",
  from_id: "text",
  from_para: "text",
  from_version: "int4",
  to_meta: "text",
  mission: "text",
  created_ms: "int8",
  due_ms: "int8",
  attempts: "int4",
};

const INSTANCE = INSTANCE_COLUMNS.join(", ");
const TASK = TASK_COLUMNS.join(", ");

/** `unnest` of parameters from number `first` on, as a table. */
function unnest(columns: Readonly<Record<string, string>>, first: number, name: string): string {
  const arrays = Object.values(columns).map((type, at) => `$${first + at}::${type}[]`);
  return `unnest(${arrays.join(", ")}) AS ${name} (${Object.keys(columns).join(", ")})`;
}

const GIVEN = { ord: "int4", unit: "int4", task: "int8", ...INSTANCE_TYPES };
const FOLLOWING = { ord: "int4", mine: "int4", ...TASK_TYPES };
/** After the slot and the tasks that end. */
const FIRST_GIVEN = 3;
const FIRST_FOLLOWING = FIRST_GIVEN + Object.keys(GIVEN).length;

/**
 * The statement; without versions the parts that look for taken ones are left out. Each table is reached in a way that can only be an
 * index lookup by key, never a join (C4).
 */
function commitSql(hasVersions: boolean): string {
  const when = (text: string): string => (hasVersions ? text : "");
  return `WITH
  me AS MATERIALIZED (SELECT slot FROM engine WHERE slot = $1 FOR KEY SHARE),
  given AS MATERIALIZED (SELECT * FROM ${unnest(GIVEN, FIRST_GIVEN, "g")}),
  ${when(`owned AS MATERIALIZED (SELECT t.id FROM task t WHERE t.id = ANY ($2::int8[]) AND t.owner = $1),
  seen AS MATERIALIZED (
    SELECT g.ord, g.unit, g.task, made.id IS NOT NULL AS is_made, coalesce(last.version, 0) = g.version - 1 AS is_next
    FROM given g
    LEFT JOIN LATERAL (
      SELECT i.id FROM instance i
      WHERE i.from_key = g.from_key AND i.meta || '' = g.meta AND i.id || '' = g.id AND i.para || '' = g.para LIMIT 1) made ON true
    LEFT JOIN LATERAL (
      SELECT i.version FROM instance i
      WHERE i.meta = g.meta AND i.id = g.id AND i.para = g.para ORDER BY i.version DESC LIMIT 1) last ON true
    WHERE g.version > 0),
  clash AS MATERIALIZED (SELECT DISTINCT unit, task FROM seen WHERE NOT is_made AND NOT is_next),`)}
  ended AS (
    DELETE FROM task t WHERE t.id = ANY ($2::int8[]) AND t.owner = $1 AND EXISTS (SELECT FROM me)
      ${when("AND t.id NOT IN (SELECT task FROM clash)")} RETURNING t.id),
  good AS MATERIALIZED (
    SELECT g.* FROM given g
    WHERE EXISTS (SELECT FROM me) AND (g.task = 0 OR g.task IN (SELECT id FROM ended))
      ${when("AND g.unit NOT IN (SELECT unit FROM clash) AND g.ord NOT IN (SELECT ord FROM seen WHERE is_made)")}),
  plain AS (
    INSERT INTO instance (${INSTANCE}) SELECT ${INSTANCE} FROM good WHERE version = 0 ORDER BY meta, id, para
    ON CONFLICT DO NOTHING RETURNING meta, id, para, version),
  ${when(`versions AS (
    INSERT INTO instance (${INSTANCE}) SELECT ${INSTANCE} FROM good WHERE version > 0 ORDER BY meta, id, para
    RETURNING meta, id, para, version),`)}
  fresh AS MATERIALIZED (
    SELECT g.ord FROM good g JOIN (SELECT * FROM plain ${when("UNION ALL SELECT * FROM versions")}) s USING (meta, id, para, version)),
  added AS (
    INSERT INTO task (${TASK}, owner)
    SELECT ${TASK}, CASE WHEN mine = 1 THEN $1::int8 END FROM ${unnest(FOLLOWING, FIRST_FOLLOWING, "f")}
    WHERE f.ord IN (SELECT ord FROM fresh))
SELECT EXISTS (SELECT FROM me), ARRAY(SELECT ord FROM fresh), ARRAY(SELECT id FROM ended)
  ${when(", ARRAY(SELECT id FROM owned), ARRAY(SELECT unit FROM clash)")}`;
}

const PLAIN = { name: "commit", text: commitSql(false) };
const VERSIONED = { name: "commit_versions", text: commitSql(true) };

/** Both forms of the statement, for a look at how they are planned. */
export const commitStatements: readonly string[] = [PLAIN.text, VERSIONED.text];

/** Units that can go into one statement, with their places in the batch. */
export interface Round {
  readonly units: readonly Unit[];
  readonly places: readonly number[];
}

/** Parts a batch so that in each part no two units meet on a line or a task, and those that meet keep their order (C1). */
export function roundsOf(units: readonly Unit[]): Round[] {
  const rounds: Round[] = [];
  let rest = units.map((unit, place) => ({ unit, place, touches: touchesOf(unit) }));
  while (rest.length > 0) {
    const taken = new Set<string>();
    const later: typeof rest = [];
    const now = rest.filter((entry) => {
      const isFree = entry.touches.every((one) => !taken.has(one));
      // Those that wait hold back what they touch, for those behind them.
      for (const one of entry.touches) taken.add(one);
      if (!isFree) later.push(entry);
      return isFree;
    });
    rounds.push({ units: now.map(({ unit }) => unit), places: now.map(({ place }) => place) });
    rest = later;
  }
  return rounds;
}

function touchesOf({ taskId, instances }: Unit): string[] {
  const touches = instances.map(({ instance }) => lineKeyOf(instance));
  if (taskId !== undefined) touches.push(`task ${taskId}`);
  return touches;
}

/** The statement for a round; `ords` says which number each instance has in it, undefined for one that repeats another of its unit. */
export function roundStatement(
  slot: number,
  { units }: Round,
): { statement: Statement; ords: readonly (number | undefined)[][] } {
  const given: Cell[][] = [];
  const following: Cell[][] = [];
  const ords = units.map(({ taskId = 0, instances }, unit) => {
    const lines = new Map<string, number>();
    return instances.map(({ instance, tasks }) => {
      const line = lineKeyOf(instance);
      const before = lines.get(line);
      lines.set(line, instance.version);
      if (before !== undefined && before !== instance.version)
        throw new MetanodeError(
          "core.internal",
          `a unit holds versions ${before} and ${instance.version} of ${line}; one is allowed`,
        );
      if (before !== undefined) return undefined;
      const ord = given.length;
      given.push([ord, unit, taskId, ...instanceRow(instance)]);
      for (const task of tasks) following.push([ord, task.mine ? 1 : 0, ...taskRow(task)]);
      return ord;
    });
  });
  const hasVersions = units.some(({ instances }) => instances.some(({ instance }) => instance.version > 0));
  const values = [
    slot,
    units.flatMap(({ taskId }) => taskId ?? []),
    ...columns(given, Object.keys(GIVEN).length),
    ...columns(following, Object.keys(FOLLOWING).length),
  ];
  return { statement: { ...(hasVersions ? VERSIONED : PLAIN), values }, ords };
}

function columns(rows: readonly Cell[][], width: number): Cell[][] {
  return Array.from({ length: width }, (_, at) => rows.map((row) => row[at] as Cell));
}

/** What the statement said of each unit of its round; undefined = the slot is gone, and nothing happened. */
export function roundResults(
  round: Round,
  ords: readonly (number | undefined)[][],
  rows: readonly Row[],
): UnitResult[] | undefined {
  const [isAlive, fresh, ended, owned = ended, clash = []] = rows[0] as unknown as Answer;
  if (!isAlive) return undefined;
  const sets = {
    fresh: new Set(fresh),
    ended: new Set(ended.map(Number)),
    owned: new Set(owned.map(Number)),
    clash: new Set(clash),
  };
  return round.units.map(({ taskId }, unit): UnitResult => {
    const isOwned = taskId === undefined || sets.owned.has(taskId);
    if (isOwned && sets.clash.has(unit)) return { status: "conflict" };
    if (!isOwned || (taskId !== undefined && !sets.ended.has(taskId))) return { status: "lost" };
    return { status: "done", stored: (ords[unit] ?? []).map((ord) => ord !== undefined && sets.fresh.has(ord)) };
  });
}

/** Whether the slot is there; ords that are new; tasks that ended; tasks that are owned; units that clash. Ids come as text. */
type Answer = [isAlive: boolean, fresh: number[], ended: string[], owned?: string[], clash?: number[]];
