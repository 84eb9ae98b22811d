import { expect } from "vitest";
import type { ConsumerOptions, StreamOptions } from "../log/log.ts";
import { ack, appendAll, consume, messageOf, quiet, reopened } from "./log-conformance-tools.ts";
import type { LogPromise } from "./log-harness.ts";

export const lifecyclePromises: readonly LogPromise[] = [
  {
    title: "the names of the streams are listed in order",
    async run({ log }) {
      expect(await log.streams()).toEqual([]);
      for (const name of ["b", "a", "c"]) await log.stream(name);
      await log.stream("a");
      expect(await log.streams()).toEqual(["a", "b", "c"]);
    },
  },
  {
    title: "a stream that never had a message says so",
    async run({ log }) {
      const info = await (await log.stream("orders")).info();
      expect(info).toEqual({ name: "orders", messages: 0, bytes: 0, firstSequence: 0, lastSequence: 0, consumers: [] });
    },
  },
  {
    title: "the info of a stream counts its messages and bytes",
    async run({ log }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["x".repeat(1_000), "y".repeat(1_000)]);
      const info = await stream.info();
      expect(info).toMatchObject({ messages: 2, lastSequence: info.firstSequence + 1 });
      expect(info.bytes).toBeGreaterThanOrEqual(2_000);
      expect(info.bytes).toBeLessThan(6_000);
    },
  },
  {
    title: "names and options out of range are refused with config.invalid and a path",
    async run({ log }) {
      for (const name of ["", "a b", "a\u0000", "x".repeat(129)]) {
        await expect(log.stream(name)).rejects.toMatchObject({ code: "config.invalid" });
      }
      const badStreams: [StreamOptions, string][] = [
        [{ maxMessages: 0 }, "stream.maxMessages"],
        [{ dedupWindowMs: -1 }, "stream.dedupWindowMs"],
        [{ keep: "for-ever" as never }, "stream.keep"],
        [{ maxByte: 1 } as StreamOptions, "stream.maxByte"],
      ];
      for (const [options, path] of badStreams) {
        await expect(log.stream("orders", options)).rejects.toMatchObject({ code: "config.invalid", details: { path } });
      }
      const stream = await log.stream("orders");
      const badConsumers: [Partial<ConsumerOptions>, string][] = [
        [{ name: "" }, "consumer.name"],
        [{ maxInFlight: 0 }, "consumer.maxInFlight"],
        [{ backoffMs: [] }, "consumer.backoffMs"],
        [{ backoffMs: [1, -1] }, "consumer.backoffMs.1"],
        [{ from: "last" as never }, "consumer.from"],
      ];
      for (const [options, path] of badConsumers) {
        const opening = stream.consume({ name: "worker", onDelivery: ack, ...options });
        await expect(opening).rejects.toMatchObject({ code: "config.invalid", details: { path } });
      }
    },
  },
  {
    title: "a name can be open once at a time, and again after it was closed",
    async run({ log }) {
      const stream = await log.stream("orders");
      const { consumer } = await consume(stream);
      await expect(consume(stream)).rejects.toMatchObject({ code: "state.conflict" });
      await consumer.close();
      await consumer.close();
      await appendAll(stream, ["a"]);
      await (await consume(stream)).number(1);
    },
  },
  {
    title: "two openings of one name at once: one gets it",
    async run({ log }) {
      const stream = await log.stream("orders");
      const results = await Promise.allSettled([consume(stream), consume(stream)]);
      expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    },
  },
  {
    title: "a new consumer begins with the first message, or with the next if it wants",
    async run({ log }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["a", "b"]);
      const first = await consume(stream, { name: "first" }, ack);
      const fresh = await consume(stream, { name: "fresh", from: "new" }, ack);
      await stream.append(messageOf("c"));
      await first.number(3);
      await fresh.number(1);
      expect(first.data).toEqual(["a", "b", "c"]);
      expect(fresh.data).toEqual(["c"]);
    },
  },
  {
    title: "a consumer that comes back goes on where it was, whatever it says of a beginning",
    async run({ log }) {
      const stream = await log.stream("orders", { keep: "by-limits" });
      await appendAll(stream, ["a", "b"]);
      const before = await consume(stream, {}, ack);
      await before.number(2);
      await before.consumer.close();
      await appendAll(stream, ["c", "d"]);
      const after = await consume(stream, { from: "new" }, ack);
      await after.number(2);
      expect(after.data).toEqual(["c", "d"]);
    },
  },
  {
    title: "closing a consumer gives back what is in flight without counting it, and it comes again first (L7)",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await appendAll(stream, [0, 1, 2, 3, 4]);
      const before = await consume(stream, { maxInFlight: 3, maxAttempts: 1, ackWaitMs: 200 });
      await before.number(3);
      before.all[1]?.ack();
      await before.number(4);
      const closing = before.consumer.close();
      before.all[0]?.nak({ reason: "everything closes" });
      before.all[2]?.term("everything closes");
      await closing;
      before.all[3]?.nak();
      await tick(600);
      const after = await consume(stream, { maxInFlight: 1 }, ack);
      await after.number(4);
      expect(after.all.map(({ message, attempt }) => [message.data, attempt])).toEqual([
        [0, 1],
        [2, 1],
        [3, 1],
        [4, 1],
      ]);
      expect(before.all).toHaveLength(4);
      expect(await log.deadLetters.count()).toBe(0);
    },
  },
  {
    title: "closing the log gives back what is in flight without counting it (L7)",
    needsReopen: true,
    async run(harness) {
      const stream = await harness.log.stream("orders");
      await appendAll(stream, ["a", "b", "c"]);
      const before = await consume(stream, { maxAttempts: 1 });
      await before.number(3);
      before.all[1]?.ack();
      const log = await reopened(harness);
      before.all[0]?.nak();
      const after = await consume(await log.stream("orders"), { maxAttempts: 1 }, ack);
      await after.number(2);
      expect(after.all.map(({ message, attempt }) => [message.data, attempt])).toEqual([
        ["a", 1],
        ["c", 1],
      ]);
      expect(await log.deadLetters.count()).toBe(0);
    },
  },
  {
    title: "position, acks and failed attempts survive a restart (L4)",
    needsReopen: true,
    async run(harness) {
      const stream = await harness.log.stream("orders");
      await appendAll(stream, ["acked", "failed twice", "failed once", "long under way"]);
      const before = await consume(stream, { backoffMs: [50] });
      await before.number(4);
      before.all[0]?.ack();
      before.all[1]?.nak({ delayMs: 0 });
      await harness.tick(100);
      (await before.number(5)).nak({ delayMs: 0 });
      before.all[2]?.nak({ delayMs: 500 });
      const log = await reopened(harness);
      const after = await consume(await log.stream("orders"), { maxInFlight: 10 });
      await harness.tick(900);
      await after.number(3);
      const seen = after.all.map(({ message, attempt }) => [message.data, attempt]);
      expect(seen).toHaveLength(3);
      expect(seen).toContainEqual(["failed twice", 3]);
      expect(seen).toContainEqual(["failed once", 2]);
      expect(seen).toContainEqual(["long under way", 1]);
    },
  },
  {
    title: "the delay of a nak survives a restart (L5)",
    needsReopen: true,
    async run(harness) {
      const stream = await harness.log.stream("orders");
      await stream.append(messageOf("a"));
      const before = await consume(stream);
      (await before.number(1)).nak({ delayMs: 900 });
      const log = await reopened(harness);
      const after = await consume(await log.stream("orders"));
      await harness.tick(200);
      expect(after.all).toHaveLength(0);
      await harness.tick(1_000);
      expect((await after.number(1)).attempt).toBe(2);
    },
  },
  {
    title: "the options of a stream survive a restart, until others are given",
    needsReopen: true,
    async run(harness) {
      await harness.log.stream("orders", { keep: "by-limits", maxMessages: 2 });
      const log = await reopened(harness);
      const stream = await log.stream("orders");
      await appendAll(stream, ["a", "b", "c"]);
      expect((await stream.info()).messages).toBe(2);
      await log.stream("orders", { keep: "by-limits", maxMessages: 1 });
      expect((await stream.info()).messages).toBe(1);
    },
  },
  {
    title: "drain takes nothing new and ends when what is in flight is settled",
    async run(harness) {
      const stream = await harness.log.stream("orders");
      await appendAll(stream, ["a", "b", "c"]);
      const deliveries = await consume(stream, { maxInFlight: 2 });
      await deliveries.number(2);
      let isDrained = false;
      const draining = deliveries.consumer.drain({ graceMs: 60_000 }).then(() => {
        isDrained = true;
      });
      deliveries.all[0]?.ack();
      await quiet(harness);
      expect(isDrained).toBe(false);
      deliveries.all[1]?.ack();
      await draining;
      expect(deliveries.data).toEqual(["a", "b"]);
      expect((await stream.info()).consumers).toMatchObject([{ pending: 1, unsettled: 0 }]);
    },
  },
  {
    title: "drain ends after its grace, and gives back what is left",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["a"]);
      const before = await consume(stream);
      await before.number(1);
      const draining = before.consumer.drain({ graceMs: 200 });
      await tick(400);
      await draining;
      const after = await consume(stream);
      expect((await after.number(1)).attempt).toBe(1);
    },
  },
  {
    title: "a consumer that was removed begins anew under its name",
    async run({ log }) {
      const stream = await log.stream("orders", { keep: "by-limits" });
      await appendAll(stream, ["a", "b"]);
      const before = await consume(stream, {}, ack);
      await before.number(2);
      await stream.removeConsumer("worker");
      expect((await stream.info()).consumers).toEqual([]);
      const after = await consume(stream, {}, ack);
      await after.number(2);
      expect(after.data).toEqual(["a", "b"]);
      await expect(stream.removeConsumer("nobody")).rejects.toMatchObject({ code: "resource.not_found" });
    },
  },
  {
    title: "a purge removes every message, and consumers go on behind it",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["in flight", "waiting", "pending"]);
      const deliveries = await consume(stream, { maxInFlight: 2, maxWaiting: 1, backoffMs: [100] });
      await deliveries.number(2);
      deliveries.all[1]?.nak();
      expect(await stream.purge()).toBe(3);
      deliveries.all[0]?.nak({ delayMs: 0 });
      await tick(400);
      await stream.append(messageOf("after"));
      await deliveries.number(3);
      expect(deliveries.data).toEqual(["in flight", "waiting", "after"]);
      expect(await stream.info()).toMatchObject({ messages: 1, consumers: [{ pending: 0, unsettled: 1 }] });
    },
  },
  {
    title: "after its end a log takes nothing, and ending it twice is no error",
    async run({ log }) {
      const stream = await log.stream("orders");
      const underWay = stream.append(messageOf("a"));
      await log.close();
      await log.close();
      expect((await underWay).duplicate).toBe(false);
      const closed = { code: "node.closed" };
      await expect(stream.append(messageOf("b"))).rejects.toMatchObject(closed);
      await expect(stream.read(0, 1)).rejects.toMatchObject(closed);
      await expect(stream.consume({ name: "c", onDelivery: ack })).rejects.toMatchObject(closed);
      await expect(stream.info()).rejects.toMatchObject(closed);
      await expect(log.stream("other")).rejects.toMatchObject(closed);
      await expect(log.deadLetters.list()).rejects.toMatchObject(closed);
    },
  },
  {
    title: "a consumer stops with its log",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["a"]);
      const deliveries = await consume(stream, { ackWaitMs: 100 });
      await deliveries.number(1);
      await log.close();
      await tick(400);
      expect(deliveries.all).toHaveLength(1);
      await deliveries.consumer.close();
    },
  },
];
