import { createMemoryLog, type Log } from "@metanode/core/log";
import { VirtualClock } from "@metanode/core/testing/clock";
import { describe, expect, test, vi } from "vitest";
import { type GivenActions, iterableAction, openStreams, type Streams } from "../../src/index.ts";
import { listAction } from "../operator/tools.ts";
import { NumberSource, range } from "../run/counting.ts";
import { testFolder } from "../tools/folder.ts";

const expression = "numbers; work; keep";

interface Setup {
  readonly streams: Streams;
  readonly source: NumberSource;
  readonly seen: unknown[];
}

async function setup(more: GivenActions = {}, options: { folder?: string; log?: Log } = {}): Promise<Setup> {
  const source = new NumberSource();
  const seen: unknown[] = [];
  const functions = {
    numbers: { source: () => source },
    work: (number: number) => number,
    negate: (number: number) => -number,
    keep: (record: unknown) => void seen.push(record),
    ...more,
  };
  const streams = await openStreams({
    folder: options.folder ?? testFolder(),
    functions,
    ...(options.log === undefined ? {} : { services: { log: options.log } }),
  });
  return { streams, source, seen };
}

describe("a graph by its name", () => {
  test("is applied, run, paused, resumed, stopped and removed", async () => {
    const { streams, source, seen } = await setup();
    await using _streams = streams;
    expect(await streams.apply({ name: "g", expression })).toMatchObject({ state: "stopped", version: 1 });
    expect(await streams.run("g")).toMatchObject({ state: "running", desired: "running", epoch: 1 });
    source.give(20);
    await vi.waitFor(() => expect(seen).toEqual(range(20)));
    expect(await streams.pause("g")).toMatchObject({ state: "paused", desired: "paused" });
    expect(await streams.resume("g")).toMatchObject({ state: "running" });
    await expect(streams.remove("g")).rejects.toMatchObject({ code: "state.conflict" });
    expect(await streams.stop("g")).toEqual({ outcome: "stopped", inFlight: 0 });
    expect(streams.get("g")).toMatchObject({ state: "stopped", desired: "stopped" });
    await expect(streams.pause("g")).rejects.toMatchObject({ code: "stream.stopped" });
    await streams.remove("g");
    expect(() => streams.get("g")).toThrow(expect.objectContaining({ code: "resource.not_found" }));
  });

  test("goes on after a stop where it had come to, and from its beginning when that is asked for", async () => {
    const { streams, source, seen } = await setup();
    await using _streams = streams;
    await streams.apply({ name: "g", expression });
    await streams.run("g");
    source.give(20);
    await vi.waitFor(() => expect(seen).toHaveLength(20));
    await streams.stop("g");
    await streams.run("g");
    source.give(10);
    await vi.waitFor(() => expect(seen).toEqual(range(30)));
    await streams.stop("g");
    await streams.run("g", { fromStart: true });
    await vi.waitFor(() => expect(seen).toEqual([...range(30), ...range(30)]));
  });

  test("is completed at the end of its stream, and stays so over a restart of the node", async () => {
    const folder = testFolder();
    const functions = { numbers: iterableAction(() => range(5)) };
    {
      const { streams, seen } = await setup(functions, { folder });
      await streams.apply({ name: "g", expression });
      await streams.run("g");
      await vi.waitFor(() => expect(streams.get("g").state).toBe("completed"));
      expect(seen).toEqual(range(5));
      await streams.drain();
    }
    const { streams, seen } = await setup(functions, { folder });
    await using _streams = streams;
    expect(streams.get("g").state).toBe("completed");
    expect(seen).toEqual([]);
    await streams.run("g");
    await vi.waitFor(() => expect(seen).toEqual(range(5)));
  });

  test("is applied as a whole or not at all: what is wrong is named", async () => {
    const { streams } = await setup();
    await using _streams = streams;
    await expect(streams.apply({ name: "g", expression: "numbers; wrok; keep" })).rejects.toMatchObject({
      code: "stream.graph",
      message: expect.stringContaining("did you mean work?"),
    });
    await expect(streams.apply({ name: "g", expression: "work; keep" })).rejects.toMatchObject({ code: "stream.graph" });
    await expect(streams.apply({ name: "g", expression: "numbers;; keep" })).rejects.toMatchObject({ code: "stream.syntax" });
    await expect(streams.apply({ expression })).rejects.toMatchObject({ message: expect.stringContaining("name") });
    expect(streams.list()).toEqual([]);
    expect(streams.check({ expression: "numbers; nothing" }).issues).toMatchObject([{ node: "nothing" }]);
  });
});

describe("a graph that is changed while it runs", () => {
  test("has the stages swapped that run something else now, without losing a record", async () => {
    const { streams, source, seen } = await setup();
    await using _streams = streams;
    await streams.apply({ name: "g", expression });
    await streams.run("g");
    source.give(50);
    await vi.waitFor(() => expect(seen).toHaveLength(50));
    const nodes = [{ name: "numbers" }, { name: "work", action: "negate" }, { name: "keep" }];
    expect(await streams.apply({ name: "g", nodes, expression })).toMatchObject({ version: 2, epoch: 1 });
    source.give(50);
    await vi.waitFor(() => expect(seen).toHaveLength(100));
    expect(seen).toEqual([
      ...range(50),
      ...range(100)
        .slice(50)
        .map((number) => -number),
    ]);
    expect(await streams.rollback("g", 1)).toMatchObject({ version: 3 });
    source.give(10);
    await vi.waitFor(() => expect(seen.at(-1)).toBe(109));
  });

  test("drains and goes on as the new one where the graph itself has changed", async () => {
    const { streams, source, seen } = await setup();
    await using _streams = streams;
    await streams.apply({ name: "g", expression });
    await streams.run("g");
    source.give(50);
    await vi.waitFor(() => expect(seen).toHaveLength(50));
    expect(await streams.apply({ name: "g", expression: "numbers; work; negate; keep" })).toMatchObject({ version: 2, epoch: 2 });
    source.give(50);
    await vi.waitFor(() => expect(seen).toHaveLength(100));
    expect(seen.at(-1)).toBe(-99);
    expect(new Set(seen.map((number) => Math.abs(Number(number)))).size).toBe(100);
  });
});

describe("a graph that fails", () => {
  test("is begun again after a while that grows, and is named a crash loop when that does not help", async () => {
    const clock = new VirtualClock();
    const source = new NumberSource();
    source.give(1);
    const functions = {
      numbers: { source: () => source },
      broken: () => {
        throw new Error("always");
      },
    };
    const streams = await openStreams({ folder: testFolder(), functions, clock });
    const nodes = [{ name: "numbers" }, { name: "broken", attempts: 1, onError: "fail" as const }];
    await streams.apply({ name: "g", nodes, expression: "numbers; broken" });
    await streams.run("g");
    for (let failures = 1; failures <= 6; failures++) {
      await vi.waitFor(() => expect(streams.get("g").failures).toBe(failures));
      expect(streams.get("g")).toMatchObject({
        state: failures >= 5 ? "crash-looping" : "restarting",
        desired: "running",
        reason: expect.stringContaining("always"),
      });
      await clock.advance([130, 630, 2_600, 13_000, 40_000, 40_000][failures - 1] ?? 0); // no more than one start each
    }
    expect(streams.graph("g").log.last(10)).toContainEqual(expect.objectContaining({ level: "error" }));
    await streams.stop("g");
    expect(streams.get("g").state).toBe("failed");
    await streams.close();
  });
});

describe("records that a stage gave up on", () => {
  test("are dead letters of the log: read, edited, replayed into their stage", async () => {
    const log = createMemoryLog();
    const { streams, source, seen } = await setup(
      {
        work: (number: number) => {
          if (number === 3) throw new Error("three is not to my taste");
          return number;
        },
      },
      { log },
    );
    await using _streams = streams;
    const nodes = [{ name: "numbers" }, { name: "work", attempts: 1 }, { name: "keep" }];
    await streams.apply({ name: "g", nodes, expression });
    await streams.run("g");
    source.give(10);
    await vi.waitFor(async () => expect(await log.deadLetters.count()).toBe(1));
    await vi.waitFor(() => expect(seen).toHaveLength(9));
    const [letter] = (await log.deadLetters.list({ stream: "graph.g.failed" })).items;
    expect(letter).toMatchObject({
      error: { code: "stream.action_failed", message: expect.stringContaining("taste") },
      message: { subject: "work", data: 3 },
    });
    await log.deadLetters.edit(letter?.id ?? "", { data: 33 });
    await log.deadLetters.replay(letter?.id ?? "");
    await vi.waitFor(() => expect(seen).toContain(33));
    expect(await log.deadLetters.count()).toBe(0);
  });
});

describe("a record of a trace that a stage gave up on", () => {
  test("keeps its trace in its dead letter and when it is replayed, and somebody is told", async () => {
    const log = createMemoryLog();
    const trace = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    const told: unknown[] = [];
    const traces: unknown[] = [];
    let isBroken = true;
    const functions: GivenActions = {
      numbers: listAction([1], { traceOf: () => trace }),
      // The end of all lists would end the graph, and a dead letter of one that does not run waits.
      never: { source: () => new NumberSource() },
      work: (number: number) => {
        if (isBroken) throw new Error("broken");
        return number;
      },
      keep: (_number: number, { traceparent }) => void traces.push(traceparent),
    };
    const onDeadLetter = (letter: unknown): unknown => told.push(letter);
    await using streams = await openStreams({ folder: testFolder(), functions, services: { log }, onDeadLetter });
    const nodes = [{ name: "numbers" }, { name: "never" }, { name: "work", attempts: 1 }, { name: "keep" }];
    await streams.apply({ name: "g", nodes, expression: "(numbers || never); work; keep" });
    await streams.run("g");
    await vi.waitFor(() => expect(told).toEqual([{ graph: "g", stage: "work", trace }]));
    const [letter] = (await log.deadLetters.list({ stream: "graph.g.failed" })).items;
    expect(letter?.message).toMatchObject({ traceparent: trace });
    isBroken = false;
    await log.deadLetters.replay(letter?.id ?? "");
    await vi.waitFor(() => expect(traces).toEqual([trace]));
  });
});

describe("what stands on the log", () => {
  test("is a journal for a source that cannot give again: what it handed over comes again after a crash", async () => {
    const log = createMemoryLog();
    const folder = testFolder();
    const stuck = { work: (number: number) => (number < 5 ? number : Promise.withResolvers<number>().promise) };
    const first = await setup(stuck, { folder, log });
    const once: GivenActions[string] = { source: () => first.source, replays: false };
    await first.streams.close();
    const broken = await setup({ ...stuck, numbers: once }, { folder, log });
    await broken.streams.apply({ name: "g", expression });
    await broken.streams.run("g");
    first.source.give(20);
    await vi.waitFor(() => expect(broken.seen).toHaveLength(5));
    await vi.waitFor(() => expect(first.source.committed.at(-1)).toBe("20")); // all are in the journal
    await broken.streams.close();
    const gone = new NumberSource(); // gives nothing more
    const next = await setup({ numbers: { source: () => gone, replays: false } }, { folder, log });
    await using _streams = next.streams;
    await vi.waitFor(() => expect(new Set([...broken.seen, ...next.seen]).size).toBe(20));
  });

  test("is a buffer of a node that shall not hold up those before it", async () => {
    const log = createMemoryLog();
    const release: (() => void)[] = [];
    const { streams, source, seen } = await setup(
      { slow: (number: number) => new Promise<number>((resolve) => release.push(() => resolve(number))) },
      { log },
    );
    await using _streams = streams;
    const nodes = [{ name: "numbers" }, { name: "slow", buffer: "durable" as const }, { name: "keep" }];
    await streams.apply({ name: "g", nodes, expression: "numbers; slow; keep" });
    await streams.run("g");
    source.give(500);
    await vi.waitFor(() => expect(source.committed.at(-1)).toBe("500")); // although not one has passed the slow stage
    expect(seen).toEqual([]);
    const free = setInterval(() => {
      for (const go of release.splice(0)) go();
    }, 1);
    await vi.waitFor(() => expect(seen).toEqual(range(500)), 5_000);
    clearInterval(free);
  });

  test("is refused where there is no log", async () => {
    const { streams } = await setup();
    await using _streams = streams;
    const nodes = [{ name: "numbers" }, { name: "work", buffer: "durable" as const }, { name: "keep" }];
    await streams.apply({ name: "g", nodes, expression });
    await expect(streams.run("g")).rejects.toMatchObject({ code: "stream.graph", message: expect.stringContaining("log") });
  });
});
