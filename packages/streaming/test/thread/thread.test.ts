import { threadId } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { createFlow, type NodeSettings, threadAction } from "../../src/index.ts";
import { range } from "../run/counting.ts";

const file = new URL("./working.ts", import.meta.url);

async function through(numbers: readonly number[], exportName: string, settings: NodeSettings = {}) {
  const flow = createFlow("threads");
  const seen: unknown[] = [];
  const letters: unknown[] = [];
  flow
    .source("numbers", () => numbers)
    .to(flow.node("thread", threadAction({ file, exportName }), settings))
    .to(flow.sink("keep", (record: unknown) => void seen.push(record)));
  const run = await flow.run({ onDeadLetter: async ({ record, error }) => void letters.push({ record, error }) });
  return { end: await run.ended, seen, letters };
}

describe("a function in a thread of its own", () => {
  test("answers records in order, elsewhere", async () => {
    const { end, seen } = await through(range(2_000), "square");
    expect(end.outcome).toBe("completed");
    expect(seen).toEqual(range(2_000).map((number) => number * number));
    expect((await through([1], "where")).seen).not.toEqual([threadId]);
  });

  test("gives none, one or several", async () => {
    expect((await through([0, 1, 2], "several")).seen).toEqual([1, -1, 2, -2]);
  });

  test("that dies is started again, and one that throws has its record given up on", async () => {
    const { end, seen, letters } = await through(range(6), "fragile", { attempts: 2, backoffMs: [0], concurrency: 1 });
    expect(end.outcome).toBe("completed");
    // A thread that is new has forgotten that it died before.
    expect(letters).toMatchObject([
      { record: 3, error: { code: "stream.program" } },
      { record: 4, error: { message: "four is not to my taste" } },
    ]);
    expect(seen).toEqual([0, 1, 2, 5]);
  });

  test("that hangs is replaced when the time for its record is over", async () => {
    const { end, seen, letters } = await through(range(6), "hanging", { attempts: 1, timeoutMs: 2_000, concurrency: 1 });
    expect(end.outcome).toBe("completed");
    expect(letters).toMatchObject([{ record: 3, error: { code: "stream.record_timeout" } }]);
    expect(seen).toEqual([0, 1, 2, 4, 5]);
  });

  test("that cannot be loaded ends the opening of the graph with what is wrong", async () => {
    await expect(through([1], "nothing")).rejects.toMatchObject({
      code: "stream.program",
      message: expect.stringContaining("nothing"),
    });
  });

  test("shares its work with others where the node has replicas", async () => {
    const { seen } = await through(range(5_000), "where", { replicas: 3 });
    expect(seen).toHaveLength(5_000);
    expect(new Set(seen).size).toBeGreaterThan(1);
  });
});
