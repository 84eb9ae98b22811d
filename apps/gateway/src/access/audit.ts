import type { Clock, Timer } from "@metanode/core";
import type { AccessStore } from "./store.ts";

/** One change, or one attempt at it. */
export interface AuditEntry {
  readonly atMs: number;
  readonly name: string;
  readonly role: string;
  /** The operation's id in the OpenAPI document. */
  readonly operation: string;
  readonly method: string;
  /** With its parameters; never a body, which may hold secrets. */
  readonly path: string;
  readonly status: number;
  /** The error's code; absent where it was done. */
  readonly code: string | undefined;
  /** What whoever did it has said why (header `x-reason`). */
  readonly reason: string | undefined;
  readonly requestId: string;
}

export interface KeptEntry extends AuditEntry {
  readonly sequence: number;
}

export interface AuditQuery {
  readonly name?: string | undefined;
  readonly operation?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  /** Entries older than this one. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Entries that are kept; the oldest go. */
const MAX_ENTRIES = 100_000;
/** How long an entry may wait in memory for others to be written with. */
const FLUSH_MS = 100;

/**
 * Who has changed what. Entries are written together within 100 ms, and all of them before the gateway has closed; a
 * process that is killed loses those of its last tenth of a second.
 */
export class Audit {
  readonly #store: AccessStore;
  readonly #clock: Clock;
  #waiting: AuditEntry[] = [];
  #timer: Timer | undefined;

  constructor(store: AccessStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  add(entry: AuditEntry): void {
    this.#waiting.push(entry);
    this.#timer ??= this.#clock.setTimer(FLUSH_MS, () => this.flush());
  }

  /** Writes what waits. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    const entries = this.#waiting;
    this.#waiting = [];
    const { database } = this.#store;
    const insert = database.prepare(
      `insert into audit (at_ms, name, role, operation, method, path, status, code, reason, request_id)
       select value ->> 'atMs', value ->> 'name', value ->> 'role', value ->> 'operation', value ->> 'method', value ->> 'path',
              value ->> 'status', value ->> 'code', value ->> 'reason', value ->> 'requestId'
       from json_each(?)`,
    );
    insert.run(JSON.stringify(entries.map((entry) => ({ ...entry, atMs: Math.floor(entry.atMs) }))));
    database.prepare("delete from audit where sequence <= (select max(sequence) from audit) - ?").run(MAX_ENTRIES);
  }

  /** The newest first. */
  list({ name, operation, sinceMs, untilMs, before, limit }: AuditQuery): KeptEntry[] {
    this.flush();
    const conditions: string[] = [];
    const values: (string | number)[] = [];
    const also = (condition: string, value: string | number | undefined): void => {
      if (value === undefined) return;
      conditions.push(condition);
      values.push(value);
    };
    also("name = ?", name);
    also("operation = ?", operation);
    also("at_ms >= ?", sinceMs);
    also("at_ms < ?", untilMs);
    also("sequence < ?", before);
    const where = conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`;
    return this.#store.database
      .prepare(`select * from audit ${where} order by sequence desc limit ?`)
      .all(...values, limit)
      .map(entryOf);
  }
}

function entryOf(row: Record<string, unknown>): KeptEntry {
  const maybe = (value: unknown): string | undefined => (value === null ? undefined : String(value));
  return {
    sequence: Number(row.sequence),
    atMs: Number(row.at_ms),
    name: String(row.name),
    role: String(row.role),
    operation: String(row.operation),
    method: String(row.method),
    path: String(row.path),
    status: Number(row.status),
    code: maybe(row.code),
    reason: maybe(row.reason),
    requestId: String(row.request_id),
  };
}
