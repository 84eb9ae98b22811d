import type { Meta } from "../meta/meta.ts";
import type { Relation } from "../relation/relation.ts";
import type { Backlog, FailedQuery, RegistryEdit } from "./admin.ts";
import { DiskWatch } from "./disk-watch.ts";
import { countTasksSql, rangeSql, type Sql } from "./range-sql.ts";
import { Repairs } from "./repairs.ts";
import { type Cell, FAILED_COLUMNS, INSTANCE_COLUMNS, metaOf, type Row, readId, relationOf, TASK_COLUMNS } from "./rows.ts";
import { SqliteCommit } from "./sqlite-commit.ts";
import { SqliteDatabase, type Statement } from "./sqlite-database.ts";
import { CHILDREN, childrenOf, SqliteSources } from "./sqlite-sources.ts";
import type { PackedResults, PackedUnits, WorkerStart } from "./sqlite-wire.ts";
import type { Failure, RangeQuery, Retry, TaskRange } from "./store.ts";

const INSTANCE = INSTANCE_COLUMNS.join(", ");
const TASK = TASK_COLUMNS.join(", ");
/** A task with what its last try adds. */
const COUNTED = TASK_COLUMNS.map((column) => (column === "attempts" ? "attempts + ?6" : column)).join(", ");
const FAILED = FAILED_COLUMNS.join(", ");

/**
 * The store as it looks in the thread that has the database: each method returns when it is done. Every method that writes is one
 * transaction. The file has one engine at a time, so leases never run out here; the tasks of the one before are freed at the start.
 */
export class SqliteStore {
  readonly #database: SqliteDatabase;
  readonly #disk: DiskWatch;
  readonly #commit: SqliteCommit;
  readonly #sources: SqliteSources;
  readonly #repairs = new Repairs();
  readonly #statements = new Map<string, Statement>();
  readonly #slot: number;

  constructor(start: WorkerStart) {
    this.#database = new SqliteDatabase(start);
    this.#disk = new DiskWatch(start.folder, start.minFreeBytes, () => this.#database.freeBytes);
    try {
      this.#sources = new SqliteSources(this.#database);
      this.#commit = new SqliteCommit(this.#database, this.#sources);
      this.#slot = this.#takeSlot(start.nowMs);
    } catch (thrown) {
      this.#database.close();
      throw thrown;
    }
  }

  #takeSlot(nowMs: number): number {
    return this.#database.transact("begin", () => {
      this.#run("UPDATE task SET owner = NULL WHERE owner IS NOT NULL", []);
      this.#run("DELETE FROM engine", []);
      return Number(this.#get("INSERT INTO engine (started_ms, lease_until_ms) VALUES (?, 0) RETURNING slot", [nowMs])?.[0]);
    });
  }

  /** Sets right what failed before (S7); to be called before each request. */
  recover(): void {
    if (this.#repairs.isEmpty) return;
    const work = this.#repairs.take();
    try {
      this.#database.transact("go on after a failure", () => {
        for (const retry of work.retries) this.#retry(retry);
        for (const failure of work.failures) this.#fail(failure);
      });
    } catch {
      this.#repairs.add(work);
    }
  }

  // -- Work --

  commit(units: PackedUnits): PackedResults {
    this.#disk.check(units.size);
    try {
      return this.#database.transact("store", () => this.#commit.run(units, this.#slot));
    } catch (thrown) {
      this.#sources.forget();
      throw thrown;
    }
  }

  latest(lines: readonly Row[]): (Row | undefined)[] {
    const sql = `SELECT ${INSTANCE} FROM instance WHERE meta = ? AND id = ? AND para = ? ORDER BY version DESC LIMIT 1`;
    return this.#database.query("read instances", () => lines.map((line) => this.#get(sql, line)));
  }

  load(keys: readonly Row[]): (Row | undefined)[] {
    const sql = `SELECT ${INSTANCE} FROM instance WHERE meta = ? AND id = ? AND para = ? AND version = ?`;
    return this.#database.query("read instances", () => keys.map((key) => this.#get(sql, key)));
  }

  claim(nowMs: number, limit: number): Row[] {
    const sql = `UPDATE task SET owner = ?1 WHERE id IN
      (SELECT id FROM task WHERE owner IS NULL AND due_ms <= ?2 ORDER BY due_ms, id LIMIT ?3) RETURNING ${TASK}`;
    return this.#database.transact("claim tasks", () => this.#all(sql, [this.#slot, nowMs, limit]));
  }

  nextDueMs(): number | undefined {
    const sql = "SELECT due_ms FROM task WHERE owner IS NULL ORDER BY due_ms LIMIT 1";
    return this.#database.query("read tasks", () => this.#get(sql, [])?.[0] as number | undefined);
  }

  retry(retries: readonly Retry[]): void {
    this.#orLater({ retries }, () => {
      for (const retry of retries) this.#retry(retry);
    });
  }

  fail(failures: readonly Failure[]): void {
    this.#orLater({ failures }, () => {
      for (const failure of failures) this.#fail(failure);
    });
  }

  #orLater(work: { retries: readonly Retry[] } | { failures: readonly Failure[] }, write: () => void): void {
    try {
      this.#database.transact("put tasks back", write);
    } catch (thrown) {
      this.#repairs.add(work);
      throw thrown;
    }
  }

  #retry({ taskId, dueMs, error, counts }: Retry): void {
    this.#run("UPDATE task SET owner = NULL, due_ms = ?, attempts = attempts + ?, error = ? WHERE id = ? AND owner = ?", [
      dueMs,
      counts ? 1 : 0,
      error,
      taskId,
      this.#slot,
    ]);
  }

  #fail({ taskId, code, error, failedMs, counts }: Failure): void {
    const own = [taskId, this.#slot];
    this.#run(`INSERT INTO failed_task (${FAILED}) SELECT ${COUNTED}, ?3, ?4, ?5 FROM task WHERE id = ?1 AND owner = ?2`, [
      ...own,
      code,
      error,
      failedMs,
      counts ? 1 : 0,
    ]);
    this.#run("DELETE FROM task WHERE id = ? AND owner = ?", own);
  }

  task(id: number): Row | undefined {
    return this.#database.query("read tasks", () => this.#get(`SELECT ${TASK} FROM task WHERE id = ?`, [id]));
  }

  take(id: number): Row | undefined {
    const sql = `UPDATE task SET owner = ? WHERE id = ? RETURNING ${TASK}`;
    return this.#database.transact("take a task", () => this.#all(sql, [this.#slot, id])[0]);
  }

  outcomes(keys: readonly Row[]): { instances: Row[]; open: number; failed: number }[] {
    const where = "WHERE from_meta = ? AND from_id = ? AND from_para = ? AND from_version = ?";
    const made = `SELECT ${INSTANCE} FROM instance WHERE ${CHILDREN} ORDER BY meta, id, para, version`;
    return this.#database.query("read what came of instances", () =>
      keys.map((key) => {
        const [meta, id, para, version] = key;
        return {
          instances: this.#all(made, childrenOf(this.#sources, `${meta}|${readId(String(id))}|${para}|${version}`)),
          open: Number(this.#get(`SELECT count(*) FROM task ${where}`, key)?.[0]),
          failed: Number(this.#get(`SELECT count(*) FROM failed_task ${where}`, key)?.[0]),
        };
      }),
    );
  }

  /** What was made from an instance, in the order of keys, from after a key on. */
  downstream(fromKey: string, after: Row | undefined, limit: number): Row[] {
    const further = after === undefined ? "" : "AND (meta, id, para, version) > (?5, ?6, ?7, ?8)";
    const sql = `SELECT ${INSTANCE} FROM instance WHERE ${CHILDREN} ${further} ORDER BY meta, id, para, version LIMIT ?4`;
    return this.#database.query("read instances", () =>
      this.#all(sql, [...childrenOf(this.#sources, fromKey), limit, ...(after ?? [])]),
    );
  }

  countTasks(query: TaskRange): number {
    return this.#database.query("count tasks", () => Number(this.#dynamic(countTasksSql(query))[0]?.[0]));
  }

  range(query: RangeQuery): Row[] {
    return this.#database.query("read instances", () => this.#dynamic(rangeSql(query)));
  }

  taskBlock(): number {
    const sql = "UPDATE setting SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE name = 'task_block' RETURNING value";
    return this.#database.transact("take task ids", () => Number(this.#all(sql, [])[0]?.[0]) - 1);
  }

  // -- What is declared --

  loadRegistry(): { version: number; metas: Meta[]; relations: Relation[] } {
    return this.#database.query("read what is declared", () => ({
      version: Number(this.#get("SELECT value FROM setting WHERE name = 'registry_version'", [])?.[0]),
      metas: this.#all("SELECT meta, description, states, fields, settings, enabled FROM meta ORDER BY id", []).map(metaOf),
      relations: this.#all("SELECT from_meta, to_meta, settings, enabled FROM relation ORDER BY id", []).map(relationOf),
    }));
  }

  editRegistry(edits: readonly RegistryEdit[], ifVersion: number | undefined, nowMs: number): number | undefined {
    return this.#database.transact("change what is declared", () => {
      const version = Number(this.#get("SELECT value FROM setting WHERE name = 'registry_version'", [])?.[0]);
      if (ifVersion !== undefined && ifVersion !== version) return undefined;
      for (const edit of edits) this.#edit(edit, nowMs);
      this.#run("UPDATE setting SET value = ? WHERE name = 'registry_version'", [String(version + 1)]);
      return version + 1;
    });
  }

  #edit(edit: RegistryEdit, nowMs: number): void {
    if (edit.op === "put-meta") {
      this.#run(
        `INSERT INTO meta (meta, description, states, fields, settings, enabled, created_ms, changed_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT (meta) DO UPDATE SET description = ?2, states = ?3, fields = ?4,
          settings = ?5, enabled = ?6, changed_ms = ?7`,
        [...metaCells(edit.meta), nowMs],
      );
    } else if (edit.op === "put-relation") {
      const { from, to, settings, enabled } = edit.relation;
      this.#run(
        `INSERT INTO relation (from_meta, to_meta, settings, enabled, created_ms, changed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
        ON CONFLICT (from_meta, to_meta) DO UPDATE SET settings = ?3, enabled = ?4, changed_ms = ?5`,
        [from, to, JSON.stringify(settings), enabled ? 1 : 0, nowMs],
      );
    } else if (edit.op === "delete-meta") {
      this.#run("DELETE FROM meta WHERE meta = ?", [edit.meta]);
    } else {
      this.#run("DELETE FROM relation WHERE from_meta = ? AND to_meta = ?", [edit.from, edit.to]);
    }
  }

  hasInstances(meta: string): boolean {
    return this.#database.query(
      "read instances",
      () => this.#get("SELECT 1 FROM instance WHERE meta = ? LIMIT 1", [meta]) !== undefined,
    );
  }

  setting(name: string, preset: string): string {
    return this.#database.transact("read a setting", () => {
      this.#run("INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", [name, preset]);
      return String(this.#get("SELECT value FROM setting WHERE name = ?", [name])?.[0]);
    });
  }

  // -- Upkeep --

  removeOld(meta: string, createdLtMs: number, limit: number): number {
    this.#sources.forget();
    return this.#database.transact("remove old instances", () => this.#run(REMOVE_OLD, [meta, createdLtMs, limit]));
  }

  backlog(nowMs: number): Backlog {
    const sql = `SELECT count(owner), coalesce(sum(owner IS NULL AND due_ms <= ?1), 0), coalesce(sum(owner IS NULL AND due_ms > ?1), 0),
      (SELECT count(*) FROM failed_task), min(CASE WHEN owner IS NULL AND due_ms <= ?1 THEN due_ms END) FROM task`;
    return this.#database.query("count tasks", () => {
      const [owned, due, delayed, failed, oldest] = this.#get(sql, [nowMs]) as [number, number, number, number, number | null];
      return { owned, due, delayed, failed, oldestDueMs: oldest ?? undefined };
    });
  }

  failedTasks({ afterId = 0, to, limit }: FailedQuery): Row[] {
    const sql = `SELECT ${FAILED} FROM failed_task WHERE id > ?1 AND (?2 IS NULL OR to_meta = ?2) ORDER BY id LIMIT ?3`;
    return this.#database.query("read failed tasks", () => this.#all(sql, [afterId, to ?? null, limit]));
  }

  replayFailed(ids: readonly number[], nowMs: number, mission: string | undefined): number[] {
    return this.#database.transact("replay failed tasks", () => {
      const list = JSON.stringify(ids);
      this.#run(
        `INSERT INTO task (${TASK}) SELECT id, from_meta, from_id, from_para, from_version, to_meta, coalesce(?3, mission), created_ms, ?2, 0
        FROM failed_task WHERE id IN (SELECT value FROM json_each(?1))`,
        [list, nowMs, mission ?? null],
      );
      const gone = this.#all("DELETE FROM failed_task WHERE id IN (SELECT value FROM json_each(?)) RETURNING id", [list]);
      return gone.map(([id]) => id as number).sort((a, b) => a - b);
    });
  }

  dropFailed(ids: readonly number[]): number {
    const sql = "DELETE FROM failed_task WHERE id IN (SELECT value FROM json_each(?))";
    return this.#database.transact("forget failed tasks", () => this.#run(sql, [JSON.stringify(ids)]));
  }

  close(): void {
    this.recover();
    try {
      this.#database.transact("be closed", () => this.#run("UPDATE task SET owner = NULL WHERE owner IS NOT NULL", []));
    } catch {
      // The next start does it.
    }
    this.#database.query("be closed", () => this.#database.close());
  }

  // -- Statements, prepared at first use --

  #statement(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #run(sql: string, cells: Row): number {
    return this.#statement(sql).run(cells).changes;
  }

  #get(sql: string, cells: Row): Row | undefined {
    return this.#statement(sql).get(cells);
  }

  #all(sql: string, cells: Row): Row[] {
    return this.#statement(sql).all(cells);
  }

  #dynamic({ text, values }: Sql): Row[] {
    return this.#database.prepare(text.replaceAll("$", "?")).all(values);
  }
}

/** The old ones of a meta, but not what work is still done on, and the last version of a line only when it is the only one. */
const REMOVE_OLD = `DELETE FROM instance WHERE rowid IN (
  SELECT i.rowid FROM instance i WHERE i.meta = ?1 AND i.created_ms < ?2
    AND (i.version = 0
      OR EXISTS (SELECT 1 FROM instance n WHERE n.meta = i.meta AND n.id = i.id AND n.para = i.para AND n.version > i.version)
      OR NOT EXISTS (SELECT 1 FROM instance n WHERE n.meta = i.meta AND n.id = i.id AND n.para = i.para AND n.version < i.version))
    AND (i.id, i.para, i.version) NOT IN (SELECT from_id, from_para, from_version FROM task WHERE from_meta = ?1)
    AND (i.id, i.para, i.version) NOT IN (SELECT from_id, from_para, from_version FROM failed_task WHERE from_meta = ?1)
  ORDER BY i.created_ms, i.version LIMIT ?3)`;

function metaCells({ meta, description, states, fields, settings, enabled }: Meta): Cell[] {
  return [
    meta,
    description ?? "",
    states ?? "",
    fields === undefined ? null : JSON.stringify(fields),
    JSON.stringify(settings ?? {}),
    enabled === false ? 0 : 1,
  ];
}
