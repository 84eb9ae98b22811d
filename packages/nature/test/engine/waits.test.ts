import { describe, expect, test } from "vitest";
import type { LocalExecutor } from "../../src/executor/local.ts";
import { createTestNature, type TestNatureOptions } from "../../src/testing/index.ts";
import { relation } from "../fixtures/things.ts";
import { turn, until } from "../fixtures/until.ts";

const local = (url: string) => ({ protocol: "local", url }) as const;
const metas = ["a", "b", "c", "d", "e"].map((name) => ({ meta: `B:${name}:1` }));
const step: LocalExecutor = async ({ from }) => ({ type: "instances", instances: [{ content: `${from.content}.` }] });
const relations = [
  relation("B:a:1", "B:b:1", { executor: local("step") }),
  relation("B:b:1", "B:c:1", { executor: local("step") }),
  relation("B:b:1", "B:d:1", { executor: local("step"), delayMs: 1_000 }),
];
const open = (given: TestNatureOptions = {}) => createTestNature({ metas, relations, executors: { step }, ...given });
const a = { meta: "B:a:1", content: "x" };

describe("waiting for what comes of an input", () => {
  test("resolves with the instance as soon as it is stored, steps away", async () => {
    await using nature = open();
    const { input, flow } = await nature.engine.inputAndWait(a, { meta: "B:c:1", timeoutMs: 5_000 });
    expect(input.isNew).toBe(true);
    expect(flow).toMatchObject({ status: "stored", failed: 0, instance: { meta: "B:c:1", content: "x.." } });
    expect(nature.instances("B:d:1")).toEqual([]);
  });

  test("finds what was stored before", async () => {
    await using nature = open();
    await nature.input(a);
    await nature.settle();
    const { input, flow } = await nature.engine.inputAndWait(a, { meta: "B:c:1", timeoutMs: 5_000 });
    expect(input.isNew).toBe(false);
    expect(flow).toMatchObject({ status: "stored", instance: { meta: "B:c:1" } });
    expect(await nature.engine.waitFor(input.instance, { meta: "B:b:1", timeoutMs: 1 })).toMatchObject({ status: "stored" });
  });

  test("for the whole flow resolves when nothing is left, delayed work included", async () => {
    await using nature = open();
    let flow: object | undefined;
    void nature.engine.inputAndWait(a, { timeoutMs: 60_000 }).then((result) => (flow = result.flow));
    await nature.advance(999);
    expect(flow).toBeUndefined();
    await nature.advance(1);
    expect(flow).toEqual({ status: "ended", instance: undefined, failed: 0 });
    expect(await nature.engine.waitFor({ ...a, id: "0", para: "", version: 0 }, { timeoutMs: 5 })).toMatchObject({
      status: "ended",
    });
  });

  test("for something that does not come ends with the flow, and says how many tasks were given up", async () => {
    await using nature = open({ executors: { step: () => ({ type: "logic", message: "no" }) } });
    const { flow } = await nature.engine.inputAndWait(a, { meta: "B:c:1", timeoutMs: 5_000 });
    expect(flow).toEqual({ status: "ended", instance: undefined, failed: 1 });
  });

  test("ends at once where nothing follows", async () => {
    await using nature = open();
    const { flow } = await nature.engine.inputAndWait({ meta: "B:e:1" }, { timeoutMs: 5_000 });
    expect(flow.status).toBe("ended");
    expect(
      (await nature.engine.inputAndWait({ meta: "B:e:1", content: "2" }, { meta: "B:a:1", timeoutMs: 5_000 })).flow.status,
    ).toBe("ended");
  });

  test("ends by its time limit, or when it is no longer wanted (W3)", async () => {
    await using nature = open({ executors: { step: () => new Promise(() => undefined) } });
    const abort = new AbortController();
    const { instance } = await nature.input(a);
    const results: string[] = [];
    void nature.engine.waitFor(instance, { meta: "B:c:1", timeoutMs: 500 }).then(({ status }) => results.push(`limit ${status}`));
    void nature.engine
      .waitFor(instance, { timeoutMs: 5_000, signal: abort.signal })
      .then(({ status }) => results.push(`abort ${status}`));
    await nature.clock.advance(499);
    expect(results).toEqual([]);
    abort.abort();
    await nature.clock.advance(1);
    expect(results).toEqual(["abort timeout", "limit timeout"]);
    expect(await nature.engine.waitFor(instance, { timeoutMs: 5, signal: abort.signal })).toMatchObject({ status: "timeout" });
  });

  test("sees what another engine stores (W1)", async () => {
    await using first = open({ engine: { maxOwned: 1 } });
    await using second = open({ disk: first.disk, clock: first.clock, engine: { pollMs: 50 } });
    const done: string[] = [];
    const waits = Array.from({ length: 10 }, async (_, n) => {
      const { flow } = await first.engine.inputAndWait({ ...a, content: String(n) }, { meta: "B:c:1", timeoutMs: 60_000 });
      done.push(flow.status);
    });
    for (let step = 0; step < 200 && done.length < 10; step++) {
      await first.clock.advance(50);
      await second.engine.idle();
    }
    expect(done).toEqual(new Array(10).fill("stored"));
    expect(second.engine.stats.converted).toBeGreaterThan(0);
    await Promise.all(waits);
  });

  test("of an input that is refused rejects with why", async () => {
    await using nature = open();
    await nature.settle();
    const timers = nature.clock.pendingTimers;
    await expect(nature.engine.inputAndWait({ meta: "B:none:1" }, { timeoutMs: 5 })).rejects.toMatchObject({
      code: "meta.unknown",
    });
    expect(nature.clock.pendingTimers).toBe(timers);
  });

  test("ends when the engine stops", async () => {
    await using nature = open({ executors: { step: () => new Promise(() => undefined) } });
    const { instance } = await nature.input(a);
    const wait = nature.engine.waitFor(instance, { timeoutMs: 60_000 });
    void nature.engine.stop(0);
    await nature.clock.advance(2_000);
    expect(await wait).toMatchObject({ status: "timeout" });
  });
});

describe("what an engine measures", () => {
  test("is counted per relation, with how long each took from the moment at which it was due", async () => {
    await using nature = open({
      executors: {
        step: ({ from }) =>
          from.meta === "B:b:1" && from.content === "bad."
            ? { type: "logic", message: "no" }
            : { type: "instances", instances: [{ content: `${from.content}.` }] },
      },
      engine: { maxAhead: 0 },
    });
    await nature.input(a);
    await nature.input({ ...a, content: "bad" });
    await nature.finish();
    const measures = nature.engine
      .relationMeasures()
      .map(({ from, to, converted, failed, latency }) => ({ from, to, converted, failed, count: latency.count }));
    expect(measures).toEqual([
      { from: "B:a:1", to: "B:b:1", converted: 2, failed: 0, count: 2 },
      { from: "B:b:1", to: "B:c:1", converted: 1, failed: 1, count: 1 },
      { from: "B:b:1", to: "B:d:1", converted: 1, failed: 1, count: 1 },
    ]);
    expect(nature.engine.stats).toEqual({ inputs: 2, stored: 6, converted: 4, retried: 0, failed: 2, conflicts: 0, dropped: 0 });
    expect(await nature.engine.backlog()).toEqual({ owned: 0, due: 0, delayed: 0, failed: 2, oldestDueMs: undefined });
  });

  test("falls into classes by its latency", async () => {
    await using nature = open({
      relations: [relation("B:a:1", "B:b:1", { executor: local("step") })],
      executors: {
        step: ({ from }) =>
          new Promise((resolve) => nature.clock.setTimer(Number(from.content), () => resolve({ type: "none" }))),
      },
      engine: { executorTimeoutMs: 1_000_000 },
    });
    for (const content of ["1", "3", "40", "400000"]) await nature.input({ ...a, content });
    for (const ms of [1, 2, 37, 399_960]) {
      await nature.clock.advance(ms);
      await until(() => nature.engine.load.storing === 0);
      await turn();
    }
    await nature.settle();
    const [measured] = nature.engine.relationMeasures();
    expect(measured?.latency.sumMs).toBe(400_044);
    expect(measured?.latency.counts).toEqual([1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  });
});
