import { settle, VirtualClock } from "@metanode/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Batcher } from "../../src/engine/batcher.ts";
import { Lines } from "../../src/engine/lines.ts";
import { Measures } from "../../src/engine/measures.ts";
import { SavedCache } from "../../src/engine/saved-cache.ts";

const away = Object.assign(new Error("away"), { code: "away" });

function openBatcher(work: (requests: readonly number[]) => Promise<readonly string[]>, maxBatch = 100, lanes = 1) {
  const clock = new VirtualClock();
  const batches: number[][] = [];
  const batcher = new Batcher<number, string>({
    maxBatch,
    lanes,
    clock,
    work: (requests) => {
      batches.push([...requests]);
      return work(requests);
    },
    isAway: (error) => error === away,
  });
  return { batcher, batches, clock };
}

describe("group commit", () => {
  const echo = async (requests: readonly number[]) => requests.map(String);

  test("does what comes in one turn together, in its order, and no more at once than it may (B1, B2)", async () => {
    const { batcher, batches } = openBatcher(echo, 3);
    expect(await Promise.all([1, 2, 3, 4, 5, 6, 7].map((n) => batcher.add(n)))).toEqual(["1", "2", "3", "4", "5", "6", "7"]);
    expect(batches).toEqual([[1, 2, 3], [4, 5, 6], [7]]);
    await batcher.idle();
  });

  test("gathers while a batch is under way (B2)", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { batcher, batches } = openBatcher(async (requests) => {
      await promise;
      return requests.map(String);
    });
    const first = batcher.add(1);
    await settle();
    const rest = [2, 3, 4].map((n) => batcher.add(n));
    resolve();
    await Promise.all([first, ...rest]);
    expect(batches).toEqual([[1], [2, 3, 4]]);
  });

  test("shares what comes in one turn out to its lanes, but nothing small (B2)", async () => {
    const { batcher, batches } = openBatcher(echo, 100, 2);
    await Promise.all(Array.from({ length: 40 }, (_, n) => batcher.add(n)));
    await Promise.all(Array.from({ length: 20 }, (_, n) => batcher.add(n)));
    expect(batches.map((batch) => batch.length)).toEqual([20, 20, 16, 4]);
    expect(batches.slice(0, 2).flat()).toEqual(Array.from({ length: 40 }, (_, n) => n));
  });

  test("goes on with a free lane while the other is taken (B2)", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { batcher, batches } = openBatcher(
      async (requests) => {
        if (requests.includes(1)) await promise;
        return requests.map(String);
      },
      100,
      2,
    );
    const first = batcher.add(1);
    await settle();
    expect(await Promise.all([batcher.add(2), batcher.add(3)])).toEqual(["2", "3"]);
    resolve();
    expect(await first).toBe("1");
    await batcher.idle();
    expect(batches).toEqual([[1], [2, 3]]);
  });

  test("asks with one batch at a time whether the other side is back (B3)", async () => {
    let underWay = 0;
    let most = 0;
    let isAway = true;
    const { batcher, clock } = openBatcher(
      async (requests) => {
        most = Math.max(most, ++underWay);
        await settle();
        underWay--;
        if (isAway) throw away;
        return requests.map(String);
      },
      100,
      2,
    );
    const first = batcher.add(0, true);
    await settle();
    await settle();
    expect(batcher.isAway).toBe(true);
    most = 0;
    const rest = Array.from({ length: 40 }, (_, n) => batcher.add(n + 1, true));
    await clock.advance(5_000);
    expect(most).toBe(1);
    isAway = false;
    for (let turns = 0; turns < 20; turns++) await clock.advance(2_000);
    expect(await Promise.all([first, ...rest])).toEqual(Array.from({ length: 41 }, (_, n) => String(n)));
  });

  test("keeps those who insist while the other side is away, before those who came later (B3)", async () => {
    let isAway = true;
    const { batcher, batches, clock } = openBatcher(async (requests) => {
      if (isAway) throw away;
      return requests.map(String);
    });
    const insisting = batcher.add(1, true);
    const plain = batcher.add(2);
    await expect(plain).rejects.toBe(away);
    expect(batcher.isAway).toBe(true);
    const later = batcher.add(3, true);
    await clock.advance(10_000);
    isAway = false;
    await clock.advance(2_000);
    expect(await Promise.all([insisting, later])).toEqual(["1", "3"]);
    expect(batches.at(-1)).toEqual([1, 3]);
    expect(batches.length).toBeLessThan(16);
    expect(batcher.isAway).toBe(false);
  });

  test("tells even those who insist when it gives up", async () => {
    const { batcher } = openBatcher(async () => {
      throw away;
    });
    const insisting = batcher.add(1, true);
    await settle();
    batcher.giveUp();
    await expect(insisting).rejects.toBe(away);
    await expect(batcher.add(2, true)).rejects.toBe(away);
  });

  test("tries each alone when a batch cannot be done, so that only the bad one fails (B4)", async () => {
    const bad = new Error("bad");
    const { batcher } = openBatcher(async (requests) => {
      if (requests.includes(3)) throw bad;
      return requests.map(String);
    });
    const results = await Promise.allSettled([1, 2, 3, 4].map((n) => batcher.add(n, true)));
    expect(results.map((result) => (result.status === "fulfilled" ? result.value : result.reason))).toEqual(["1", "2", bad, "4"]);
  });
});

describe("lines of versions", () => {
  test("have one holder at a time, in the order of their coming (L1, L2)", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ line: fc.constantFrom("a", "b", "c"), turns: fc.nat(3) }), { maxLength: 40 }),
        async (work) => {
          const lines = new Lines();
          const held = new Map<string, number>();
          const order = new Map<string, number[]>();
          await Promise.all(
            work.map(({ line, turns }, at) =>
              lines.run([line], async () => {
                held.set(line, (held.get(line) ?? 0) + 1);
                expect(held.get(line)).toBe(1);
                order.set(line, [...(order.get(line) ?? []), at]);
                for (let turn = 0; turn < turns; turn++) await Promise.resolve();
                held.set(line, 0);
              }),
            ),
          );
          for (const list of order.values()) expect(list).toEqual(list.toSorted((a, b) => a - b));
          expect(lines.size).toBe(0);
        },
      ),
    );
  });

  test("are left also when work on them throws", async () => {
    const lines = new Lines();
    await expect(lines.run(["a", "b", "a"], () => Promise.reject(new Error("x")))).rejects.toThrow("x");
    expect(lines.size).toBe(0);
  });
});

describe("what is remembered as stored", () => {
  test("is forgotten after its time since the last use, and the oldest first when there is too much", () => {
    const clock = new VirtualClock();
    const cache = new SavedCache(clock, 100, 2);
    cache.add("a");
    void clock.advance(0);
    expect(cache.has("a")).toBe(true);
    cache.add("b");
    cache.add("c");
    expect([cache.has("a"), cache.has("b"), cache.has("c")]).toEqual([false, true, true]);
  });

  test("counts a use as new", async () => {
    const clock = new VirtualClock();
    const cache = new SavedCache(clock, 100, 10);
    cache.add("a");
    await clock.advance(60);
    expect(cache.has("a")).toBe(true);
    await clock.advance(60);
    expect(cache.has("a")).toBe(true);
    await clock.advance(100);
    expect(cache.has("a")).toBe(false);
  });
});

test("measures tell relations with the same target apart", () => {
  const measures = new Measures();
  measures.converted("a", "c", 1);
  measures.converted("b", "c", 1);
  measures.count("retried", "a", "c");
  expect(measures.relations().map(({ from, to, converted, retried }) => [from, to, converted, retried])).toEqual([
    ["a", "c", 1, 1],
    ["b", "c", 1, 0],
  ]);
});
