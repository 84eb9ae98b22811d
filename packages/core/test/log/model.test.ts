import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Log } from "../../src/log/log.ts";
import { createMemoryLog } from "../../src/log/memory.ts";
import { openSqliteLog } from "../../src/log/sqlite.ts";
import { consume, type Deliveries } from "../../src/testing/log-conformance-tools.ts";
import { settle, VirtualClock } from "../../src/testing/virtual-clock.ts";
import { testFolder } from "./child.ts";
import { ACK_WAIT_MS, anyStep, LogModel, MAX_ATTEMPTS, type Step } from "./model.ts";

interface Ground {
  readonly clock: VirtualClock;
  open(): Promise<Log>;
  /** Ends what is to be ended at a restart. */
  restart(log: Log, deliveries: Deliveries): Promise<Log>;
}

/** Lets the log do what it can do without time: its thread answers within a few rounds. */
async function calm(log: Log): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await log.streams();
    await settle();
  }
}

async function play(ground: Ground, steps: readonly Step[]): Promise<void> {
  const { clock } = ground;
  const model = new LogModel(clock);
  const options = { ackWaitMs: ACK_WAIT_MS, maxAttempts: MAX_ATTEMPTS, maxInFlight: 4, maxWaiting: 3 };
  let log = await ground.open();
  const start = async (): Promise<Deliveries> =>
    consume(await log.stream("orders"), options, (delivery) => model.onDelivery(delivery));
  let deliveries = await start();
  for (const step of steps) {
    if (step.kind === "append") await model.append(await log.stream("orders"), step.count);
    else if (step.kind === "replay") await model.replayOldest(log);
    else if (step.kind === "tick") {
      // In small parts, as reads take no virtual time: what falls due is delivered before more time passes.
      for (let left = step.ms; left > 0; left -= 100) {
        await clock.advance(Math.min(100, left));
        await calm(log);
        model.afterTime();
      }
    } else if (step.kind === "restart") {
      model.afterRestart();
      log = await ground.restart(log, deliveries);
      deliveries = await start();
    } else model.settle(step);
    await calm(log);
  }
  const dead = await model.finish(await log.stream("orders"), () => deliveries);
  const listed = (await log.deadLetters.list({ limit: 1_000 })).items.map(({ message }) => message.data as number);
  await log.close();
  expect(model.breaches).toEqual([]);
  expect(listed.toSorted((a, b) => a - b)).toEqual(dead);
}

describe("whatever happens to a log and its consumer, no message is lost, settled twice or miscounted", () => {
  test("in memory", async () => {
    const property = fc.asyncProperty(fc.array(anyStep, { maxLength: 60, size: "max" }), async (steps) => {
      const clock = new VirtualClock();
      const log = createMemoryLog({ clock });
      const open = async (): Promise<Log> => log;
      await play({ clock, open, restart: (_, { consumer }) => consumer.close().then(open) }, steps);
    });
    await fc.assert(property, { numRuns: 150 });
  });

  test("on SQLite, over restarts of the log", async () => {
    const property = fc.asyncProperty(fc.array(anyStep, { maxLength: 40, size: "max" }), async (steps) => {
      await using folder = await testFolder();
      const clock = new VirtualClock();
      const open = (): Promise<Log> => openSqliteLog({ folder: folder.path, clock });
      await play({ clock, open, restart: (log) => log.close().then(open) }, steps);
    });
    await fc.assert(property, { numRuns: 10 });
  });
});
