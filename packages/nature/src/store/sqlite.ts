import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { type Clock, systemClock } from "@metanode/core/clock";
import { fromWire, type MetanodeError } from "@metanode/core/errors";
import { intWithin, rejectUnknownKeys, textOf } from "@metanode/core/internal";
import { natureError } from "../errors.ts";
import type { Instance, Locator } from "../instance/instance.ts";
import type { Backlog, FailedQuery, RegistryEdit, StoredRegistry } from "./admin.ts";
import type { Store } from "./full-store.ts";
import { LazyReads } from "./lazy-reads.ts";
import type { ReadParts } from "./prisma-reads.ts";
import { byDue, failedTaskOf, instanceOf, type Row, storedId, taskOf } from "./rows.ts";
import { FILE_NAME } from "./sqlite-file.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import { packUnits, unpackResults, type WorkerAnswer, type WorkerRequest, type WorkerStart } from "./sqlite-wire.ts";
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
import { Watchers } from "./watchers.ts";

/** How a store on SQLite is opened. */
export interface SqliteStoreOptions {
  /** Where the database lies; made if it is not there. One process at a time may have it open. */
  folder: string;
  /** @default the machine's */
  clock?: Clock;
  /** Largest size of the database, in bytes; 0 sets no limit. What does not fit fails with `store.unavailable`. @default 0 */
  maxFileBytes?: number;
  /**
   * Nothing is stored while the disk and the unused part of the database together have less room than this, in bytes; 0 does not look.
   * @default 64 MiB
   */
  minFreeBytes?: number;
}

/**
 * Opens the store in a folder, creating it on first use. The thread that writes does not keep the process alive, unless it has something to
 * answer.
 * @throws node.data_in_use – another process has it open; store.unavailable, store.unusable – the folder or the database cannot be used: the
 * message says why and what to do; config.invalid
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  rejectUnknownKeys("store", options, ["folder", "clock", "maxFileBytes", "minFreeBytes"]);
  const folder = textOf("store.folder", options.folder);
  const maxFileBytes = intWithin("store.maxFileBytes", options.maxFileBytes ?? 0, 0);
  const minFreeBytes = intWithin("store.minFreeBytes", options.minFreeBytes ?? 64 * 1_048_576, 0);
  const clock = options.clock ?? systemClock;
  const thread = new StoreThread({ folder, maxFileBytes, minFreeBytes, nowMs: Math.floor(clock.now()) });
  await thread.ready;
  return new HostedSqliteStore(thread, { folder, clock, taskBlock: await thread.ask("taskBlock") });
}

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: MetanodeError) => void;
}

type Methods = { [K in keyof SqliteStore]: SqliteStore[K] };

/** The thread: requests go there and are answered in order. */
class StoreThread {
  /** Settles when the database is open. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #folder: string;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #ended: MetanodeError | undefined;

  constructor(start: WorkerStart) {
    this.#folder = start.folder;
    // From source this file is TypeScript, from a package JavaScript; the thread's file is of the same kind.
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    this.#worker = new Worker(new URL(`./sqlite-worker.${extension}`, import.meta.url), {
      name: "metanode-store",
      // The flags of the host program (--input-type, --eval …) are not meant for this thread.
      execArgv: [],
      workerData: start,
    });
    this.#worker.on("message", (answer: WorkerAnswer) => this.#onAnswer(answer));
    this.#worker.on("error", (error) => this.#onEnd(error));
    this.#worker.on("exit", () => this.#onEnd(undefined));
    this.ready = new Promise((resolve, reject) => this.#pending.set(0, { resolve, reject }));
  }

  ask<K extends keyof Methods>(op: K, ...args: Parameters<Methods[K]>): Promise<ReturnType<Methods[K]>> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended);
        return;
      }
      const request: WorkerRequest = { id: ++this.#lastId, op, args };
      if (this.#pending.size === 0) this.#worker.ref();
      this.#pending.set(request.id, { resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    try {
      await this.ask("close");
    } finally {
      this.#ended = natureError("store.unavailable", `the store in ${this.#folder} was closed; open it again to use it`);
      await this.#worker.terminate();
    }
  }

  #onAnswer(answer: WorkerAnswer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (this.#pending.size === 0) this.#worker.unref();
    // A start that failed is told when the thread is gone, and with it what it held.
    if ("error" in answer && answer.id === 0) void this.#worker.terminate().then(() => pending?.reject(fromWire(answer.error)));
    else if ("error" in answer) pending?.reject(fromWire(answer.error));
    else pending?.resolve(answer.value as never);
  }

  #onEnd(cause: unknown): void {
    this.#ended ??= natureError(
      "store.unavailable",
      `the thread of the store in ${this.#folder} has ended; open the store again`,
      {
        cause,
      },
    );
    for (const pending of this.#pending.values()) pending.reject(this.#ended);
    this.#pending.clear();
  }
}

class HostedSqliteStore implements Store {
  readonly dialect = "sqlite";
  readonly isShared = false;
  readonly #thread: StoreThread;
  readonly #clock: Clock;
  readonly #ids: TaskIds;
  readonly #watchers = new Watchers();
  readonly reads: LazyReads;
  #closing: Promise<void> | undefined;

  constructor(thread: StoreThread, { folder, clock, taskBlock }: { folder: string; clock: Clock; taskBlock: number }) {
    this.#thread = thread;
    this.#clock = clock;
    this.#ids = new TaskIds(taskBlock, () => thread.ask("taskBlock"));
    const downstream: ReadParts["downstream"] = async (fromKey, after, limit) =>
      (await thread.ask("downstream", fromKey, after, limit)).map(instanceOf);
    this.reads = new LazyReads(() => openReads(folder, { range: (query) => this.range(query), downstream }));
  }

  async commit(units: readonly Unit[]): Promise<UnitResult[]> {
    const packed = packUnits(units);
    return unpackResults(packed, await this.#thread.ask("commit", packed));
  }

  async latest(lines: readonly Omit<Locator, "version">[]): Promise<(Instance | undefined)[]> {
    const rows = await this.#thread.ask(
      "latest",
      lines.map(({ meta, id, para }) => [meta, storedId(id), para]),
    );
    return rows.map(maybeInstance);
  }

  async load(keys: readonly Locator[]): Promise<(Instance | undefined)[]> {
    const rows = await this.#thread.ask(
      "load",
      keys.map(({ meta, id, para, version }) => [meta, storedId(id), para, version]),
    );
    return rows.map(maybeInstance);
  }

  async claim(nowMs: number, limit: number): Promise<Task[]> {
    return (await this.#thread.ask("claim", nowMs, limit)).map(taskOf).sort(byDue);
  }

  nextDueMs(): Promise<number | undefined> {
    return this.#thread.ask("nextDueMs");
  }

  retry(retries: readonly Retry[]): Promise<void> {
    return this.#thread.ask("retry", retries);
  }

  fail(failures: readonly Failure[]): Promise<void> {
    return this.#thread.ask("fail", failures);
  }

  async task(id: number): Promise<Task | undefined> {
    return maybeTask(await this.#thread.ask("task", id));
  }

  async take(id: number): Promise<Task | undefined> {
    return maybeTask(await this.#thread.ask("take", id));
  }

  async outcomes(keys: readonly Locator[]): Promise<Outcome[]> {
    const outcomes = await this.#thread.ask(
      "outcomes",
      keys.map(({ meta, id, para, version }) => [meta, storedId(id), para, version]),
    );
    return outcomes.map(({ instances, open, failed }) => ({ instances: instances.map(instanceOf), open, failed }));
  }

  countTasks(query: TaskRange): Promise<number> {
    return this.#thread.ask("countTasks", query);
  }

  async range(query: RangeQuery): Promise<Instance[]> {
    return (await this.#thread.ask("range", query)).map(instanceOf);
  }

  /** Nobody else can have the file: no lease ever runs out. */
  async renewLease(_leaseMs: number): Promise<LeaseRenewal> {
    await this.#thread.ask("nextDueMs");
    return { freed: 0, fenced: false };
  }

  newTaskId(): number {
    return this.#ids.next();
  }

  loadRegistry(): Promise<StoredRegistry> {
    return this.#thread.ask("loadRegistry");
  }

  async editRegistry(edits: readonly RegistryEdit[], ifVersion?: number): Promise<number | undefined> {
    const version = await this.#thread.ask("editRegistry", edits, ifVersion, this.#nowMs());
    if (version !== undefined) this.#watchers.tell(version);
    return version;
  }

  watchRegistry(listener: (version: number) => void): () => void {
    return this.#watchers.add(listener);
  }

  hasInstances(meta: string): Promise<boolean> {
    return this.#thread.ask("hasInstances", meta);
  }

  setting(name: string, preset: string): Promise<string> {
    return this.#thread.ask("setting", name, preset);
  }

  removeOld({ meta, createdLtMs, limit }: { meta: string; createdLtMs: number; limit: number }): Promise<number> {
    return this.#thread.ask("removeOld", meta, createdLtMs, limit);
  }

  backlog(nowMs: number): Promise<Backlog> {
    return this.#thread.ask("backlog", nowMs);
  }

  async failedTasks(query: FailedQuery): Promise<FailedTask[]> {
    return (await this.#thread.ask("failedTasks", query)).map(failedTaskOf);
  }

  replayFailed(ids: readonly number[], nowMs: number, mission?: string): Promise<number[]> {
    return this.#thread.ask("replayFailed", ids, nowMs, mission);
  }

  dropFailed(ids: readonly number[]): Promise<number> {
    return this.#thread.ask("dropFailed", ids);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.reads.close();
    await this.#thread.close();
  }

  #nowMs(): number {
    return Math.floor(this.#clock.now());
  }
}

/** A connection of its own beside that of the thread, through the same library. */
async function openReads(folder: string, thread: Pick<ReadParts, "range" | "downstream">): Promise<ReadParts> {
  const { PrismaLibSql } = await import("@prisma/adapter-libsql");
  const { PrismaClient } = await import("../generated/sqlite/client.ts");
  const adapter = new PrismaLibSql({ url: pathToFileURL(join(folder, FILE_NAME)).href });
  return { client: new PrismaClient({ adapter }), ...thread, stateCounts: STATE_COUNTS };
}

const STATE_COUNTS = `SELECT i.meta AS meta, s.value AS state, count(*) AS lines FROM instance i, json_each(i.states) s
  WHERE i.version > 0 AND (?1 = '' OR i.meta = ?1) AND NOT EXISTS (
    SELECT 1 FROM instance n WHERE n.meta = i.meta AND n.id = i.id AND n.para = i.para AND n.version = i.version + 1)
  GROUP BY i.meta, s.value ORDER BY i.meta, s.value`;

function maybeInstance(row: Row | undefined): Instance | undefined {
  return row === undefined ? undefined : instanceOf(row);
}

function maybeTask(row: Row | undefined): Task | undefined {
  return row === undefined ? undefined : taskOf(row);
}
