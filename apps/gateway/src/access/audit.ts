import type { Clock, MetaNode, Timer } from "@metanode/core";
import type { AccessStore } from "./store.ts";

/** The name in the audit log of whoever showed no token of this node. */
export const NOBODY = "(nobody)";

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

export interface AuditOptions {
  /** Told when entries could not be written. */
  readonly logger: Pick<MetaNode["logger"], "error">;
  /** Entries that are kept; the oldest go. @default 100_000 */
  readonly maxEntries?: number;
  /** The same for attempts without a token of this node, so that strangers push nobody else's entries out. @default 10_000 */
  readonly maxStrangers?: number;
}

/** How long an entry may wait in memory for others to be written with. */
const FLUSH_MS = 100;
/** When what could not be written is tried again. */
const RETRY_MS = 5_000;
/** Entries that wait at most where nothing can be written. */
const MAX_WAITING = 10_000;
/** Entries between two looks at whether there are too many. */
const PRUNE_EVERY = 1_000;

/**
 * Who has changed what. Entries are written together within 100 ms, and all of them before the gateway has closed; a
 * process that is killed loses those of its last tenth of a second. On a disk that takes nothing they wait in memory.
 */
export class Audit {
  readonly #store: AccessStore;
  readonly #clock: Clock;
  readonly #logger: AuditOptions["logger"];
  readonly #limits: readonly (readonly [isStranger: number, limit: number])[];
  #waiting: AuditEntry[] = [];
  #timer: Timer | undefined;
  #sincePruned = PRUNE_EVERY;

  constructor(store: AccessStore, clock: Clock, { logger, maxEntries = 100_000, maxStrangers = 10_000 }: AuditOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
    this.#limits = [
      [0, maxEntries],
      [1, maxStrangers],
    ];
  }

  add(entry: AuditEntry): void {
    this.#waiting.push(entry);
    this.#timer ??= this.#clock.setTimer(FLUSH_MS, () => this.flush());
  }

  /** Writes what waits; never throws. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    const entries = this.#waiting;
    this.#waiting = [];
    try {
      this.#write(entries);
    } catch (err) {
      this.#logger.error({ err, entries: entries.length }, "the audit log cannot be written; its entries wait");
      this.#waiting = entries.slice(-MAX_WAITING);
      this.#timer = this.#clock.setTimer(RETRY_MS, () => this.flush());
    }
  }

  /** Writes what waits, and tries no more. */
  close(): void {
    this.flush();
    this.#timer?.cancel();
  }

  #write(entries: readonly AuditEntry[]): void {
    this.#store.database
      .prepare(
        `insert into audit (at_ms, name, role, operation, method, path, status, code, reason, request_id)
         select value ->> 'atMs', value ->> 'name', value ->> 'role', value ->> 'operation', value ->> 'method', value ->> 'path',
                value ->> 'status', value ->> 'code', value ->> 'reason', value ->> 'requestId'
         from json_each(?)`,
      )
      .run(JSON.stringify(entries.map((entry) => ({ ...entry, atMs: Math.floor(entry.atMs) }))));
    this.#sincePruned += entries.length;
    if (this.#sincePruned < PRUNE_EVERY) return;
    this.#sincePruned = 0;
    for (const [isStranger, limit] of this.#limits) {
      this.#store.database
        .prepare(
          `delete from audit where (name = '${NOBODY}') = ?1 and sequence <=
           (select sequence from audit where (name = '${NOBODY}') = ?1 order by sequence desc limit 1 offset ?2)`,
        )
        .run(isStranger, limit);
    }
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
