import { expect } from "vitest";
import { coreError } from "../errors.ts";
import type { DeadLetter, Log, LogStream } from "../log/log.ts";
import { ack, appendAll, consume, eventually, reopened } from "./log-conformance-tools.ts";
import type { LogPromise } from "./log-harness.ts";

/** Makes a dead letter of each payload. */
async function bury(stream: LogStream, data: readonly unknown[], name = "worker"): Promise<void> {
  await appendAll(stream, data);
  const deliveries = await consume(stream, { name }, (delivery) => delivery.term(`no ${String(delivery.message.data)} please`));
  await deliveries.number(data.length);
  await deliveries.consumer.close();
}

async function only(log: Log): Promise<DeadLetter> {
  const { items } = await log.deadLetters.list();
  expect(items).toHaveLength(1);
  return items[0] as DeadLetter;
}

export const deadLetterPromises: readonly LogPromise[] = [
  {
    title: "after maxAttempts a message becomes a dead letter with the last reason, and the next ones go on (L6)",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["bad", "good"]);
      const deliveries = await consume(stream, { maxAttempts: 3, backoffMs: [50] }, (delivery) => {
        if (delivery.message.data === "good") delivery.ack();
        else delivery.nak({ reason: coreError("message.schema", `attempt ${delivery.attempt} failed`) });
      });
      for (let attempt = 1; attempt <= 3; attempt++) {
        await deliveries.of("bad", attempt);
        await tick(200);
      }
      const dead = await only(log);
      const first = deliveries.all[0];
      expect(dead).toMatchObject({ stream: "orders", consumer: "worker", sequence: first?.sequence, attempts: 3, edited: false });
      expect(dead.error).toEqual({ code: "message.schema", message: "attempt 3 failed" });
      expect(dead.message).toEqual(first?.message);
      await tick(200);
      expect(deliveries.data.toSorted()).toEqual(["bad", "bad", "bad", "good"]);
    },
  },
  {
    title: "term makes a dead letter at once (L6)",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["a"]);
      const deliveries = await consume(stream, { backoffMs: [50] }, (delivery) => delivery.term(new Error("hopeless")));
      await deliveries.number(1);
      await tick(200);
      expect(await only(log)).toMatchObject({ attempts: 1, error: { code: "processor.failed", message: "hopeless" } });
      expect(deliveries.all).toHaveLength(1);
    },
  },
  {
    title: "a message that nobody ever settles becomes a dead letter with call.deadline (L6)",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["a"]);
      const deliveries = await consume(stream, { ackWaitMs: 200, maxAttempts: 2, backoffMs: [20] });
      await deliveries.number(1);
      await tick(400);
      await deliveries.number(2);
      await tick(400);
      await eventually("the dead letter", async () => (await log.deadLetters.count()) === 1);
      expect(await only(log)).toMatchObject({ attempts: 2, error: { code: "call.deadline" } });
    },
  },
  {
    title: "a failure without a reason still has a code and a text",
    async run({ log }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["a"]);
      await (await consume(stream, { maxAttempts: 1 }, (delivery) => delivery.nak())).number(1);
      const { error } = await only(log);
      expect(error.code).toBe("processor.failed");
      expect(error.message).not.toBe("");
    },
  },
  {
    title: "dead letters are listed oldest first, page by page, by stream and by consumer",
    async run({ log }) {
      const numbers = Array.from({ length: 7 }, (_, n) => n);
      await bury(await log.stream("orders"), numbers);
      await bury(await log.stream("orders"), ["other"], "other");
      await bury(await log.stream("invoices"), ["invoice"]);
      const found: unknown[] = [];
      let cursor: string | undefined;
      do {
        const options = { stream: "orders", consumer: "worker", limit: 3 };
        const page = await log.deadLetters.list(cursor === undefined ? options : { ...options, cursor });
        expect(page.items.length).toBeLessThanOrEqual(3);
        found.push(...page.items.map(({ message }) => message.data));
        cursor = page.next;
      } while (cursor !== undefined);
      expect(found).toEqual(numbers);
      const dataOf = async (options: { stream?: string; consumer?: string }): Promise<unknown[]> =>
        (await log.deadLetters.list(options)).items.map(({ message }) => message.data);
      // "other" opens the stream from its first message, which the first consumer has settled for itself alone.
      expect(await dataOf({ stream: "invoices" })).toEqual(["invoice"]);
      expect(await dataOf({ consumer: "other" })).toContain("other");
      expect(await dataOf({ stream: "none" })).toEqual([]);
    },
  },
  {
    title: "a dead letter is read, counted and dropped by its id",
    async run({ log }) {
      await bury(await log.stream("orders"), ["a", "b"]);
      const { items } = await log.deadLetters.list();
      const [a, b] = items as [DeadLetter, DeadLetter];
      expect(await log.deadLetters.get(a.id)).toEqual(a);
      expect(await log.deadLetters.count()).toBe(2);
      await log.deadLetters.drop(a.id);
      expect(await log.deadLetters.count()).toBe(1);
      expect((await only(log)).id).toBe(b.id);
    },
  },
  {
    title: "what is asked of an unknown dead letter is refused with resource.not_found",
    async run({ log }) {
      const missing = { code: "resource.not_found" };
      for (const id of ["1", "no such", ""]) {
        await expect(log.deadLetters.get(id)).rejects.toMatchObject(missing);
        await expect(log.deadLetters.edit(id, { data: 1 })).rejects.toMatchObject(missing);
        await expect(log.deadLetters.replay(id)).rejects.toMatchObject(missing);
        await expect(log.deadLetters.drop(id)).rejects.toMatchObject(missing);
      }
    },
  },
  {
    title: "an edit changes payload and attributes and keeps the rest, and never the id of the message",
    async run({ log }) {
      await bury(await log.stream("orders"), ["a"]);
      const before = await only(log);
      const after = await log.deadLetters.edit(before.id, {
        data: new Uint8Array([1]),
        subject: "s",
        datacontenttype: "image/png",
      });
      expect(after).toEqual({
        ...before,
        edited: true,
        message: { ...before.message, data: new Uint8Array([1]), subject: "s", datacontenttype: "image/png" },
      });
      expect(await log.deadLetters.get(before.id)).toEqual(after);
      await log.deadLetters.edit(before.id, { data: { plain: true }, datacontenttype: undefined });
      expect((await only(log)).message.data).toEqual({ plain: true });
      const invalid = { code: "message.invalid" };
      await expect(log.deadLetters.edit(before.id, { type: "" })).rejects.toMatchObject(invalid);
      await expect(log.deadLetters.edit(before.id, { id: "another" })).rejects.toMatchObject(invalid);
    },
  },
  {
    title: "a replay gives the message, as edited, to the consumer that gave it up and to no other, with its attempts at 0",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      const bystander = await consume(stream, { name: "bystander" }, ack);
      await appendAll(stream, ["bad"]);
      const worker = await consume(stream, { maxAttempts: 2, backoffMs: [20] }, (delivery) => {
        if (delivery.message.data === "bad") delivery.nak();
        else delivery.ack();
      });
      await worker.number(1);
      await tick(100);
      await worker.number(2);
      const dead = await only(log);
      await log.deadLetters.edit(dead.id, { data: "mended" });
      await log.deadLetters.replay(dead.id);
      expect(await log.deadLetters.count()).toBe(0);
      await tick(100);
      const replayed = await worker.number(3);
      expect([replayed.message.data, replayed.attempt, replayed.sequence]).toEqual(["mended", 1, dead.sequence]);
      expect(replayed.message.id).toBe(dead.message.id);
      await tick(200);
      expect(worker.all).toHaveLength(3);
      expect(bystander.data).toEqual(["bad"]);
      await eventually("all to be settled", async () =>
        (await stream.info()).consumers.every(({ unsettled }) => unsettled === 0),
      );
    },
  },
  {
    title: "a replayed message that fails again has its attempts anew and becomes a dead letter again",
    async run({ log, tick }) {
      const stream = await log.stream("orders");
      await appendAll(stream, ["bad"]);
      const worker = await consume(stream, { maxAttempts: 2, backoffMs: [20] }, (delivery) => delivery.nak());
      await worker.number(1);
      await tick(100);
      await worker.number(2);
      await log.deadLetters.replay((await only(log)).id);
      await tick(100);
      await worker.number(3);
      await tick(100);
      await worker.number(4);
      expect(worker.all.map(({ attempt }) => attempt)).toEqual([1, 2, 1, 2]);
      await eventually("the dead letter", async () => (await log.deadLetters.count()) === 1);
    },
  },
  {
    title: "a replay for a consumer that is closed waits until it is open again",
    async run({ log }) {
      const stream = await log.stream("orders");
      await bury(stream, ["a"]);
      await log.deadLetters.replay((await only(log)).id);
      const worker = await consume(stream, {}, ack);
      expect((await worker.number(1)).message.data).toBe("a");
    },
  },
  {
    title: "a replay for a consumer that was removed is refused, and the dead letter stays",
    async run({ log }) {
      const stream = await log.stream("orders");
      await bury(stream, ["a"]);
      await stream.removeConsumer("worker");
      await expect(log.deadLetters.replay((await only(log)).id)).rejects.toMatchObject({ code: "resource.not_found" });
      expect(await log.deadLetters.count()).toBe(1);
    },
  },
  {
    title: "dead letters outlive the messages of their stream",
    async run({ log }) {
      const stream = await log.stream("orders", { keep: "by-limits", maxMessages: 1 });
      await bury(stream, ["a"]);
      await appendAll(stream, ["b", "c"]);
      await stream.purge();
      expect((await only(log)).message.data).toBe("a");
    },
  },
  {
    title: "dead letters, edits and replays survive a restart",
    needsReopen: true,
    async run(harness) {
      await bury(await harness.log.stream("orders"), ["a", "b"]);
      const before = (await harness.log.deadLetters.list()).items;
      await harness.log.deadLetters.edit(before[0]?.id ?? "", { data: "edited" });
      await harness.log.deadLetters.replay(before[1]?.id ?? "");
      const log = await reopened(harness);
      expect((await only(log)).message).toEqual({ ...before[0]?.message, data: "edited" });
      const worker = await consume(await log.stream("orders"), {}, ack);
      expect((await worker.number(1)).message).toEqual(before[1]?.message);
      expect(worker.all[0]?.attempt).toBe(1);
    },
  },
];
