import { expect } from "vitest";
import type { LogStream } from "../log/log.ts";
import { ack, appendAll, consume, eventually, messageOf, quiet } from "./log-conformance-tools.ts";
import type { LogPromise } from "./log-harness.ts";

async function heldData(stream: LogStream): Promise<unknown[]> {
  return (await stream.read(0, 1_000)).map(({ message }) => message.data);
}

const full = { code: "log.full" };

export const retentionPromises: readonly LogPromise[] = [
  {
    title: "a stream that nobody consumes yet keeps everything (L8)",
    async run({ log }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["a", "b"]);
      expect(await heldData(stream)).toEqual(["a", "b"]);
      const worker = await consume(stream, {}, ack);
      await worker.number(2);
    },
  },
  {
    title: "until-consumed keeps a message until the last consumer is done with it, and no longer (L8)",
    async run(harness) {
      const stream = await harness.log.stream("orders");
      const one = await consume(stream, { name: "one" }, ack);
      const two = await consume(stream, { name: "two" });
      await appendAll(stream, [0, 1, 2]);
      await one.number(3);
      await two.number(3);
      await quiet(harness);
      expect(await heldData(stream)).toEqual([0, 1, 2]);
      two.all[1]?.ack();
      await eventually("the settled message to be removed", async () => (await stream.info()).messages === 2);
      expect(await heldData(stream)).toEqual([0, 2]);
      two.all[0]?.ack();
      two.all[2]?.term("hopeless");
      await eventually("all to be removed", async () => (await stream.info()).messages === 0);
      expect((await stream.info()).bytes).toBe(0);
    },
  },
  {
    title: "a consumer that is closed still needs its messages (L8)",
    async run(harness) {
      const stream = await harness.log.stream("orders");
      const closed = await consume(stream, { name: "closed" });
      await closed.consumer.close();
      const open = await consume(stream, { name: "open" }, ack);
      await appendAll(stream, ["a", "b"]);
      await open.number(2);
      await quiet(harness);
      expect(await heldData(stream)).toEqual(["a", "b"]);
      await stream.removeConsumer("closed");
      await eventually("all to be removed", async () => (await stream.info()).messages === 0);
    },
  },
  {
    title: "a full until-consumed stream refuses appends with log.full, whole lists of them, until there is room",
    async run({ log }) {
      const stream = await log.stream("orders", { maxMessages: 3 });
      const worker = await consume(stream);
      const first = messageOf("first");
      await stream.append(first);
      await expect(stream.append([messageOf(1), messageOf(2), messageOf(3)])).rejects.toMatchObject(full);
      await appendAll(stream, ["second", "third"]);
      await expect(stream.append(messageOf("fourth"))).rejects.toMatchObject(full);
      expect(await heldData(stream)).toEqual(["first", "second", "third"]);
      expect((await stream.append(first)).duplicate).toBe(true);
      (await worker.number(1)).ack();
      await eventually("room", async () => (await stream.info()).messages < 3);
      expect((await stream.append(messageOf("fourth"))).duplicate).toBe(false);
    },
  },
  {
    title: "a refused append is no duplicate when it is tried again",
    async run({ log }) {
      const stream = await log.stream("orders", { maxMessages: 1 });
      const worker = await consume(stream);
      await appendAll(stream, ["a"]);
      const message = messageOf("b");
      await expect(stream.append(message)).rejects.toMatchObject(full);
      (await worker.number(1)).ack();
      await eventually("room", async () => (await stream.info()).messages === 0);
      expect((await stream.append(message)).duplicate).toBe(false);
      expect((await worker.number(2)).message.data).toBe("b");
    },
  },
  {
    title: "a stream that holds more than its new limits keeps it, and still knows duplicates",
    async run({ log }) {
      const stream = await log.stream("orders");
      const first = messageOf(0);
      await stream.append(first);
      await appendAll(stream, [1, 2]);
      await log.stream("orders", { maxMessages: 1 });
      expect(await heldData(stream)).toEqual([0, 1, 2]);
      expect((await stream.append(first)).duplicate).toBe(true);
      await expect(stream.append(messageOf(3))).rejects.toMatchObject(full);
    },
  },
  {
    title: "a stream that goes from by-limits to until-consumed lets go what was consumed, and keeps the rest (L8)",
    async run({ log }) {
      const stream = await log.stream("orders", { keep: "by-limits" });
      const deliveries = await consume(stream, { maxInFlight: 3 });
      await appendAll(stream, [0, 1, 2, 3]);
      await deliveries.number(3);
      deliveries.all[1]?.ack();
      await deliveries.number(4);
      deliveries.all[2]?.ack();
      await stream.info();
      await log.stream("orders", { keep: "until-consumed" });
      expect(await heldData(stream)).toEqual([0, 3]);
    },
  },
  {
    title: "a stream is full by its bytes as well",
    async run({ log }) {
      const stream = await log.stream("orders", { maxBytes: 5_000 });
      await appendAll(stream, ["x".repeat(2_000), "y".repeat(2_000)]);
      await expect(stream.append(messageOf("z".repeat(2_000)))).rejects.toMatchObject(full);
      await expect(stream.append(messageOf("z".repeat(6_000)))).rejects.toMatchObject({ code: "message.too_large" });
    },
  },
  {
    title: "one stream that is full holds up no other",
    async run({ log }) {
      const small = await log.stream("small", { maxMessages: 1 });
      const large = await log.stream("large");
      const results = await Promise.allSettled([
        small.append(messageOf(1)),
        large.append(messageOf(2)),
        small.append(messageOf(3)),
        large.append(messageOf(4)),
      ]);
      expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
      expect(await heldData(large)).toEqual([2, 4]);
    },
  },
  {
    title: "by-limits drops the oldest messages, by their number",
    async run({ log }) {
      const stream = await log.stream("orders", { keep: "by-limits", maxMessages: 3 });
      for (const n of [0, 1, 2, 3, 4]) await stream.append(messageOf(n));
      expect(await heldData(stream)).toEqual([2, 3, 4]);
      await appendAll(stream, [5, 6, 7, 8, 9]);
      expect(await heldData(stream)).toEqual([7, 8, 9]);
      const info = await stream.info();
      expect(info).toMatchObject({ messages: 3, lastSequence: info.firstSequence + 2 });
    },
  },
  {
    title: "by-limits drops the oldest messages, by their bytes",
    async run({ log }) {
      const stream = await log.stream("orders", { keep: "by-limits", maxBytes: 5_000 });
      for (const letter of ["a", "b", "c"]) await stream.append(messageOf(letter.repeat(2_000)));
      expect((await heldData(stream)).map((data) => String(data)[0])).toEqual(["b", "c"]);
      expect((await stream.info()).bytes).toBeLessThanOrEqual(5_000);
    },
  },
  {
    title: "by-limits keeps what was consumed, and does not wait for those that are behind",
    async run({ log }) {
      const stream = await log.stream("orders", { keep: "by-limits", maxMessages: 3 });
      const behind = await consume(stream, { name: "behind", maxInFlight: 1 });
      const ahead = await consume(stream, { name: "ahead" }, ack);
      for (const n of [0, 1]) await stream.append(messageOf(n));
      await ahead.number(2);
      await behind.number(1);
      expect(await heldData(stream)).toEqual([0, 1]);
      await behind.consumer.close();
      for (const n of [2, 3, 4, 5]) await stream.append(messageOf(n));
      await ahead.number(6);
      const back = await consume(stream, { name: "behind" }, ack);
      await back.number(3);
      expect(back.data).toEqual([3, 4, 5]);
      expect(back.consumer.info()).toMatchObject({ pending: 0, unsettled: 0 });
    },
  },
  {
    title: "messages over their age are removed, younger ones stay",
    async run({ log, tick }) {
      const stream = await log.stream("orders", { keep: "by-limits", maxAgeMs: 800 });
      await appendAll(stream, ["old"]);
      await tick(600);
      await appendAll(stream, ["young"]);
      expect(await heldData(stream)).toEqual(["old", "young"]);
      await tick(400);
      await eventually("the old one to be removed", async () => (await stream.info()).messages === 1);
      expect(await heldData(stream)).toEqual(["young"]);
    },
  },
  {
    title: "age removes nothing that a consumer of an until-consumed stream needs (L8)",
    async run({ log, tick }) {
      const stream = await log.stream("orders", { maxAgeMs: 300 });
      const before = await consume(stream);
      await before.consumer.close();
      await appendAll(stream, ["a"]);
      await tick(900);
      expect(await heldData(stream)).toEqual(["a"]);
      await (await consume(stream, {}, ack)).number(1);
    },
  },
];
