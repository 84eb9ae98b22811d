import { VirtualClock } from "@metanode/core/testing/clock";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Action,
  aggregateOf,
  compileGraph,
  functionAction,
  GraphRun,
  iterableAction,
  MemoryProgress,
  type WindowOptions,
  type WindowResult,
  windowAction,
} from "../../src/index.ts";
import { keyReader } from "../../src/record/key.ts";
import { NumberSource } from "../run/counting.ts";
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
      ["a", 1, 3],
      ["b", 1, 5],
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

  test("are given once more for each late record where they are told so, as long as they are kept", async () => {
    const events = [event(1), event(11), event(2, 5), event(31), event(3)];
    const shape = { kind: "tumbling", sizeMs: 10 } as const;
    const found = await runLists({ events }, windowAction(options({ shape, late: "update", keepMs: 20 })));
    expect(found.filter(({ record }) => (record as WindowResult).start === 0)).toEqual([
      { id: "work:a:0", record: { key: "a", start: 0, end: 10, count: 1, value: 1 } },
      { id: "work:a:0.1", record: { key: "a", start: 0, end: 10, count: 2, value: 6, update: 1 } },
    ]);
    const ofSessions = options({ shape: { kind: "session", gapMs: 5 }, late: "update" });
    expect(() => windowAction(ofSessions)).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });

  test("are left as they were by a record that cannot be added", async () => {
    const events = [event(0), event(30), { key: "a", time: 15, n: "none" }, event(5), event(35)] as Event[];
    const given = options({ shape: { kind: "session", gapMs: 20 }, disorderMs: 100 });
    const { graph } = compileGraph({
      name: "bad",
      nodes: [{ name: "work", onError: "drop" }, { name: "events" }, { name: "keep" }],
      expression: "events; work; keep",
    });
    const seen: unknown[] = [];
    const actions = new Map<string, Action>([
      ["events", iterableAction(() => events)],
      ["work", windowAction(given)],
      ["keep", functionAction((record: unknown) => void seen.push(record))],
    ]);
    const run = await GraphRun.open({ graph, actions, folder: "." });
    expect((await run.ended).outcome).toBe("completed");
    expect(seen).toMatchObject([
      { start: 0, end: 25, count: 2 },
      { start: 30, end: 55, count: 2 },
    ]);
    expect(run.status().nodes.find(({ name }) => name === "work")?.details).toMatchObject({ windows: 0 });
  });

  test("do not wait for an upstream that has ended", async () => {
    const clock = new VirtualClock();
    const { run, seen, sources } = await twoUpstreams(options({ shape: { kind: "tumbling", sizeMs: 10 } }), clock);
    sources.two.give(1);
    sources.one.give(30);
    await clock.advance(100);
    expect(seen).toEqual([]);
    sources.two.finish();
    await clock.advance(100);
    expect(seen.map(({ start }) => start)).toEqual([0, 10]);
    await run.close();
  });

  test("do not wait for an upstream that is silent for longer than they are told", async () => {
    const clock = new VirtualClock();
    const shape = { kind: "tumbling", sizeMs: 10 } as const;
    const { run, seen, sources } = await twoUpstreams(options({ shape, idleMs: 1_000 }), clock);
    sources.two.give(1);
    sources.one.give(20);
    await clock.advance(900);
    sources.one.give(10);
    await clock.advance(50);
    expect(seen).toEqual([]);
    await clock.advance(100);
    expect(seen.map(({ start }) => start)).toEqual([0, 10]);
    // Now both are silent: time goes on by the clock.
    await clock.advance(2_000);
    expect(seen.map(({ start }) => start)).toEqual([0, 10, 20]);
    await run.close();
  });

  test("that were open when the machine was gone end also when nothing comes any more", async () => {
    const clock = new VirtualClock();
    const progress = new MemoryProgress();
    const given = options({ shape: { kind: "tumbling", sizeMs: 10 }, idleMs: 1_000 });
    const first = await twoUpstreams(given, clock, progress);
    first.sources.one.give(5);
    await clock.advance(100);
    await first.run.drain();
    const second = await twoUpstreams(given, clock, progress);
    await clock.advance(5_000);
    expect(second.seen).toEqual([{ key: "", start: 0, end: 10, count: 5, value: 10 }]);
    await second.run.close();
  });

  /** Numbers from two upstreams, each the time of itself. */
  async function twoUpstreams(given: WindowOptions, clock: VirtualClock, progress = new MemoryProgress()) {
    const sources = { one: new NumberSource(), two: new NumberSource() };
    const seen: WindowResult[] = [];
    const { graph } = compileGraph({ name: "two", expression: "(one || two); work; keep" });
    const { keyOf: _, ...others } = given;
    const actions = new Map<string, Action>([
      ["one", { source: () => sources.one }],
      ["two", { source: () => sources.two }],
      ["work", windowAction({ ...others, timeOf: Number, aggregate: aggregateOf("sum") })],
      ["keep", functionAction((record: WindowResult) => void seen.push(record))],
    ]);
    return { run: await GraphRun.open({ graph, actions, folder: ".", clock, progress }), seen, sources };
  }

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
        expect(expected).toHaveLength(once(expected).length);
        const progress = new MemoryProgress();
        const found = await runLists({ events }, action, { crashes, progress });
        expect(once(found)).toEqual(once(expected));
        const left = [...((await progress.load()).state.get("work") ?? [])].filter(([key]) => key.startsWith("window "));
        expect(left).toEqual([]);
      },
    );
    await fc.assert(property, { numRuns: 40 });
  });

  test.each(shapes)("are what a plain model says, with what is late left out ($kind)", async (shape) => {
    const property = fc.asyncProperty(
      fc.array(anEvent, { maxLength: 40 }),
      fc.array(fc.nat(40), { maxLength: 3 }),
      fc.nat(60),
      async (events, crashes, disorderMs) => {
        const out = await runLists({ events }, windowAction(options({ shape, disorderMs })), { crashes });
        const found = (once(out) as WindowResult[]).map(({ key, start, end, count, value }) => ({
          key,
          start,
          end,
          count,
          value,
        }));
        expect(found).toHaveLength(modelled(events, shape, disorderMs).length);
        expect(new Set(found.map((one) => JSON.stringify(one)))).toEqual(
          new Set(modelled(events, shape, disorderMs).map((one) => JSON.stringify(one))),
        );
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  test("and are updated by late records come to the same in the end as windows for which nothing is late", async () => {
    const property = fc.asyncProperty(
      fc.array(anEvent, { maxLength: 40 }),
      fc.array(fc.nat(40), { maxLength: 3 }),
      async (events, crashes) => {
        const shape = { kind: "sliding", sizeMs: 20, everyMs: 10 } as const;
        const action = windowAction(options({ shape, late: "update", keepMs: 1_000 }));
        const found = once(await runLists({ events }, action, { crashes })) as WindowResult[];
        const last = new Map(found.map(({ update: _, ...result }) => [`${result.start} ${result.key}`, result] as const));
        const expected = modelled(events, shape, 1_000).map((result) => [`${result.start} ${result.key}`, result] as const);
        expect(last).toEqual(new Map(expected));
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });
});

/** Windows as one would reckon them on paper: for each the records that are not late for it. */
function modelled(events: readonly Event[], shape: WindowOptions["shape"], disorderMs: number): WindowResult[] {
  const inTime = events.map((one, index) => {
    const watermark = Math.max(...events.slice(0, index).map(({ time }) => time)) - disorderMs;
    return { ...one, watermark };
  });
  const results: WindowResult[] = [];
  const add = (key: string, [start, end]: readonly [number, number], inside: readonly Event[]): void => {
    const value = inside.reduce((sum, { n }) => sum + n, 0);
    if (inside.length > 0) results.push({ key, start, end, count: inside.length, value });
  };
  for (const key of ["a", "b"]) {
    const own = inTime.filter((one) => one.key === key);
    if (shape.kind === "count") {
      for (let start = 0; start * shape.count < own.length; start++) {
        add(key, [start, start], own.slice(start * shape.count, (start + 1) * shape.count));
      }
    } else if (shape.kind === "session") sessions(own, shape.gapMs).forEach(({ span, inside }) => void add(key, span, inside));
    else {
      const everyMs = shape.kind === "sliding" ? shape.everyMs : shape.sizeMs;
      for (let start = -100; start <= 300; start += everyMs) {
        const end = start + shape.sizeMs;
        const inside = own.filter(({ time, watermark }) => start <= time && time < end && watermark < end);
        add(key, [start, end], inside);
      }
    }
  }
  return results;
}

/** Each record by itself, then whatever touches taken together, as long as it had not been given when the record came. */
function sessions(own: readonly (Event & { watermark: number })[], gapMs: number) {
  let open: { span: [number, number]; inside: Event[] }[] = [];
  for (const one of own) {
    if (one.time + gapMs <= one.watermark) continue;
    const joined = { span: [one.time, one.time + gapMs] as [number, number], inside: [one] as Event[] };
    const touching = open.filter(({ span: [start, end] }) => {
      return end > one.watermark && start <= one.time + gapMs && one.time <= end;
    });
    for (const { span, inside } of touching) {
      joined.span = [Math.min(joined.span[0], span[0]), Math.max(joined.span[1], span[1])];
      joined.inside.push(...inside);
    }
    open = [...open.filter((session) => !touching.includes(session)), joined];
  }
  return open;
}
