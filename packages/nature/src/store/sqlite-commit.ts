import { type Cell, INSTANCE_COLUMNS } from "./rows.ts";
import type { SqliteDatabase, Statement } from "./sqlite-database.ts";
import type { SqliteSources } from "./sqlite-sources.ts";
import type { PackedResults, PackedUnits } from "./sqlite-wire.ts";
import { INSTANCE_WIDTH, STATUS, TASK_WIDTH } from "./sqlite-wire.ts";

/**
 * How units of work are stored. Rows go in one by one through prepared statements. Sets (`INSERT … SELECT … FROM json_each(?)`) and statements
 * of 8 or 32 rows each were measured beside that, in time of the processor per row: 36 µs one by one, 44 to 50 as sets, 43 to 52 by eights
 * with 64 rows in a commit; 17 to 21, 24 to 30 and 25 to 31 with 512. Crossing into the binding costs less than JSON does, and row by
 * row is known at once what was there before.
 */
export class SqliteCommit {
  readonly #sql: Record<"put" | "addTask" | "endTask" | "last" | "made" | "mark" | "undo" | "keep", Statement>;

  readonly #sources: SqliteSources;

  constructor(database: SqliteDatabase, sources: SqliteSources) {
    this.#sources = sources;
    this.#sql = {
      put: database.prepare(PUT),
      addTask: database.prepare("INSERT INTO task VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)"),
      endTask: database.prepare("DELETE FROM task WHERE id = ? AND owner = ?"),
      last: database.prepare("SELECT max(version) FROM instance WHERE meta = ? AND id = ? AND para = ?"),
      made: database.prepare(
        "SELECT 1 FROM instance WHERE from_ref IN (?, ?) AND from_key = ? AND meta = ? AND id = ? AND para = ?",
      ),
      mark: database.prepare("SAVEPOINT unit"),
      undo: database.prepare("ROLLBACK TO unit"),
      keep: database.prepare("RELEASE unit"),
    };
  }

  /** Runs within a transaction of the caller. */
  run(units: PackedUnits, slot: number): PackedResults {
    const reader = { instance: 0, task: 0 };
    const statuses = new Uint8Array(units.taskIds.length);
    const stored = new Uint8Array(units.instances.length / INSTANCE_WIDTH);
    for (let at = 0; at < statuses.length; at++) {
      const count = units.counts[at] as number;
      const unit: UnitPlace = { taskId: units.taskIds[at] as number, first: reader.instance, count, firstTask: reader.task };
      statuses[at] = this.#unit(units, unit, { slot, stored });
      for (let i = 0; i < count; i++) reader.task += units.taskCounts[reader.instance++] as number;
    }
    return { statuses, stored };
  }

  #unit(units: PackedUnits, unit: UnitPlace, out: Out): number {
    if (!mayClash(units, unit)) return this.#store(units, unit, out);
    // Only a version can be taken; then what was stored of its unit is taken back.
    this.#sql.mark.run([]);
    const status = this.#store(units, unit, out);
    if (status !== STATUS.done) {
      this.#sql.undo.run([]);
      this.#sources.forget();
      out.stored.fill(0, unit.first, unit.first + unit.count);
    }
    this.#sql.keep.run([]);
    return status;
  }

  #store(units: PackedUnits, { taskId, first, count, firstTask }: UnitPlace, { slot, stored }: Out): number {
    if (taskId !== 0 && this.#sql.endTask.run([taskId, slot]).changes === 0) return STATUS.lost;
    let task = firstTask;
    for (let at = first; at < first + count; at++) {
      const row = units.instances.slice(at * INSTANCE_WIDTH, (at + 1) * INSTANCE_WIDTH);
      const tasks = units.taskCounts[at] as number;
      const isNew = this.#put(row, tasks > 0 || count > 1);
      if (isNew === undefined) return STATUS.conflict;
      if (isNew) {
        stored[at] = 1;
        this.#addTasks(units, { from: task, to: task + tasks, slot });
      }
      task += tasks;
    }
    return STATUS.done;
  }

  /** Whether it is new; undefined = its version is taken by another, or comes too early. */
  #put(row: Cell[], hasFollowers: boolean): boolean | undefined {
    const [meta = null, id = null, para = null, version] = row;
    const from = row[FROM_KEY] as string | null;
    if (version !== 0) {
      if (from !== null && this.#sql.made.get([...this.#sources.all(from), from, meta, id, para]) !== undefined) return false;
      const last = this.#sql.last.get([meta, id, para])?.[0] ?? 0;
      if (last !== (version as number) - 1) return undefined;
    }
    row.push(from === null ? null : this.#sources.of(from));
    const { changes, lastInsertRowid } = this.#sql.put.run(row);
    if (changes === 0) return false;
    if (hasFollowers) this.#sources.stored(row, lastInsertRowid);
    return true;
  }

  #addTasks({ tasks }: PackedUnits, { from, to, slot }: { from: number; to: number; slot: number }): void {
    for (let at = from; at < to; at++) {
      const row = tasks.slice(at * TASK_WIDTH, (at + 1) * TASK_WIDTH);
      row[TASK_WIDTH - 1] = row[TASK_WIDTH - 1] === 1 ? slot : null;
      this.#sql.addTask.run(row);
    }
  }
}

const PUT = `INSERT INTO instance (${INSTANCE_COLUMNS.join(", ")}, from_ref)
  VALUES (${"?, ".repeat(INSTANCE_COLUMNS.length)}?) ON CONFLICT DO NOTHING`;
const VERSION = 3;
const FROM_KEY = 8;

interface UnitPlace {
  /** 0 = none. */
  readonly taskId: number;
  readonly first: number;
  readonly count: number;
  readonly firstTask: number;
}

interface Out {
  readonly slot: number;
  readonly stored: Uint8Array;
}

function mayClash({ instances }: PackedUnits, { first, count }: UnitPlace): boolean {
  for (let at = first; at < first + count; at++) if (instances[at * INSTANCE_WIDTH + VERSION] !== 0) return true;
  return false;
}
