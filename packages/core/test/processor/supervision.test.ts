import { describe, expect, test } from "vitest";
import { defineProcessor } from "../../src/processor/author.ts";
import { ProcessorDoor } from "../../src/processor/door.ts";
import { resolveProcessorSpec } from "../../src/processor/options.ts";
import { Slot, type SlotEvent } from "../../src/processor/slot.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { openTestHost, temporaryFolder } from "../fixtures/host.ts";
import { until } from "../fixtures/until.ts";

const fragile = defineProcessor({ name: "fragile", types: { "fragile.ask": { handle: () => "here" } } });
const RESTART = { backoffMs: 100, maxBackoffMs: 500, stableMs: 10_000, quarantineAfter: 6, quarantineMs: 30_000 };

interface Supervised extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly slot: Slot;
  readonly events: SlotEvent[];
  /** Ends the life that is going on, as a crash would. */
  crash(): Promise<void>;
  /** Moves time on until the next life is ready. Gives how long that took. */
  nextLifeMs(): Promise<number>;
}

/** One slot in virtual time. `draw` is what the jitter draws. */
async function supervise(draw: () => number): Promise<Supervised> {
  const folder = await temporaryFolder();
  const clock = new VirtualClock();
  const door = await ProcessorDoor.open({ folder: folder.path, node: "test", clock });
  const events: SlotEvent[] = [];
  const nothing = (): void => undefined;
  const slot = new Slot({
    spec: resolveProcessorSpec({ name: "fragile", definition: fragile, restart: RESTART }),
    id: "fragile.0",
    context: { door, clock, node: "test", cacheFolder: folder.path, onLine: nothing },
    events: { onReady: nothing, onChange: nothing, onEvent: (event) => events.push(event) },
    handler: nothing,
    maxMessageBytes: 1_024,
    random: draw,
  });
  await slot.start();
  return {
    clock,
    slot,
    events,
    async crash() {
      slot.kill("crashed by the test");
      await until("the life has ended", () => slot.slotState === "backoff" || slot.slotState === "quarantined");
    },
    async nextLifeMs() {
      const startMs = clock.now();
      while (slot.slotState === "backoff" || slot.slotState === "quarantined") await clock.advance(1);
      const tookMs = clock.now() - startMs;
      await until("the next life is ready", () => slot.slotState === "ready");
      return tookMs;
    },
    async [Symbol.asyncDispose]() {
      await slot.stop(0);
      await door.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const LONGEST = (): number => 0.999_999;

describe("M-23 the times of supervision", () => {
  test("the delay before a restart doubles up to its limit", async () => {
    await using one = await supervise(LONGEST);
    const delays: number[] = [];
    for (let life = 1; life < RESTART.quarantineAfter; life++) {
      await one.crash();
      delays.push(await one.nextLifeMs());
    }
    expect(delays).toEqual([100, 200, 400, 500, 500]);
  });

  test("the delay is drawn from the whole range below its ceiling, so that many do not restart together", async () => {
    const draws = [0, 0.5, 0.25];
    await using one = await supervise(() => draws.shift() ?? 0);
    const delays: number[] = [];
    for (let life = 0; life < 3; life++) {
      await one.crash();
      delays.push(await one.nextLifeMs());
    }
    expect(delays).toEqual([10, 100, 100]); // of ceilings 100, 200 and 400; time moves in steps of 1 ms
  });

  test("after its limit of short lives it is quarantined for the time given, then tried once", async () => {
    await using one = await supervise(LONGEST);
    for (let life = 1; life < RESTART.quarantineAfter; life++) {
      await one.crash();
      await one.nextLifeMs();
    }
    await one.crash();
    expect(one.slot.slotState).toBe("quarantined");
    await one.clock.advance(RESTART.quarantineMs - 1);
    expect(one.slot.slotState).toBe("quarantined");
    expect(await one.nextLifeMs()).toBe(1);
    await one.crash();
    expect(one.slot.slotState).toBe("quarantined");
  });

  test("a life that was long enough resets the count and the delay", async () => {
    await using one = await supervise(LONGEST);
    for (let life = 1; life < RESTART.quarantineAfter; life++) {
      await one.crash();
      await one.nextLifeMs();
    }
    await one.clock.advance(RESTART.stableMs);
    await one.crash();
    expect(one.slot.slotState).toBe("backoff");
    expect(await one.nextLifeMs()).toBe(100);
    await one.crash();
    expect(await one.nextLifeMs()).toBe(100);
  });

  test("each life and each end is told, with its reason", async () => {
    await using one = await supervise(LONGEST);
    await one.crash();
    await one.nextLifeMs();
    expect(one.events.map(({ kind }) => kind)).toEqual(["launched", "started", "killed", "crashed", "launched", "started"]);
    expect(one.events[3]?.text).toContain("crashed by the test");
  });
});

describe("a command that ends at once", () => {
  test("is started again no more than a hundred times a second, however its restart is configured", async () => {
    await using node = await openTestHost();
    const restart = { backoffMs: 0, maxBackoffMs: 0, stableMs: 0, quarantineAfter: 1_000_000 };
    const beganMs = performance.now();
    await expect(node.host.add({ name: "short", command: ["false"], restart })).rejects.toMatchObject({
      code: "processor.start",
    });
    const restarts = (): number => node.host.info("short").processes[0]?.restarts ?? 0;
    await until("it was started twenty times", () => restarts() >= 20);
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual((restarts() - 1) * 10);
  });
});
