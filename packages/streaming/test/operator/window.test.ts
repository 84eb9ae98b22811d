import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aggregateOf, type WindowOptions, type WindowResult, windowAction } from "../../src/index.ts";
import { keyReader } from "../../src/record/key.ts";
import { once, runLists } from "./tools.ts";

interface Event {
  readonly key: string;
  readonly time: number;
  readonly n: number;
}

const byKeyAndTime = { keyOf: keyReader("key"), timeOf: (record: unknown) => (record as Event).time };
const options = (more: Partial<WindowOptions> & Pick<WindowOptions, "shape">): WindowOptions => ({
  aggregate: aggregateOf("sum", "n"),
  ...byKeyAndTime,
  ...more,
});
const event = (time: number, n = 1, key = "a"): Event => ({ key, time, n });
const results = async (events: readonly Event[], given: WindowOptions): Promise<WindowResult[]> =>
  (await runLists({ events }, windowAction(given))).map(({ record }) => record as WindowResult);

describe("windows", () => {
  test("one after the other gather what lies in each, by key, and are given when time has passed their end", async () => {
    const events = [event(1), event(9, 2), event(5, 10, "b"), event(12, 4), event(25, 8)];
    expect(await results(events, options({ shape: { kind: "tumbling", sizeMs: 10 } }))).toEqual([
      { key: "a", start: 0, end: 10, count: 2, value: 3 },
      { key: "b", start: 0, end: 10, count: 1, value: 10 },
      { key: "a", start: 10, end: 20, count: 1, value: 4 },
      { key: "a", start: 20, end: 30, count: 1, value: 8 },
    ]);
  });

  test("that overlap have a record in each of them", async () => {
    const found = await results([event(5), event(12)], options({ shape: { kind: "sliding", sizeMs: 10, everyMs: 5 } }));
    expect(found.map(({ start, count }) => [start, count])).toEqual([
      [0, 1],
      [5, 2],
      [10, 1],
    ]);
  });

  test("of sessions grow as long as records follow closely, also backwards", async () => {
    const events = [event(0), event(30), event(8), event(16), event(35)];
    const found = await results(events, options({ shape: { kind: "session", gapMs: 10 }, disorderMs: 50 }));
    expect(found.map(({ start, end, count }) => [start, end, count])).toEqual([
      [0, 26, 3],
      [30, 45, 2],
    ]);
  });

  test("of so many records are given when they are full, and what is left at the end", async () => {
    const events = [event(0, 1), event(0, 2), event(0, 3), event(0, 5, "b")];
    const found = await results(events, options({ shape: { kind: "count", count: 2 } }));
    expect(found.map(({ key, count, value }) => [key, count, value])).toEqual([
      ["a", 2, 3],
      ["b", 1, 5],
      ["a", 1, 3],
    ]);
  });

  test("wait as long for records out of order as they are told; later ones are late", async () => {
    const events = [event(1), event(11), event(2), event(25), event(3)];
    const shape = { kind: "tumbling", sizeMs: 10 } as const;
    expect((await results(events, options({ shape, disorderMs: 5 })))[0]).toMatchObject({ start: 0, count: 2 });
    const emitted = await runLists({ events }, windowAction(options({ shape, late: "emit" })));
    expect(emitted.filter(({ record }) => (record as { late?: boolean }).late)).toMatchObject([
      { record: { key: "a", time: 2 } },
      { record: { key: "a", time: 3 } },
    ]);
  });

  test("follow the slowest of several upstreams", async () => {
    const lists = { fast: [event(5), event(95)], slow: [event(7)] };
    const found = await runLists(lists, windowAction(options({ shape: { kind: "tumbling", sizeMs: 10 } })));
    expect(found[0]?.record).toMatchObject({ start: 0, count: 2 });
  });

  test("have all the aggregates", async () => {
    const events = [event(0, 4), event(1, 2), event(2, 9)];
    const of = async (name: Parameters<typeof aggregateOf>[0]): Promise<unknown> => {
      const given = options({ shape: { kind: "tumbling", sizeMs: 10 }, aggregate: aggregateOf(name, "n") });
      return (await results(events, given))[0]?.value;
    };
    expect([await of("count"), await of("sum"), await of("min"), await of("max"), await of("mean")]).toEqual([3, 15, 2, 9, 5]);
    expect([await of("first"), await of("last"), await of("list")]).toEqual([4, 9, [4, 2, 9]]);
  });
});

describe("windows over a stream whose machine crashes at any moment", () => {
  const anEvent = fc.record({ key: fc.constantFrom("a", "b"), time: fc.nat(200), n: fc.nat(9) });
  const shapes: WindowOptions["shape"][] = [
    { kind: "tumbling", sizeMs: 20 },
    { kind: "sliding", sizeMs: 20, everyMs: 10 },
    { kind: "session", gapMs: 15 },
    { kind: "count", count: 3 },
  ];

  test.each(shapes)("are what they are without crashes ($kind)", async (shape) => {
    const property = fc.asyncProperty(
      fc.array(anEvent, { maxLength: 40 }),
      fc.array(fc.nat(40), { maxLength: 3 }),
      fc.nat(60),
      async (events, crashes, disorderMs) => {
        const action = windowAction(options({ shape, disorderMs }));
        const expected = await runLists({ events }, action);
        const found = await runLists({ events }, action, { crashes });
        expect(once(found)).toEqual(once(expected));
      },
    );
    await fc.assert(property, { numRuns: 40 });
  });

  test("of equal length are what a plain count says", async () => {
    const property = fc.asyncProperty(fc.array(anEvent, { maxLength: 40 }), fc.nat(40), async (events, crash) => {
      const action = windowAction(options({ shape: { kind: "tumbling", sizeMs: 20 }, disorderMs: 1_000 }));
      const found = once(await runLists({ events }, action, { crashes: [crash] })) as WindowResult[];
      const sums = new Map<string, number>();
      for (const { key, time, n } of events) {
        const name = `${Math.floor(time / 20) * 20} ${key}`;
        sums.set(name, (sums.get(name) ?? 0) + n);
      }
      expect(new Map(found.map(({ key, start, value }) => [`${start} ${key}`, value]))).toEqual(sums);
    });
    await fc.assert(property, { numRuns: 40 });
  });
});
