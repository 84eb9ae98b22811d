import { type Clock, systemClock } from "@metanode/core/clock";
import { MetanodeError } from "@metanode/core/errors";
import { intWithin, rejectUnknownKeys, textOf } from "@metanode/core/internal";
import { natureError } from "../errors.ts";
import type { Instance, Locator } from "../instance/instance.ts";
import type { Backlog, FailedQuery, RegistryEdit, StoredRegistry } from "./admin.ts";
import type { Store } from "./full-store.ts";
import { LazyReads } from "./lazy-reads.ts";
import { PostgresAdmin } from "./postgres-admin.ts";
import { type Round, roundResults, roundStatement, roundsOf } from "./postgres-commit.ts";
import { type ConnectionOptions, Connections, isCollision, isUnknown, type Run, type Statement } from "./postgres-connections.ts";
import { latestStatement, loadStatement, madeStatement, openStatement, placed } from "./postgres-lookups.ts";
import { migratePostgres } from "./postgres-schema.ts";
import {
  failStatement,
  freeDead,
  holdSlot,
  leaveSlot,
  prolongLease,
  registerSlot,
  replaceSlot,
  retryStatement,
} from "./postgres-slot.ts";
import type { ReadClient, ReadParts } from "./prisma-reads.ts";
import { countTasksSql, rangeSql } from "./range-sql.ts";
import { Repairs } from "./repairs.ts";
import { byDue, instanceOf, type Row, TASK_COLUMNS, taskOf } from "./rows.ts";
import { SlotGate } from "./slot-gate.ts";
import type {
  FailedTask,
  Failure,
  LeaseRenewal,
  Outcome,
  RangeQuery,
  Retry,
  Task,
  TaskRange,
  Unit,
  UnitResult,
} from "./store.ts";
import { TaskIds } from "./task-ids.ts";

/** How a store on PostgreSQL is opened. */
export interface PostgresStoreOptions {
  /** `postgresql://user:password@host:port/database`; the tables lie in the first schema of the user's search path. */
  url: string;
  /** @default the machine's */
  clock?: Clock;
  /** Connections at a time. @default 8 */
  maxConnections?: number;
  /** Longest wait for a connection, in milliseconds. @default 5_000 */
  connectTimeoutMs?: number;
  /** Longest wait for an answer of the database, in milliseconds; longer counts as broken. @default 30_000 */
  answerTimeoutMs?: number;
  /** How soon edits of other nodes are seen, in milliseconds. @default 1_000 */
  registryPollMs?: number;
}

const KNOWN = ["url", "clock", "maxConnections", "connectTimeoutMs", "answerTimeoutMs", "registryPollMs"];

/**
 * Opens the store in a database, making or updating its tables first; several nodes may do so at once. While the database is away everything
 * fails with `store.unavailable`; when it is back the store goes on by itself.
 * @throws store.unavailable – it cannot be reached; store.unusable – it refuses us, or its tables are newer than this program; config.invalid
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  rejectUnknownKeys("store", options, KNOWN);
  const int = (name: keyof PostgresStoreOptions, preset: number): number =>
    intWithin(`store.${name}`, options[name] ?? preset, 1);
  const resolved: ConnectionOptions = {
    url: checkUrl(textOf("store.url", options.url)),
    maxConnections: int("maxConnections", 8),
    connectTimeoutMs: int("connectTimeoutMs", 5_000),
    answerTimeoutMs: int("answerTimeoutMs", 30_000),
  };
  const clock = options.clock ?? systemClock;
  const registryPollMs = int("registryPollMs", 1_000);
  const connections = new Connections(resolved);
  try {
    await migratePostgres(connections);
    const slot = await connections.transact(registerSlot);
    const admin = new PostgresAdmin(connections, clock, registryPollMs);
    return new HostedPostgresStore({ url: resolved.url, connections, admin, slot, taskBlock: await takeBlock(connections) });
  } catch (error) {
    await connections.close();
    throw error;
  }
}

function checkUrl(url: string): string {
  if (URL.canParse(url) && /^postgres(ql)?:$/.test(new URL(url).protocol)) return url;
  // The url itself stays out of the message: it holds a password.
  throw new MetanodeError(
    "config.invalid",
    "store.url is no address of a database, expected postgresql://user:password@host:port/database",
    {
      details: { path: "store.url" },
    },
  );
}

async function takeBlock(connections: Connections): Promise<number> {
  const rows = await connections.write({
    text: "UPDATE setting SET value = (value::int8 + 1)::text WHERE name = 'task_block' RETURNING value::int8 - 1",
  });
  return rows[0]?.[0] as number;
}

/** Collisions with other writers in a row, after which a commit is given up. */
const MAX_COLLISIONS = 50;

const TASK = TASK_COLUMNS.join(", ");

interface Parts {
  readonly url: string;
  readonly connections: Connections;
  readonly admin: PostgresAdmin;
  readonly slot: number;
  readonly taskBlock: number;
}

class HostedPostgresStore implements Store {
  readonly dialect = "postgresql";
  readonly #connections: Connections;
  readonly #admin: PostgresAdmin;
  readonly #gate: SlotGate;
  readonly #ids: TaskIds;
  readonly #repairs = new Repairs();
  /** The lease ran out since the last renewal. */
  #isFenced = false;
  readonly reads: LazyReads;
  #closing: Promise<void> | undefined;

  constructor({ url, connections, admin, slot, taskBlock }: Parts) {
    this.reads = new LazyReads(() => openReads(url, (query) => this.range(query)));
    this.#connections = connections;
    this.#admin = admin;
    this.#gate = new SlotGate(slot);
    this.#ids = new TaskIds(taskBlock, () => takeBlock(connections));
  }

  // -- Work --

  async commit(units: readonly Unit[]): Promise<UnitResult[]> {
    if (units.length === 0) return [];
    const rounds = roundsOf(units);
    try {
      return await this.#owning((slot) => this.#commitOnce(slot, units, rounds));
    } catch (error) {
      // Perhaps they are stored and belong to us, who will not hear of them.
      if (isUnknown(error)) this.#repairs.add({ loose: ownTasks(units) });
      throw error;
    }
  }

  async #commitOnce(slot: number, units: readonly Unit[], rounds: readonly Round[]): Promise<UnitResult[] | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        const only = rounds.length === 1 ? rounds[0] : undefined;
        if (only !== undefined) return await runRound(slot, only, (statement) => this.#connections.write(statement));
        return await this.#commitRounds(slot, units, rounds);
      } catch (error) {
        if (!isCollision(error) || tries === MAX_COLLISIONS) throw error;
      }
    }
  }

  #commitRounds(slot: number, units: readonly Unit[], rounds: readonly Round[]): Promise<UnitResult[] | undefined> {
    return this.#connections.transact(async (run) => {
      const results = new Array<UnitResult>(units.length);
      for (const round of rounds) {
        const part = await runRound(slot, round, run);
        if (part === undefined) return undefined;
        for (const [at, place] of round.places.entries()) results[place] = part[at] as UnitResult;
      }
      return results;
    });
  }

  async latest(lines: readonly Omit<Locator, "version">[]): Promise<(Instance | undefined)[]> {
    if (lines.length === 0) return [];
    return placed(lines.length, await this.#connections.read(latestStatement(lines)));
  }

  async load(keys: readonly Locator[]): Promise<(Instance | undefined)[]> {
    if (keys.length === 0) return [];
    return placed(keys.length, await this.#connections.read(loadStatement(keys)));
  }

  async claim(nowMs: number, limit: number): Promise<Task[]> {
    const rows = await this.#acquire(async (run, slot) => {
      const due = await run({
        name: "due",
        text: "SELECT id FROM task WHERE owner IS NULL AND due_ms <= $1 ORDER BY due_ms, id LIMIT $2 FOR UPDATE SKIP LOCKED",
        values: [nowMs, limit],
      });
      return due.length === 0 ? [] : run(takeStatement(slot, due.flat() as number[]));
    });
    return rows.map(taskOf).sort(byDue);
  }

  async take(id: number): Promise<Task | undefined> {
    const [row] = await this.#acquire((run, slot) => run(takeStatement(slot, [id])));
    return row === undefined ? undefined : taskOf(row);
  }

  /** Makes tasks our own. Their ids are known before the end, so that they can be given back if its answer does not come. */
  async #acquire(work: (run: Run, slot: number) => Promise<Row[]>): Promise<Row[]> {
    let taken: Row[] = [];
    try {
      return await this.#owning((slot) =>
        this.#connections.transact(async (run) => {
          taken = [];
          if (!(await holdSlot(run, slot))) return undefined;
          taken = await work(run, slot);
          return taken;
        }),
      );
    } catch (error) {
      if (isUnknown(error)) this.#repairs.add({ loose: taken.map(([id]) => id as number) });
      throw error;
    }
  }

  async nextDueMs(): Promise<number | undefined> {
    const text = "SELECT due_ms FROM task WHERE owner IS NULL ORDER BY due_ms LIMIT 1";
    return (await this.#connections.read({ name: "next_due", text }))[0]?.[0] as number | undefined;
  }

  async retry(retries: readonly Retry[]): Promise<void> {
    if (retries.length === 0) return;
    await this.#putBack((slot) => retries.map((retry) => retryStatement(slot, retry)), { retries });
  }

  async fail(failures: readonly Failure[]): Promise<void> {
    if (failures.length === 0) return;
    await this.#putBack((slot) => failures.map((failure) => failStatement(slot, failure)), { failures });
  }

  async #putBack(
    statements: (slot: number) => Statement[],
    again: { retries: readonly Retry[] } | { failures: readonly Failure[] },
  ): Promise<void> {
    try {
      await this.#repair();
      await this.#gate.use((slot) => this.#connections.writeAll(statements(slot)));
    } catch (error) {
      this.#repairs.add(again);
      throw error;
    }
  }

  async task(id: number): Promise<Task | undefined> {
    const [row] = await this.#connections.read({ text: `SELECT ${TASK} FROM task WHERE id = $1`, values: [id] });
    return row === undefined ? undefined : taskOf(row);
  }

  async outcomes(keys: readonly Locator[]): Promise<Outcome[]> {
    if (keys.length === 0) return [];
    // Before what was made: what a task that ends between has made is not missed.
    const open = await this.#connections.read(openStatement(keys));
    const made = await this.#connections.read(madeStatement(keys));
    const outcomes = keys.map(() => ({ instances: [] as Instance[], open: 0, failed: 0 }));
    for (const [ord, ...row] of made) outcomes[(ord as number) - 1]?.instances.push(instanceOf(row));
    for (const [ord, tasks, failed] of open) Object.assign(outcomes[(ord as number) - 1] ?? {}, { open: tasks, failed });
    return outcomes;
  }

  async countTasks(query: TaskRange): Promise<number> {
    return (await this.#connections.read(countTasksSql(query)))[0]?.[0] as number;
  }

  async range(query: RangeQuery): Promise<Instance[]> {
    return (await this.#connections.read(rangeSql(query))).map(instanceOf);
  }

  newTaskId(): number {
    return this.#ids.next();
  }

  // -- The slot --

  async renewLease(leaseMs: number): Promise<LeaseRenewal> {
    await this.#owning(async (slot) => ((await prolongLease(this.#connections, slot, leaseMs)) ? true : undefined));
    const freed = await freeDead(this.#connections, this.#gate.slot);
    const fenced = this.#isFenced;
    this.#isFenced = false;
    return { freed, fenced };
  }

  /** Works under the slot; `undefined` says that it is gone, and it is tried with a new one. */
  async #owning<T>(work: (slot: number) => Promise<T | undefined>): Promise<T> {
    for (let tries = 0; tries < 3; tries++) {
      await this.#repair();
      let used = 0;
      const result = await this.#gate.use((slot) => {
        used = slot;
        return work(slot);
      });
      if (result !== undefined) return result;
      await this.#gate.change(() => this.#connections.transact(registerSlot), used);
      this.#isFenced = true;
    }
    throw natureError(
      "store.unavailable",
      `another engine frees what this one owns at once; is its clock or that of the database stopped?`,
    );
  }

  /** Sets right what failed before (S7). */
  async #repair(): Promise<void> {
    if (this.#repairs.isEmpty) return;
    const work = this.#repairs.take();
    try {
      await this.#gate.change((slot) => this.#connections.transact((run) => replaceSlot(run, slot, work)));
    } catch (error) {
      this.#repairs.add(work);
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#admin.close();
    await this.reads.close();
    try {
      await this.#repair();
      await this.#gate.use((slot) => this.#connections.transact((run) => leaveSlot(run, slot)));
    } catch {
      // The lease runs out by itself.
    }
    await this.#connections.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // -- What is declared, and upkeep --

  loadRegistry(): Promise<StoredRegistry> {
    return this.#admin.loadRegistry();
  }

  editRegistry(edits: readonly RegistryEdit[], ifVersion?: number): Promise<number | undefined> {
    return this.#admin.editRegistry(edits, ifVersion);
  }

  watchRegistry(listener: (version: number) => void): () => void {
    return this.#admin.watchRegistry(listener);
  }

  hasInstances(meta: string): Promise<boolean> {
    return this.#admin.hasInstances(meta);
  }

  setting(name: string, preset: string): Promise<string> {
    return this.#admin.setting(name, preset);
  }

  removeOld(query: { meta: string; createdLtMs: number; limit: number }): Promise<number> {
    return this.#admin.removeOld(query);
  }

  backlog(nowMs: number): Promise<Backlog> {
    return this.#admin.backlog(nowMs);
  }

  failedTasks(query: FailedQuery): Promise<FailedTask[]> {
    return this.#admin.failedTasks(query);
  }

  replayFailed(ids: readonly number[], nowMs: number, mission?: string): Promise<number[]> {
    return this.#admin.replayFailed(ids, nowMs, mission);
  }

  dropFailed(ids: readonly number[]): Promise<number> {
    return this.#admin.dropFailed(ids);
  }
}

/** A client with a few connections of its own. */
async function openReads(url: string, range: ReadParts["range"]): Promise<ReadParts> {
  const { PrismaPg } = await import("@prisma/adapter-pg");
  const { PrismaClient } = await import("../generated/postgresql/client.ts");
  const adapter = new PrismaPg({ connectionString: url, max: READ_CONNECTIONS, application_name: "metanode" });
  return { client: new PrismaClient({ adapter }) as unknown as ReadClient, range, stateCounts: STATE_COUNTS };
}

const READ_CONNECTIONS = 4;
const STATE_COUNTS = `SELECT i.meta AS meta, s.state AS state, count(*) AS lines
  FROM instance i CROSS JOIN LATERAL json_array_elements_text(i.states::json) AS s (state)
  WHERE i.version > 0 AND ($1 = '' OR i.meta = $1) AND NOT EXISTS (
    SELECT FROM instance n WHERE n.meta = i.meta AND n.id = i.id AND n.para = i.para AND n.version = i.version + 1)
  GROUP BY i.meta, s.state ORDER BY i.meta, s.state COLLATE "C"`;

async function runRound(
  slot: number,
  round: Round,
  run: (statement: Statement) => Promise<Row[]>,
): Promise<UnitResult[] | undefined> {
  const { statement, ords } = roundStatement(slot, round);
  return roundResults(round, ords, await run(statement));
}

/** Makes tasks those of a slot. */
function takeStatement(slot: number, ids: readonly number[]): Statement {
  return {
    name: "take",
    text: `UPDATE task SET owner = $1 WHERE id = ANY ($2::int8[]) RETURNING ${TASK}`,
    values: [slot, ids],
  };
}

/** The tasks that would belong to the engine that stores them. */
function ownTasks(units: readonly Unit[]): number[] {
  return units.flatMap(({ instances }) => instances.flatMap(({ tasks }) => tasks.flatMap(({ id, mine }) => (mine ? [id] : []))));
}
