import type { Clock } from "../clock.ts";
import type { TreeStore } from "./store.ts";

/** One operation on the tree: who, what, when, and what it came to. */
export interface AuditEntry {
  readonly operation: string;
  readonly atMs: number;
  readonly caller: string;
  /** The verb: `adopt`, `release`, `transfer`, `all`, `maintain` … */
  readonly verb: string;
  /** What it was for, without payloads. */
  readonly target: string;
  /** Absent while it runs. */
  readonly ok?: boolean;
  readonly code?: string;
  /** What it answered, kept so that the same operation gives the same again. */
  readonly answer?: unknown;
}

const KEYS = "op/";
/** An operation is remembered for a day. */
const KEPT_MS = 24 * 3_600_000;
const MOST = 1_000;

/** The operations of the last day. They survive a restart; an answer that is large does not. */
export class Audit {
  readonly #store: TreeStore;
  readonly #clock: Clock;
  readonly #entries = new Map<string, AuditEntry>();

  constructor(store: TreeStore, records: ReadonlyMap<string, unknown>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    const found = [...records].filter(([key]) => key.startsWith(KEYS)).map(([, value]) => value as AuditEntry);
    for (const entry of found.sort((a, b) => a.atMs - b.atMs)) this.#entries.set(entry.operation, entry);
  }

  get(operation: string): AuditEntry | undefined {
    return this.#entries.get(operation);
  }

  /** The newest first. */
  list(limit: number = MOST): AuditEntry[] {
    return [...this.#entries.values()].reverse().slice(0, limit);
  }

  put(entry: AuditEntry): void {
    this.#forget();
    this.#entries.set(entry.operation, entry);
    this.#store.put(KEYS + entry.operation, entry);
  }

  #forget(): void {
    const oldestMs = this.#clock.now() - KEPT_MS;
    for (const [operation, { atMs }] of this.#entries) {
      if (atMs >= oldestMs && this.#entries.size < MOST) return;
      this.#entries.delete(operation);
      this.#store.delete(KEYS + operation);
    }
  }
}
