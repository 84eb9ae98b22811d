import type { WireError } from "@metanode/core/errors";
import { type Cell, INSTANCE_COLUMNS, instanceRow, TASK_COLUMNS, taskRow } from "./rows.ts";
import type { DatabaseOptions } from "./sqlite-database.ts";
import type { Unit, UnitResult } from "./store.ts";

/**
 * What crosses between the store and its thread. Units go as one flat array of cells for all instances and one for all tasks, in the order
 * in which the statements take them: cloning it costs a third of cloning objects.
 */

/** What the thread is started with. */
export interface WorkerStart extends DatabaseOptions {
  readonly minFreeBytes: number;
  readonly nowMs: number;
}

/** Asks the thread for one method of its store. */
export interface WorkerRequest {
  readonly id: number;
  readonly op: string;
  readonly args: readonly unknown[];
}

/** The thread's answers; id 0 is about its start. */
export type WorkerAnswer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: WireError };

/** Cells per instance. */
export const INSTANCE_WIDTH = INSTANCE_COLUMNS.length;
/** Cells per task: its columns, and whether it belongs to this engine. */
export const TASK_WIDTH = TASK_COLUMNS.length + 1;

/** Units of work, flat. */
export interface PackedUnits {
  /** Per unit; 0 = none. */
  readonly taskIds: readonly number[];
  /** Instances per unit. */
  readonly counts: readonly number[];
  readonly instances: Cell[];
  /** Tasks per instance. */
  readonly taskCounts: readonly number[];
  readonly tasks: Cell[];
  /** Some measure of how much it is, for the watch over the disk. */
  readonly size: number;
}

/** The spelling of a status on the way. */
export const STATUS = { done: 0, conflict: 1, lost: 2 } as const;

/** What became of units: a status each, and for each instance whether it is new. */
export interface PackedResults {
  readonly statuses: Uint8Array;
  readonly stored: Uint8Array;
}

export function packUnits(units: readonly Unit[]): PackedUnits {
  const taskIds: number[] = [];
  const counts: number[] = [];
  const instances: Cell[] = [];
  const taskCounts: number[] = [];
  const tasks: Cell[] = [];
  let size = 0;
  for (const unit of units) {
    taskIds.push(unit.taskId ?? 0);
    counts.push(unit.instances.length);
    for (const { instance, tasks: following } of unit.instances) {
      instances.push(...instanceRow(instance));
      taskCounts.push(following.length);
      size += instance.content.length;
      for (const task of following) {
        tasks.push(...taskRow(task), task.mine ? 1 : 0);
        size += task.mission.length;
      }
    }
  }
  return { taskIds, counts, instances, taskCounts, tasks, size };
}

export function unpackResults({ counts }: PackedUnits, { statuses, stored }: PackedResults): UnitResult[] {
  let at = 0;
  return counts.map((count, unit): UnitResult => {
    const first = at;
    at += count;
    if (statuses[unit] === STATUS.conflict) return { status: "conflict" };
    if (statuses[unit] === STATUS.lost) return { status: "lost" };
    return { status: "done", stored: Array.from(stored.subarray(first, at), (flag) => flag === 1) };
  });
}
