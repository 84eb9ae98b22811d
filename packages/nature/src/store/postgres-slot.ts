import type { Connections, Run, Statement } from "./postgres-connections.ts";
import type { RepairWork } from "./repairs.ts";
import { TASK_COLUMNS } from "./rows.ts";
import type { Failure, Retry } from "./store.ts";

const TASK = TASK_COLUMNS.join(", ");
/** A task with what its last try adds. */
const COUNTED = TASK_COLUMNS.map((column) => (column === "attempts" ? "attempts + $6" : column)).join(", ");

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
  for (const retry of retries) await run(retryStatement(slot, retry));
  for (const failure of failures) await run(failStatement(slot, failure));
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

/** Frees the tasks of other engines whose lease ran out; how many. */
export function freeDead(connections: Connections, own: number): Promise<number> {
  return connections.transact(async (run) => {
    const text = `DELETE FROM engine WHERE slot <> $1 AND lease_until_ms < ${NOW_MS} RETURNING slot`;
    const dead = await run({ text, values: [own] });
    if (dead.length === 0) return 0;
    const freed = await run({
      text: "UPDATE task SET owner = NULL WHERE owner = ANY ($1::int8[]) RETURNING id",
      values: [dead.map(([slot]) => slot)],
    });
    return freed.length;
  });
}

/** One task at a time, as they come: a list of them as a table would leave it to the server whether it looks each up or reads all. */
export function retryStatement(slot: number, { taskId, dueMs, error, counts }: Retry): Statement {
  return {
    name: "retry",
    text: "UPDATE task SET owner = NULL, due_ms = $3, attempts = attempts + $4, error = $5 WHERE id = $2 AND owner = $1",
    values: [slot, taskId, dueMs, counts ? 1 : 0, withoutNul(error)],
  };
}

export function failStatement(slot: number, { taskId, code, error, failedMs, counts }: Failure): Statement {
  return {
    name: "fail",
    text: `WITH gone AS (DELETE FROM task WHERE id = $2 AND owner = $1 RETURNING ${TASK})
      INSERT INTO failed_task (${TASK}, code, error, failed_ms) SELECT ${COUNTED}, $3, $4, $5 FROM gone`,
    values: [slot, taskId, code, withoutNul(error), failedMs, counts ? 1 : 0],
  };
}

/** Texts of foreign errors may hold what PostgreSQL does not store. */
function withoutNul(text: string): string {
  return text.replaceAll("\0", "\u{fffd}");
}
