import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { RecordBody } from "./record.ts";
import { bodyOf } from "./sqlite-consumers.ts";
import type { DeadQuery, DeadRow, NewDead } from "./store.ts";

type SqlRow = Record<string, unknown>;

const COLUMNS = "id, stream, consumer, sequence, attempts, code, reason, dead_at, edited, head, octets";

/** The dead letters, in SQLite. Everything here runs within a transaction of the caller. */
export class SqliteDead {
  readonly #sql: Record<"add" | "list" | "count" | "get" | "edit" | "drop", StatementSync>;

  constructor(database: DatabaseSync) {
    this.#sql = {
      add: database.prepare(
        `INSERT INTO dead (stream, consumer, sequence, attempts, code, reason, dead_at, edited, head, octets)
        VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?)`,
      ),
      list: database.prepare(
        `SELECT ${COLUMNS} FROM dead
        WHERE id > ?1 AND (?2 IS NULL OR stream = ?2) AND (?3 IS NULL OR consumer = ?3) ORDER BY id LIMIT ?4`,
      ),
      count: database.prepare("SELECT count(*) AS count FROM dead"),
      get: database.prepare(`SELECT ${COLUMNS} FROM dead WHERE id = ?`),
      edit: database.prepare("UPDATE dead SET head = ?, octets = ?, edited = 1 WHERE id = ?"),
      drop: database.prepare("DELETE FROM dead WHERE id = ?"),
    };
  }

  add(dead: NewDead, origin: { stream: string; consumer: string }): void {
    const { sequence, attempts, error, atMs, body } = dead;
    const { stream, consumer } = origin;
    this.#sql.add.run(stream, consumer, sequence, attempts, error.code, error.message, atMs, body.head, body.octets ?? null);
  }

  list(query: DeadQuery): DeadRow[] {
    return this.#sql.list.all(query.afterId, query.stream ?? null, query.consumer ?? null, query.limit).map(toRow);
  }

  count(): number {
    return Number(this.#sql.count.get()?.count);
  }

  get(id: number): DeadRow | undefined {
    const row = this.#sql.get.get(id);
    return row && toRow(row);
  }

  edit(id: number, body: RecordBody): boolean {
    return this.#sql.edit.run(body.head, body.octets ?? null, id).changes === 1;
  }

  drop(id: number): boolean {
    return this.#sql.drop.run(id).changes === 1;
  }
}

function toRow(row: SqlRow): DeadRow {
  return {
    id: Number(row.id),
    stream: String(row.stream),
    consumer: String(row.consumer),
    sequence: Number(row.sequence),
    attempts: Number(row.attempts),
    error: { code: String(row.code), message: String(row.reason) },
    atMs: Number(row.dead_at),
    edited: row.edited === 1,
    body: bodyOf(row.head, row.octets),
  };
}
