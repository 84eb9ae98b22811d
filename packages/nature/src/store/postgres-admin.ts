import type { Clock, Timer } from "@metanode/core/clock";
import type { Meta } from "../meta/meta.ts";
import type { Backlog, FailedQuery, MaintenanceStore, RegistryEdit, RegistryStore, StoredRegistry } from "./admin.ts";
import type { Connections, Run } from "./postgres-connections.ts";
import { FAILED_COLUMNS, failedTaskOf, metaOf, relationOf, TASK_COLUMNS } from "./rows.ts";
import type { FailedTask } from "./store.ts";
import { Watchers } from "./watchers.ts";

const TASK = TASK_COLUMNS.join(", ");
const FAILED = FAILED_COLUMNS.join(", ");
const VERSION = "SELECT value::int8 FROM setting WHERE name = 'registry_version'";

/** What is declared, and upkeep, on PostgreSQL. */
export class PostgresAdmin implements RegistryStore, MaintenanceStore {
  readonly #connections: Connections;
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #watchers = new Watchers();
  #poll: Timer | undefined;
  #isClosed = false;

  constructor(connections: Connections, clock: Clock, pollMs: number) {
    this.#connections = connections;
    this.#clock = clock;
    this.#pollMs = pollMs;
  }

  /** Ends the watch over edits of others. */
  close(): void {
    this.#isClosed = true;
    this.#poll?.cancel();
  }

  loadRegistry(): Promise<StoredRegistry> {
    return this.#connections.transact(async (run) => {
      // All three at one moment.
      await run({ text: "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY" });
      const [version] = await run({ text: VERSION });
      const metas = await run({ text: "SELECT meta, description, states, fields, settings, enabled FROM meta ORDER BY id" });
      const relations = await run({ text: "SELECT from_meta, to_meta, settings, enabled FROM relation ORDER BY id" });
      return { version: version?.[0] as number, metas: metas.map(metaOf), relations: relations.map(relationOf) };
    });
  }

  async editRegistry(edits: readonly RegistryEdit[], ifVersion?: number): Promise<number | undefined> {
    const version = await this.#connections.transact(async (run) => {
      // The lock on this row has editors wait for each other.
      const [row] = await run({ text: `${VERSION} FOR UPDATE` });
      const present = row?.[0] as number;
      if (ifVersion !== undefined && ifVersion !== present) return undefined;
      for (const edit of edits) await editOne(run, edit, Math.floor(this.#clock.now()));
      await run({ text: "UPDATE setting SET value = $1 WHERE name = 'registry_version'", values: [String(present + 1)] });
      return present + 1;
    });
    if (version !== undefined) this.#watchers.tell(version);
    return version;
  }

  watchRegistry(listener: (version: number) => void): () => void {
    const stop = this.#watchers.add(listener);
    this.#watch();
    return stop;
  }

  #watch(): void {
    if (this.#isClosed || this.#watchers.isEmpty) this.#poll = undefined;
    else this.#poll ??= this.#clock.setTimer(this.#pollMs, () => void this.#look());
  }

  /** A database that is away is asked again at the next turn. */
  async #look(): Promise<void> {
    const rows = await this.#connections.read({ name: "registry_version", text: VERSION }).catch(() => []);
    const version = rows[0]?.[0];
    // 0 is what a watcher begins with.
    if (!this.#isClosed && version !== undefined && version !== 0) this.#watchers.tell(version as number);
    this.#poll = undefined;
    this.#watch();
  }

  async hasInstances(meta: string): Promise<boolean> {
    const rows = await this.#connections.read({ text: "SELECT 1 FROM instance WHERE meta = $1 LIMIT 1", values: [meta] });
    return rows.length > 0;
  }

  async setting(name: string, preset: string): Promise<string> {
    // Two statements: the second sees what another node has set between.
    await this.#connections.write({
      text: "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      values: [name, preset],
    });
    const rows = await this.#connections.read({ text: "SELECT value FROM setting WHERE name = $1", values: [name] });
    return String(rows[0]?.[0]);
  }

  async removeOld({ meta, createdLtMs, limit }: { meta: string; createdLtMs: number; limit: number }): Promise<number> {
    const rows = await this.#connections.write({ text: REMOVE_OLD, values: [meta, createdLtMs, limit] });
    return rows[0]?.[0] as number;
  }

  async backlog(nowMs: number): Promise<Backlog> {
    const rows = await this.#connections.read({
      text: `SELECT count(owner), count(*) FILTER (WHERE owner IS NULL AND due_ms <= $1), count(*) FILTER (WHERE owner IS NULL AND due_ms > $1),
        (SELECT count(*) FROM failed_task), min(due_ms) FILTER (WHERE owner IS NULL AND due_ms <= $1) FROM task`,
      values: [nowMs],
    });
    const [owned, due, delayed, failed, oldest] = rows[0] as [number, number, number, number, number | null];
    return { owned, due, delayed, failed, oldestDueMs: oldest ?? undefined };
  }

  async failedTasks({ afterId = 0, to, limit }: FailedQuery): Promise<FailedTask[]> {
    const rows = await this.#connections.read({
      text: `SELECT ${FAILED} FROM failed_task WHERE id > $1 AND ($2::text IS NULL OR to_meta = $2) ORDER BY id LIMIT $3`,
      values: [afterId, to ?? null, limit],
    });
    return rows.map(failedTaskOf);
  }

  async replayFailed(ids: readonly number[], nowMs: number, mission?: string): Promise<number[]> {
    const rows = await this.#connections.write({
      text: `WITH gone AS (DELETE FROM failed_task WHERE id = ANY ($1::int8[]) RETURNING *)
        INSERT INTO task (${TASK})
          SELECT id, from_meta, from_id, from_para, from_version, to_meta, coalesce($3, mission), created_ms, $2, 0 FROM gone
        RETURNING id`,
      values: [ids, nowMs, mission ?? null],
    });
    return rows.map(([id]) => id as number).sort((a, b) => a - b);
  }

  async dropFailed(ids: readonly number[]): Promise<number> {
    const rows = await this.#connections.write({
      text: "DELETE FROM failed_task WHERE id = ANY ($1::int8[]) RETURNING id",
      values: [ids],
    });
    return rows.length;
  }
}

/** The old ones of a meta, but not what work is still done on, and the last version of a line only when it is the only one. */
const REMOVE_OLD = `WITH gone AS (DELETE FROM instance WHERE ctid = ANY (ARRAY(
    SELECT i.ctid FROM instance i WHERE i.meta = $1 AND i.created_ms < $2 AND i.created_ms >= 0
      AND (i.version = 0
        OR EXISTS (SELECT FROM instance n WHERE n.meta = $1 AND n.id = i.id AND n.para = i.para AND n.version > i.version)
        OR NOT EXISTS (SELECT FROM instance n WHERE n.meta = $1 AND n.id = i.id AND n.para = i.para AND n.version < i.version))
      AND NOT EXISTS (SELECT FROM task t
        WHERE t.from_meta = $1 AND t.from_id = i.id AND t.from_para = i.para AND t.from_version = i.version)
      AND NOT EXISTS (SELECT FROM failed_task t
        WHERE t.from_meta = $1 AND t.from_id = i.id AND t.from_para = i.para AND t.from_version = i.version)
    ORDER BY i.created_ms, i.version LIMIT $3)) RETURNING 1)
  SELECT count(*) FROM gone`;

async function editOne(run: Run, edit: RegistryEdit, nowMs: number): Promise<void> {
  if (edit.op === "put-meta") {
    await run({
      text: `INSERT INTO meta (meta, description, states, fields, settings, enabled, created_ms, changed_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (meta) DO UPDATE SET description = $2, states = $3, fields = $4,
          settings = $5, enabled = $6, changed_ms = $7`,
      values: [...metaValues(edit.meta), nowMs],
    });
  } else if (edit.op === "put-relation") {
    const { from, to, settings, enabled } = edit.relation;
    await run({
      text: `INSERT INTO relation (from_meta, to_meta, settings, enabled, created_ms, changed_ms) VALUES ($1, $2, $3, $4, $5, $5)
        ON CONFLICT (from_meta, to_meta) DO UPDATE SET settings = $3, enabled = $4, changed_ms = $5`,
      values: [from, to, JSON.stringify(settings), enabled, nowMs],
    });
  } else if (edit.op === "delete-meta") {
    await run({ text: "DELETE FROM meta WHERE meta = $1", values: [edit.meta] });
  } else {
    await run({ text: "DELETE FROM relation WHERE from_meta = $1 AND to_meta = $2", values: [edit.from, edit.to] });
  }
}

function metaValues({ meta, description, states, fields, settings, enabled }: Meta): unknown[] {
  return [
    meta,
    description ?? "",
    states ?? "",
    fields === undefined ? null : JSON.stringify(fields),
    JSON.stringify(settings ?? {}),
    enabled ?? true,
  ];
}
