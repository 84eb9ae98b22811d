import { describe, expect, test, vi } from "vitest";
import {
  type Action,
  compileGraph,
  createFlow,
  filter,
  flatMap,
  functionAction,
  GraphRun,
  MemoryProgress,
  many,
  parallel,
  type RecordContext,
} from "../../src/index.ts";
import { NumberSource, range } from "./counting.ts";

/** A graph of `names` in a row, with what each runs. */
function inARow(actions: Readonly<Record<string, Action>>, settings: object = {}) {
  const names = Object.keys(actions);
  const nodes = names.map((name) => ({ name, ...(settings as Record<string, object>)[name] }));
  const { graph } = compileGraph({ name: "row", nodes, expression: names.join("; ") });
  return { graph, actions: new Map(Object.entries(actions)), folder: "." };
}

describe("a finite graph of functions", () => {
  test("completes once every record is through, in order", async () => {
    const flow = createFlow("numbers");
    const seen: number[] = [];
    flow
      .source("numbers", () => range(2_000))
      .to(
        flow.stage(
          "even",
          filter((number: number) => number % 2 === 0),
        ),
      )
      .to(
        flow.stage(
          "twice",
          flatMap((number: number) => [number, number]),
        ),
      )
      .to(flow.sink("keep", (number: number) => void seen.push(number)));
    const run = await flow.run();
    expect(await run.ended).toEqual({ outcome: "completed", inFlight: 0 });
    expect(seen).toEqual(range(1_000).flatMap((number) => [number * 2, number * 2]));
    const { nodes } = run.status();
    expect(nodes.find(({ name }) => name === "even")).toMatchObject({ role: "stage", out: 1_000, counts: { filtered: 1_000 } });
  });

  test("gives every branch every record, and merges branches", async () => {
    const flow = createFlow("diamond");
    const seen: string[] = [];
    const ids = new Set<string>();
    const keep = (text: string, { id }: RecordContext): void => {
      seen.push(text);
      ids.add(id);
    };
    flow
      .source("numbers", () => range(100))
      .to(
        parallel(
          flow.stage("left", (number: number) => `l${number}`),
          flow.stage("right", async (number: number) => `r${number}`),
        ),
      )
      .to(flow.sink("keep", keep));
    await (await flow.run()).ended;
    expect(seen.filter((text) => text.startsWith("l"))).toEqual(range(100).map((number) => `l${number}`));
    expect(seen.filter((text) => text.startsWith("r"))).toEqual(range(100).map((number) => `r${number}`));
    expect(ids.size).toBe(200);
  });

  test("keeps the order of inputs over asynchronous answers, with as many under way as allowed", async () => {
    const flow = createFlow("slow");
    const seen: number[] = [];
    let underWay = 0;
    let most = 0;
    const answer = async (number: number): Promise<number> => {
      most = Math.max(most, ++underWay);
      for (let turn = 0; turn < (number * 7) % 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      underWay--;
      return number;
    };
    flow
      .source("numbers", () => range(500))
      .to(flow.stage("work", answer, { concurrency: 8 }))
      .to(flow.sink("keep", (number: number) => void seen.push(number)));
    await (await flow.run()).ended;
    expect(seen).toEqual(range(500));
    expect(most).toBe(8);
  });

  test("takes records of asynchronous iterables", async () => {
    const flow = createFlow("feed");
    const seen: number[] = [];
    async function* feed(): AsyncGenerator<number> {
      for (const number of range(1_000)) {
        if (number % 300 === 0) await new Promise((resolve) => setImmediate(resolve));
        yield number;
      }
    }
    flow.source("feed", feed).to(flow.sink("keep", (number: number) => void seen.push(number)));
    expect((await (await flow.run()).ended).outcome).toBe("completed");
    expect(seen).toEqual(range(1_000));
  });

  test("gives stable ids: the same records have the same ids in the next run", async () => {
    const collect = async (): Promise<string[]> => {
      const flow = createFlow("ids");
      const ids: string[] = [];
      flow
        .source("numbers", () => range(3))
        .to(flow.stage("split", (number: number) => many([number, -number])))
        .to(flow.sink("keep", (_number: number, { id }) => void ids.push(id)));
      await (await flow.run()).ended;
      return ids;
    };
    const ids = await collect();
    expect(ids).toEqual([
      "numbers:0/split",
      "numbers:0/split.1",
      "numbers:1/split",
      "numbers:1/split.1",
      "numbers:2/split",
      "numbers:2/split.1",
    ]);
    expect(await collect()).toEqual(ids);
  });
});

describe("a record that fails", () => {
  const failing = (times: number) => {
    const attempts: number[] = [];
    const call = (number: number, { attempt }: RecordContext): number => {
      if (number !== 3) return number;
      attempts.push(attempt);
      if (attempts.length <= times) throw new Error("three is not to my taste");
      return number;
    };
    return { attempts, call };
  };
  const run = async (times: number, settings: object, more: object = {}) => {
    const { attempts, call } = failing(times);
    const seen: number[] = [];
    const flow = createFlow("failing");
    flow
      .source("numbers", () => range(6))
      .to(flow.stage("picky", call, { backoffMs: [0], ...settings }))
      .to(flow.sink("keep", (number: number) => void seen.push(number)));
    const running = await flow.run(more);
    return { running, attempts, seen };
  };

  test("is tried again, and those behind it wait for it", async () => {
    const { running, attempts, seen } = await run(2, { attempts: 3 });
    expect((await running.ended).outcome).toBe("completed");
    expect(attempts).toEqual([1, 2, 3]);
    expect(seen).toEqual(range(6));
    expect(running.status().nodes.find(({ name }) => name === "picky")?.counts).toMatchObject({ errors: 2, retries: 2 });
  });

  test("becomes a dead letter after its attempts, with record, id and reason", async () => {
    const onDeadLetter = vi.fn(() => Promise.resolve());
    const { running, seen } = await run(Number.POSITIVE_INFINITY, { attempts: 2 }, { onDeadLetter });
    expect((await running.ended).outcome).toBe("completed");
    expect(seen).toEqual([0, 1, 2, 4, 5]);
    expect(onDeadLetter).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ record: 3, id: "numbers:3", from: "numbers", attempts: 2, error: expect.any(Error) }),
      "picky",
    );
  });

  test("is dropped where the node says so", async () => {
    const { running, seen } = await run(Number.POSITIVE_INFINITY, { attempts: 1, onError: "drop" });
    expect((await running.ended).outcome).toBe("completed");
    expect(seen).toEqual([0, 1, 2, 4, 5]);
  });

  test("ends the run where the node says so, and also where nobody keeps dead letters", async () => {
    for (const settings of [{ onError: "fail" }, {}]) {
      const { running } = await run(Number.POSITIVE_INFINITY, { attempts: 1, ...settings });
      const end = await running.ended;
      expect(end).toMatchObject({ outcome: "failed", error: { code: "stream.action_failed" } });
      expect(end.inFlight).toBeGreaterThan(0);
    }
  });

  test("pauses the graph where the node says so, and is tried anew when somebody resumes", async () => {
    const { running, seen } = await run(1, { attempts: 1, onError: "pause" });
    await vi.waitFor(() => expect(running.status()).toMatchObject({ state: "paused", reason: expect.stringContaining("taste") }));
    running.resume();
    expect((await running.ended).outcome).toBe("completed");
    expect(seen).toEqual(range(6));
  });

  test("fails with stream.record_timeout when its time is over", async () => {
    const flow = createFlow("hanging");
    const letters: unknown[] = [];
    flow
      .source("numbers", () => range(3))
      .to(
        flow.sink("hang", (number: number) => (number === 1 ? Promise.withResolvers<void>().promise : Promise.resolve()), {
          attempts: 1,
          timeoutMs: 1,
        }),
      );
    const running = await flow.run({ onDeadLetter: async ({ error }) => void letters.push(error) });
    expect((await running.ended).outcome).toBe("completed");
    expect(letters).toMatchObject([{ code: "stream.record_timeout" }]);
  });
});

describe("a run", () => {
  test("stops by draining: what was handed over is through, and the next run goes on behind it", async () => {
    const progress = new MemoryProgress();
    const source = new NumberSource();
    const seen: number[] = [];
    const actions = { numbers: { source: () => source }, keep: functionAction(async (number: number) => void seen.push(number)) };
    const first = await GraphRun.open({ ...inARow(actions), progress });
    source.give(25);
    await vi.waitFor(() => expect(seen).toHaveLength(25));
    expect(await first.drain()).toEqual({ outcome: "stopped", inFlight: 0 });
    expect(source.isClosed).toBe(true);
    expect(source.committed.at(-1)).toBe("25");
    const next = new NumberSource();
    next.give(40);
    next.finish();
    const second = await GraphRun.open({ ...inARow({ ...actions, numbers: { source: () => next } }), progress });
    expect((await second.ended).outcome).toBe("completed");
    expect(seen).toEqual(range(40));
  });

  test("that is closed drops what is under way, and the next run reads it again: nothing is lost", async () => {
    const progress = new MemoryProgress();
    const source = new NumberSource();
    const seen = new Set<number>();
    const stuck = functionAction((number: number) =>
      number < 12 ? void seen.add(number) : Promise.withResolvers<void>().promise,
    );
    const first = await GraphRun.open({ ...inARow({ numbers: { source: () => source }, keep: stuck }), progress, commitMs: 0 });
    source.give(30);
    await vi.waitFor(() => expect(source.committed).toContain("10"));
    expect(await first.close()).toEqual({ outcome: "stopped", inFlight: 20 });
    const keep = functionAction((number: number) => void seen.add(number));
    const next = new NumberSource();
    next.give(30);
    next.finish();
    const second = await GraphRun.open({ ...inARow({ numbers: { source: () => next }, keep }), progress });
    await second.ended;
    expect([...seen].sort((one, other) => one - other)).toEqual(range(30));
  });

  test("holds no more under way than its credit, however slow the sink", async () => {
    const source = new NumberSource();
    const release: (() => void)[] = [];
    const keep = functionAction((_number: number) => new Promise<void>((resolve) => release.push(resolve)));
    await using run = await GraphRun.open({
      ...inARow({ numbers: { source: () => source }, keep }, { keep: { concurrency: 100 } }),
      credit: { maxRecords: 30 },
    });
    source.give(1_000);
    await vi.waitFor(() => expect(release).toHaveLength(30));
    expect(run.status().nodes[0]).toMatchObject({ inFlight: 30 });
    for (const resolve of release.splice(0, 10)) resolve();
    await vi.waitFor(() => expect(release).toHaveLength(30));
    await run.close();
  });

  test("pauses and resumes", async () => {
    const source = new NumberSource();
    const seen: number[] = [];
    const keep = functionAction((number: number) => void seen.push(number));
    await using run = await GraphRun.open(inARow({ numbers: { source: () => source }, keep }));
    run.pause("for the night");
    source.give(10);
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toEqual([]);
    expect(run.status()).toMatchObject({ state: "paused", reason: "for the night" });
    run.resume();
    await vi.waitFor(() => expect(seen).toEqual(range(10)));
  });

  test("shows what passes an edge to whoever taps it", async () => {
    const source = new NumberSource();
    const keep = functionAction(() => undefined);
    await using run = await GraphRun.open(inARow({ numbers: { source: () => source }, keep }));
    const passed: unknown[] = [];
    const stop = run.tap("numbers", "keep", ({ records }) => passed.push(...records));
    source.give(10);
    await vi.waitFor(() => expect(passed).toEqual(range(10)));
    stop();
    source.give(10);
    await vi.waitFor(() => expect(run.status().edges[0]?.records).toBe(20));
    expect(passed).toHaveLength(10);
    expect(() => run.tap("keep", "numbers", vi.fn())).toThrow(expect.objectContaining({ code: "resource.not_found" }));
  });

  test("swaps a stage between two records: none is lost, none comes twice", async () => {
    const source = new NumberSource();
    const seen: string[] = [];
    const version = (name: string) => functionAction(async (number: number) => `${name}${number}`);
    const actions = {
      numbers: { source: () => source },
      work: version("a"),
      keep: functionAction((text: string) => void seen.push(text)),
    };
    await using run = await GraphRun.open(inARow(actions));
    source.give(500);
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(0));
    await run.upgrade("work", version("b"));
    source.give(500);
    await vi.waitFor(() => expect(seen).toHaveLength(1_000));
    expect(seen.map((text) => Number(text.slice(1)))).toEqual(range(1_000));
    expect(seen.at(-1)).toBe("b999");
    expect(seen.join("")).toMatch(/^(a\d+)+(b\d+)+$/);
  });

  test("keeps the old stage when the new one cannot be opened", async () => {
    const source = new NumberSource();
    const seen: number[] = [];
    const keep = functionAction((number: number) => void seen.push(number));
    await using run = await GraphRun.open(inARow({ numbers: { source: () => source }, keep }));
    const broken: Action = {
      stage: () => {
        throw new Error("no such binary");
      },
    };
    await expect(run.upgrade("keep", broken)).rejects.toThrow("no such binary");
    source.give(10);
    await vi.waitFor(() => expect(seen).toEqual(range(10)));
  });

  test("refuses actions that cannot work at their place", async () => {
    const source: Action = { source: () => new NumberSource() };
    const stage = functionAction(() => undefined);
    for (const actions of [
      { a: stage, b: stage },
      { a: source, b: source },
    ] as Readonly<Record<string, Action>>[]) {
      await expect(GraphRun.open(inARow(actions))).rejects.toMatchObject({ code: "stream.action_unknown" });
    }
  });
});
