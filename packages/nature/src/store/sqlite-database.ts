import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { MetanodeError } from "@metanode/core/errors";
import Database from "libsql";
import { natureError } from "../errors.ts";
import { type AppliedMigration, MIGRATION_TABLE, type Migration, pendingMigrations, readMigrations } from "./migrations.ts";
import type { Cell, Row } from "./rows.ts";
import { FILE_NAME } from "./sqlite-file.ts";

/*
 * The file is opened through libSQL alone, the library under Prisma's adapter: two copies of SQLite in one process would undo each other's
 * locks. Three habits of its binding are worked around here: numbers come in as reals (columns with INTEGER make whole ones of them),
 * a boolean aborts the process, and text that is read ends at a NUL.
 */

/** How the database is opened. */
export interface DatabaseOptions {
  readonly folder: string;
  /** The file grows no larger; 0 sets no limit. */
  readonly maxFileBytes: number;
}

const LOCK_NAME = "nature.lock";
/** Tells our files from those of other programs: "MNNW". */
const APPLICATION_ID = 0x4d4e4e57;
/** Measured beside 4 KiB: fewer pages and less tree per row, a seventh less time per row. */
const PAGE_BYTES = 8_192;
/** As for the log of messages: longer saves writes, shorter keeps the pause of a checkpoint short. */
const CHECKPOINT_BYTES = 16 * 1_048_576;
const CACHE_KIB = 65_536;

/** A prepared statement. Cells go in as one array: the binding passes it on as it is. Rows are arrays. */
export interface Statement {
  run(cells: readonly Cell[]): { changes: number; lastInsertRowid: number };
  all(cells: readonly Cell[]): Row[];
  get(cells: readonly Cell[]): Row | undefined;
}

/** The database and the lock that keeps others out. */
export class SqliteDatabase {
  readonly folder: string;
  readonly #database: Database.Database;
  readonly #lock: Database.Database;
  readonly #begin: Statement;
  readonly #commit: Statement;

  /** @throws node.data_in_use – another process has it open; store.unavailable, store.unusable – the message says why and what to do */
  constructor(options: DatabaseOptions) {
    this.folder = options.folder;
    let database: Database.Database | undefined;
    let lock: Database.Database | undefined;
    try {
      mkdirSync(options.folder, { recursive: true, mode: 0o700 });
      lock = takeLock(join(options.folder, LOCK_NAME));
      database = new Database(join(options.folder, FILE_NAME));
      configure(database, options);
      migrate(database, join(options.folder, FILE_NAME));
      this.#begin = raw(database, "BEGIN IMMEDIATE");
      this.#commit = raw(database, "COMMIT");
    } catch (thrown) {
      if (database?.inTransaction) database.exec("ROLLBACK");
      database?.close();
      lock?.close();
      throw databaseError(thrown, `the store in ${options.folder} cannot be opened`);
    }
    this.#database = database;
    this.#lock = lock;
  }

  prepare(sql: string): Statement {
    return raw(this.#database, sql);
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  /** Runs work as one transaction: it is on the disk when this returns, or nothing of it happened. */
  transact<T>(what: string, work: () => T): T {
    try {
      this.#begin.run([]);
      const result = work();
      this.#commit.run([]);
      return result;
    } catch (thrown) {
      this.#undo();
      throw databaseError(thrown, `the store in ${this.folder} could not ${what}`);
    }
  }

  query<T>(what: string, work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      throw databaseError(thrown, `the store in ${this.folder} could not ${what}`);
    }
  }

  /** What is free within the file, for rows to come: it never shrinks. */
  get freeBytes(): number {
    return pragma(this.#database, "freelist_count") * PAGE_BYTES;
  }

  close(): void {
    this.#database.close();
    this.#lock.close();
  }

  /** After a failure; some, a full disk for one, have ended the transaction already. */
  #undo(): void {
    try {
      if (this.#database.inTransaction) this.#database.exec("ROLLBACK");
      // Moved into the database, the write-ahead log is written from its beginning again: on a full disk often all the room that is needed.
      this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)");
    } catch {
      // What is wrong is told with the failure itself, or by the next transaction.
    }
  }
}

function raw(database: Database.Database, sql: string): Statement {
  const statement = database.prepare(sql);
  return (statement.reader ? statement.raw() : statement) as unknown as Statement;
}

/**
 * An exclusive lock on a file of its own, for as long as the process lives: one engine works with the database, while readers of the same
 * process (Prisma) have connections of their own.
 */
function takeLock(file: string): Database.Database {
  const lock = new Database(file);
  try {
    lock.exec("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE;");
    return lock;
  } catch (thrown) {
    lock.close();
    throw thrown;
  }
}

function configure(database: Database.Database, { maxFileBytes }: DatabaseOptions): void {
  const limitPages = maxFileBytes === 0 ? undefined : Math.max(64, Math.floor(maxFileBytes / PAGE_BYTES));
  // FULL: a commit is on the disk, not only in the system's memory, before it is answered.
  database.exec(`
    PRAGMA page_size = ${PAGE_BYTES};
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = ${CHECKPOINT_BYTES / PAGE_BYTES};
    PRAGMA journal_size_limit = ${CHECKPOINT_BYTES};
    PRAGMA cache_size = -${CACHE_KIB};
    PRAGMA temp_store = MEMORY;
    ${limitPages === undefined ? "" : `PRAGMA max_page_count = ${limitPages};`}
  `);
}

function migrate(database: Database.Database, file: string): void {
  const owner = pragma(database, "application_id");
  const tables = database.prepare("SELECT count(*) FROM sqlite_schema").raw().get() as unknown as [number];
  if (owner !== APPLICATION_ID && tables[0] > 0) {
    throw natureError("store.unusable", `${file} is a database of another program; name another data folder`, {
      details: { file },
    });
  }
  database.exec("BEGIN IMMEDIATE");
  database.exec(`CREATE TABLE IF NOT EXISTS ${MIGRATION_TABLE} (
    id TEXT PRIMARY KEY NOT NULL,
    checksum TEXT NOT NULL,
    finished_at DATETIME,
    migration_name TEXT NOT NULL,
    logs TEXT,
    rolled_back_at DATETIME,
    started_at DATETIME NOT NULL DEFAULT current_timestamp,
    applied_steps_count INTEGER UNSIGNED NOT NULL DEFAULT 0
  )`);
  const rows = raw(database, `SELECT migration_name, checksum FROM ${MIGRATION_TABLE} WHERE rolled_back_at IS NULL`).all([]);
  const applied = rows.map(([name, checksum]): AppliedMigration => ({ name: String(name), checksum: String(checksum) }));
  for (const migration of pendingMigrations(readMigrations("sqlite"), applied, file)) apply(database, migration);
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; COMMIT;`);
}

function apply(database: Database.Database, { name, sql, checksum }: Migration): void {
  database.exec(sql);
  raw(
    database,
    `INSERT INTO ${MIGRATION_TABLE} (id, checksum, finished_at, migration_name, applied_steps_count)
    VALUES (?, ?, current_timestamp, ?, 1)`,
  ).run([crypto.randomUUID(), checksum, name]);
}

function pragma(database: Database.Database, name: string): number {
  return Number((database.prepare(`PRAGMA ${name}`).raw().get() as unknown as [number])[0]);
}

/** What to do about the result codes of SQLite that a user can meet (https://sqlite.org/rescode.html). */
const REMEDIES: ReadonlyMap<number, string> = new Map([
  [8, "make the data folder writable"],
  [10, "check the disk under the data folder"],
  [11, "the file is damaged: restore it from a copy, or move it away to start empty"],
  [13, "the disk or the store's file limit is full: make room, nothing was stored meanwhile"],
  [14, "check that the data folder exists and may be written"],
  [26, "the file is damaged or no database: restore it from a copy, or move it away to start empty"],
]);
const BUSY = 5;
const DAMAGED: ReadonlySet<number> = new Set([11, 26]);

/** Turns what SQLite or the file system threw into an error of ours; ours pass as they are. */
export function databaseError(thrown: unknown, what: string): MetanodeError {
  if (thrown instanceof MetanodeError) return thrown;
  const { message, code } = thrown as { message: string; code?: unknown };
  const result = resultCode(thrown);
  if (result === BUSY) {
    return new MetanodeError(
      "node.data_in_use",
      `${what}: another process has it open; stop that one, or name another data folder`,
      {
        cause: thrown,
      },
    );
  }
  if (result !== undefined) {
    const remedy = REMEDIES.get(result);
    const text = `${what}: ${message}${remedy === undefined ? "" : `; ${remedy}`}`;
    return natureError(DAMAGED.has(result) ? "store.unusable" : "store.unavailable", text, {
      details: { sqliteCode: result },
      cause: thrown,
    });
  }
  if (typeof code === "string" && /^E[A-Z]+$/.test(code)) {
    return natureError("store.unavailable", `${what}: ${message}; check the data folder and the disk under it`, {
      details: { systemCode: code },
      cause: thrown,
    });
  }
  return new MetanodeError("core.internal", `${what}: ${message}`, { cause: thrown });
}

/** The primary result code of SQLite; a file that cannot be opened has it only in its text. */
function resultCode(thrown: unknown): number | undefined {
  const { rawCode, message } = thrown as { rawCode?: unknown; message?: unknown };
  if (typeof rawCode === "number") return rawCode & 0xff;
  const found = /^ConnectionFailed\(.*: (\d+)"\)$/s.exec(String(message));
  return found === null ? undefined : Number(found[1]) & 0xff;
}
