import { VirtualClock } from "@metanode/core/testing/clock";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
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
  operators,
  throttleAction,
} from "../../src/index.ts";
import { keyReader } from "../../src/record/key.ts";
import { range } from "../run/counting.ts";
import { CountedProgress, once, runLists } from "./tools.ts";

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

describe("a dedupe", () => {
  test("lets the first of each key pass, also over a crash", async () => {
    const action = dedupeAction({ keyOf: String });
    const given = ["a", "b", "a", "c", "b", "a"];
    expect(await recordsOf(given, action)).toEqual(["a", "b", "c"]);
    expect(once(await runLists({ given }, action, { crashes: [3], size: 1 }))).toEqual(["a", "b", "c"]);
  });

  test("forgets the oldest when it has seen too many", async () => {
    expect(await recordsOf(["a", "b", "c", "a"], dedupeAction({ keyOf: String, max: 1 }))).toEqual(["a", "b", "c", "a"]);
  });
});

describe("what holds back", () => {
  async function opened(action: Action, clock: VirtualClock) {
    const { graph } = compileGraph({ name: "pace", expression: "numbers; work; keep" });
    const seen: unknown[] = [];
    const actions = new Map<string, Action>([
      ["numbers", iterableAction(() => range(10))],
      ["work", action],
      ["keep", functionAction((record: unknown) => void seen.push(record))],
    ]);
    const run = await GraphRun.open({ graph, actions, folder: ".", clock });
    return { run, seen };
  }

  test("a throttle lets so many pass in a second, and drops none", async () => {
    const clock = new VirtualClock();
    const { run, seen } = await opened(throttleAction({ perSecond: 2, burst: 3 }), clock);
    await vi.waitFor(() => expect(seen).toHaveLength(3));
    await clock.advance(1_000);
    expect(seen).toHaveLength(5);
    await clock.advance(10_000);
    expect((await run.ended).outcome).toBe("completed");
    expect(seen).toEqual(range(10));
  });

  test("a batch gathers records into lists, and gives the last one at the end", async () => {
    const clock = new VirtualClock();
    const { run, seen } = await opened(batchAction({ count: 4 }), clock);
    expect((await run.ended).outcome).toBe("completed");
    expect(seen).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
  });
});

describe("the built-in operators", () => {
  test("filter by what stands at a path", async () => {
    const given = [{ a: { b: 1 } }, { a: { b: 7 } }, { a: {} }, '{"a":{"b":9}}'];
    expect(await recordsOf(given, builtIn("filter", { path: "a.b", above: 5 }))).toEqual([given[1], given[3]]);
    expect(await recordsOf(given, builtIn("filter", { path: "a.b", exists: false }))).toEqual([given[2]]);
    expect(await recordsOf(["tea", "milk"], builtIn("filter", { matches: "^t", not: true }))).toEqual(["milk"]);
  });

  test("map, split and sample", async () => {
    expect(await recordsOf([{ a: { b: 1 }, c: 2 }], builtIn("map", { pick: { x: "a.b" }, set: { y: true } }))).toEqual([
      { x: 1, y: true },
    ]);
    expect(await recordsOf([{ a: [1, 2] }], builtIn("split", { path: "a" }))).toEqual([1, 2]);
    expect(await recordsOf(["a,b"], builtIn("split", { separator: "," }))).toEqual(["a", "b"]);
    expect(await recordsOf(range(7), builtIn("sample", { every: 3 }))).toEqual([0, 3, 6]);
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
