import { VirtualClock } from "@metanode/core/testing/clock";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Action,
  batchAction,
  compileGraph,
  dedupeAction,
  functionAction,
  GraphRun,
  iterableAction,
  joinAction,
  keyedAction,
  MemoryProgress,
  mergeAction,
  operators,
  type ProgressStore,
  throttleAction,
} from "../../src/index.ts";
import { keyReader } from "../../src/record/key.ts";
import { NumberSource, range } from "../run/counting.ts";
import { type Collected, CountedProgress, once, runLists, SortedProgress } from "./tools.ts";

const builtIn = (name: string, settings: object = {}): Action => {
  const found = operators.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no operator ${name}`);
  return found.make({ name: "work", with: settings as Record<string, unknown> }, {});
};
const recordsOf = async (records: readonly unknown[], action: Action): Promise<unknown[]> =>
  (await runLists({ records }, action)).map(({ record }) => record);

describe("a function with a memory", () => {
  const counting = keyedAction({
    keyOf: (word: string) => word,
    initial: () => 0,
    on: (word, count, { keep }) => {
      keep(count + 1);
      return `${word}${count + 1}`;
    },
  });

  test("has a state for each key", async () => {
    expect(await recordsOf(["a", "b", "a", "a"], counting)).toEqual(["a1", "b1", "a2", "a3"]);
  });

  test("has after a crash the state of exactly the records that are not read again", async () => {
    const words = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 30 });
    const property = fc.asyncProperty(words, fc.array(fc.nat(30), { maxLength: 3 }), async (given, crashes) => {
      const expected = once(await runLists({ given }, counting));
      expect(once(await runLists({ given }, counting, { crashes }))).toEqual(expected);
    });
    await fc.assert(property, { numRuns: 50 });
  });

  test("is called again for a key when its time has come, also when that passed while the machine was down", async () => {
    const closing = keyedAction({
      keyOf: (number: number) => (number % 2 === 0 ? "even" : "odd"),
      initial: () => [] as number[],
      on: (number, numbers, { keep, wakeAfter }) => {
        keep([...numbers, number]);
        wakeAfter(1_000);
        return undefined;
      },
      onTime: (numbers, { key, keep }) => {
        keep(undefined);
        return `${key}: ${numbers}`;
      },
    });
    const clock = new VirtualClock();
    const progress = new MemoryProgress();
    const first = await opened(closing, { clock, progress });
    first.source.give(3);
    await clock.advance(600);
    first.source.give(1);
    await clock.advance(600);
    expect(first.seen).toEqual([{ id: `work:even@${Date.UTC(2026, 0, 1) + 1_000}`, record: "even: 0,2" }]);
    await first.run.drain();
    await clock.advance(60_000);
    const second = await opened(closing, { clock, progress });
    await clock.advance(1);
    expect(second.seen).toEqual([{ id: `work:odd@${Date.UTC(2026, 0, 1) + 1_600}`, record: "odd: 1,3" }]);
    await second.run.close();
  });

  test("has its state stored again and again while records come, and once at the end", async () => {
    const progress = new CountedProgress();
    await runLists({ given: range(300).map(String) }, counting, { progress });
    expect(progress.commits).toBeGreaterThan(1);
    expect((await progress.load()).state.get("work")?.size).toBe(300);
  });
});

describe("a join", () => {
  const at = (id: number, time: number, what: string) => ({ id, time, what });
  const options = { keyOf: keyReader("id"), timeOf: (record: unknown) => (record as { time: number }).time, withinMs: 10 };

  test("brings together records of the same key that are close in time, each pair once", async () => {
    const lists = {
      orders: [at(1, 0, "order"), at(2, 5, "order"), at(3, 100, "order")],
      payments: [at(1, 8, "payment"), at(2, 50, "payment"), at(1, 9, "again")],
    };
    const found = (await runLists(lists, joinAction({ ...options, disorderMs: 1_000 }))).map(({ record }) => record);
    expect(found).toHaveLength(2);
    expect(found).toContainEqual({ key: "1", orders: lists.orders[0], payments: lists.payments[0] });
    expect(found).toContainEqual({ key: "1", orders: lists.orders[0], payments: lists.payments[2] });
  });

  test("gives on also those without a partner where it is told so", async () => {
    const lists = { orders: [at(1, 0, "order"), at(2, 5, "order")], payments: [at(1, 8, "payment")] };
    const found = await runLists(lists, joinAction({ ...options, disorderMs: 1_000, outer: "orders" }));
    expect(found.map(({ record }) => record)).toContainEqual({ key: "2", orders: lists.orders[1] });
  });
});

describe("a join of three", () => {
  const timeOf = (record: unknown): number => (record as { time: number }).time;
  const action = joinAction({ keyOf: keyReader("id"), timeOf, withinMs: 10, disorderMs: 1_000 });

  test("gives one record of each, all close to each other, under an id that says which", async () => {
    const lists = {
      a: [{ id: 1, time: 0 }],
      b: [{ id: 1, time: 8 }],
      c: [
        { id: 1, time: 12 },
        { id: 1, time: 9 },
      ],
    };
    expect(await runLists(lists, action)).toEqual([
      { id: "work:a:0+b:0+c:1", record: { key: "1", a: lists.a[0], b: lists.b[0], c: lists.c[1] } },
    ]);
  });

  test("gives the same over crashes, whichever upstream is ahead", async () => {
    const aList = fc.array(fc.record({ id: fc.constantFrom(1, 2), time: fc.nat(30) }), { maxLength: 8 });
    const property = fc.asyncProperty(aList, aList, aList, fc.array(fc.nat(8), { maxLength: 3 }), async (a, b, c, crashes) => {
      const expected: unknown[] = [];
      for (const one of a) {
        for (const two of b) {
          for (const three of c) {
            const times = [one.time, two.time, three.time];
            if (one.id !== two.id || one.id !== three.id || Math.max(...times) - Math.min(...times) > 10) continue;
            expected.push(JSON.stringify({ key: String(one.id), a: one, b: two, c: three }));
          }
        }
      }
      const found = once(await runLists({ a, b, c }, action, { crashes }));
      expect(found.map((record) => JSON.stringify(record)).sort()).toEqual(expected.sort());
    });
    await fc.assert(property, { numRuns: 60 });
  });
});

describe("a merge", () => {
  const action = mergeAction({ timeOf: (record) => Number(String(record)), disorderMs: 10 });

  test("puts the records of its upstreams into the order of their times, over crashes, bytes as they are", async () => {
    const aList = fc.array(fc.nat(100), { maxLength: 20 }).map((times) => times.sort((one, other) => one - other));
    const property = fc.asyncProperty(aList, aList, fc.array(fc.nat(20), { maxLength: 3 }), async (one, two, crashes) => {
      const lists = { one: one.map((time) => Buffer.from(String(time))), two };
      const out = await runLists(lists, action, { crashes });
      const found = once(out);
      expect(found.map(String)).toEqual([...one, ...two].sort((one, other) => one - other).map(String));
      expect(found.filter((record) => record instanceof Uint8Array)).toHaveLength(one.length);
    });
    await fc.assert(property, { numRuns: 60 });
  });

  test("gives what comes too late at once", async () => {
    expect(await recordsOf([1, 50, 3, 60], action)).toEqual([1, 3, 50, 60]);
  });
});

describe("a dedupe", () => {
  test("lets the first of each key pass, also over a crash", async () => {
    const action = dedupeAction({ keyOf: String });
    const given = ["a", "b", "a", "c", "b", "a"];
    expect(await recordsOf(given, action)).toEqual(["a", "b", "c"]);
    expect(once(await runLists({ given }, action, { crashes: [3], size: 1 }))).toEqual(["a", "b", "c"]);
  });

  test("goes by the ids of records where it has no key", async () => {
    expect(await recordsOf(["a", "a"], dedupeAction())).toEqual(["a", "a"]);
    const again = { idOf: (index: number): string => `same:${index % 2}` };
    const source: Action = {
      source: () => ({
        async *read() {
          yield { records: ["a", "b", "c"], position: "1", lineage: again };
        },
      }),
    };
    const seen: unknown[] = [];
    const { graph } = compileGraph({ name: "ids", expression: "records; work; keep" });
    const keep = functionAction((record: unknown) => void seen.push(record));
    const actions = new Map([
      ["records", source],
      ["work", dedupeAction()],
      ["keep", keep],
    ]);
    await (await GraphRun.open({ graph, actions, folder: "." })).ended;
    expect(seen).toEqual(["a", "b"]);
  });

  test("forgets the same over crashes", async () => {
    const letters = fc.array(fc.constantFrom("z", "a", "m", "b"), { maxLength: 30 });
    const property = fc.asyncProperty(letters, fc.array(fc.nat(30), { maxLength: 3 }), async (given, crashes) => {
      const action = dedupeAction({ keyOf: String, max: 2 });
      const expected = once(await runLists({ given }, action));
      expect(once(await runLists({ given }, action, { crashes, progress: new SortedProgress() }))).toEqual(expected);
    });
    await fc.assert(property, { numRuns: 50 });
  });

  test("forgets the oldest when it has seen too many", async () => {
    expect(await recordsOf(["a", "b", "c", "a"], dedupeAction({ keyOf: String, max: 1 }))).toEqual(["a", "b", "c", "a"]);
  });
});

interface Opened {
  readonly clock: VirtualClock;
  readonly progress?: ProgressStore;
}

/** Numbers, let out by the test, through one action. */
async function opened(action: Action, { clock, progress = new MemoryProgress() }: Opened) {
  const { graph } = compileGraph({ name: "pace", expression: "numbers; work; keep" });
  const seen: Collected[] = [];
  const source = new NumberSource();
  const actions = new Map<string, Action>([
    ["numbers", { source: () => source }],
    ["work", action],
    ["keep", functionAction((record: unknown, { id }) => void seen.push({ id, record, trace: undefined }))],
  ]);
  const run = await GraphRun.open({ graph, actions, folder: ".", clock, progress });
  return { run, source, seen, records: () => seen.map(({ record }) => record) };
}

describe("a throttle", () => {
  test("lets so many pass in a second, and drops none", async () => {
    const clock = new VirtualClock();
    const { run, source, records } = await opened(throttleAction({ perSecond: 2, burst: 3 }), { clock });
    source.give(10);
    source.finish();
    await clock.advance(0);
    expect(records()).toEqual([0, 1, 2]);
    await clock.advance(1_000);
    expect(records()).toEqual(range(5));
    await clock.advance(10_000);
    expect((await run.ended).outcome).toBe("completed");
    expect(records()).toEqual(range(10));
  });

  test("drops what would have to wait where it is told so, and counts it", async () => {
    const clock = new VirtualClock();
    const { run, source, records } = await opened(throttleAction({ perSecond: 1, burst: 2, excess: "drop" }), { clock });
    source.give(5);
    await clock.advance(1_000);
    source.give(3);
    source.finish();
    await clock.advance(0);
    expect((await run.ended).outcome).toBe("completed");
    expect(records()).toEqual([0, 1, 5]);
    expect(run.status().nodes.find(({ name }) => name === "work")?.counts).toEqual({ dropped: 5 });
  });
});

describe("a batch", () => {
  test("gathers records into lists, and gives the last one at the end", async () => {
    expect(await recordsOf(range(10), batchAction({ count: 4 }))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
  });

  test("is no larger than it may be, but for a record that is so by itself", async () => {
    const given = ["a".repeat(100), "b".repeat(100), "c".repeat(500), "d", "e"];
    const found = await recordsOf(given, batchAction({ maxBytes: 300 }));
    expect(found).toEqual([given.slice(0, 2), [given[2]], given.slice(3)]);
  });

  test("is given when its time is over, and before the run stops", async () => {
    const clock = new VirtualClock();
    const { run, source, records } = await opened(batchAction({ count: 100, afterMs: 200 }), { clock });
    source.give(2);
    await clock.advance(199);
    expect(records()).toEqual([]);
    await clock.advance(1);
    expect(records()).toEqual([[0, 1]]);
    source.give(1);
    await clock.advance(0);
    expect(await run.drain()).toEqual({ outcome: "stopped", inFlight: 0 });
    expect(records()).toEqual([[0, 1], [2]]);
  });

  test("that is cut in another way after a crash has another id, so that nothing is taken for a duplicate", async () => {
    const sizes = fc.array(fc.nat(12), { maxLength: 3 });
    const property = fc.asyncProperty(sizes, fc.integer({ min: 1, max: 4 }), async (crashes, size) => {
      const out = await runLists({ given: range(12) }, batchAction({ count: 5, afterMs: 1 }), { crashes, size });
      const kept = (once(out) as number[][]).flat();
      expect([...new Set(kept)].sort((one, other) => one - other)).toEqual(range(12));
      const byId = new Map(out.map(({ id, record }) => [id, JSON.stringify(record)] as const));
      for (const { id, record } of out) expect(byId.get(id)).toBe(JSON.stringify(record));
    });
    await fc.assert(property, { numRuns: 50 });
  });
});

describe("the built-in operators", () => {
  test("filter by what stands at a path", async () => {
    const given = [{ a: { b: 1 } }, { a: { b: 7 } }, { a: {} }, '{"a":{"b":9}}'];
    expect(await recordsOf(given, builtIn("filter", { path: "a.b", above: 5 }))).toEqual([given[1], given[3]]);
    expect(await recordsOf(given, builtIn("filter", { path: "a.b", exists: false }))).toEqual([given[2]]);
    expect(await recordsOf(["tea", "milk"], builtIn("filter", { matches: "^t", not: true }))).toEqual(["milk"]);
    expect(await recordsOf([{ n: null }, { n: "" }, {}, { n: "2" }], builtIn("filter", { path: "n", below: 5 }))).toEqual([
      { n: "2" },
    ]);
    expect(await recordsOf([{}], builtIn("filter", { path: "constructor", exists: true }))).toEqual([]);
  });

  test("map, split and sample", async () => {
    expect(await recordsOf([{ a: { b: 1 }, c: 2 }], builtIn("map", { pick: { x: "a.b" }, set: { y: true } }))).toEqual([
      { x: 1, y: true },
    ]);
    expect(await recordsOf([{ a: [1, 2] }], builtIn("split", { path: "a" }))).toEqual([1, 2]);
    expect(await recordsOf(["a,b"], builtIn("split", { separator: "," }))).toEqual(["a", "b"]);
    expect(await recordsOf(range(7), builtIn("sample", { every: 3 }))).toEqual([0, 3, 6]);
  });

  test("write texts, and add members", async () => {
    const given = [{ user: { name: "ann" }, sum: 3, list: [1] }];
    const text = "{user.name} paid {sum}{{}} for {list} {nothing}.";
    expect(await recordsOf(given, builtIn("map", { text }))).toEqual(["ann paid 3{} for [1] ."]);
    expect(await recordsOf([{ a: 1 }], builtIn("map", { set: { b: 2 } }))).toEqual([{ a: 1, b: 2 }]);
  });

  test("take the same share of the same records again", async () => {
    const found = await recordsOf(range(2_000), builtIn("sample", { share: 0.25 }));
    expect(found.length).toBeGreaterThan(400);
    expect(found.length).toBeLessThan(600);
    expect(await recordsOf(range(2_000), builtIn("sample", { share: 0.25 }))).toEqual(found);
  });

  test("make windows out of settings", async () => {
    const given = [
      { at: "2026-01-01T00:00:01Z", user: "ann", price: 3 },
      { at: "2026-01-01T00:00:59Z", user: "ann", price: 4 },
      { at: "2026-01-01T00:02:00Z", user: "bob", price: 1 },
    ];
    const action = builtIn("window.tumbling", { sizeMs: 60_000, key: "user", time: "at", aggregate: "sum", of: "price" });
    expect(await recordsOf(given, action)).toMatchObject([
      { key: "ann", count: 2, value: 7 },
      { key: "bob", count: 1, value: 1 },
    ]);
  });

  test("refuse settings that are wrong, by their names", () => {
    expect(() => builtIn("filter", { matches: "(" })).toThrow(expect.objectContaining({ code: "stream.graph" }));
    expect(() => builtIn("window.tumbling", { sizeMs: -1, windowing: true })).toThrow(
      expect.objectContaining({
        code: "stream.graph",
        details: { issues: [expect.objectContaining({ path: "with.sizeMs" }), expect.anything()] },
      }),
    );
  });

  test("give up on a record whose time cannot be read, and go on", async () => {
    const letters: unknown[] = [];
    const { graph } = compileGraph({ name: "times", expression: "records; work; keep" });
    const seen: unknown[] = [];
    const actions = new Map<string, Action>([
      ["records", iterableAction(() => [{ at: 1 }, { at: "when?" }, { at: 2 }])],
      ["work", builtIn("window.tumbling", { sizeMs: 10, time: "at" })],
      ["keep", functionAction((record: unknown) => void seen.push(record))],
    ]);
    const onDeadLetter = async ({ record }: { record: unknown }): Promise<void> => void letters.push(record);
    const run = await GraphRun.open({ graph, actions, folder: ".", onDeadLetter });
    expect((await run.ended).outcome).toBe("completed");
    expect(letters).toEqual([{ at: "when?" }]);
    expect(seen).toMatchObject([{ count: 2 }]);
  });
});
