import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { coreError, MetanodeError } from "../errors.ts";
import { FILE_NAME } from "./sqlite-file.ts";

/** How the database of a log is opened. */
export interface DatabaseOptions {
  readonly folder: string;
  /** The file grows no larger; 0 sets no limit. */
  readonly maxFileBytes: number;
}

/** Tells our files from those of other programs: "MNLG". */
const APPLICATION_ID = 0x4d4e4c47;
/** Larger than SQLite's 4 KiB: fewer pages and less tree per message; measured 20 % more appends. */
const PAGE_BYTES = 8_192;
/**
 * The write-ahead log goes into the database when it is this long. Longer saves writes, as pages that changed often are
 * written once; shorter keeps the pause of a checkpoint short. Measured: 4 MiB halves the rate of inserts, from 8 MiB on
 * there is little to gain.
 */
const CHECKPOINT_BYTES = 16 * 1_048_576;
const CACHE_KIB = 32_768;

/**
 * The schema, one step per version. A step that was published is never changed.
 *
 * `message.position` is stream and sequence in one number (see `sqlite-messages.ts`), so that messages lie in the order
 * of reading and need no index.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    options TEXT NOT NULL,
    last_sequence INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE message (
    position INTEGER PRIMARY KEY,
    stored_at INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    head TEXT NOT NULL,
    octets BLOB
  ) STRICT;
  CREATE TABLE dedup (
    stream INTEGER NOT NULL,
    key TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    PRIMARY KEY (stream, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE consumer (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream INTEGER NOT NULL,
    name TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    open TEXT NOT NULL,
    UNIQUE (stream, name)
  ) STRICT;
  CREATE TABLE held (
    consumer INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    due_at REAL NOT NULL,
    own_stored_at INTEGER,
    own_head TEXT,
    own_octets BLOB,
    PRIMARY KEY (consumer, sequence)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE dead (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    consumer TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    dead_at INTEGER NOT NULL,
    edited INTEGER NOT NULL,
    head TEXT NOT NULL,
    octets BLOB
  ) STRICT;
  CREATE INDEX dead_by_stream ON dead (stream, consumer);
  `,
];

/**
 * Opens the database in `folder`, creating both, and brings its schema up to date.
 * @throws {MetanodeError} node.data_in_use – another process has it open; log.storage – it is damaged, newer than this
 * code, of another program, or cannot be read or written.
 */
export function openDatabase(options: DatabaseOptions): DatabaseSync {
  const file = join(options.folder, FILE_NAME);
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    database = new DatabaseSync(file);
    configure(database, options);
    migrate(database, file);
    return database;
  } catch (thrown) {
    if (database?.isOpen) database.close();
    throw storageError(thrown, `the log in ${options.folder} cannot be opened`);
  }
}

function configure(database: DatabaseSync, options: DatabaseOptions): void {
  const limitPages = options.maxFileBytes === 0 ? undefined : Math.max(16, Math.floor(options.maxFileBytes / PAGE_BYTES));
  // The exclusive lock comes first: it keeps other processes out and spares the shared memory of the write-ahead log.
  // FULL: a commit is on the disk, not only in the system's memory, before it is answered.
  database.exec(`
    PRAGMA page_size = ${PAGE_BYTES};
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = ${CHECKPOINT_BYTES / PAGE_BYTES};
    PRAGMA journal_size_limit = ${CHECKPOINT_BYTES};
    PRAGMA cache_size = -${CACHE_KIB};
    PRAGMA temp_store = MEMORY;
    ${limitPages === undefined ? "" : `PRAGMA max_page_count = ${limitPages};`}
  `);
}

function migrate(database: DatabaseSync, file: string): void {
  const version = pragma(database, "user_version");
  const owner = pragma(database, "application_id");
  const isEmpty = pragma(database, "page_count") <= 1 && version === 0;
  if (!isEmpty && owner !== APPLICATION_ID) {
    throw unusable(`${file} is a database of another program; name another data folder`, { file });
  }
  if (version > MIGRATIONS.length) {
    throw unusable(
      `${file} has version ${version} of the log's schema, this program knows versions up to ${MIGRATIONS.length}; start a newer program, or name another data folder`,
      { file, found: version, expected: MIGRATIONS.length },
    );
  }
  for (let next = version; next < MIGRATIONS.length; next++) {
    database.exec(`
      BEGIN IMMEDIATE;
      ${MIGRATIONS[next]}
      PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${next + 1};
      COMMIT;
    `);
  }
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}

/** What is free within the database file, for messages to come. */
export function freeBytes(database: DatabaseSync): number {
  return pragma(database, "freelist_count") * PAGE_BYTES;
}

function unusable(message: string, details: Record<string, unknown>): MetanodeError {
  return coreError("log.storage", message, { retryable: false, details });
}

/** What to do about the result codes of SQLite that a user can meet (https://sqlite.org/rescode.html). */
const REMEDIES: ReadonlyMap<number, string> = new Map([
  [8, "make the data folder writable"],
  [10, "check the disk under the data folder"],
  [11, "the file is damaged: restore it from a copy, or move it away to start empty"],
  [13, "the disk or the log's file limit is full: make room, nothing was stored meanwhile"],
  [14, "check that the data folder exists and may be written"],
  [26, "the file is damaged or no database: restore it from a copy, or move it away to start empty"],
]);
const BUSY = 5;
const DAMAGED: ReadonlySet<number> = new Set([11, 26]);

/** Turns what SQLite or the file system threw into an error of ours; ours pass as they are. */
export function storageError(thrown: unknown, what: string): MetanodeError {
  if (thrown instanceof MetanodeError) return thrown;
  if (!(thrown instanceof Error)) return coreError("core.internal", `${what}: ${String(thrown)}`, { cause: thrown });
  const { errcode } = thrown as { errcode?: unknown };
  if (typeof errcode === "number") {
    const primary = errcode & 0xff; // the upper bits only refine it
    if (primary === BUSY) {
      return coreError("node.data_in_use", `${what}: another process has it open; stop that one, or name another data folder`, {
        cause: thrown,
      });
    }
    const remedy = REMEDIES.get(primary);
    return coreError("log.storage", `${what}: ${thrown.message}${remedy === undefined ? "" : `; ${remedy}`}`, {
      retryable: !DAMAGED.has(primary),
      details: { sqliteCode: errcode },
      cause: thrown,
    });
  }
  const { code } = thrown as { code?: unknown };
  if (typeof code === "string" && /^E[A-Z]+$/.test(code)) {
    return coreError("log.storage", `${what}: ${thrown.message}; check the data folder and the disk under it`, {
      details: { systemCode: code },
      cause: thrown,
    });
  }
  return coreError("core.internal", `${what}: ${thrown.message}`, { cause: thrown });
}
