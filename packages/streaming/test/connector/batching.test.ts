import { VirtualClock } from "@metanode/core/testing/clock";
import { describe, expect, test } from "vitest";
import type { BatchingOptions, Writer } from "../../src/connector/batching.ts";
import { sinkAction } from "../../src/connector/sink.ts";
import { functionAction, iterableAction, streamError } from "../../src/index.ts";
import { NumberSource, range } from "../run/counting.ts";
import { Keeper, runInARow, turns } from "./graphs.ts";

type Write = (records: unknown[]) => Promise<void> | void;

/** A sink that writes into memory, by way of `write`. */
function sink(
  write: Write,
  options: BatchingOptions,
): { readonly writes: unknown[][]; readonly does: ReturnType<typeof sinkAction> } {
  const writes: unknown[][] = [];
  const writer: Writer = {
    write: async (load) => {
      const records = [...load.records()].map(({ record }) => record);
      await write(records);
      writes.push(records);
    },
  };
  return { writes, does: sinkAction(() => writer, options) };
}

const numbers = (count: number) => ({ does: iterableAction(() => range(count)) });
const nothing = (): void => undefined;

describe("a sink that writes in loads", () => {
  test("writes at most so many records at a time, in order, and passes on what is written", async () => {
    const { writes, does } = sink(nothing, { maxRecords: 300 });
    const kept = new Keeper();
    const run = await runInARow({ numbers: numbers(1_000), write: { does }, keep: kept.node });
    expect((await run.ended).outcome).toBe("completed");
    expect(Math.max(...writes.map(({ length }) => length))).toBe(300);
    expect(writes.flat()).toEqual(range(1_000));
    expect(kept.records).toEqual(range(1_000));
    expect(new Set(kept.ids).size).toBe(1_000);
  });

  test("writes at most so many bytes at a time, but at least one record", async () => {
    const { writes, does } = sink(nothing, { maxRecords: 100, maxBytes: 1_000 });
    const texts = { does: iterableAction(() => ["x".repeat(400), "x".repeat(400), "x".repeat(400), "x".repeat(5_000), "y"]) };
    await (await runInARow({ texts, write: { does } })).ended;
    expect(writes.flat().length).toBe(5);
    for (const records of writes) {
      const bytes = records.reduce((sum: number, record) => sum + String(record).length, 0);
      expect(records.length === 1 || bytes <= 1_000).toBe(true);
    }
  });

  test("waits for others as long as it may, and no longer", async () => {
    const clock = new VirtualClock();
    const source = new NumberSource();
    const { writes, does } = sink(nothing, { maxRecords: 100, maxWaitMs: 500 });
    await using _run = await runInARow({ numbers: { does: { source: () => source } }, write: { does } }, { clock });
    source.give(3);
    await clock.advance(400);
    source.give(3);
    await clock.advance(99);
    expect(writes).toEqual([]);
    await clock.advance(1);
    expect(writes).toEqual([range(6)]);
  });

  test("waits for nobody when the graph is stopped, or when its source has ended", async () => {
    const source = new NumberSource();
    const clock = new VirtualClock();
    const stopped = sink(nothing, { maxRecords: 100, maxWaitMs: 3_600_000 });
    const run = await runInARow({ numbers: { does: { source: () => source } }, write: { does: stopped.does } }, { clock });
    source.give(3);
    await turns(5);
    expect(await run.drain()).toMatchObject({ outcome: "stopped", inFlight: 0 });
    expect(stopped.writes).toEqual([range(3)]);

    const ended = sink(nothing, { maxRecords: 100, maxWaitMs: 3_600_000 });
    await (await runInARow({ numbers: numbers(3), write: { does: ended.does } }, { clock })).ended;
    expect(ended.writes).toEqual([range(3)]);
  });

  test("waits for nobody when the source has no credit left", async () => {
    const clock = new VirtualClock();
    const { writes, does } = sink(nothing, { maxRecords: 10_000, maxWaitMs: 3_600_000 });
    const credit = { maxRecords: 100 };
    const run = await runInARow({ numbers: numbers(5_000), write: { does } }, { clock, credit });
    expect((await run.ended).outcome).toBe("completed");
    expect(writes.flat()).toEqual(range(5_000));
  });

  test("gives no record back before it is written", async () => {
    const gate = Promise.withResolvers<void>();
    const { does } = sink(() => gate.promise, { maxRecords: 10 });
    const run = await runInARow({ numbers: numbers(10), write: { does } });
    await turns(20);
    expect((await run.close()).inFlight).toBe(10);
    gate.resolve();
  });

  test("passes on in order what several writes at a time have finished out of order", async () => {
    let turn = 0;
    let most = 0;
    let underWay = 0;
    const uneven = async (): Promise<void> => {
      most = Math.max(most, ++underWay);
      await turns((turn++ * 7) % 5);
      underWay--;
    };
    const { writes, does } = sink(uneven, { maxRecords: 10, concurrency: 4 });
    const kept = new Keeper();
    await (await runInARow({ numbers: numbers(1_000), write: { does }, keep: kept.node })).ended;
    expect(most).toBe(4);
    expect(writes.flat()).not.toEqual(range(1_000));
    expect(kept.records).toEqual(range(1_000));
  });

  test("tries a load again that could not be written, as a whole, after its delays", async () => {
    const clock = new VirtualClock();
    let failures = 2;
    const { writes, does } = sink(
      () => {
        if (failures-- > 0) throw new Error("not now");
      },
      { maxRecords: 100 },
    );
    const run = await runInARow({ numbers: numbers(50), write: { does } }, { clock });
    await clock.advance(99);
    expect(writes).toEqual([]);
    await clock.advance(501);
    expect((await run.ended).outcome).toBe("completed");
    expect(writes).toEqual([range(50)]);
  });

  test("takes a load apart at once when its records are to blame, and loses only what is bad", async () => {
    const { writes, does } = sink(
      (records) => {
        if (records.includes(7)) throw streamError("stream.record", "seven is to nobody's taste");
      },
      { maxRecords: 100 },
    );
    const dead: unknown[] = [];
    const kept = new Keeper();
    const onDeadLetter = async ({ record, attempts }: { record: unknown; attempts: number }) =>
      void dead.push({ record, attempts });
    await (await runInARow({ numbers: numbers(20), write: { does }, keep: kept.node }, { onDeadLetter })).ended;
    const others = range(20).filter((number) => number !== 7);
    expect(writes.flat()).toEqual(others);
    expect(kept.records).toEqual(others);
    expect(dead).toEqual([{ record: 7, attempts: 2 }]);
  });

  test("goes on with a record that was given up after somebody has mended the cause", async () => {
    let isMended = false;
    const { writes, does } = sink(
      () => {
        if (!isMended) throw streamError("stream.record", "not yet");
      },
      { maxRecords: 1 },
    );
    const { graph, GraphRun } = await paused(does);
    const run = await GraphRun.open(graph);
    while (run.state !== "paused") await turns(1);
    isMended = true;
    run.resume();
    expect((await run.ended).outcome).toBe("completed");
    expect(writes).toEqual([[0], [1], [2]]);
  });

  test("gives up on a write that does not end in its time", async () => {
    const clock = new VirtualClock();
    const { does } = sink(() => new Promise(() => undefined), { maxRecords: 10, timeoutMs: 1_000 });
    const dead: unknown[] = [];
    const nodes = { numbers: numbers(1), write: { does } };
    const run = await runInARow(nodes, { clock, onDeadLetter: async ({ error }) => void dead.push(error) });
    await clock.advance(3_600);
    expect((await run.ended).outcome).toBe("completed");
    expect(dead).toMatchObject([{ code: "stream.record_timeout" }]);
  });

  test("has no room while it has enough to do", async () => {
    const gate = Promise.withResolvers<void>();
    const { does } = sink(() => gate.promise, { maxRecords: 10 });
    const given: number[] = [];
    const note = functionAction((number: number) => {
      given.push(number);
      return number;
    });
    const run = await runInARow({ numbers: numbers(100_000), note: { does: note }, write: { does } });
    await turns(50);
    expect(given.length).toBeLessThan(2_000);
    gate.resolve();
    expect((await run.ended).outcome).toBe("completed");
    expect(given.length).toBe(100_000);
  });
});

async function paused(does: ReturnType<typeof sinkAction>) {
  const { compileGraph, GraphRun } = await import("../../src/index.ts");
  const nodes = [{ name: "numbers" }, { name: "write", onError: "pause" as const }];
  const { graph } = compileGraph({ nodes, expression: "numbers; write" });
  const actions = new Map([
    ["numbers", iterableAction(() => range(3))],
    ["write", does],
  ]);
  return { graph: { graph, actions, folder: "." }, GraphRun };
}
