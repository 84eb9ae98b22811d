import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DeadlineQueue, Expiring } from "../src/clock.ts";
import { VirtualClock } from "../src/testing/index.ts";

const TICK_MS = 8;

/** Writes down when it expired. */
class Alarm extends Expiring {
  readonly #clock: VirtualClock;
  readonly expiredMs: number[] = [];
  onExpire: () => void = () => undefined;

  constructor(clock: VirtualClock) {
    super();
    this.#clock = clock;
  }

  override expire(): void {
    this.expiredMs.push(this.#clock.now());
    this.onExpire();
  }
}

describe("a queue of deadlines", () => {
  test("lets each entry expire once, between its deadline and one tick later, unless it was removed before", async () => {
    const step = fc.oneof(
      fc.record({ act: fc.constant("add" as const), afterMs: fc.double({ min: -20, max: 100, noNaN: true }) }),
      fc.record({ act: fc.constant("remove" as const), which: fc.nat(30) }),
      fc.record({ act: fc.constant("pass" as const), ms: fc.nat(40) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
        const clock = new VirtualClock();
        const queue = new DeadlineQueue(clock, TICK_MS);
        const added: { alarm: Alarm; dueMs: number; removedMs: number; addedMs: number }[] = [];
        for (const each of steps) {
          if (each.act === "add") {
            const alarm = new Alarm(clock);
            const dueMs = clock.now() + each.afterMs;
            queue.add(alarm, dueMs);
            added.push({ alarm, dueMs, removedMs: Number.POSITIVE_INFINITY, addedMs: clock.now() });
          } else if (each.act === "pass") await clock.advance(each.ms);
          else {
            const found = added[each.which];
            if (found === undefined) continue;
            DeadlineQueue.remove(found.alarm);
            found.removedMs = Math.min(found.removedMs, clock.now());
          }
        }
        await clock.advance(200);
        for (const { alarm, dueMs, removedMs, addedMs } of added) {
          if (alarm.expiredMs.length === 0) expect(removedMs).toBeLessThanOrEqual(Math.max(addedMs, dueMs + TICK_MS));
          else {
            expect(alarm.expiredMs).toHaveLength(1);
            expect(alarm.expiredMs[0]).toBeGreaterThanOrEqual(dueMs);
            expect(alarm.expiredMs[0]).toBeLessThanOrEqual(removedMs);
            expect(alarm.expiredMs[0]).toBeLessThanOrEqual(Math.max(addedMs, dueMs) + TICK_MS);
          }
        }
        expect(clock.pendingTimers).toBe(0);
      }),
    );
  });

  test("lets what expires remove others that are due, and add new ones, also itself", async () => {
    const clock = new VirtualClock();
    const queue = new DeadlineQueue(clock, TICK_MS);
    const [first, second] = [new Alarm(clock), new Alarm(clock)];
    for (const alarm of [first, second]) queue.add(alarm, clock.now() + TICK_MS);
    first.onExpire = () => {
      DeadlineQueue.remove(second);
      if (first.expiredMs.length < 3) queue.add(first, clock.now());
    };
    await clock.advance(100);
    expect([first.expiredMs.length, second.expiredMs.length]).toEqual([3, 0]);
  });

  test("has no timer once nothing is left to expire, however much went through it", async () => {
    const clock = new VirtualClock();
    const queue = new DeadlineQueue(clock, TICK_MS);
    for (let i = 0; i < 1_000; i++) {
      const alarm = new Alarm(clock);
      queue.add(alarm, clock.now() + i);
      DeadlineQueue.remove(alarm);
    }
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(TICK_MS);
    expect(clock.pendingTimers).toBe(0);
  });

  test("gives its timer back when nothing waits for it, and takes a new one with the next entry", async () => {
    const clock = new VirtualClock();
    const queue = new DeadlineQueue(clock, TICK_MS);
    const [first, second] = [new Alarm(clock), new Alarm(clock)];
    queue.add(first, clock.now() + 100);
    queue.rest();
    expect(clock.pendingTimers).toBe(1);
    DeadlineQueue.remove(first);
    queue.rest();
    expect(clock.pendingTimers).toBe(0);
    queue.add(second, clock.now() + 50);
    await clock.advance(60);
    expect([first.expiredMs.length, second.expiredMs.length, clock.pendingTimers]).toEqual([0, 1, 0]);
  });
});
