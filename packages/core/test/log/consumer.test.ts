import { describe, expect, test } from "vitest";
import { coreError } from "../../src/errors.ts";
import { ack, appendAll, consume, messageOf } from "../../src/testing/log-conformance-tools.ts";
import { settle } from "../../src/testing/virtual-clock.ts";
import { faultyLog } from "./faulty-store.ts";

const diskGone = coreError("log.storage", "the disk is gone");

describe("a consumer whose ack waits end together", () => {
  test("takes an ack that a handler gives in between", async () => {
    const { clock, log } = faultyLog();
    const stream = await log.stream("orders");
    await appendAll(stream, ["a", "b", "c"]);
    const deliveries = await consume(stream, { maxInFlight: 2, ackWaitMs: 1_000 }, ({ message }) => {
      // Room for "c" is made when the wait for "a" ends, while that for "b" is still to be ended.
      if (message.data === "c") deliveries.all[1]?.ack();
    });
    await deliveries.number(2);
    await clock.advance(1_000);
    await deliveries.of("c", 1);
    await clock.advance(500);
    await deliveries.of("a", 2);
    expect(deliveries.data.filter((data) => data === "b")).toHaveLength(1);
    expect((await stream.read(0, 10)).map(({ message }) => message.data)).toEqual(["a", "c"]);
  });
});

describe("a consumer whose store answers late", () => {
  test("hears of what is appended while it is being opened", async () => {
    const { store, log } = faultyLog();
    const stream = await log.stream("orders");
    store.hold("openConsumer");
    const opening = consume(stream, {}, ack);
    await settle();
    await stream.append(messageOf("a"));
    store.letGo("openConsumer");
    expect((await (await opening).number(1)).message.data).toBe("a");
  });

  test("is not opened on a log that was closed meanwhile", async () => {
    const { store, log } = faultyLog();
    const stream = await log.stream("orders");
    store.hold("openConsumer");
    const opening = consume(stream, {}, ack);
    await settle();
    await log.close();
    store.letGo("openConsumer");
    await expect(opening).rejects.toMatchObject({ code: "node.closed" });
  });

  test("gets what is appended during a read once and in order", async () => {
    const { store, log } = faultyLog();
    const stream = await log.stream("orders");
    await appendAll(stream, [0, 1]);
    store.hold("commit");
    const appending = appendAll(stream, [2, 3]);
    await settle();
    const deliveries = await consume(stream, {}, ack);
    await deliveries.number(4); // the read had what the append has not yet answered
    store.letGo("commit");
    await appending;
    await stream.append(messageOf(4));
    await deliveries.number(5);
    expect(deliveries.data).toEqual([0, 1, 2, 3, 4]);
  });

  test("delivers nothing that was purged while it was being read", async () => {
    const { store, log } = faultyLog();
    const stream = await log.stream("orders");
    await appendAll(stream, ["old", "old"]);
    store.hold("read");
    const deliveries = await consume(stream, {}, ack);
    await settle();
    await stream.purge();
    store.letGo("read");
    await stream.append(messageOf("new"));
    await deliveries.number(1);
    expect(deliveries.data).toEqual(["new"]);
  });

  test("forgets a message that is acked late while it is being read for its next attempt", async () => {
    const { store, clock, log } = faultyLog();
    const stream = await log.stream("orders");
    await appendAll(stream, ["a", "b"]);
    const deliveries = await consume(stream, { ackWaitMs: 1_000 });
    const [a, b] = [await deliveries.number(1), await deliveries.number(2)];
    store.hold("readHeld");
    await clock.advance(1_100);
    expect(store.asked.readHeld).toHaveLength(1);
    a.ack();
    store.letGo("readHeld");
    await deliveries.of("b", 2);
    b.ack();
    await settle();
    expect(deliveries.data).toEqual(["a", "b", "b"]);
    expect(deliveries.consumer.info()).toMatchObject({ pending: 0, unsettled: 0 });
  });
});

describe("a consumer that was closed", () => {
  test("takes no ack any more, so that it cannot undo what its successor has done", async () => {
    const { store, clock, log } = faultyLog();
    const stream = await log.stream("orders");
    await appendAll(stream, ["a", "b"]);
    const before = await consume(stream);
    await before.number(2);
    await before.consumer.close();
    const after = await consume(stream, {}, ack);
    await after.number(2);
    await stream.info(); // has what was acked stored
    before.all[0]?.ack();
    await clock.advance(100);
    const { id } = await store.openStream("orders", undefined, clock.now());
    expect(await store.openConsumer(id, "worker", "first", clock.now())).toMatchObject({ cursor: 2, open: [] });
  });
});

describe("a consumer whose store fails", () => {
  test("reads again after a while what is new and what is to be tried again", async () => {
    const { store, clock, log } = faultyLog();
    const stream = await log.stream("orders");
    await appendAll(stream, ["a"]);
    store.failures.set("read", diskGone);
    const deliveries = await consume(stream, { backoffMs: [100] });
    await settle();
    expect(deliveries.all).toHaveLength(0);
    store.failures.clear();
    await clock.advance(1_100);
    const first = await deliveries.number(1);
    store.failures.set("readHeld", diskGone);
    first.nak();
    await clock.advance(500);
    expect(deliveries.all).toHaveLength(1);
    store.failures.clear();
    await clock.advance(1_100);
    expect((await deliveries.number(2)).attempt).toBe(2);
  });
});
