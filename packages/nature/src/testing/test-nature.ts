import { settle, VirtualClock } from "@metanode/core/testing";
import { Catalog, type Declarations } from "../catalog/catalog.ts";
import { Engine, type EngineParts } from "../engine/engine.ts";
import type { EngineReport } from "../engine/engine-report.ts";
import type { FaultPoint } from "../engine/fault.ts";
import type { InputResult } from "../engine/inputs.ts";
import type { EngineOptions } from "../engine/options.ts";
import type { ConvertResult } from "../executor/executor.ts";
import type { Resolvers } from "../executor/executors.ts";
import { defineExecutors, type LocalExecutor } from "../executor/local.ts";
import type { Instance, InstanceInput } from "../instance/instance.ts";
import type { MetaString } from "../meta/meta-string.ts";
import type { FailedTask } from "../store/store.ts";
import { byKey, MemoryDisk } from "./memory-disk.ts";
import { type MemoryStore, type MemoryStoreOptions, openMemoryStore } from "./memory-store.ts";

/** A workflow under test. */
export interface TestNatureOptions extends Partial<Declarations> {
  /** Functions behind executors of protocol `local`, by name. */
  readonly executors?: Readonly<Record<string, LocalExecutor>>;
  /** Executors of other protocols. */
  readonly resolvers?: Resolvers;
  /** Settings of the engine; the clock and the jitter are the kit's. */
  readonly engine?: Omit<EngineOptions, "clock" | "random">;
  /** A disk to go on with, perhaps together with others. @default an empty one */
  readonly disk?: MemoryDisk;
  readonly clock?: VirtualClock;
  /** Called at named moments of the engine; what it throws happens there. See `FAULT_POINTS`. */
  readonly fault?: (point: FaultPoint, nature: TestNature) => void;
  readonly storeFault?: MemoryStoreOptions["fault"];
  readonly onStored?: (instance: Instance) => void;
}

/** A day: with a virtual clock nobody has to look for work by and by. */
const DAY_MS = 86_400_000;

/**
 * A workflow in memory on a virtual clock, for tests: the real engine on a store that keeps nothing. Waits are exact, without chance.
 *
 * ```ts
 * await using nature = createTestNature({ metas, relations, executors: { price: ({ from }) => … } });
 * await nature.input({ meta: "B:order:1", content: "{}" });
 * await nature.settle();
 * expect(nature.instances("B:price:1")).toHaveLength(1);
 * ```
 */
export class TestNature implements AsyncDisposable {
  readonly clock: VirtualClock;
  readonly disk: MemoryDisk;
  /** What the engine told people. */
  readonly reports: EngineReport[] = [];
  readonly #options: TestNatureOptions;
  readonly #catalog: Catalog;
  #store: MemoryStore;
  #engine: Engine;

  /** @throws the first thing that is wrong with what is declared */
  constructor(options: TestNatureOptions = {}) {
    this.#options = options;
    this.clock = options.clock ?? new VirtualClock();
    this.disk = options.disk ?? new MemoryDisk();
    this.#catalog = new Catalog({ metas: options.metas ?? [], relations: options.relations ?? [] });
    const [problem] = this.#catalog.problems;
    if (problem !== undefined) throw problem.error;
    this.#store = this.#openStore();
    this.#engine = this.#openEngine();
  }

  /** The engine at work; another one after `crash`. */
  get engine(): Engine {
    return this.#engine;
  }

  get store(): MemoryStore {
    return this.#store;
  }

  input(input: InstanceInput): Promise<InputResult> {
    return this.#engine.input(input);
  }

  callback(taskId: number, result: ConvertResult): Promise<void> {
    return this.#engine.callback(taskId, result);
  }

  /**
   * Resolves when nothing is left to do at this moment of the clock. Executors that wait for a later one have to be brought there with
   * {@link advance}, without this.
   */
  async settle(): Promise<void> {
    do {
      await settle();
      await this.#engine.idle();
      await settle();
      // Timers of this very moment, such as the look for what was just put back.
      await this.clock.advance(0);
    } while (this.#hasWork());
  }

  /** Moves time on by `ms`; what falls due meanwhile is done in its order, each at its moment. */
  async advance(ms: number): Promise<void> {
    const endMs = this.clock.now() + ms;
    await this.settle();
    for (let nextMs = this.#nextDueMs(); nextMs !== undefined && nextMs <= endMs; nextMs = this.#nextDueMs()) {
      await this.clock.advance(Math.max(0, nextMs - this.clock.now()));
      await this.settle();
    }
    await this.clock.advance(endMs - this.clock.now());
    await this.settle();
  }

  /** Moves time on until no task is left, however late the last one is. */
  async finish(): Promise<void> {
    await this.settle();
    for (let nextMs = this.#nextDueMs(); nextMs !== undefined; nextMs = this.#nextDueMs()) {
      await this.advance(Math.max(0, nextMs - this.clock.now()));
    }
  }

  /** What is stored, in the order of keys. */
  instances(meta?: MetaString): Instance[] {
    return [...this.disk.instances.values()].filter((one) => meta === undefined || one.meta === meta).sort(byKey);
  }

  /** Tasks that were given up. */
  failed(): FailedTask[] {
    return [...this.disk.failed.values()];
  }

  /** As `kill -9` of the process: what is under way is never finished. Its tasks stay with it until its lease runs out. */
  kill(): void {
    this.#store.kill();
  }

  /** Kills the engine and starts another on the same disk, whose first act is to free what the dead one had, as after a restart. */
  restart(): void {
    this.kill();
    this.disk.leases.clear();
    this.disk.freeTasks(0);
    this.#store = this.#openStore();
    this.#engine = this.#openEngine();
  }

  /** Ends it at once. What is under way is left; the tasks are free for others on the same disk. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Its waits are on a clock that nobody moves any more.
    void this.#engine.stop(0);
    await settle();
    await this.#store.close();
  }

  #openStore(): MemoryStore {
    const { storeFault } = this.#options;
    return openMemoryStore(this.disk, { clock: this.clock, ...(storeFault === undefined ? {} : { fault: storeFault }) });
  }

  #openEngine(): Engine {
    const { executors = {}, resolvers = {}, engine = {}, fault, onStored } = this.#options;
    const parts: EngineParts = {
      store: this.#store,
      catalog: () => this.#catalog,
      resolvers: { local: defineExecutors(executors), ...resolvers },
      credential: (taskId) => `credential of ${taskId}`,
      onReport: (report) => this.reports.push(report),
      ...(onStored === undefined ? {} : { onStored }),
      ...(fault === undefined ? {} : { fault: (point) => fault(point, this) }),
    };
    const opened = new Engine(parts, {
      pollMs: DAY_MS,
      leaseMs: 3 * DAY_MS,
      jitter: 0,
      ...engine,
      clock: this.clock,
      random: () => 0.5,
    });
    opened.start();
    return opened;
  }

  #hasWork(): boolean {
    const { waiting, running, parked, storing } = this.#engine.load;
    const nextMs = this.#nextDueMs();
    return waiting + running + parked + storing > 0 || (nextMs !== undefined && nextMs <= this.clock.now());
  }

  #nextDueMs(): number | undefined {
    let next: number | undefined;
    for (const { owner, dueMs } of this.disk.tasks.values()) {
      if (owner === undefined && (next === undefined || dueMs < next)) next = dueMs;
    }
    return next;
  }
}

/** A workflow for a test; see {@link TestNature}. @throws the first thing that is wrong with what is declared */
export function createTestNature(options?: TestNatureOptions): TestNature {
  return new TestNature(options);
}
