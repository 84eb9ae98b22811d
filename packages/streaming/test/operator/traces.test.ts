import { createMemoryLog } from "@metanode/core/log";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import {
  type Action,
  aggregateOf,
  batchAction,
  dedupeAction,
  functionAction,
  joinAction,
  keyedAction,
  many,
  mergeAction,
  openStreams,
  type WindowShape,
  windowAction,
} from "../../src/index.ts";
import { range } from "../run/counting.ts";
import { testFolder } from "../tools/folder.ts";
import { listAction, runLists } from "./tools.ts";

/** Every third record belongs to no trace. */
const traceOf = (record: unknown): string | undefined =>
  (record as number) % 3 === 2 ? undefined : `00-${"a".repeat(31)}${(record as number) % 10}-${"b".repeat(16)}-01`;

const tracesOf = async (action: Action, lists: Readonly<Record<string, readonly unknown[]>> = { numbers: range(6) }) =>
  (await runLists(lists, action, { traceOf })).map(({ trace }) => trace);

const tracesOfRecords = (...records: number[]) => records.map(traceOf);

const timeOf = (record: unknown): number => record as number;
const window = (shape: WindowShape): Action => windowAction({ shape, timeOf, aggregate: aggregateOf("count") });

describe("what is made of one record", () => {
  const counting = keyedAction({
    keyOf: () => "all",
    initial: () => 0,
    on: (_record: number, count, { keep }) => {
      keep(count + 1);
      return count;
    },
  });

  test.each([
    ["by a function", functionAction((number: number) => -number)],
    ["by a function with a memory", counting],
    ["by putting records in order", mergeAction({ timeOf })],
    ["by leaving out duplicates", dedupeAction({ keyOf: String })],
  ])("%s belongs to its trace", async (_how, action) => {
    expect(await tracesOf(action)).toEqual(tracesOfRecords(0, 1, 2, 3, 4, 5));
  });

  test("belongs to its trace also where it is one of several", async () => {
    expect(await tracesOf(functionAction((number: number) => many([number, number])))).toEqual(
      tracesOfRecords(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5),
    );
  });
});

describe("what is made of several records", () => {
  test.each([
    ["as a list", batchAction({ count: 3 }), [0, 3]],
    ["as windows of one length", window({ kind: "tumbling", sizeMs: 4 }), [0, 4]],
    ["as windows that overlap", window({ kind: "sliding", sizeMs: 4, everyMs: 2 }), [0, 0, 2, 4]],
    ["as windows of so many", window({ kind: "count", count: 2 }), [0, 2, 4]],
    ["as one session", window({ kind: "session", gapMs: 1 }), [0]],
  ])("%s belongs to the trace of the first of them", async (_how, action, firsts) => {
    expect(await tracesOf(action)).toEqual(firsts.map(traceOf));
  });

  test("as one session that has grown together belongs to the trace of the earliest", async () => {
    const late = windowAction({
      shape: { kind: "session", gapMs: 2 },
      timeOf,
      disorderMs: 10,
      aggregate: aggregateOf("count"),
    });
    expect(await tracesOf(late, { numbers: [4, 1, 3] })).toEqual([traceOf(1)]);
    expect(await tracesOf(late, { numbers: [3, 1] })).toEqual([traceOf(1)]);
  });

  test("by bringing them together belongs to the trace of the first upstream's", async () => {
    const join = joinAction({ keyOf: () => "all", timeOf, withinMs: 1, outer: "left" });
    expect(await tracesOf(join, { left: [10, 20], right: [11] })).toEqual([traceOf(10), traceOf(20)]);
  });

  test("belongs to the same trace after crashes", async () => {
    const shapes = fc.constantFrom<WindowShape>(
      { kind: "tumbling", sizeMs: 4 },
      { kind: "sliding", sizeMs: 6, everyMs: 3 },
      { kind: "count", count: 4 },
      { kind: "session", gapMs: 2 },
    );
    const numbers = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 20 }).map((steps) => {
      let at = 0;
      return steps.map((step) => (at += step));
    });
    const property = fc.asyncProperty(shapes, numbers, fc.array(fc.nat(20), { maxLength: 3 }), async (shape, given, crashes) => {
      const traces = async (options: object): Promise<Map<string, string | undefined>> =>
        new Map((await runLists({ given }, window(shape), { traceOf, ...options })).map(({ id, trace }) => [id, trace]));
      expect(await traces({ crashes })).toEqual(await traces({}));
    });
    await fc.assert(property, { numRuns: 50 });
  });
});

describe("what goes through the log", () => {
  async function tracesThrough(node: object, source: Action): Promise<unknown[]> {
    const traces: (string | undefined)[] = [];
    await using streams = await openStreams({
      folder: testFolder(),
      functions: {
        numbers: source,
        work: (number: number) => number,
        keep: (_record: unknown, { traceparent }) => void traces.push(traceparent),
      },
      services: { log: createMemoryLog() },
    });
    const nodes = [{ name: "numbers" }, { name: "work", ...node }, { name: "keep" }];
    await streams.apply({ name: "g", nodes, expression: "numbers; work; keep" });
    await streams.run("g");
    await vi.waitFor(() => expect(traces).toHaveLength(9));
    return traces;
  }

  const wanted = range(9).map(traceOf);

  test("at a durable edge keeps its traces", async () => {
    expect(await tracesThrough({ buffer: "durable" }, listAction(range(9), { size: 4, traceOf }))).toEqual(wanted);
  });

  test("of a source that cannot give again keeps its traces", async () => {
    expect(await tracesThrough({}, { ...listAction(range(9), { size: 4, traceOf }), replays: false })).toEqual(wanted);
  });

  test("without traces has none afterwards", async () => {
    expect(await tracesThrough({ buffer: "durable" }, listAction(range(9)))).toEqual(range(9).map(() => undefined));
  });
});
