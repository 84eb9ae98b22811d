import { type Clock, systemClock } from "@metanode/core/clock";
import { natureError } from "../errors.ts";
import { type Instance, keyOf, type Locator } from "../instance/instance.ts";
import type { Backlog, FailedQuery, RegistryEdit, StoredRegistry } from "../store/admin.ts";
import type { Store } from "../store/full-store.ts";
import { Repairs } from "../store/repairs.ts";
import { boundOf, byDue } from "../store/rows.ts";
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
} from "../store/store.ts";
import { TASK_BLOCK } from "../store/task-ids.ts";
import { byKey, compareCells, type DiskTask, keyCells, type MemoryDisk } from "./memory-disk.ts";
import { MemoryReads } from "./memory-reads.ts";

/** Operations of a store at which a test can make something happen. */
export type StoreOperation = "commit" | "latest" | "load" | "claim" | "retry" | "fail" | "take" | "renew" | "other";

/** What a test does to a handle. */
export interface MemoryStoreOptions {
  readonly clock?: Clock;
  /**
   * Called before an operation is done and again when it is done and not yet answered. A throw of it is what the caller gets: before, nothing has
   * happened; after, everything has, as when a connection breaks while the database answers.
   */
  readonly fault?: (operation: StoreOperation, phase: "before" | "after") => void;
}

const FIRST_LEASE_MS = 30_000;

/**
 * The handle of one engine on a {@link MemoryDisk}: a store with everything that the contract promises, and none of its durability.
 * `kill` ends it as `kill -9` ends a process: what was asked is never answered, and its tasks stay with it until its lease runs out.
 */
export class MemoryStore implements Store {
  readonly dialect = "sqlite";
  readonly disk: MemoryDisk;
  readonly reads: MemoryReads;
  readonly #clock: Clock;
  readonly #fault: MemoryStoreOptions["fault"];
  readonly #repairs = new Repairs();
  readonly #watchers = new Set<(version: number) => void>();
  #slot: number;
  #ids: number;
  #end: number;
  /** Whether the lease was lost since the last renewal. */
  #isFenced = false;
  #state: "open" | "closed" | "dead" = "open";

  constructor(disk: MemoryDisk, { clock = systemClock, fault }: MemoryStoreOptions = {}) {
    this.disk = disk;
    this.reads = new MemoryReads(disk, (query) => this.range(query));
    this.#clock = clock;
    this.#fault = fault;
    this.#slot = this.#register(FIRST_LEASE_MS);
    this.#ids = 0;
    this.#end = 0;
  }

  /** Whether there is another handle on the disk, or was one that is not known to be dead. */
  get isShared(): boolean {
    return this.disk.leases.size > 1;
  }

  /** As `kill -9` of the engine's process: from now on nothing happens through this handle, and nothing is answered. */
  kill(): void {
    this.#state = "dead";
    for (const listener of this.#watchers) this.disk.watchers.delete(listener);
  }

  commit(units: readonly Unit[]): Promise<UnitResult[]> {
    const loose = units.flatMap(({ instances }) => instances.flatMap(({ tasks }) => tasks.map(({ id }) => id)));
    return this.#do("commit", { write: () => units.map((unit) => this.disk.store(unit, this.#slot)), unsure: { loose } });
  }

  latest(lines: readonly Omit<Locator, "version">[]): Promise<(Instance | undefined)[]> {
    return this.#do("latest", { read: () => lines.map((line) => this.disk.latest(line)) });
  }

  load(keys: readonly Locator[]): Promise<(Instance | undefined)[]> {
    return this.#do("load", { read: () => keys.map((key) => this.disk.instances.get(keyOf(key))) });
  }

  claim(nowMs: number, limit: number): Promise<Task[]> {
    return this.#do("claim", {
      write: () => {
        const due = this.#free().filter(({ dueMs }) => dueMs <= nowMs);
        const claimed = due.sort(byDue).slice(0, limit);
        for (const task of claimed) this.disk.tasks.set(task.id, { ...task, owner: this.#slot });
        return claimed.map(asTask);
      },
    });
  }

  nextDueMs(): Promise<number | undefined> {
    return this.#do("other", { read: () => this.#free().sort(byDue)[0]?.dueMs });
  }

  retry(retries: readonly Retry[]): Promise<void> {
    return this.#do("retry", {
      write: () => {
        for (const retry of retries) this.#retry(retry);
      },
      unsure: { retries },
    });
  }

  fail(failures: readonly Failure[]): Promise<void> {
    return this.#do("fail", {
      write: () => {
        for (const failure of failures) this.#fail(failure);
      },
      unsure: { failures },
    });
  }

  task(id: number): Promise<Task | undefined> {
    return this.#do("other", { read: () => maybeTask(this.disk.tasks.get(id)) });
  }

  take(id: number): Promise<Task | undefined> {
    return this.#do("take", {
      write: () => {
        const task = this.disk.tasks.get(id);
        if (task !== undefined) this.disk.tasks.set(id, { ...task, owner: this.#slot });
        return maybeTask(task);
      },
    });
  }

  outcomes(keys: readonly Locator[]): Promise<Outcome[]> {
    const of = (tasks: Iterable<Task>, key: string): number => {
      let count = 0;
      for (const { upstream } of tasks) if (keyOf(upstream) === key) count++;
      return count;
    };
    return this.#do("other", {
      read: () =>
        keys.map((key) => ({
          instances: [...this.disk.madeFrom(key)].sort(byKey),
          open: of(this.disk.tasks.values(), keyOf(key)),
          failed: of(this.disk.failed.values(), keyOf(key)),
        })),
    });
  }

  countTasks({ keyGt, keyLt, dueGeMs = 0, createdLtMs = Number.MAX_SAFE_INTEGER }: TaskRange): Promise<number> {
    const isWithin = within({ keyGt, keyLt });
    return this.#do("other", {
      read: () =>
        [...this.disk.tasks.values()].filter(
          ({ upstream, dueMs, createdMs }) => isWithin(upstream) && dueMs >= dueGeMs && createdMs < createdLtMs,
        ).length,
    });
  }

  range(query: RangeQuery): Promise<Instance[]> {
    const { meta, createdGeMs = 0, createdLtMs = Number.MAX_SAFE_INTEGER, limit } = query;
    return this.#do("other", {
      read: () => {
        const isWithin = within(query);
        const isWanted = (one: Instance): boolean =>
          (meta === undefined || one.meta === meta) &&
          one.createdMs >= createdGeMs &&
          one.createdMs < createdLtMs &&
          isWithin(one);
        return this.disk.sorted().filter(isWanted).slice(0, limit);
      },
    });
  }

  renewLease(leaseMs: number): Promise<LeaseRenewal> {
    return this.#do("renew", {
      write: () => {
        const { leases } = this.disk;
        const nowMs = this.#clock.now();
        for (const [slot, untilMs] of leases) if (untilMs <= nowMs) leases.delete(slot);
        this.#keepSlot();
        leases.set(this.#slot, nowMs + leaseMs);
        const fenced = this.#isFenced;
        this.#isFenced = false;
        return { freed: this.disk.freeTasks(this.#slot), fenced };
      },
    });
  }

  newTaskId(): number {
    if (this.#ids === this.#end) {
      const block = this.disk.nextBlock();
      this.#ids = Math.max(1, block * TASK_BLOCK);
      this.#end = (block + 1) * TASK_BLOCK;
    }
    return this.#ids++;
  }

  loadRegistry(): Promise<StoredRegistry> {
    return this.#do("other", {
      read: () => ({
        version: this.disk.registryVersion,
        metas: [...this.disk.metas.values()],
        relations: [...this.disk.relations.values()],
      }),
    });
  }

  editRegistry(edits: readonly RegistryEdit[], ifVersion?: number): Promise<number | undefined> {
    return this.#do("other", {
      write: () => {
        const { disk } = this;
        if (ifVersion !== undefined && ifVersion !== disk.registryVersion) return undefined;
        for (const edit of edits) {
          if (edit.op === "put-meta") disk.metas.set(edit.meta.meta, edit.meta);
          else if (edit.op === "delete-meta") disk.metas.delete(edit.meta);
          else if (edit.op === "put-relation") disk.relations.set(`${edit.relation.from}\n${edit.relation.to}`, edit.relation);
          else disk.relations.delete(`${edit.from}\n${edit.to}`);
        }
        disk.registryVersion++;
        for (const listener of [...disk.watchers]) listener(disk.registryVersion);
        return disk.registryVersion;
      },
    });
  }

  watchRegistry(listener: (version: number) => void): () => void {
    this.#watchers.add(listener);
    this.disk.watchers.add(listener);
    return () => {
      this.#watchers.delete(listener);
      this.disk.watchers.delete(listener);
    };
  }

  hasInstances(meta: string): Promise<boolean> {
    return this.#do("other", { read: () => [...this.disk.instances.values()].some((one) => one.meta === meta) });
  }

  setting(name: string, preset: string): Promise<string> {
    return this.#do("other", {
      write: () => {
        if (!this.disk.settings.has(name)) this.disk.settings.set(name, preset);
        return this.disk.settings.get(name) as string;
      },
    });
  }

  removeOld({ meta, createdLtMs, limit }: { meta: string; createdLtMs: number; limit: number }): Promise<number> {
    return this.#do("other", {
      write: () => {
        const busy = new Set([...this.disk.tasks.values(), ...this.disk.failed.values()].map(({ upstream }) => keyOf(upstream)));
        const isOld = (one: Instance): boolean => {
          const versions = this.disk.versions(one);
          const isLast = versions.every(({ version }) => version <= one.version);
          return one.meta === meta && one.createdMs < createdLtMs && !busy.has(keyOf(one)) && (!isLast || versions.length === 1);
        };
        const old = [...this.disk.instances.values()].filter(isOld);
        const removed = old.sort((a, b) => a.createdMs - b.createdMs || a.version - b.version).slice(0, limit);
        for (const one of removed) this.disk.remove(one);
        return removed.length;
      },
    });
  }

  backlog(nowMs: number): Promise<Backlog> {
    return this.#do("other", {
      read: () => {
        const tasks = [...this.disk.tasks.values()];
        const due = this.#free().filter(({ dueMs }) => dueMs <= nowMs);
        const owned = tasks.filter(({ owner }) => owner !== undefined).length;
        return {
          owned,
          due: due.length,
          delayed: tasks.length - owned - due.length,
          failed: this.disk.failed.size,
          oldestDueMs: due.sort(byDue)[0]?.dueMs,
        };
      },
    });
  }

  failedTasks({ afterId = 0, limit, to }: FailedQuery): Promise<FailedTask[]> {
    const isWanted = (task: FailedTask): boolean => task.id > afterId && (to === undefined || task.to === to);
    return this.#do("other", {
      read: () =>
        [...this.disk.failed.values()]
          .filter(isWanted)
          .sort((a, b) => a.id - b.id)
          .slice(0, limit),
    });
  }

  replayFailed(ids: readonly number[], nowMs: number, mission?: string): Promise<number[]> {
    return this.#do("other", {
      write: () => {
        const there = [...new Set(ids)].filter((id) => this.disk.failed.has(id)).sort((a, b) => a - b);
        for (const id of there) {
          const { code: _, error: __, failedMs: ___, ...task } = this.disk.failed.get(id) as FailedTask;
          this.disk.failed.delete(id);
          const again = { ...task, mission: mission ?? task.mission, dueMs: nowMs, attempts: 0 };
          this.disk.tasks.set(id, { ...again, owner: undefined, error: undefined });
        }
        return there;
      },
    });
  }

  dropFailed(ids: readonly number[]): Promise<number> {
    return this.#do("other", { write: () => ids.filter((id) => this.disk.failed.delete(id)).length });
  }

  close(): Promise<void> {
    if (this.#state !== "open") return Promise.resolve();
    this.#state = "closed";
    this.disk.leases.delete(this.#slot);
    this.disk.freeTasks(0);
    for (const listener of this.#watchers) this.disk.watchers.delete(listener);
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #register(leaseMs: number): number {
    const slot = this.disk.nextSlot();
    this.disk.leases.set(slot, this.#clock.now() + leaseMs);
    return slot;
  }

  /** Whoever was thought dead goes on under a new lease. */
  #keepSlot(): void {
    if (this.disk.leases.has(this.#slot)) return;
    this.#slot = this.#register(FIRST_LEASE_MS);
    this.#isFenced = true;
  }

  #free(): DiskTask[] {
    return [...this.disk.tasks.values()].filter(({ owner }) => owner === undefined);
  }

  #retry({ taskId, dueMs, error, counts }: Retry): void {
    const task = this.disk.tasks.get(taskId);
    if (task === undefined || task.owner !== this.#slot) return;
    this.disk.tasks.set(taskId, { ...task, owner: undefined, dueMs, error, attempts: task.attempts + (counts ? 1 : 0) });
  }

  #fail({ taskId, counts, ...failure }: Failure): void {
    const task = this.disk.tasks.get(taskId);
    if (task === undefined || task.owner !== this.#slot) return;
    this.disk.tasks.delete(taskId);
    this.disk.failed.set(taskId, { ...asTask(task), attempts: task.attempts + (counts ? 1 : 0), ...failure });
  }

  /** One operation: asynchronous as with a real database, and with what tests make happen. */
  async #do<T>(operation: StoreOperation, work: Work<T>): Promise<T> {
    await new Promise((resolve) => setImmediate(resolve));
    try {
      await this.#at(operation, "before");
      this.#check("write" in work);
      if ("write" in work) this.#keepSlot();
      this.#recover();
      const result = "write" in work ? work.write() : work.read();
      await this.#at(operation, "after");
      return result;
    } catch (error) {
      if ("write" in work && work.unsure !== undefined && this.#state === "open") this.#repairs.add(work.unsure);
      throw error;
    }
  }

  async #at(operation: StoreOperation, phase: "before" | "after"): Promise<void> {
    if (this.#state !== "dead") this.#fault?.(operation, phase);
    // A dead process answers nobody.
    if ((this.#state as string) === "dead") await new Promise(() => undefined);
  }

  #check(isWrite: boolean): void {
    if (this.#state === "closed") throw natureError("store.unavailable", "the store was closed; open it again to use it");
    if (this.disk.isAway) throw natureError("store.unavailable", "the database is away");
    if (this.disk.isFull && isWrite) throw natureError("store.unavailable", "the disk is full; nothing was stored");
  }

  /** S7: what failed before is set right first. */
  #recover(): void {
    if (this.#repairs.isEmpty) return;
    const { loose, retries, failures } = this.#repairs.take();
    for (const id of loose) {
      const task = this.disk.tasks.get(id);
      if (task?.owner === this.#slot) this.disk.tasks.set(id, { ...task, owner: undefined });
    }
    for (const retry of retries) this.#retry(retry);
    for (const failure of failures) this.#fail(failure);
  }
}

type Work<T> = { readonly read: () => T } | { readonly write: () => T; readonly unsure?: Parameters<Repairs["add"]>[0] };

/** Opens the handle of one engine on a disk. */
export function openMemoryStore(disk: MemoryDisk, options?: MemoryStoreOptions): MemoryStore {
  return new MemoryStore(disk, options);
}

function asTask({ owner: _, error: __, ...task }: DiskTask): Task {
  return task;
}

function maybeTask(task: DiskTask | undefined): Task | undefined {
  return task === undefined ? undefined : asTask(task);
}

/** Whether a key lies between bounds. @throws instance.invalid – a bound is none */
function within({ keyGt, keyGe, keyLt, keyLe }: Partial<RangeQuery>): (key: Locator) => boolean {
  const bounds = (
    [
      [keyGt, (order: number) => order > 0],
      [keyGe, (order: number) => order >= 0],
      [keyLt, (order: number) => order < 0],
      [keyLe, (order: number) => order <= 0],
    ] as const
  ).flatMap(([text, holds]) => (text === undefined || text === "" ? [] : [{ cells: boundOf(text), holds }]));
  return (key) => bounds.every(({ cells, holds }) => holds(compareCells(keyCells(key), cells)));
}
