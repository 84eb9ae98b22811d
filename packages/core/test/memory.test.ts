import { describe, expect, test } from "vitest";
import { giveBackMemory, type Memory } from "../src/memory.ts";
import { VirtualClock } from "../src/testing/virtual-clock.ts";

const MIB = 1_048_576;

/** A process whose work and heap are told, watched on virtual time. */
function watched(heapBytes = 40 * MIB) {
  const clock = new VirtualClock();
  const { promise: until, resolve: end } = Promise.withResolvers<void>();
  const own = { utilization: 0, heapBytes, collections: 0 };
  const memory: Memory = {
    utilization: () => own.utilization,
    heapBytes: () => own.heapBytes,
    collect: async () => {
      own.collections++;
    },
  };
  giveBackMemory({ until, memory, clock });
  const pass = async (seconds: number, utilization: number): Promise<number> => {
    own.utilization = utilization;
    for (let second = 0; second < seconds; second++) await clock.advance(1_000);
    return own.collections;
  };
  return { pass, end, own };
}

describe("memory of work that is done", () => {
  test("is given back once the process has been idle for three seconds, and then no more", async () => {
    const { pass } = watched();
    expect(await pass(5, 0.4)).toBe(0);
    expect(await pass(2, 0.01)).toBe(0);
    expect(await pass(1, 0.01)).toBe(1);
    expect(await pass(600, 0.04)).toBe(1);
  });

  test("is given back again after more work, but not within a minute", async () => {
    const { pass } = watched();
    expect(await pass(3, 0)).toBe(1);
    await pass(1, 1);
    expect(await pass(55, 0)).toBe(1);
    expect(await pass(10, 0)).toBe(2);
  });

  test("is kept where the heap is so large that the pause would be felt", async () => {
    const { pass, own } = watched(300 * MIB);
    expect(await pass(60, 0)).toBe(0);
    own.heapBytes = 200 * MIB;
    expect(await pass(1, 0)).toBe(1);
  });

  test("is of no interest any more after the end", async () => {
    const { pass, end } = watched();
    end();
    expect(await pass(60, 0)).toBe(0);
  });

  test("is really collected in a process of one's own", async () => {
    const clock = new VirtualClock();
    const { promise: until, resolve: end } = Promise.withResolvers<void>();
    let garbage: object | undefined = { big: new Array(1_000).fill({}) };
    const seen = new WeakRef(garbage);
    garbage = undefined;
    giveBackMemory({ until, clock });
    for (let second = 0; second < 30 && seen.deref() !== undefined; second++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      await clock.advance(1_000);
    }
    end();
    expect(seen.deref()).toBeUndefined();
  });
});
