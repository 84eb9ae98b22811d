import type { Connections, Run, Statement } from "./postgres-connections.ts";
import type { RepairWork } from "./repairs.ts";
import type { Failure, Retry } from "./store.ts";

/**
 * Engines in the database: a slot each, with a lease by the clock of the database, so that clocks of nodes that differ do no harm.
 *
 * Who stores a task, claims it or takes it over locks its slot's row (FOR KEY SHARE) until the transaction ends; who frees the tasks of a slot
 * deletes that row first. So either the task is stored before it is freed, or not at all: no task belongs to a slot that is gone.
 */

const NOW_MS = "(extract(epoch FROM clock_timestamp()) * 1000)::int8";
/** How long a new engine lives before its first renewal. */
const FIRST_LEASE_MS = 30_000;

/** A slot for an engine that begins. */
export async function registerSlot(run: Run): Promise<number> {
  const [row] = await run({
    text: `INSERT INTO engine (started_ms, lease_until_ms) VALUES (${NOW_MS}, ${NOW_MS} + ${FIRST_LEASE_MS}) RETURNING slot`,
  });
  return row?.[0] as number;
}

/** Whether a slot is there; it stays so until the transaction ends. */
export async function holdSlot(run: Run, slot: number): Promise<boolean> {
  return (await run({ text: "SELECT slot FROM engine WHERE slot = $1 FOR KEY SHARE", values: [slot] })).length > 0;
}

/**
 * A new slot for an engine that goes on, which has the tasks of the old one from now on, but not the loose ones: those are free. Waits for
 * statements that are still under way for the old slot, and leaves those that come later without one.
 */
export async function replaceSlot(run: Run, old: number, { loose, retries, failures }: RepairWork): Promise<number> {
  const slot = await registerSlot(run);
  await run({ text: "DELETE FROM engine WHERE slot = $1", values: [old] });
  await run({ text: "UPDATE task SET owner = NULL WHERE owner = $1 AND id = ANY ($2::int8[])", values: [old, loose] });
  await run({ text: "UPDATE task SET owner = $2 WHERE owner = $1", values: [old, slot] });
  if (retries.length > 0) await run(retryStatement(slot, retries));
  if (failures.length > 0) await run(failStatement(slot, failures));
  return slot;
}

/** Frees the tasks of a slot and gives it up. */
export async function leaveSlot(run: Run, slot: number): Promise<void> {
  await run({ text: "DELETE FROM engine WHERE slot = $1", values: [slot] });
  await run({ text: "UPDATE task SET owner = NULL WHERE owner = $1", values: [slot] });
}

/** Prolongs the lease of a slot. False = it is gone. */
export async function prolongLease(connections: Connections, slot: number, leaseMs: number): Promise<boolean> {
  const rows = await connections.write({
    name: "prolong",
    text: `UPDATE engine SET lease_until_ms = ${NOW_MS} + $2 WHERE slot = $1 RETURNING slot`,
    values: [slot, leaseMs],
  });
  return rows.length > 0;
}

/** Frees the tasks of engines whose lease ran out; how many. */
export function freeDead(connections: Connections): Promise<number> {
  return connections.transact(async (run) => {
    const dead = await run({ text: `DELETE FROM engine WHERE lease_until_ms < ${NOW_MS} RETURNING slot` });
    if (dead.length === 0) return 0;
    const freed = await run({
      text: "UPDATE task SET owner = NULL WHERE owner = ANY ($1::int8[]) RETURNING id",
      values: [dead.map(([slot]) => slot)],
    });
    return freed.length;
  });
}

export function retryStatement(slot: number, retries: readonly Retry[]): Statement {
  return {
    name: "retry",
    text: `UPDATE task t SET owner = NULL, due_ms = r.due_ms, attempts = t.attempts + r.tries, error = r.error
      FROM unnest($2::int8[], $3::int8[], $4::int4[], $5::text[]) AS r (id, due_ms, tries, error)
      WHERE t.id = r.id AND t.owner = $1`,
    values: [
      slot,
      retries.map(({ taskId }) => taskId),
      retries.map(({ dueMs }) => dueMs),
      retries.map(({ counts }) => (counts ? 1 : 0)),
      retries.map(({ error }) => withoutNul(error)),
    ],
  };
}

export function failStatement(slot: number, failures: readonly Failure[]): Statement {
  return {
    name: "fail",
    text: `WITH gone AS (
        DELETE FROM task t USING unnest($2::int8[], $3::text[], $4::text[], $5::int8[]) AS f (id, code, error, failed_ms)
        WHERE t.id = f.id AND t.owner = $1
        RETURNING t.id, from_meta, from_id, from_para, from_version, to_meta, mission, created_ms, due_ms, attempts, f.code, f.error, f.failed_ms)
      INSERT INTO failed_task (id, from_meta, from_id, from_para, from_version, to_meta, mission, created_ms, due_ms, attempts, code, error,
        failed_ms) SELECT * FROM gone`,
    values: [
      slot,
      failures.map(({ taskId }) => taskId),
      failures.map(({ code }) => code),
      failures.map(({ error }) => withoutNul(error)),
      failures.map(({ failedMs }) => failedMs),
    ],
  };
}

/** Texts of foreign errors may hold what PostgreSQL does not store. */
function withoutNul(text: string): string {
  return text.replaceAll("\0", "\u{fffd}");
}
