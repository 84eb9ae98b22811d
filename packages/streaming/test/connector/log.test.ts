import { createMessage } from "@metanode/core";
import { createMemoryLog, openSqliteLog } from "@metanode/core/log";
import { describe, expect, test } from "vitest";
import { functionAction, MemoryProgress } from "../../src/index.ts";
import { range } from "../run/counting.ts";
import { actionOf, Keeper, runInARow, testFolder, turns } from "./graphs.ts";

const numbered = (count: number, from = 0) =>
  range(count).map((number) => createMessage({ type: "number", data: { number: from + number } }));

describe("the log as a source", () => {
  test("gives messages in order, goes on with new ones, and lets the stream forget what is through", async () => {
    await using log = createMemoryLog();
    const stream = await log.stream("numbers");
    await stream.append(numbered(1_000));
    const kept = new Keeper();
    const read = { action: "log.read", with: { stream: "numbers" } };
    await using run = await runInARow({ read, keep: kept.node }, { services: { log } });
    await kept.has(1_000);
    await stream.append(numbered(5, 1_000));
    await kept.has(1_005);
    expect(kept.records).toEqual(range(1_005).map((number) => ({ number })));
    await run.drain();
    expect((await stream.info()).consumers).toMatchObject([{ name: "test-read", pending: 0, unsettled: 0 }]);
  });

  test("keeps every message of a run that was cut off, and gives it again under the same id", async () => {
    await using folder = await testFolder();
    const progress = new MemoryProgress();
    const seen = new Map<string, unknown>();
    const read = { action: "log.read", with: { stream: "numbers", maxInFlight: 500 } };
    {
      await using log = await openSqliteLog({ folder: folder.path });
      await (await log.stream("numbers")).append(numbered(2_000));
      let left = 700;
      const half = functionAction(async (record: unknown, { id }) => {
        if (left-- <= 0) return new Promise<void>(() => undefined);
        seen.set(id, record);
      });
      const run = await runInARow({ read, half: { does: half } }, { services: { log }, progress, commitMs: 1 });
      while (left > 0) await turns(1);
      await run.close();
    }
    const through = (await progress.load()).sources.get("read")?.sequence ?? 0;
    expect(through).toBeGreaterThan(0);
    await using log = await openSqliteLog({ folder: folder.path });
    const kept = new Keeper();
    await using _run = await runInARow({ read, keep: kept.node }, { services: { log }, progress });
    await kept.has(2_000 - through);
    for (const [index, id] of kept.ids.entries()) {
      expect(seen.get(id) ?? kept.records[index]).toEqual(kept.records[index]);
      seen.set(id, kept.records[index]);
    }
    expect([...seen.values()].map((record) => (record as { number: number }).number).sort((a, b) => a - b)).toEqual(range(2_000));
  });

  test("gives nothing twice when the log has forgotten acks that the graph remembers", async () => {
    await using log = createMemoryLog();
    const stream = await log.stream("numbers");
    await stream.append(numbered(10));
    const progress = new MemoryProgress();
    await progress.commit({ sources: new Map([["read", { position: "4", sequence: 4 }]]), state: [] });
    const kept = new Keeper();
    const read = { action: "log.read", with: { stream: "numbers" } };
    await using _run = await runInARow({ read, keep: kept.node }, { services: { log }, progress });
    await kept.has(6);
    expect(kept.records).toEqual(range(6).map((number) => ({ number: number + 4 })));
    expect(kept.ids[0]).toBe("read:4");
  });

  test("gives in the order of the stream although the log delivers something late", async () => {
    await using log = createMemoryLog();
    const stream = await log.stream("numbers");
    await stream.append(numbered(6));
    // Someone has begun under this name, and let the second fail: it waits for its next attempt.
    const failed = Promise.withResolvers<void>();
    const before = await stream.consume({
      name: "mine",
      onDelivery: (delivery) => {
        if (delivery.sequence === 2) delivery.nak({ delayMs: 60_000 });
        if (delivery.sequence === 6) failed.resolve();
      },
    });
    await failed.promise;
    await before.close();
    const kept = new Keeper();
    const read = { action: "log.read", with: { stream: "numbers", consumer: "mine", give: "message" } };
    await using _run = await runInARow({ read, keep: kept.node }, { services: { log } });
    await kept.has(6);
    expect(kept.records.map((message) => (message as { data: { number: number } }).data.number)).toEqual(range(6));
  });

  test("can begin with what is new, and misses nothing after that", async () => {
    await using log = createMemoryLog();
    const stream = await log.stream("numbers");
    await stream.append(numbered(5));
    const progress = new MemoryProgress();
    const kept = new Keeper();
    const read = { action: "log.read", with: { stream: "numbers", from: "new" } };
    const first = await runInARow({ read, keep: kept.node }, { services: { log }, progress, commitMs: 1 });
    while ((await progress.load()).sources.size === 0) await turns(1);
    await first.close();
    await stream.append(numbered(2, 5));
    await using _run = await runInARow({ read, keep: kept.node }, { services: { log }, progress });
    await kept.has(2);
    expect(kept.records).toEqual([{ number: 5 }, { number: 6 }]);
  });

  test("says what it lacks where there is no node", () => {
    expect(() => actionOf({ name: "read", action: "log.read", with: { stream: "numbers" } })).toThrow(/needs the log of a node/);
  });
});

describe("the log as a sink", () => {
  test("stores each record once, although it is written again", async () => {
    await using log = createMemoryLog();
    const nodes = {
      numbers: { action: "generate", with: { count: 2_500, template: { number: "{n}", user: "u{n}" } } },
      write: { action: "log.write", with: { stream: "out", type: "number.seen", subject: "user" } },
    };
    for (let times = 0; times < 2; times++)
      expect((await (await runInARow(nodes, { services: { log } })).ended).outcome).toBe("completed");
    const stream = await log.stream("out");
    expect((await stream.info()).messages).toBe(2_500);
    const [last] = await stream.read(2_500, 1);
    expect(last?.message).toMatchObject({
      type: "number.seen",
      subject: "u2499",
      id: "test/numbers:2499",
      data: { number: 2_499 },
    });
  });

  test("passes on what is stored", async () => {
    await using log = createMemoryLog();
    const kept = new Keeper();
    const numbers = { action: "generate", with: { count: 10 } };
    const write = { action: "log.write", with: { stream: "out", maxRecords: 3 } };
    await (await runInARow({ numbers, write, keep: kept.node }, { services: { log } })).ended;
    expect(kept.records).toEqual(range(10));
    expect(kept.ids[9]).toBe("numbers:9/write");
  });

  test("waits out a log that is full, and loses nothing", async () => {
    await using log = createMemoryLog();
    const stream = await log.stream("out", { maxMessages: 100 });
    const run = await runInARow(
      {
        numbers: { action: "generate", with: { count: 300 } },
        write: { action: "log.write", with: { stream: "out", maxRecords: 50 }, attempts: 1_000, backoffMs: [1] },
      },
      { services: { log } },
    );
    const seen: unknown[] = [];
    while ((await stream.info()).messages < 100) await turns(1);
    const consumer = await stream.consume({
      name: "slow",
      onDelivery: (delivery) => {
        seen.push(delivery.message.data);
        delivery.ack();
      },
    });
    expect((await run.ended).outcome).toBe("completed");
    while (seen.length < 300) await turns(1);
    expect(seen).toEqual(range(300));
    await consumer.close();
  });
});
