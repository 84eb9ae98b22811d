import { describe, expect, test } from "vitest";
import { coreError } from "../../src/errors.ts";
import type { CommitBatch } from "../../src/log/store.ts";
import { ack, consume, eventually, messageOf } from "../../src/testing/log-conformance-tools.ts";
import { settle } from "../../src/testing/virtual-clock.ts";
import { type FaultyStore, faultyLog } from "./faulty-store.ts";

const diskFull = coreError("log.storage", "the disk is full");

function commitsOf(store: FaultyStore): CommitBatch[] {
  return store.asked.commit.map(([batch]) => batch);
}

describe("group commit", () => {
  test("stores appends that are made together in one commit", async () => {
    const { store, log } = faultyLog();
    const stream = await log.stream("orders");
    await Promise.all([1, 2, 3].map((n) => stream.append(messageOf(n))));
    expect(commitsOf(store).map(({ calls }) => calls.length)).toEqual([3]);
  });

  test("stores all appends together that come while a commit is under way, in their order", async () => {
    const { store, log } = faultyLog();
    const stream = await log.stream("orders");
    store.hold("commit");
    const appends: Promise<unknown>[] = [];
    for (let n = 0; n < 50; n++) {
      appends.push(stream.append(messageOf(n)));
      await settle();
    }
    expect(commitsOf(store).map(({ calls }) => calls.length)).toEqual([1]);
    store.letGo("commit");
    await Promise.all(appends);
    expect(commitsOf(store).map(({ calls }) => calls.length)).toEqual([1, 49]);
    expect((await stream.read(0, 100)).map(({ message }) => message.data)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  test("bounds one commit, and keeps the order over several", async () => {
    const { store, log } = faultyLog();
    const stream = await log.stream("orders");
    const large = "x".repeat(3_000_000);
    await Promise.all([0, 1, 2, 3, 4].map((n) => stream.append(messageOf(`${n}${large}`))));
    expect(commitsOf(store).map(({ calls }) => calls.length)).toEqual([2, 2, 1]);
    expect((await stream.read(0, 10)).map(({ message }) => String(message.data)[0])).toEqual(["0", "1", "2", "3", "4"]);
  });

  test("takes acks along with appends, and by themselves soon after", async () => {
    const { store, clock, log } = faultyLog();
    const stream = await log.stream("orders");
    const deliveries = await consume(stream, {}, ack);
    await stream.append(messageOf("a"));
    await deliveries.number(1);
    await stream.append(messageOf("b"));
    await deliveries.number(2);
    expect(commitsOf(store).map(({ calls, saves }) => [calls.length, saves.map(({ cursor }) => cursor)])).toEqual([
      [1, []],
      [1, [1]],
    ]);
    await clock.advance(30);
    expect(commitsOf(store).at(-1)).toMatchObject({ calls: [], saves: [{ cursor: 2, open: [] }] });
  });
});

describe("a commit that fails", () => {
  test("rejects every append in it, and the next ones work", async () => {
    const { store, log } = faultyLog();
    const stream = await log.stream("orders");
    store.failures.set("commit", diskFull);
    const results = await Promise.allSettled([stream.append(messageOf(1)), stream.append([messageOf(2), messageOf(3)])]);
    expect(results).toMatchObject([
      { status: "rejected", reason: { code: "log.storage" } },
      { status: "rejected", reason: { code: "log.storage" } },
    ]);
    store.failures.clear();
    expect(await stream.append(messageOf(4))).toEqual({ sequence: 1, duplicate: false });
  });

  test("keeps acks, failed attempts and dead letters for the next, and tells of it once", async () => {
    const { store, clock, faults, log } = faultyLog();
    const stream = await log.stream("orders");
    await stream.append(["acked", "failed", "dead", "under way"].map((data) => messageOf(data)));
    const deliveries = await consume(stream, { backoffMs: [60_000] });
    await deliveries.number(4);
    store.failures.set("commit", diskFull);
    deliveries.all[0]?.ack();
    deliveries.all[1]?.nak();
    deliveries.all[2]?.term("hopeless");
    await clock.advance(100);
    await clock.advance(3_000);
    expect(faults.map(({ code }) => code)).toEqual(["log.storage"]);
    await expect(log.deadLetters.count()).rejects.toMatchObject({ code: "log.storage" });
    expect(await store.countDead()).toBe(0);
    store.failures.clear();
    await clock.advance(2_000);
    expect(await store.countDead()).toBe(1);
    const { id: stored } = await store.openStream("orders", undefined, clock.now());
    const record = await store.openConsumer(stored, "worker", "first", clock.now());
    expect(record).toMatchObject({ cursor: 4, open: [4], held: [{ sequence: 2, failures: 1 }] });
  });

  test("keeps as well that a message which had failed is done", async () => {
    const { store, clock, log } = faultyLog();
    const stream = await log.stream("orders");
    await stream.append(messageOf("a"));
    const deliveries = await consume(stream, { backoffMs: [100] });
    (await deliveries.number(1)).nak();
    await clock.advance(200);
    const again = await deliveries.number(2);
    store.failures.set("commit", diskFull);
    again.ack();
    await clock.advance(100);
    store.failures.clear();
    await clock.advance(2_000);
    const { id } = await store.openStream("orders", undefined, clock.now());
    expect(await store.openConsumer(id, "worker", "first", clock.now())).toMatchObject({ cursor: 1, open: [], held: [] });
  });

  test("at the end of a consumer is told to who closes it, and the name is free again", async () => {
    const { store, log } = faultyLog();
    const stream = await log.stream("orders");
    const { consumer, ...before } = await consume(stream);
    await stream.append(messageOf("a"));
    await eventually("the delivery", () => before.all.length === 1);
    store.failures.set("commit", diskFull);
    await expect(consumer.close()).rejects.toMatchObject({ code: "log.storage" });
    store.failures.clear();
    const after = await consume(stream, {}, ack);
    expect((await after.number(1)).message.data).toBe("a");
  });
});
