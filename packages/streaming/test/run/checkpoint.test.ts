import { VirtualClock } from "@metanode/core/testing/clock";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import {
  type Action,
  type Commit,
  compileGraph,
  functionAction,
  GraphRun,
  keyedAction,
  MemoryProgress,
  type SourceBatch,
  type Stage,
} from "../../src/index.ts";
import { NumberSource, range } from "./counting.ts";

/** Keeps every commit, and can be told to be slow or to break. */
class WatchedProgress extends MemoryProgress {
  readonly commits: Commit[] = [];
  beforeCommit: () => Promise<void> = async () => undefined;

  override async commit(commit: Commit): Promise<void> {
    await this.beforeCommit();
    this.commits.push(commit);
    await super.commit(commit);
  }

  /** What each source has come to, and what the stage `sum` keeps: the sum of the numbers of each. */
  async stored(): Promise<{ positions: Map<string, number>; sums: Map<string, number> }> {
    const { sources, state } = await this.load();
    const positions = new Map([...sources].map(([name, { position }]) => [name, Number(position)] as const));
    const sums = new Map([...(state.get("sum") ?? [])].map(([key, text]) => [key, JSON.parse(text).state as number] as const));
    return { positions, sums };
  }
}

interface Numbered {
  readonly from: string;
  readonly number: number;
}

/** Keeps for each source the sum of its numbers. */
const summing = keyedAction({
  keyOf: ({ from }: Numbered) => from,
  initial: () => 0,
  on: ({ from, number }, sum, { keep }) => {
    keep(sum + number);
    return `${from} ${sum + number}`;
  },
});

/** The numbers from 1 on, `size` at a time, as records that say where they are from. */
function numbered(name: string, count: number, size: number): Action {
  return {
    source: () => ({
      async *read({ position }): AsyncGenerator<SourceBatch> {
        for (let next = Number(position ?? 0); next < count; ) {
          const records = range(Math.min(size, count - next)).map((index) => ({ from: name, number: next + index + 1 }));
          next += records.length;
          yield { records, position: String(next) };
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
    }),
  };
}

const sumTo = (count: number): number => (count * (count + 1)) / 2;

describe("a checkpoint", () => {
  interface Case {
    readonly counts: readonly number[];
    readonly size: number;
    /** How many records come out before the machine is gone, round for round. */
    readonly crashes: readonly number[];
    readonly isSlow: boolean;
  }

  /** Runs until `crash` records have come out, then drops everything, as a crash would. */
  async function runUntil(progress: WatchedProgress, { counts, size, isSlow }: Case, crash: number): Promise<string> {
    const names = counts.map((_, index) => `source${index}`);
    const { graph } = compileGraph({ name: "sums", expression: `(${names.join(" || ")}); before; sum; after` });
    const pass = isSlow
      ? functionAction(async (record: unknown) => new Promise((resolve) => setImmediate(() => resolve(record))))
      : functionAction((record: unknown) => record);
    let seen = 0;
    let isCrashed = false;
    const crashed = Promise.withResolvers<void>();
    const actions = new Map<string, Action>([
      ...names.map((name, index) => [name, numbered(name, counts[index] ?? 0, size)] as const),
      ["before", pass],
      ["sum", summing],
      [
        "after",
        functionAction(async (_: unknown) => {
          if (++seen > crash && !isCrashed) {
            isCrashed = true;
            crashed.resolve();
          }
          if (isCrashed) await Promise.withResolvers().promise;
        }),
      ],
    ]);
    const run = await GraphRun.open({ graph, actions, folder: ".", progress, checkpointMs: 0 });
    void crashed.promise.then(() => run.close());
    return (await run.ended).outcome;
  }

  test("holds the state of exactly the records up to the positions in it, wherever the machine crashes (G2)", async () => {
    const cases: fc.Arbitrary<Case> = fc.record({
      counts: fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }),
      size: fc.integer({ min: 1, max: 7 }),
      crashes: fc.array(fc.nat(40), { maxLength: 3 }),
      isSlow: fc.boolean(),
    });
    const property = fc.asyncProperty(cases, async (given) => {
      const progress = new WatchedProgress();
      const expectExact = async (): Promise<void> => {
        const { positions, sums } = await progress.stored();
        for (const [name, position] of positions) expect(sums.get(name) ?? 0).toBe(sumTo(position));
        for (const name of sums.keys()) expect(positions.has(name)).toBe(true);
      };
      progress.beforeCommit = expectExact;
      for (const crash of given.crashes) {
        await runUntil(progress, given, crash);
        await expectExact();
      }
      expect(await runUntil(progress, given, Number.POSITIVE_INFINITY)).toBe("completed");
      await expectExact();
      const { positions } = await progress.stored();
      expect([...positions.values()].sort()).toEqual(given.counts.filter((count) => count > 0).sort());
    });
    await fc.assert(property, { numRuns: 60 });
  });

  const single = (source: NumberSource, sum: Action, more: Record<string, Action> = {}) => {
    const names = ["numbers", "sum", ...Object.keys(more)];
    const { graph } = compileGraph({ name: "one", expression: names.join("; ") });
    const actions = new Map<string, Action>([["numbers", { source: () => source }], ["sum", sum], ...Object.entries(more)]);
    return { graph, actions, folder: "." };
  };
  const total = keyedAction({
    keyOf: () => "all",
    initial: () => 0,
    on: (number: number, sum, { keep }) => keep(sum + number) as undefined,
  });

  test("stores only the keys that have changed since the one before", async () => {
    const clock = new VirtualClock();
    const progress = new WatchedProgress();
    const source = new NumberSource();
    const perNumber = keyedAction({ keyOf: String, initial: () => 0, on: (_: number, n, { keep }) => keep(n + 1) as undefined });
    await using run = await GraphRun.open({ ...single(source, perNumber), clock, progress });
    for (const count of [3, 2]) {
      source.give(count);
      await clock.advance(1_000);
      await vi.waitFor(() => expect(run.status().nodes[0]?.inFlight).toBe(0));
    }
    expect(progress.commits.map(({ state }) => state.map(({ key }) => key))).toEqual([
      ["0", "1", "2"],
      ["3", "4"],
    ]);
  });

  test("comes no sooner than told, and not at all while nothing happens", async () => {
    const clock = new VirtualClock();
    const progress = new WatchedProgress();
    const source = new NumberSource();
    await using _run = await GraphRun.open({ ...single(source, total), clock, progress, checkpointMs: 5_000 });
    source.give(1);
    await clock.advance(4_999);
    expect(progress.commits).toHaveLength(0);
    await clock.advance(1);
    expect(progress.commits).toHaveLength(1);
    await clock.advance(60_000);
    expect(progress.commits).toHaveLength(1);
  });

  test("comes the less often the longer it takes, but at least every minute", async () => {
    const clock = new VirtualClock();
    const progress = new WatchedProgress();
    const source = new NumberSource();
    let takesMs = 500;
    progress.beforeCommit = () => new Promise((resolve) => clock.setTimer(takesMs, resolve));
    const run = await GraphRun.open({ ...single(source, total), clock, progress });
    const next = async (): Promise<number> => {
      const count = progress.commits.length;
      const beganMs = clock.now();
      source.give(1);
      while (progress.commits.length === count) await clock.advance(100);
      return clock.now() - beganMs;
    };
    expect(await next()).toBe(1_500);
    expect(await next()).toBe(5_500);
    takesMs = 30_000;
    expect(await next()).toBe(35_000);
    expect(await next()).toBe(90_000);
    await run.close();
  });

  test("that is not due yet does not hold up the stop", async () => {
    const clock = new VirtualClock();
    const progress = new WatchedProgress();
    const source = new NumberSource();
    progress.beforeCommit = () => new Promise((resolve) => clock.setTimer(4_000, resolve));
    const run = await GraphRun.open({ ...single(source, total), clock, progress });
    source.give(3);
    await clock.advance(5_000);
    source.give(3);
    await clock.advance(1_000);
    const stopped = run.drain();
    await clock.advance(4_000);
    expect((await stopped).inFlight).toBe(0);
    expect(progress.commits.at(-1)?.state).toEqual([{ stage: "sum", key: "all", value: '{"state":15}' }]);
  });

  test("that cannot be stored fails the run; the next one goes on from the one before", async () => {
    const clock = new VirtualClock();
    const progress = new WatchedProgress();
    const source = new NumberSource();
    source.give(4);
    const first = await GraphRun.open({ ...single(source, total), clock, progress });
    await clock.advance(1_000);
    progress.beforeCommit = () => Promise.reject(new Error("the disk is full"));
    source.give(2);
    await clock.advance(1_000);
    expect(await first.ended).toMatchObject({ outcome: "failed", error: { message: "the disk is full" } });
    progress.beforeCommit = async () => undefined;
    const second = new NumberSource();
    second.give(6);
    second.finish();
    const run = await GraphRun.open({ ...single(second, total), clock, progress });
    expect((await run.ended).outcome).toBe("completed");
    expect((await progress.load()).state.get("sum")?.get("all")).toBe('{"state":15}');
  });

  test("waits for what timers have put out, and stores what they have changed although no record came", async () => {
    const clock = new VirtualClock();
    const progress = new WatchedProgress();
    const source = new NumberSource();
    const through = Promise.withResolvers<void>();
    let change = (): void => undefined;
    const byTimer: Action = {
      keepsState: true,
      stage: (host): Stage => {
        const changes: { key: string; value: string }[] = [];
        change = () => {
          const receipt = host.receipt();
          changes.push({ key: "timer", value: "1" });
          void through.promise.then(() => receipt.release());
        };
        return {
          waiting: 0,
          state: { restore: () => undefined, changes: () => changes.splice(0) },
          take: ({ receipt }) => receipt.release(),
          hasRoom: () => true,
          settle: async () => undefined,
          end: async () => undefined,
          close: async () => undefined,
        };
      },
    };
    await using _run = await GraphRun.open({ ...single(source, byTimer), clock, progress });
    change();
    await clock.advance(10_000);
    expect(progress.commits).toHaveLength(0);
    through.resolve();
    await clock.advance(1_000);
    expect(progress.commits.map(({ state }) => state)).toEqual([[{ stage: "sum", key: "timer", value: "1" }]]);
  });

  test("restores also what a stage has whose place was taken by another one", async () => {
    const clock = new VirtualClock();
    const source = new NumberSource();
    source.give(4);
    const seen: unknown[] = [];
    const telling = keyedAction({
      keyOf: () => "all",
      initial: () => 0,
      on: (number: number, sum, { keep }) => {
        keep(sum + number);
        return sum + number;
      },
    });
    const keep = functionAction((record: unknown) => void seen.push(record));
    await using run = await GraphRun.open({ ...single(source, telling, { keep }), clock });
    await vi.waitFor(() => expect(seen).toEqual([0, 1, 3, 6]));
    await run.upgrade("sum", telling);
    source.give(1);
    await vi.waitFor(() => expect(seen).toEqual([0, 1, 3, 6, 10]));
  });
});

describe("a graph that is paused for a record", () => {
  test("can be stopped; the record comes again in the next run", async () => {
    const source = new NumberSource();
    source.give(2);
    const names = ["numbers", "work"];
    const nodes = [{ name: "numbers" }, { name: "work", onError: "pause", attempts: 1 }];
    const { graph } = compileGraph({ name: "paused", nodes: nodes as { name: string }[], expression: names.join("; ") });
    const seen: number[] = [];
    let isMended = false;
    const work = functionAction((number: number) => {
      if (number === 1 && !isMended) throw new Error("not yet");
      seen.push(number);
    });
    const progress = new MemoryProgress();
    const options = { graph, folder: ".", progress };
    const first = await GraphRun.open({
      ...options,
      actions: new Map([
        ["numbers", { source: () => source }],
        ["work", work],
      ]),
    });
    await vi.waitFor(() => expect(first.state).toBe("paused"));
    expect((await first.drain()).outcome).toBe("stopped");
    isMended = true;
    const again = new NumberSource();
    again.give(2);
    again.finish();
    const second = await GraphRun.open({
      ...options,
      actions: new Map([
        ["numbers", { source: () => again }],
        ["work", work],
      ]),
    });
    expect((await second.ended).outcome).toBe("completed");
    expect(seen.at(-1)).toBe(1);
  });
});
