import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { RecordBody, StoredRecord } from "./record.ts";
import type { Position } from "./retention.ts";
import type { ConsumerSave, HeldRecord } from "./store.ts";

/** What is kept in memory of a consumer; equal to what is stored. */
export interface ConsumerState {
  readonly id: number;
  readonly stream: number;
  readonly name: string;
  cursor: number;
  open: ReadonlySet<number>;
  /** Held sequences, and whether the message stands with them (a replayed one). */
  readonly held: Map<number, boolean>;
}

/** The states of all consumers, in SQLite. Everything here runs within a transaction of the caller. */
export class SqliteConsumers {
  readonly #sql: Record<"add" | "remove" | "move" | "hold" | "unhold" | "unholdAll" | "own" | "giveBack" | "held", StatementSync>;
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#sql = {
      add: database.prepare("INSERT INTO consumer (stream, name, cursor, open) VALUES (?, ?, ?, '[]')"),
      remove: database.prepare("DELETE FROM consumer WHERE id = ?"),
      move: database.prepare("UPDATE consumer SET cursor = ?, open = ? WHERE id = ?"),
      hold: database.prepare(
        `INSERT INTO held (consumer, sequence, failures, due_at) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO UPDATE SET failures = ?3, due_at = ?4`,
      ),
      unhold: database.prepare("DELETE FROM held WHERE consumer = ? AND sequence = ?"),
      unholdAll: database.prepare("DELETE FROM held WHERE consumer = ?"),
      own: database.prepare("SELECT own_stored_at, own_head, own_octets FROM held WHERE consumer = ? AND sequence = ?"),
      giveBack: database.prepare(
        `INSERT INTO held (consumer, sequence, failures, due_at, own_stored_at, own_head, own_octets)
        SELECT ?1, sequence, 0, 0, dead_at, head, octets FROM dead WHERE id = ?2
        ON CONFLICT DO UPDATE SET failures = 0, due_at = 0, own_stored_at = excluded.own_stored_at,
          own_head = excluded.own_head, own_octets = excluded.own_octets`,
      ),
      held: database.prepare("SELECT sequence, failures, due_at FROM held WHERE consumer = ? ORDER BY due_at, sequence"),
    };
  }

  /** All consumers as they are stored. */
  load(): ConsumerState[] {
    const consumers = this.#database.prepare("SELECT id, stream, name, cursor, open FROM consumer ORDER BY id").all();
    const held = this.#database.prepare("SELECT sequence, own_head IS NOT NULL AS is_own FROM held WHERE consumer = ?");
    return consumers.map((row) => ({
      id: Number(row.id),
      stream: Number(row.stream),
      name: String(row.name),
      cursor: Number(row.cursor),
      open: new Set(JSON.parse(String(row.open)) as number[]),
      held: new Map(held.all(Number(row.id)).map((one) => [Number(one.sequence), one.is_own === 1])),
    }));
  }

  add(stream: number, name: string, cursor: number): ConsumerState {
    const id = Number(this.#sql.add.run(stream, name, cursor).lastInsertRowid);
    return { id, stream, name, cursor, open: new Set(), held: new Map() };
  }

  remove(state: ConsumerState): void {
    this.#sql.unholdAll.run(state.id);
    this.#sql.remove.run(state.id);
  }

  save(state: ConsumerState, save: ConsumerSave): void {
    this.#sql.move.run(save.cursor, JSON.stringify(save.open), state.id);
    for (const { sequence, failures, dueMs } of save.hold) {
      this.#sql.hold.run(state.id, sequence, failures, dueMs);
      state.held.set(sequence, state.held.get(sequence) ?? false);
    }
    for (const sequence of save.unhold) {
      this.#sql.unhold.run(state.id, sequence);
      state.held.delete(sequence);
    }
    state.cursor = save.cursor;
    state.open = new Set(save.open);
  }

  /** Nothing up to `cursor` is needed any more. */
  skipTo(state: ConsumerState, cursor: number): void {
    this.#sql.move.run(cursor, "[]", state.id);
    this.#sql.unholdAll.run(state.id);
    state.cursor = cursor;
    state.open = new Set();
    state.held.clear();
  }

  /** What is held, in the order of being due. */
  held(state: ConsumerState): HeldRecord[] {
    const rows = this.#sql.held.all(state.id);
    return rows.map((row) => ({ sequence: Number(row.sequence), failures: Number(row.failures), dueMs: Number(row.due_at) }));
  }

  /** The message that stands with a held sequence. */
  own(state: ConsumerState, sequence: number): StoredRecord | undefined {
    if (state.held.get(sequence) !== true) return undefined;
    const row = this.#sql.own.get(state.id, sequence);
    return row && { sequence, storedAtMs: Number(row.own_stored_at), ...bodyOf(row.own_head, row.own_octets) };
  }

  /** Holds the message of a dead letter for another first attempt. */
  giveBack(state: ConsumerState, deadId: number, sequence: number): void {
    this.#sql.giveBack.run(state.id, deadId);
    state.held.set(sequence, true);
  }
}

/** What a consumer still needs. */
export function positionOf(state: ConsumerState): Position {
  if (state.held.size === 0) return state;
  return { cursor: state.cursor, open: new Set([...state.open, ...state.held.keys()]) };
}

/** A stored message from its two columns. */
export function bodyOf(head: unknown, octets: unknown): RecordBody {
  return { head: String(head), octets: octets instanceof Uint8Array ? octets : undefined };
}
