import { expect } from "vitest";
import { ack, appendAll, consume, eventually, messageOf, quiet } from "./log-conformance-tools.ts";
import type { LogPromise } from "./log-harness.ts";

export const deliveryPromises: readonly LogPromise[] = [
  {
    title: "a consumer gets every message in the order of the stream, what is there and what comes",
    async run({ log }) {
      const stream = await log.stream("orders");
      await appendAll(stream, [0, 1, 2]);
      const deliveries = await consume(stream, {}, ack);
      for (const n of [3, 4, 5]) await stream.append(messageOf(n));
      await deliveries.number(6);
      expect(deliveries.data).toEqual([0, 1, 2, 3, 4, 5]);
      expect(deliveries.all.every(({ attempt }) => attempt === 1)).toBe(true);
    },
  },
  {
    title: "a backlog of thousands comes in order, while more is appended",
    async run({ log }) {
      const stream = await log.stream("orders");
      const numbers = Array.from({ length: 5_000 }, (_, n) => n);
      await appendAll(stream, numbers.slice(0, 3_000));
      const deliveries = await consume(stream, { maxInFlight: 50 }, (delivery) => queueMicrotask(() => delivery.ack()));
      for (let n = 3_000; n < 5_000; n += 500) await appendAll(stream, numbers.slice(n, n + 500));
      await deliveries.number(5_000);
      expect(deliveries.data).toEqual(numbers);
      await eventually("all to be settled", async () => (await stream.info()).messages === 0);
    },
  },
  {
    title: "no more than maxInFlight deliveries are unsettled at a time",
    async run(harness) {
      const stream = await harness.log.stream("orders");
      await appendAll(stream, [0, 1, 2, 3, 4]);
      const deliveries = await consume(stream, { maxInFlight: 2 });
      await deliveries.number(2);
      await quiet(harness);
      expect(deliveries.data).toEqual([0, 1]);
      deliveries.all[1]?.ack();
      await deliveries.number(3);
      await quiet(harness);
      expect(deliveries.data).toEqual([0, 1, 2]);
    },
  },
  {
    title: "a message that is long under way holds up no other",
    async run({ log }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["slow", ...Array.from({ length: 500 }, (_, n) => n)]);
      const deliveries = await consume(
        stream,
        { maxInFlight: 2 },
        (delivery) => delivery.message.data !== "slow" && delivery.ack(),
      );
      await deliveries.number(501);
      const { consumers, messages } = await stream.info();
      expect(consumers).toMatchObject([{ name: "worker", pending: 0, unsettled: 1 }]);
      expect(messages).toBe(1);
    },
  },
  {
    title: "what was acked does not come again (L4)",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["a", "b"]);
      const deliveries = await consume(stream, { ackWaitMs: 200, backoffMs: [50] }, ack);
      await deliveries.number(2);
      await tick(800);
      expect(deliveries.data).toEqual(["a", "b"]);
    },
  },
  {
    title: "an attempt that nobody settles within the ack wait counts, and the message comes again (L4)",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await stream.append(messageOf("a"));
      const deliveries = await consume(stream, { ackWaitMs: 300 });
      await deliveries.number(1);
      await tick(100);
      expect(deliveries.all).toHaveLength(1);
      await tick(500);
      expect((await deliveries.number(2)).attempt).toBe(2);
    },
  },
  {
    title: "inProgress begins the ack wait anew",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await stream.append(messageOf("a"));
      const deliveries = await consume(stream, { ackWaitMs: 600 });
      const delivery = await deliveries.number(1);
      for (let n = 0; n < 4; n++) {
        await tick(300);
        delivery.inProgress();
      }
      await tick(100);
      expect(deliveries.all).toHaveLength(1);
      await tick(1_000);
      expect((await deliveries.number(2)).attempt).toBe(2);
    },
  },
  {
    title: "an ack that comes after the ack wait still settles the message",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await stream.append(messageOf("a"));
      const deliveries = await consume(stream, { ackWaitMs: 300 });
      const late = await deliveries.number(1);
      await tick(500);
      const again = await deliveries.number(2);
      late.ack();
      again.nak({ delayMs: 0 });
      await eventually("the message to be settled", async () => (await stream.info()).messages === 0);
      await tick(1_000);
      expect(deliveries.all).toHaveLength(2);
    },
  },
  {
    title: "the first call settles a delivery, later ones do nothing",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["acked", "nakked"]);
      const deliveries = await consume(stream, { backoffMs: [100] });
      const [acked, nakked] = [await deliveries.number(1), await deliveries.number(2)];
      acked.ack();
      acked.nak({ delayMs: 0 });
      acked.term("no");
      acked.release(0);
      nakked.nak({ delayMs: 50 });
      nakked.ack();
      nakked.term("no");
      await tick(500);
      await deliveries.number(3);
      await tick(500);
      expect(deliveries.all.map(({ message, attempt }) => [message.data, attempt])).toEqual([
        ["acked", 1],
        ["nakked", 1],
        ["nakked", 2],
      ]);
      expect(await log.deadLetters.count()).toBe(0);
    },
  },
  {
    title: "nak delivers again after its delay, and not before (L5)",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await stream.append(messageOf("a"));
      const deliveries = await consume(stream, { backoffMs: [10] });
      (await deliveries.number(1)).nak({ delayMs: 500 });
      await tick(200);
      expect(deliveries.all).toHaveLength(1);
      await tick(600);
      expect((await deliveries.number(2)).attempt).toBe(2);
    },
  },
  {
    title: "nak without a delay waits for the backoff of the attempt, the last one repeating (L5)",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await stream.append(messageOf("a"));
      const deliveries = await consume(stream, { backoffMs: [200, 600] });
      for (const [index, delayMs] of [200, 600, 600].entries()) {
        (await deliveries.number(index + 1)).nak();
        await tick(delayMs / 2);
        expect(deliveries.all).toHaveLength(index + 1);
        await tick(delayMs);
      }
      await deliveries.number(4);
      expect(deliveries.all.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
    },
  },
  {
    title: "a handler that throws has failed, and the next delivery comes all the same",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["a", "b"]);
      const deliveries = await consume(stream, { backoffMs: [50], maxAttempts: 1 }, (delivery) => {
        if (delivery.message.data === "a") throw new Error("no a please");
        delivery.ack();
      });
      await deliveries.number(2);
      await tick(100);
      const { items } = await log.deadLetters.list();
      expect(items.map(({ message, error }) => [message.data, error.message])).toEqual([["a", "no a please"]]);
    },
  },
  {
    title: "release puts a message back without counting, after its delay",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await stream.append(messageOf("a"));
      const deliveries = await consume(stream, { maxAttempts: 2 });
      (await deliveries.number(1)).release(400);
      await tick(150);
      expect(deliveries.all).toHaveLength(1);
      for (let count = 2; count <= 5; count++) {
        await tick(500);
        (await deliveries.number(count)).release(50);
      }
      expect(deliveries.all.every(({ attempt }) => attempt === 1)).toBe(true);
      expect(await log.deadLetters.count()).toBe(0);
    },
  },
  {
    title: "each consumer gets every message, and settles it for itself alone",
    async run({ log }) {
      const stream = await log.stream("orders");
      const one = await consume(stream, { name: "one" }, ack);
      const two = await consume(stream, { name: "two" });
      await appendAll(stream, ["a", "b"]);
      await one.number(2);
      await two.number(2);
      const infos = (await stream.info()).consumers.toSorted((a, b) => a.name.localeCompare(b.name));
      expect(infos).toMatchObject([
        { name: "one", unsettled: 0 },
        { name: "two", unsettled: 2 },
      ]);
    },
  },
  {
    title: "the info of a consumer counts what is pending, unsettled and delivered again",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["a", "b", "c", "d", "e"]);
      const deliveries = await consume(stream, { maxInFlight: 3, maxWaiting: 1, backoffMs: [300] });
      await deliveries.number(3);
      deliveries.all[0]?.nak();
      expect(deliveries.consumer.info()).toEqual({ name: "worker", pending: 2, unsettled: 3, redelivered: 0 });
      deliveries.all[1]?.ack();
      expect(deliveries.consumer.info()).toMatchObject({ unsettled: 2 });
      await tick(600);
      await eventually("the delivery after the nak", () => deliveries.consumer.info().redelivered === 1);
      expect((await stream.info()).consumers).toMatchObject([{ name: "worker", redelivered: 1 }]);
    },
  },
  {
    title: "while maxWaiting messages wait for another attempt, no further one gets its first",
    async run(harness) {
      const stream = await harness.log.stream("orders");
      await appendAll(stream, [0, 1, 2, 3, 4, 5, 6, 7]);
      const options = { maxInFlight: 1, maxWaiting: 3, backoffMs: [500] };
      const deliveries = await consume(stream, options, (delivery) => (delivery.attempt === 1 ? delivery.nak() : delivery.ack()));
      await deliveries.number(3);
      await quiet(harness);
      expect(deliveries.data).toEqual([0, 1, 2]);
      await harness.tick(900);
      await deliveries.of(3, 1);
      expect(deliveries.data.slice(0, 4)).not.toContain(4);
    },
  },
];
