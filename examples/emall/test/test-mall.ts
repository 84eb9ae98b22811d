import { VirtualClock } from "@metanode/core/testing/clock";
import type { EngineReport, Instance, InstanceInput, JoinedFlows } from "@metanode/nature";
import { openWorkflows, type Workflows } from "../src/workflows.ts";
import type { DatabaseKind, TestDatabase } from "./databases.ts";

/** Flows at work on a real database, on a clock that the test moves. */
export interface TestMall extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly engine: Workflows["nature"]["engine"];
  /** What was told to people. */
  readonly reports: readonly EngineReport[];
  input(input: InstanceInput): Promise<Instance>;
  /** What is stored of a meta, in the order of keys; without one, everything. */
  rows(meta?: string): Promise<Instance[]>;
  /** Resolves when nothing is left to do at this moment of the clock. */
  settle(): Promise<void>;
  /** Moves time on; what falls due meanwhile is done, each at its moment. */
  advance(ms: number): Promise<void>;
  /** Resolves once such an instance is stored, which may have been before. */
  stored(isIt: (instance: Instance) => boolean): Promise<Instance>;
  /** Another engine on the same database. */
  another(): Promise<Workflows>;
}

/** Opens flows on an empty database. */
export async function openTestMall(kind: DatabaseKind, flows: (clock: VirtualClock) => JoinedFlows): Promise<TestMall> {
  const clock = new VirtualClock();
  const database: TestDatabase = await kind.create();
  const log = new StoredLog();
  const reports: EngineReport[] = [];
  const open = async (): Promise<Workflows> =>
    openWorkflows(await database.open(clock), flows(clock), {
      clock,
      onStored: (instance) => log.add(instance),
      onReport: (report) => reports.push(report),
    });
  const opened = [await open()];
  const { nature, store } = opened[0] as Workflows;
  const { engine } = nature;
  const settle = async (): Promise<void> => {
    for (;;) {
      await Promise.all(opened.map((one) => one.nature.engine.idle()));
      const { owned, due } = await engine.backlog();
      if (owned + due === 0) return;
      // Timers of this very moment, such as the look for what was just put back.
      await clock.advance(0);
    }
  };
  return {
    clock,
    engine,
    reports,
    input: async (input) => (await engine.input(input)).instance,
    rows: (meta) => store.range({ ...(meta === undefined ? {} : { meta }), limit: 1_000 }),
    settle,
    async advance(ms) {
      const endMs = clock.now() + ms;
      await settle();
      for (let next = await store.nextDueMs(); next !== undefined && next <= endMs; next = await store.nextDueMs()) {
        await clock.advance(Math.max(0, next - clock.now()));
        await settle();
      }
      await clock.advance(endMs - clock.now());
      await settle();
    },
    stored: (isIt) => log.find(isIt),
    async another() {
      const other = await open();
      opened.push(other);
      return other;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((one) => one[Symbol.asyncDispose]()));
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Everything that was stored, and who waits for what. */
class StoredLog {
  readonly #all: Instance[] = [];
  readonly #waiting = new Set<(instance: Instance) => void>();

  add(instance: Instance): void {
    this.#all.push(instance);
    for (const look of [...this.#waiting]) look(instance);
  }

  find(isIt: (instance: Instance) => boolean): Promise<Instance> {
    const found = this.#all.find(isIt);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve) => {
      const look = (instance: Instance): void => {
        if (!isIt(instance)) return;
        this.#waiting.delete(look);
        resolve(instance);
      };
      this.#waiting.add(look);
    });
  }
}
