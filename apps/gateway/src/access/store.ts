import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** The file of tokens, of the audit log and of answers that may be asked for again, in the data folder. */
export const ACCESS_FILE = "access.sqlite";

const SCHEMA = `
  pragma journal_mode = wal;
  pragma synchronous = normal;
  create table if not exists token (
    name text primary key,
    digest text not null unique,
    role text not null,
    created_ms integer not null,
    expires_ms integer,
    used_ms integer
  ) strict;
  create table if not exists audit (
    sequence integer primary key autoincrement,
    at_ms integer not null,
    name text not null,
    role text not null,
    operation text not null,
    method text not null,
    path text not null,
    status integer not null,
    code text,
    reason text,
    request_id text not null
  ) strict;
  create index if not exists audit_by_name on audit (name, sequence);
  create index if not exists audit_by_operation on audit (operation, sequence);
  create table if not exists answer (
    sequence integer primary key autoincrement,
    name text not null,
    key text not null,
    fingerprint text not null,
    at_ms integer not null,
    status integer not null,
    headers text not null,
    body text,
    unique (name, key)
  ) strict;
`;

/**
 * The database of who may do what and who has done what. It is opened when it is first needed, so that a node that has
 * only its owner and is only looked at does without.
 */
export class AccessStore {
  readonly #folder: string;
  #database: DatabaseSync | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get database(): DatabaseSync {
    if (this.#database === undefined) {
      mkdirSync(this.#folder, { recursive: true });
      this.#database = new DatabaseSync(join(this.#folder, ACCESS_FILE));
      this.#database.exec(SCHEMA);
    }
    return this.#database;
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
  }
}
