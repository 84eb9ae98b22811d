import { describe, expect, test } from "vitest";
import { DeadlineQueue } from "../src/clock.ts";
import { VirtualClock } from "../src/testing/index.ts";

describe("a queue of deadlines", () => {
  test("gives its timer back when nothing waits for it, and takes a new one with the next entry", async () => {
    const clock = new VirtualClock();
    const queue = new DeadlineQueue(clock);
    const expired: string[] = [];
    const entry = (name: string) => ({ expire: () => void expired.push(name) });
    const first = entry("first");
    const slot = queue.add(first, clock.now() + 100);
    queue.rest();
    expect(clock.pendingTimers).toBe(1);
    queue.remove(first, slot);
    queue.rest();
    expect(clock.pendingTimers).toBe(0);
    queue.add(entry("second"), clock.now() + 50);
    await clock.advance(60);
    expect([expired, clock.pendingTimers]).toEqual([["second"], 0]);
  });
});
