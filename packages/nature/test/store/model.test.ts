import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Instance, keyOf, type Locator, lineKeyOf } from "../../src/instance/instance.ts";
import type { Store } from "../../src/store/full-store.ts";
import type { NewTask, Task, Unit, UnitResult } from "../../src/store/store.ts";
import { instanceOf, NOW_MS, taskOf } from "../../src/testing/store-conformance-tools.ts";
import type { StoreHarness } from "../../src/testing/store-harness.ts";
import { sharedPostgres } from "../postgres/database.ts";
import { postgresHarness } from "./postgres-harness.ts";
import { sqliteHarness } from "./sqlite-harness.ts";

/** What a store should hold, done in the simplest way. */
class Model {
  readonly instances = new Map<string, Instance>();
  readonly tasks = new Map<number, { task: Task; isOwned: boolean }>();
  readonly failed = new Set<number>();

  commit(units: readonly Unit[]): UnitResult[] {
    return units.map((unit) => this.#unit(unit));
  }

  #unit({ taskId, instances }: Unit): UnitResult {
    if (taskId !== undefined && this.tasks.get(taskId)?.isOwned !== true) return { status: "lost" };
    const added: Instance[] = [];
    const follow: NewTask[] = [];
    const stored: boolean[] = [];
    for (const { instance, tasks } of instances) {
      const isNew = this.#put(instance);
      if (isNew === "conflict") {
        for (const one of added) this.instances.delete(keyOf(one));
        return { status: "conflict" };
      }
      stored.push(isNew);
      if (isNew) {
        added.push(instance);
        follow.push(...tasks);
      }
    }
    if (taskId !== undefined) this.tasks.delete(taskId);
    for (const { mine, ...task } of follow) this.tasks.set(task.id, { task, isOwned: mine });
    return { status: "done", stored };
  }

  #put(instance: Instance): boolean | "conflict" {
    const line = this.line(instance);
    if (line.some(({ from }) => from !== undefined && instance.from !== undefined && keyOf(from) === keyOf(instance.from)))
      return false;
    if (instance.version > 0 && line.length !== instance.version - 1) return "conflict";
    if (this.instances.has(keyOf(instance))) return false;
    this.instances.set(keyOf(instance), instance);
    return true;
  }

  line(locator: Omit<Locator, "version">): Instance[] {
    return [...this.instances.values()].filter((one) => lineKeyOf(one) === lineKeyOf(locator));
  }

  owned(): number[] {
    return [...this.tasks].flatMap(([id, { isOwned }]) => (isOwned ? [id] : []));
  }
}

const metas = ["B:m/a:1", "B:m/s:1"] as const;

/** An instance of few lines and few upstreams, so that they meet; what it is of decides whether it has versions. */
const shape = fc.record({
  meta: fc.constantFrom(...metas),
  id: fc.constantFrom("1", "2", "18446744073709551615"),
  para: fc.constantFrom("", "p", "P"),
  /** How far the version is from the next one: mostly the next. */
  ahead: fc.constantFrom(0, 0, 0, 0, 0, 0, -1, 1),
  from: fc.option(fc.integer({ min: 0, max: 15 }), { nil: undefined }),
  tasks: fc.array(fc.boolean(), { maxLength: 2 }),
});

const unit = fc.record({ endsTask: fc.boolean(), pick: fc.nat(), instances: fc.array(shape, { maxLength: 3 }) });

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ op: fc.constant("commit" as const), units: fc.array(unit, { minLength: 1, maxLength: 12 }) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("claim" as const), limit: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom("retry" as const, "fail" as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("replay" as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("reopen" as const) }) },
);

type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

class Run {
  readonly #harness: StoreHarness;
  readonly #model = new Model();

  constructor(harness: StoreHarness) {
    this.#harness = harness;
  }

  get #store(): Store {
    return this.#harness.store;
  }

  async step(given: Command): Promise<void> {
    const model = this.#model;
    if (given.op === "commit") {
      const units = given.units.map((one) => this.#unit(one));
      expect(await this.#store.commit(units)).toEqual(model.commit(units));
    } else if (given.op === "claim") {
      const free = [...model.tasks.values()].filter(({ isOwned }) => !isOwned).map(({ task }) => task);
      const due = free.sort((a, b) => a.dueMs - b.dueMs || a.id - b.id).slice(0, given.limit);
      expect(await this.#store.claim(NOW_MS, given.limit)).toEqual(due);
      for (const { id } of due) Object.assign(model.tasks.get(id) ?? {}, { isOwned: true });
    } else if (given.op === "replay") {
      const ids = [...model.failed].sort((a, b) => a - b);
      expect(await this.#store.replayFailed(ids, NOW_MS)).toEqual(ids);
      model.failed.clear();
      expect(await this.#store.backlog(NOW_MS)).toMatchObject({ failed: 0 });
      for (const id of ids) this.#revive((await this.#store.task(id)) as Task);
    } else if (given.op === "reopen") {
      await this.#harness.reopen();
      for (const entry of model.tasks.values()) entry.isOwned = false;
    } else await this.#end(given.op, this.#pick(model.owned(), given.pick));
  }

  #revive(task: Task): void {
    this.#model.tasks.set(task.id, { task, isOwned: false });
  }

  async #end(op: "retry" | "fail", id: number | undefined): Promise<void> {
    const entry = this.#model.tasks.get(id ?? 0);
    if (id === undefined || entry === undefined) return;
    if (op === "retry") {
      await this.#store.retry([{ taskId: id, dueMs: NOW_MS - 5, error: "again", counts: true }]);
      this.#model.tasks.set(id, {
        task: { ...entry.task, dueMs: NOW_MS - 5, attempts: entry.task.attempts + 1 },
        isOwned: false,
      });
    } else {
      await this.#store.fail([{ taskId: id, code: "executor.logic", error: "never", failedMs: NOW_MS, counts: false }]);
      this.#model.tasks.delete(id);
      this.#model.failed.add(id);
    }
  }

  #pick<T>(from: readonly T[], pick: number): T | undefined {
    return from[pick % Math.max(1, from.length)];
  }

  #unit({ endsTask, pick, instances }: Command & { op: "commit" } extends { units: (infer U)[] } ? U : never): Unit {
    const taskId = endsTask ? (this.#pick([...this.#model.tasks.keys()], pick) ?? 4_711) : undefined;
    const lines = new Set<string>();
    const planned = instances.flatMap((one) => {
      const isVersioned = one.meta === metas[1];
      const next = this.#model.line(one).length + 1 + one.ahead;
      const from = one.from === undefined ? undefined : { meta: "B:m/up:1", id: String(one.from), para: "", version: 0 };
      const instance = instanceOf({
        meta: one.meta,
        id: one.id,
        para: one.para,
        version: isVersioned ? Math.max(1, next) : 0,
        from,
      });
      // A unit holds one version of a line at most.
      if (isVersioned && lines.has(lineKeyOf(instance))) return [];
      lines.add(lineKeyOf(instance));
      return [{ instance, tasks: one.tasks.map((mine) => taskOf(this.#store, instance, { mine })) }];
    });
    return { ...(taskId === undefined ? {} : { taskId }), instances: planned };
  }

  /** Everything that is stored, compared with everything that should be. */
  async check(): Promise<void> {
    const { instances, tasks, failed } = this.#model;
    const there = await this.#store.range({ limit: 1_000 });
    const byKey = (a: Instance, b: Instance): number => (keyOf(a) < keyOf(b) ? -1 : 1);
    expect(there.toSorted(byKey)).toEqual([...instances.values()].sort(byKey));
    const views = (await this.#store.reads.tasks({ limit: 1_000 })).items;
    const expected = [...tasks.values()].sort((a, b) => a.task.id - b.task.id);
    expect(views.map(({ error: _, isOwned, ...task }) => ({ task, isOwned }))).toEqual(expected);
    expect((await this.#store.reads.failedTasks({ limit: 1_000 })).items.map(({ id }) => id)).toEqual(
      [...failed].sort((a, b) => a - b),
    );
  }
}

async function agrees(open: () => Promise<StoreHarness>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 30 }), async (commands) => {
      const harness = await open();
      try {
        const run = new Run(harness);
        for (const one of commands) await run.step(one);
        await run.check();
      } finally {
        await harness.dispose();
      }
    }),
    { numRuns: 10, endOnFailure: true },
  );
}

describe("any sequence of units, claims, retries, failures and restarts", () => {
  test("leaves on SQLite what a simple model says: no gaps, no forks, replays once, conflicts whole (S1, S3, S4, S5)", async () => {
    await agrees(sqliteHarness);
  }, 120_000);

  test("leaves the same on PostgreSQL", async (context) => {
    const server = await sharedPostgres();
    if ("reason" in server) return context.skip(server.reason);
    await agrees(() => postgresHarness(server.url));
  }, 120_000);
});
