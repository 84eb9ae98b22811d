import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { z } from "zod";
import { defineBuiltIn } from "../stage/built-in.ts";
import type { Writer } from "./batching.ts";
import { ID_TABLE, onConflict, quoted, rowsOf, tableSettings } from "./columns.ts";
import { refused, unreachable } from "./faults.ts";
import type { Load } from "./load.ts";
import { sinkAction } from "./sink.ts";

const settings = tableSettings.extend({
  path: z.string().min(1).describe("The file of the database."),
  rememberIds: z.int().min(0).default(1_000_000).describe("How many ids of records are kept, the latest ones; 0 keeps none."),
});

type SqliteSettings = z.infer<typeof settings>;

/** Extended codes of SQLite end in the code of their kind. @source https://www.sqlite.org/rescode.html */
const CONSTRAINT = 19;
const MISMATCH = 20;
const TOO_BIG = 18;

/**
 * `sqlite.write`: records as rows of a table, one transaction per load. A record is done once its transaction is on the disk.
 *
 * Idempotent: with `key`, a row that comes again replaces itself; without, ids of records are kept in `metanode_records`, in the same
 * transaction, and a record whose id is known is not written again. A row that the table refuses is given up; the others are written.
 *
 * The file must not be open in this process through another copy of SQLite (libSQL, say): they break each other's locks.
 */
export const sqliteWrite = defineBuiltIn({
  name: "sqlite.write",
  summary: "Writes records as rows of an SQLite table.",
  settings,
  make: (given) =>
    sinkAction(({ graph }) => SqliteWriter.open(given, graph), { maxRecords: given.maxRecords, maxWaitMs: given.maxWaitMs }),
});

class SqliteWriter implements Writer {
  readonly #database: DatabaseSync;
  readonly #settings: SqliteSettings;
  readonly #graph: string;
  readonly #insert: StatementSync;
  /** Absent where nothing is kept. */
  readonly #remember: StatementSync | undefined;
  #sinceForgetting = 0;

  static async open(settings: SqliteSettings, graph: string): Promise<SqliteWriter> {
    const { DatabaseSync } = await import("node:sqlite");
    const { path, table } = settings;
    try {
      const database = new DatabaseSync(path, { timeout: 5_000 });
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      return new SqliteWriter(database, settings, graph);
    } catch (error) {
      throw unreachable(`the table ${table} in ${path} cannot be written`, error);
    }
  }

  private constructor(database: DatabaseSync, settings: SqliteSettings, graph: string) {
    this.#database = database;
    this.#settings = settings;
    this.#graph = graph;
    const names = Object.keys(settings.columns);
    const places = names.map(() => "?").join(", ");
    const into = `INSERT INTO ${quoted(settings.table)} (${names.map(quoted).join(", ")}) VALUES (${places})`;
    this.#insert = database.prepare(into + onConflict(settings));
    if (settings.key.length > 0 || settings.rememberIds === 0) return;
    database.exec(`CREATE TABLE IF NOT EXISTS ${ID_TABLE} (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE)`);
    this.#remember = database.prepare(`INSERT INTO ${ID_TABLE} (id) VALUES (?) ON CONFLICT DO NOTHING`);
  }

  async write(load: Load): Promise<void> {
    const rows = rowsOf(load.records(), this.#settings);
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      for (const { id, values } of rows) {
        const known = this.#remember?.run(`${this.#graph}/${id}`).changes === 0;
        if (!known) this.#insert.run(...values.map(toSqlite));
      }
      this.#forget(rows.length);
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      const what = `the table ${this.#settings.table}`;
      throw isAboutRows(error) ? refused(`${what} refuses it`, error) : unreachable(`${what} cannot be written`, error);
    }
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  /** Ids that are too old go now and then. */
  #forget(added: number): void {
    const { rememberIds } = this.#settings;
    this.#sinceForgetting += added;
    if (this.#remember === undefined || this.#sinceForgetting < Math.max(1_000, rememberIds / 10)) return;
    this.#sinceForgetting = 0;
    this.#database.exec(`DELETE FROM ${ID_TABLE} WHERE number <= (SELECT max(number) FROM ${ID_TABLE}) - ${rememberIds}`);
  }
}

function toSqlite(value: unknown): SQLInputValue {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint" || value === null) return value;
  return value instanceof Uint8Array ? value : JSON.stringify(value);
}

function isAboutRows(error: unknown): boolean {
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  return code === CONSTRAINT || code === MISMATCH || code === TOO_BIG;
}
