import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { coreError } from "@metanode/core/errors";
import type { Commit, Progress, ProgressStore, SavedProgress } from "../delivery/progress.ts";
import { streamError } from "../errors.ts";
import type { Graph } from "../graph/form.ts";

/** What is wanted of a graph, over restarts. */
export type Desired = "running" | "paused" | "stopped";

/** A graph as it is kept. */
export interface StoredGraph {
  readonly name: string;
  readonly version: number;
  readonly hash: string;
  readonly graph: Graph;
  /** As it was written: an expression stays an expression. */
  readonly document: unknown;
  readonly desired: Desired;
  /** How the last run ended by itself. */
  readonly outcome: "completed" | "failed" | undefined;
  readonly reason: string | undefined;
  readonly epoch: number;
  readonly appliedAtMs: number;
}

export interface GraphVersion {
  readonly version: number;
  readonly hash: string;
  readonly appliedAtMs: number;
  readonly document: unknown;
}

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS graphs (
    name TEXT PRIMARY KEY, version INTEGER NOT NULL, desired TEXT NOT NULL, outcome TEXT, reason TEXT, epoch INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS versions (
    name TEXT NOT NULL, version INTEGER NOT NULL, hash TEXT NOT NULL, graph TEXT NOT NULL, document TEXT NOT NULL,
    applied_at_ms REAL NOT NULL, PRIMARY KEY (name, version)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS progress (
    name TEXT NOT NULL, source TEXT NOT NULL, position TEXT NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (name, source)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS state (
    name TEXT NOT NULL, stage TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name, stage, key)
  ) STRICT, WITHOUT ROWID;
`;

type Row = Record<string, unknown>;

/**
 * Graphs, what is wanted of them, and how far their runs have come, in one SQLite file. A crash of the process loses nothing;
 * one of the machine may forget the last commits (WAL, synchronous NORMAL), which costs repetition and no record.
 * Commits are a few rows every 50 ms or less often, so they are made where they are asked for, without a thread.
 */
export class GraphStore {
  readonly #database: DatabaseSync;

  /** @throws {MetanodeError} stream.storage */
  constructor(file: string) {
    mkdirSync(dirname(file), { recursive: true });
    try {
      this.#database = new DatabaseSync(file);
      this.#database.exec(SCHEMA);
    } catch (cause) {
      throw streamError("stream.storage", `${file} cannot be opened: ${String(cause)}`, { cause });
    }
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  names(): string[] {
    return this.#all("SELECT name FROM graphs ORDER BY name").map(({ name }) => String(name));
  }

  find(name: string): StoredGraph | undefined {
    const [row] = this.#all(
      `SELECT g.*, v.hash, v.graph, v.document, v.applied_at_ms FROM graphs g
       JOIN versions v ON v.name = g.name AND v.version = g.version WHERE g.name = ?`,
      name,
    );
    return row === undefined ? undefined : readGraph(row);
  }

  /** @throws {MetanodeError} resource.not_found */
  get(name: string): StoredGraph {
    const found = this.find(name);
    if (found !== undefined) return found;
    throw coreError("resource.not_found", `there is no graph ${name}; apply one of that name first`, { details: { name } });
  }

  history(name: string): GraphVersion[] {
    const rows = this.#all("SELECT * FROM versions WHERE name = ? ORDER BY version DESC", name);
    return rows.map((row) => ({
      version: Number(row.version),
      hash: String(row.hash),
      appliedAtMs: Number(row.applied_at_ms),
      document: JSON.parse(String(row.document)),
    }));
  }

  /** Makes a graph, or a new version of one. The same content again is no new version. */
  put(
    name: string,
    { graph, hash, document, atMs }: { graph: Graph; hash: string; document: unknown; atMs: number },
  ): StoredGraph {
    const current = this.find(name);
    if (current?.hash !== hash) {
      const version = (this.history(name)[0]?.version ?? 0) + 1;
      this.#transaction(() => {
        this.#run(
          "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)",
          name,
          version,
          hash,
          JSON.stringify(graph),
          JSON.stringify(document),
          atMs,
        );
        this.#run(
          "INSERT INTO graphs VALUES (?, ?, 'stopped', NULL, NULL, 0) ON CONFLICT (name) DO UPDATE SET version = excluded.version",
          name,
          version,
        );
      });
    }
    return this.get(name);
  }

  setDesired(name: string, desired: Desired): void {
    this.#run("UPDATE graphs SET desired = ? WHERE name = ?", desired, name);
  }

  setOutcome(name: string, outcome: StoredGraph["outcome"], reason?: string): void {
    this.#run("UPDATE graphs SET outcome = ?, reason = ? WHERE name = ?", outcome ?? null, reason ?? null, name);
  }

  /** A new run begins: whatever ran before may store nothing any more. */
  nextEpoch(name: string): number {
    this.#run("UPDATE graphs SET epoch = epoch + 1, outcome = NULL, reason = NULL WHERE name = ?", name);
    return this.get(name).epoch;
  }

  /** Forgets how far it has come: the next run begins at the beginning. */
  forget(name: string): void {
    this.#transaction(() => {
      for (const table of ["progress", "state"]) this.#run(`DELETE FROM ${table} WHERE name = ?`, name);
    });
  }

  remove(name: string): void {
    this.#transaction(() => {
      for (const table of ["graphs", "versions", "progress", "state"]) this.#run(`DELETE FROM ${table} WHERE name = ?`, name);
    });
  }

  /** The progress of one run. */
  progressOf(name: string, epoch: number): ProgressStore {
    return { load: async () => this.#load(name), commit: async (commit) => this.#commit(name, epoch, commit) };
  }

  #load(name: string): SavedProgress {
    const sources = new Map<string, Progress>();
    for (const { source, position, sequence } of this.#all("SELECT * FROM progress WHERE name = ?", name)) {
      sources.set(String(source), { position: String(position), sequence: Number(sequence) });
    }
    const state = new Map<string, Map<string, string>>();
    for (const { stage, key, value } of this.#all("SELECT * FROM state WHERE name = ?", name)) {
      const entries = state.get(String(stage)) ?? new Map<string, string>();
      state.set(String(stage), entries.set(String(key), String(value)));
    }
    return { sources, state };
  }

  #commit(name: string, epoch: number, { sources, state }: Commit): void {
    this.#transaction(() => {
      const [row] = this.#all("SELECT epoch FROM graphs WHERE name = ?", name);
      if (row === undefined || Number(row.epoch) !== epoch) {
        const what = row === undefined ? "was removed" : `is at epoch ${String(row.epoch)}`;
        throw streamError("stream.fenced", `graph ${name} ${what}, and this run has epoch ${epoch}: a younger one goes on`);
      }
      for (const [source, { position, sequence }] of sources) {
        this.#run("INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?)", name, source, position, sequence);
      }
      for (const { stage, key, value } of state) {
        if (value === undefined) this.#run("DELETE FROM state WHERE name = ? AND stage = ? AND key = ?", name, stage, key);
        else this.#run("INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)", name, stage, key, value);
      }
    });
  }

  readonly #statements = new Map<string, ReturnType<DatabaseSync["prepare"]>>();

  #statement(sql: string): ReturnType<DatabaseSync["prepare"]> {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }

  #all(sql: string, ...values: (string | number)[]): Row[] {
    return this.#stored(() => this.#statement(sql).all(...values) as Row[]);
  }

  #run(sql: string, ...values: (string | number | null)[]): void {
    this.#stored(() => this.#statement(sql).run(...values));
  }

  #transaction(work: () => void): void {
    this.#stored(() => this.#database.exec("BEGIN IMMEDIATE"));
    try {
      work();
      this.#stored(() => this.#database.exec("COMMIT"));
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #stored<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw streamError("stream.storage", `graphs and their progress could not be stored: ${String(cause)}`, { cause });
    }
  }
}

function readGraph(row: Row): StoredGraph {
  return {
    name: String(row.name),
    version: Number(row.version),
    hash: String(row.hash),
    graph: JSON.parse(String(row.graph)) as Graph,
    document: JSON.parse(String(row.document)),
    desired: row.desired as Desired,
    outcome: row.outcome === null ? undefined : (row.outcome as "completed" | "failed"),
    reason: row.reason === null ? undefined : String(row.reason),
    epoch: Number(row.epoch),
    appliedAtMs: Number(row.applied_at_ms),
  };
}
