import { describe, expect, test } from "vitest";
import type { LocalExecutor } from "../../src/executor/local.ts";
import { keyOf } from "../../src/instance/instance.ts";
import { createTestNature, type TestNatureOptions } from "../../src/testing/index.ts";
import { relation } from "../fixtures/things.ts";
import { turn, until } from "../fixtures/until.ts";

const local = (url: string) => ({ protocol: "local", url }) as const;
const metas = [{ meta: "B:a:1" }, { meta: "B:b:1" }, { meta: "B:c:1" }, { meta: "B:s:1", states: "x|y" }];
const toB = relation("B:a:1", "B:b:1", { executor: local("work") });
const nothing: LocalExecutor = () => ({ type: "instances", instances: [] });
const one: LocalExecutor = ({ from }) => ({ type: "instances", instances: [{ content: from.content }] });

const open = (work: LocalExecutor, given: TestNatureOptions = {}) =>
  createTestNature({ metas, relations: [toB], executors: { work }, ...given });

/** An executor that answers when it is told to, and counts. */
function gate() {
  const waiting: (() => void)[] = [];
  const counts = { running: 0, most: 0, ran: 0 };
  const work: LocalExecutor = async ({ from }) => {
    counts.ran++;
    counts.most = Math.max(counts.most, ++counts.running);
    await new Promise<void>((resolve) => waiting.push(resolve));
    counts.running--;
    return { type: "instances", instances: [{ content: from.content }] };
  };
  const openOne = (): void => waiting.shift()?.();
  return { work, counts, waiting, openOne };
}

describe("a task that fails", () => {
  test("is tried again after waits that double, and given up after its last try (§8.3)", async () => {
    const triedAt: number[] = [];
    await using nature = open(
      () => {
        triedAt.push(nature.clock.now());
        throw new Error("no luck");
      },
      { engine: { maxAttempts: 5, backoffMs: 10 } },
    );
    const startMs = nature.clock.now();
    await nature.input({ meta: "B:a:1" });
    await nature.finish();
    expect(triedAt.map((ms) => ms - startMs)).toEqual([0, 10, 30, 70, 150]);
    expect(nature.failed()).toMatchObject([
      { to: "B:b:1", attempts: 5, code: "task.attempts", error: "tried 5 times, last: no luck" },
    ]);
    expect(nature.engine.stats).toMatchObject({ retried: 4, failed: 1, converted: 0 });
  });

  test("for good is given up at once, and touches no other (E4, D-2)", async () => {
    await using nature = open(({ from }) =>
      from.content === "bad" ? { type: "logic", message: "never" } : { type: "instances", instances: [{ content: "ok" }] },
    );
    await Promise.all(["1", "bad", "2"].map((content) => nature.input({ meta: "B:a:1", content })));
    await nature.settle();
    expect(nature.failed()).toMatchObject([{ code: "executor.logic", error: "never", attempts: 1 }]);
    expect(nature.instances("B:b:1")).toHaveLength(2);
  });

  test.each<[string, LocalExecutor, string]>([
    [
      "throws an error that cannot pass",
      () => Promise.reject(Object.assign(new Error("x"), { code: "executor.logic" })),
      "executor.logic",
    ],
    ["answers garbage", () => 17 as never, "executor.logic"],
    ["gives two instances to a meta with states", () => ({ type: "instances", instances: [{}, {}] }), "executor.logic"],
    ["gives a state that is none", () => ({ type: "instances", instances: [{ states: ["q"] }] }), "instance.state"],
    [
      "gives states that exclude each other",
      () => ({ type: "instances", instances: [{ states: ["x", "y"] }] }),
      "instance.state",
    ],
    ["gives an id that is none", () => ({ type: "instances", instances: [{ id: "-1" }] }), "instance.invalid"],
    ["gives too much", () => ({ type: "instances", instances: [{ content: "x".repeat(70_000) }] }), "instance.too_large"],
  ])("is given up when its executor %s", async (_what, work, code) => {
    await using nature = open(work, { relations: [relation("B:a:1", "B:s:1", { executor: local("work") })] });
    await nature.input({ meta: "B:a:1" });
    await nature.settle();
    expect(nature.failed()).toMatchObject([{ code }]);
    expect(nature.instances("B:s:1")).toEqual([]);
  });

  test("because nothing answers in time is tried again, its signal is aborted, and a late answer changes nothing", async () => {
    const signals: AbortSignal[] = [];
    const late: (() => void)[] = [];
    await using nature = open(
      async ({ signal }) => {
        signals.push(signal);
        if (signals.length > 1) return { type: "instances", instances: [{ content: "second" }] };
        await new Promise<void>((resolve) => late.push(resolve));
        return { type: "instances", instances: [{ content: "late" }] };
      },
      { engine: { executorTimeoutMs: 100, backoffMs: 10 } },
    );
    await nature.input({ meta: "B:a:1" });
    await until(() => late.length === 1);
    await nature.clock.advance(100);
    await nature.advance(10);
    late[0]?.();
    await nature.settle();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(nature.instances("B:b:1").map(({ content }) => content)).toEqual(["second"]);
  });

  test("can be replayed, as it was or with another executor, and forgotten", async () => {
    let isMended = false;
    const executors: Record<string, LocalExecutor> = {
      work: (request) => (isMended ? (one as never as (given: unknown) => never)(request) : { type: "logic", message: "broken" }),
      other: () => ({ type: "instances", instances: [{ content: "by another" }] }),
    };
    await using nature = createTestNature({ metas, relations: [toB], executors });
    for (const content of ["1", "2", "3"]) await nature.input({ meta: "B:a:1", content });
    await nature.settle();
    const [first, second, third] = (await nature.engine.failedTasks({ limit: 10 })).map(({ id }) => id) as [
      number,
      number,
      number,
    ];
    isMended = true;
    expect(await nature.engine.replayFailed([first, 999])).toEqual([first]);
    expect(await nature.engine.replayFailed([second], { executor: local("other") })).toEqual([second]);
    await expect(nature.engine.replayFailed([third], { to: "B:c:1" })).rejects.toMatchObject({ code: "relation.invalid" });
    expect(await nature.engine.dropFailed([third])).toBe(1);
    await nature.settle();
    expect(
      nature
        .instances("B:b:1")
        .map(({ content }) => content)
        .sort(),
    ).toEqual(["1", "by another"]);
    expect(nature.failed()).toEqual([]);
  });

  test("because its upstream is gone, or its mission cannot be read, is given up", async () => {
    await using nature = open(one, { relations: [relation("B:a:1", "B:b:1", { executor: local("work"), delayMs: 50 })] });
    const { instance } = await nature.input({ meta: "B:a:1", content: "1" });
    await nature.input({ meta: "B:a:1", content: "2" });
    const [, task] = [...nature.disk.tasks.values()];
    nature.disk.instances.delete(keyOf(instance));
    nature.disk.tasks.set(task?.id ?? 0, { ...(task as NonNullable<typeof task>), mission: "{" });
    await nature.advance(50);
    expect(
      nature
        .failed()
        .map(({ code }) => code)
        .sort(),
    ).toEqual(["instance.invalid", "instance.unknown"]);
  });
});

describe("a task with a delay", () => {
  test.each([1, 1_000, 15 * 86_400_000, 400 * 86_400_000])("of %d ms is done then, not before (D-16)", async (delayMs) => {
    await using nature = open(one, { relations: [relation("B:a:1", "B:b:1", { executor: local("work"), delayMs })] });
    await nature.input({ meta: "B:a:1" });
    await nature.advance(delayMs - 1);
    expect(nature.instances("B:b:1")).toEqual([]);
    await nature.advance(1);
    expect(nature.instances("B:b:1")).toMatchObject([{ createdMs: nature.clock.now() }]);
  });

  test("that tells its time in a part of its upstream's para is due then, and a para without one is told of (§3.1)", async () => {
    const delayOnPara = { extraMs: 100, part: 1 };
    await using nature = open(one, { relations: [relation("B:a:1", "B:b:1", { executor: local("work"), delayOnPara })] });
    const atMs = nature.clock.now() + 5_000;
    await nature.input({ meta: "B:a:1", para: `x/${atMs}` });
    await nature.input({ meta: "B:a:1", para: "x/1" });
    await nature.input({ meta: "B:a:1", para: "x" });
    await nature.settle();
    expect(nature.instances("B:b:1")).toHaveLength(1);
    expect(nature.reports).toMatchObject([{ kind: "relation" }]);
    expect(nature.engine.stats.dropped).toBe(1);
    await nature.advance(5_099);
    expect(nature.instances("B:b:1")).toHaveLength(1);
    await nature.advance(1);
    expect(nature.instances("B:b:1")).toHaveLength(2);
  });
});

describe("a condition on the target's last version", () => {
  test("is waited for, as long as tries are left, also when there is no last version", async () => {
    await using nature = createTestNature({
      metas,
      relations: [
        relation("B:a:1", "B:s:1", { useUpstreamId: true, downSelector: { all: ["x"] }, target: { addStates: ["y"] } }),
      ],
      engine: { backoffMs: 10, maxAttempts: 3 },
    });
    await nature.input({ meta: "B:a:1", id: "1" });
    await nature.input({ meta: "B:a:1", id: "2" });
    await nature.advance(10);
    await nature.input({ meta: "B:s:1", id: "1", states: ["x"] });
    await nature.finish();
    expect(nature.instances("B:s:1").map(({ id, version, states }) => [id, version, ...states])).toEqual([
      ["1", 1, "x"],
      ["1", 2, "y"],
    ]);
    expect(nature.failed()).toMatchObject([{ upstream: { id: "2" }, code: "task.attempts" }]);
  });
});

describe("tasks at work", () => {
  test("run at most so many executors at a time as they may (T1)", async () => {
    const { work, counts, waiting, openOne } = gate();
    await using nature = open(work, { engine: { concurrency: 3 } });
    for (let n = 0; n < 10; n++) await nature.input({ meta: "B:a:1", content: String(n) });
    await until(() => waiting.length === 3);
    expect(nature.engine.load).toEqual({ waiting: 7, running: 3, parked: 0, storing: 0 });
    while (counts.ran < 10 || waiting.length > 0) {
      openOne();
      await turn();
    }
    await nature.settle();
    expect(counts.most).toBe(3);
    expect(nature.instances("B:b:1")).toHaveLength(10);
  });

  test("on one line of versions come one after the other in their order, and hold up no task of another line (E3, V1)", async () => {
    const { work, counts, waiting, openOne } = gate();
    await using nature = createTestNature({
      metas,
      relations: [relation("B:a:1", "B:s:1", { executor: local("work") })],
      executors: { work },
      engine: { concurrency: 2 },
    });
    const target = (line: string, content: string) => ({ meta: "B:a:1", content, sysContext: { "target.id": line } });
    for (let n = 0; n < 8; n++) await nature.input(target("1", String(n)));
    await nature.input(target("2", "other"));
    await until(() => waiting.length === 2);
    expect(nature.engine.load).toEqual({ waiting: 0, running: 2, parked: 7, storing: 0 });
    while (counts.ran < 9 || waiting.length > 0) {
      openOne();
      await turn();
    }
    await nature.settle();
    expect(nature.instances("B:s:1").map(({ id, version, content }) => `${id} ${version} ${content}`)).toEqual([
      ...Array.from({ length: 8 }, (_, n) => `1 ${n + 1} ${n}`),
      "2 1 other",
    ]);
    expect(nature.engine.stats.conflicts).toBe(0);
  });

  test("whose executors say for themselves on which line they are begin anew after a conflict, from the new last version", async () => {
    const declared = {
      metas,
      relations: [relation("B:a:1", "B:s:1", { executor: local("work") })],
      executors: { work: async ({ from }) => ({ type: "instances", instances: [{ id: "1", content: from.content }] }) as const },
    } satisfies TestNatureOptions;
    await using nature = createTestNature(declared);
    await using other = createTestNature({ ...declared, disk: nature.disk, clock: nature.clock });
    await Promise.all(
      Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? nature : other).input({ meta: "B:a:1", content: String(n) })),
    );
    await Promise.all([nature.settle(), other.settle()]);
    const versions = nature.instances("B:s:1");
    expect(versions.map(({ version }) => version)).toEqual(Array.from({ length: 10 }, (_, n) => n + 1));
    expect(new Set(versions.map(({ content }) => content)).size).toBe(10);
    expect(nature.engine.stats.conflicts + other.engine.stats.conflicts).toBeGreaterThan(0);
  });

  test("over the limit of memory wait in the database, and are all done", async () => {
    const { work, counts, waiting, openOne } = gate();
    await using nature = open(work, { engine: { concurrency: 2, maxOwned: 5 } });
    for (let n = 0; n < 40; n++) await nature.input({ meta: "B:a:1", content: String(n) });
    await until(() => waiting.length === 2);
    const { waiting: there, running } = nature.engine.load;
    expect(there + running).toBe(5);
    expect([...nature.disk.tasks.values()].filter(({ owner }) => owner === undefined)).toHaveLength(35);
    while (counts.ran < 40 || waiting.length > 0) {
      openOne();
      await turn();
      await nature.clock.advance(0);
    }
    await nature.settle();
    expect(counts.ran).toBe(40);
    expect(nature.instances("B:b:1")).toHaveLength(40);
  });

  test("are done in the order of their coming", async () => {
    const seen: string[] = [];
    await using nature = open(
      ({ from }) => {
        seen.push(from.content);
        return { type: "none" };
      },
      { engine: { concurrency: 1 } },
    );
    const contents = Array.from({ length: 50 }, (_, n) => String(n));
    await Promise.all(contents.map((content) => nature.input({ meta: "B:a:1", content })));
    await nature.settle();
    expect(seen).toEqual(contents);
  });
});

describe("an engine that stops", () => {
  test("finishes what is under way, and gives back what has not begun, without counting a try (T5)", async () => {
    const { work, waiting, openOne } = gate();
    const nature = open(work, { engine: { concurrency: 1 } });
    for (let n = 0; n < 3; n++) await nature.input({ meta: "B:a:1", content: String(n) });
    await until(() => waiting.length === 1);
    const stopped = nature.engine.stop(1_000);
    await turn();
    openOne();
    await stopped;
    expect(nature.instances("B:b:1")).toHaveLength(1);
    expect([...nature.disk.tasks.values()].map(({ owner, attempts }) => [owner, attempts])).toEqual([
      [undefined, 0],
      [undefined, 0],
    ]);
    await using next = open(one, { disk: nature.disk, clock: nature.clock });
    await next.settle();
    expect(next.instances("B:b:1")).toHaveLength(3);
  });

  test("ends what takes longer than its grace, and another does it at once", async () => {
    const signals: AbortSignal[] = [];
    const nature = open(({ signal }) => {
      signals.push(signal);
      return new Promise(() => undefined);
    });
    await nature.input({ meta: "B:a:1" });
    await until(() => signals.length === 1);
    const stopped = nature.engine.stop(1_000);
    await nature.clock.advance(1_000);
    await stopped;
    expect(signals[0]?.aborted).toBe(true);
    await using next = open(one, { disk: nature.disk, clock: nature.clock });
    await next.settle();
    expect(next.instances("B:b:1")).toHaveLength(1);
    expect(next.failed()).toEqual([]);
  });
});

describe("two engines on one store", () => {
  test("share the work, each task is done once, and what is delayed is done by whoever comes first", async () => {
    const ran: string[] = [];
    const work =
      (name: string): LocalExecutor =>
      ({ from }) => {
        ran.push(`${name}`);
        return { type: "instances", instances: [{ content: from.content }] };
      };
    const relations = [relation("B:a:1", "B:b:1", { executor: local("work"), delayMs: 1_000 })];
    const engine = { pollMs: 50, maxOwned: 10 };
    await using first = open(work("first"), { relations, engine });
    await using second = open(work("second"), { relations, engine, disk: first.disk, clock: first.clock });
    for (let n = 0; n < 100; n++) await first.input({ meta: "B:a:1", content: String(n) });
    for (let step = 0; step < 40; step++) {
      await first.clock.advance(50);
      await Promise.all([first.engine.idle(), second.engine.idle()]);
    }
    expect(first.instances("B:b:1")).toHaveLength(100);
    expect(ran).toHaveLength(100);
    expect(new Set(ran)).toEqual(new Set(["first", "second"]));
  });

  test("never put what was made of one last version behind another: who comes second begins anew (E3, S3)", async () => {
    const seen: (string | undefined)[] = [];
    const gates: (() => void)[] = [];
    const declared = (isGated: boolean): TestNatureOptions => ({
      metas,
      relations: [relation("B:a:1", "B:s:1", { executor: local("work"), useUpstreamId: true })],
      executors: {
        work: async ({ from, last }) => {
          if (isGated) seen.push(last?.content);
          if (isGated && seen.length === 1) await new Promise<void>((resolve) => gates.push(resolve));
          return { type: "instances", instances: [{ content: `${last?.content ?? ""}${from.para}` }] };
        },
      },
    });
    await using slow = createTestNature(declared(true));
    await using quick = createTestNature({ ...declared(false), disk: slow.disk, clock: slow.clock });
    await slow.input({ meta: "B:a:1", id: "1", para: "s" });
    await until(() => gates.length === 1);
    await quick.input({ meta: "B:a:1", id: "1", para: "q" });
    await quick.settle();
    gates[0]?.();
    await slow.settle();
    expect(slow.instances("B:s:1").map(({ version, content }) => `${version} ${content}`)).toEqual(["1 q", "2 qs"]);
    expect(seen).toEqual([undefined, "q"]);
    expect(slow.engine.stats.conflicts).toBe(1);
  });

  test("take over from each other when one dies: after its lease, and nothing is done twice on the disk (S5)", async () => {
    const engine = { leaseMs: 3_000, pollMs: 500 };
    const { work, waiting } = gate();
    const first = open(work, { engine });
    await using second = open(one, { engine, disk: first.disk, clock: first.clock });
    for (let n = 0; n < 5; n++) await first.input({ meta: "B:a:1", content: String(n) });
    await until(() => waiting.length === 5);
    first.kill();
    await second.clock.advance(2_000);
    await second.engine.idle();
    expect(second.instances("B:b:1")).toHaveLength(0);
    await second.clock.advance(2_500);
    await second.engine.idle();
    expect(second.instances("B:b:1")).toHaveLength(5);
    expect(second.disk.tasks.size).toBe(0);
  });

  test("of which one was thought dead forget what it had, and its late answers change nothing (V3, T4)", async () => {
    const engine = { leaseMs: 3_000, pollMs: 500 };
    const { work, waiting, openOne } = gate();
    let isCut = false;
    await using first = open(work, {
      engine: { ...engine, concurrency: 1 },
      storeFault: () => {
        if (isCut) throw Object.assign(new Error("cut"), { code: "store.unavailable" });
      },
    });
    await using second = open(({ from }) => ({ type: "instances", instances: [{ content: `${from.content} of the second` }] }), {
      engine,
      disk: first.disk,
      clock: first.clock,
    });
    for (let n = 0; n < 3; n++) await first.input({ meta: "B:a:1", content: String(n) });
    await until(() => waiting.length === 1);
    isCut = true;
    await second.clock.advance(5_000);
    await second.engine.idle();
    expect(second.instances("B:b:1")).toHaveLength(3);
    isCut = false;
    await first.clock.advance(1_000);
    expect(first.reports.map(({ kind }) => kind)).toContain("lease");
    openOne();
    await first.engine.idle();
    expect(first.engine.load).toEqual({ waiting: 0, running: 0, parked: 0, storing: 0 });
    expect(first.instances("B:b:1").every(({ content }) => content.endsWith("of the second"))).toBe(true);
  });
});

describe("what is stored", () => {
  test("is told to whoever listens, after it is on the disk, and a listener that throws harms nothing", async () => {
    const told: string[] = [];
    await using nature = open(one, {
      onStored: (instance) => {
        expect(nature.disk.instances.get(keyOf(instance))).toBe(instance);
        told.push(instance.meta);
        throw new Error("listener");
      },
    });
    await nature.input({ meta: "B:a:1" });
    await nature.input({ meta: "B:a:1" });
    await nature.settle();
    expect(told).toEqual(["B:a:1", "B:b:1"]);
    expect(nature.reports.map(({ kind }) => kind)).toEqual(["hook", "hook"]);
  });

  test("by several upstreams is dropped before the database is asked, when the target remembers (§1.8)", async () => {
    const cached = [{ meta: "B:a:1" }, { meta: "B:b:1", settings: { cacheSaved: true } }];
    let commits = 0;
    await using nature = createTestNature({
      metas: cached,
      relations: [toB],
      executors: { work: () => ({ type: "instances", instances: [{ para: "tag" }] }) },
      engine: { savedTtlMs: 1_000 },
      storeFault: (operation, phase) => {
        if (operation === "commit" && phase === "after") commits++;
      },
    });
    for (const content of ["1", "2", "3"]) {
      await nature.input({ meta: "B:a:1", content });
      await nature.settle();
    }
    expect(nature.instances("B:b:1")).toMatchObject([{ para: "tag" }]);
    expect(nature.disk.tasks.size).toBe(0);
    expect(commits).toBe(6);
  });

  test("nothing of it leaves a task behind", async () => {
    await using nature = open(nothing);
    await nature.input({ meta: "B:a:1" });
    await nature.settle();
    expect(nature.instances().map(({ meta }) => meta)).toEqual(["B:a:1"]);
    expect(nature.disk.tasks.size).toBe(0);
  });
});
