import { expect } from "vitest";
import type { Message } from "../message/message.ts";
import { ack, appendAll, consume, eventually, messageOf, reopened } from "./log-conformance-tools.ts";
import type { LogPromise } from "./log-harness.ts";

/** Payloads and attributes that something on the way could spoil. */
const exactMessages: readonly Message[] = [
  messageOf(undefined),
  messageOf(null),
  messageOf(false),
  messageOf(0.1),
  messageOf(""),
  messageOf('text with \u0000, \u2028, "quotes" and 日本語 \u{1f600}'),
  messageOf("<p>text of a kind</p>", { datacontenttype: "text/html; charset=utf-8" }),
  messageOf('{"looks":"like json"}', { datacontenttype: "text/plain" }),
  messageOf([1, [2, { three: null }]], { datacontenttype: "application/json" }),
  messageOf({ nested: { __proto__: 1, "": [] }, big: 2 ** 53 - 1 }),
  messageOf(new Uint8Array([0, 255, 128, 10, 13, 0])),
  messageOf(new Uint8Array(0)),
  messageOf(new Uint8Array([123, 125]), { datacontenttype: "application/json" }),
  messageOf(new Uint8Array([1, 2]), { datacontenttype: "image/png" }),
  messageOf("all attributes", {
    subject: "orders/7",
    time: "2026-11-20T10:00:00.123456Z",
    dataschema: "https://example.com/schema.json",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "vendor=value",
    deadline: 1_795_000_000_000.25,
    idempotencykey: "key",
    typeversion: "2",
    hops: 3,
    extensions: { one: "text", two: -2, three: true, four: "" },
  }),
];

const oddIds = [
  "a|b",
  "a@b",
  "a/b",
  "a:b",
  "100%",
  "it's",
  '"quoted"',
  "a;DROP TABLE message;--",
  "a b",
  "*",
  ">",
  "Ünïcødé-日本",
  "\u{1f600}",
];

export const appendPromises: readonly LogPromise[] = [
  {
    title: "an append resolves with the place where the message stands (L1, L2)",
    async run({ log }) {
      const stream = await log.stream("orders");
      const first = await stream.append(messageOf("a"));
      const second = await stream.append(messageOf("b"));
      expect(first.duplicate).toBe(false);
      expect(second.sequence).toBeGreaterThan(first.sequence);
      const stored = await stream.read(second.sequence, 10);
      expect(stored.map(({ sequence, message }) => [sequence, message.data])).toEqual([[second.sequence, "b"]]);
    },
  },
  {
    title: "appends that were not waited for keep their order, lists and single ones mixed (L2)",
    async run({ log }) {
      const stream = await log.stream("orders");
      const calls = Array.from({ length: 60 }, async (_, n) => {
        if (n % 3 !== 0) return [await stream.append(messageOf(n * 10))];
        return stream.append([messageOf(n * 10), messageOf(n * 10 + 1)]);
      });
      const sequences = (await Promise.all(calls)).flat().map(({ sequence }) => sequence);
      expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
      expect(new Set(sequences).size).toBe(80);
      const data = (await stream.read(0, 100)).map(({ message }) => message.data as number);
      expect(data).toEqual(data.toSorted((a, b) => a - b));
      expect(data).toHaveLength(80);
    },
  },
  {
    title: "a list of which one message is refused is stored not at all (L1)",
    async run({ log }) {
      const stream = await log.stream("orders", { maxMessageBytes: 2_000 });
      const list = [messageOf("a"), messageOf("x".repeat(5_000)), messageOf("b")];
      await expect(stream.append(list)).rejects.toMatchObject({ code: "message.too_large" });
      await expect(stream.append([messageOf("c"), { ...messageOf("d"), id: "" }])).rejects.toMatchObject({
        code: "message.invalid",
      });
      expect((await stream.info()).messages).toBe(0);
    },
  },
  {
    title: "an empty list stores nothing and is no error",
    async run({ log }) {
      const stream = await log.stream("orders");
      expect(await stream.append([])).toEqual([]);
      expect((await stream.info()).messages).toBe(0);
    },
  },
  {
    title: "messages come back exactly as they went in, when read and when delivered",
    async run({ log }) {
      const stream = await log.stream("orders");
      await stream.append(exactMessages);
      expect((await stream.read(0, 100)).map(({ message }) => message)).toEqual(exactMessages);
      const deliveries = await consume(stream, {}, ack);
      await deliveries.number(exactMessages.length);
      expect(deliveries.all.map(({ message }) => message)).toEqual(exactMessages);
    },
  },
  {
    title: "messages that are delivered as they are appended are exact as well",
    async run({ log }) {
      const stream = await log.stream("orders");
      const deliveries = await consume(stream, {}, ack);
      for (const message of exactMessages) await stream.append(message);
      await deliveries.number(exactMessages.length);
      expect(deliveries.all.map(({ message }) => message)).toEqual(exactMessages);
    },
  },
  {
    title: "what the sender changes after an append does not reach the log",
    async run({ log }) {
      const stream = await log.stream("orders");
      const list = [1];
      const octets = new Uint8Array([1]);
      const appends = [stream.append(messageOf(list)), stream.append(messageOf(octets))];
      list.push(2);
      octets[0] = 2;
      await Promise.all(appends);
      expect((await stream.read(0, 10)).map(({ message }) => message.data)).toEqual([[1], new Uint8Array([1])]);
    },
  },
  {
    title: "ids with odd characters are kept, and told apart",
    async run({ log }) {
      const stream = await log.stream("orders");
      await stream.append(oddIds.map((id) => messageOf(id, { id })));
      expect((await stream.read(0, 100)).map(({ message }) => message.id)).toEqual(oddIds);
      for (const id of oddIds) expect((await stream.append(messageOf(id, { id }))).duplicate).toBe(true);
    },
  },
  {
    title: "what is no message is refused with message.invalid",
    async run({ log }) {
      const stream = await log.stream("orders");
      const cycle: Record<string, unknown> = {};
      cycle.self = cycle;
      const bad = [
        { ...messageOf("a"), id: "with \u0000" },
        { ...messageOf("a"), type: "" },
        messageOf(cycle),
        messageOf(1n),
        messageOf(() => 1),
      ];
      for (const message of bad) await expect(stream.append(message)).rejects.toMatchObject({ code: "message.invalid" });
      expect((await stream.info()).messages).toBe(0);
    },
  },
  {
    title: "a second message with the same id is not stored, and answered with the place of the first (L3)",
    async run({ log }) {
      const stream = await log.stream("orders");
      const first = await stream.append(messageOf("a", { id: "1" }));
      await stream.append(messageOf("b", { id: "2" }));
      const again = await stream.append(messageOf("changed", { id: "1" }));
      expect(again).toEqual({ sequence: first.sequence, duplicate: true });
      expect((await stream.read(0, 10)).map(({ message }) => message.data)).toEqual(["a", "b"]);
    },
  },
  {
    title: "an idempotency key goes before the id (L3)",
    async run({ log }) {
      const stream = await log.stream("orders");
      await stream.append(messageOf("a", { id: "1", idempotencykey: "k" }));
      expect((await stream.append(messageOf("b", { id: "2", idempotencykey: "k" }))).duplicate).toBe(true);
      expect((await stream.append(messageOf("c", { id: "1", idempotencykey: "l" }))).duplicate).toBe(false);
    },
  },
  {
    title: "a message that stands twice in one list, or in appends under way, is stored once (L3)",
    async run({ log }) {
      const stream = await log.stream("orders");
      const message = messageOf("a");
      const answers = await Promise.all([stream.append([message, message]), stream.append(message)]);
      const all = answers.flat();
      expect(all.map(({ duplicate }) => duplicate)).toEqual([false, true, true]);
      expect(new Set(all.map(({ sequence }) => sequence)).size).toBe(1);
      expect((await stream.info()).messages).toBe(1);
    },
  },
  {
    title: "a message that was consumed and removed is still known as a duplicate (L3)",
    async run({ log }) {
      const stream = await log.stream("orders");
      const deliveries = await consume(stream, {}, ack);
      const message = messageOf("a");
      await stream.append(message);
      await deliveries.number(1);
      await eventually("the message to be removed", async () => (await stream.info()).messages === 0);
      expect((await stream.append(message)).duplicate).toBe(true);
    },
  },
  {
    title: "streams know nothing of each other's ids (L3)",
    async run({ log }) {
      const message = messageOf("a");
      await (await log.stream("one")).append(message);
      expect((await (await log.stream("two")).append(message)).duplicate).toBe(false);
    },
  },
  {
    title: "after the window, the same message is stored again (L3)",
    async run({ log, tick }) {
      const stream = await log.stream("orders", { dedupWindowMs: 300 });
      const message = messageOf("a");
      await stream.append(message);
      expect((await stream.append(message)).duplicate).toBe(true);
      await tick(900);
      expect((await stream.append(message)).duplicate).toBe(false);
      expect((await stream.append(message)).duplicate).toBe(true);
    },
  },
  {
    title: "duplicates are known over a restart (L3)",
    needsReopen: true,
    async run(harness) {
      const message = messageOf("a");
      const first = await (await harness.log.stream("orders")).append(message);
      const log = await reopened(harness);
      expect(await (await log.stream("orders")).append(message)).toEqual({ sequence: first.sequence, duplicate: true });
    },
  },
  {
    title: "messages, order and sequences survive a restart (L1, L2)",
    needsReopen: true,
    async run(harness) {
      const stream = await harness.log.stream("orders");
      await stream.append(exactMessages);
      const before = await stream.read(0, 100);
      const again = await (await reopened(harness)).stream("orders");
      expect(await again.read(0, 100)).toEqual(before);
      const { sequence } = await again.append(messageOf("next"));
      expect(sequence).toBeGreaterThan(before.at(-1)?.sequence ?? 0);
    },
  },
  {
    title: "a sequence is never used twice, though the stream was emptied and the log restarted (L2)",
    needsReopen: true,
    async run(harness) {
      const stream = await harness.log.stream("orders");
      await appendAll(stream, ["a", "b", "c"]);
      const { lastSequence } = await stream.info();
      await stream.purge();
      const again = await (await reopened(harness)).stream("orders");
      expect((await again.append(messageOf("d"))).sequence).toBeGreaterThan(lastSequence);
    },
  },
  {
    title: "a read begins where it is told and gives no more than asked for",
    async run({ log }) {
      const stream = await log.stream("orders");
      await appendAll(stream, [0, 1, 2, 3, 4]);
      const all = await stream.read(0, 100);
      const data = (await stream.read(all[1]?.sequence ?? 0, 3)).map(({ message }) => message.data);
      expect(data).toEqual([1, 2, 3]);
      expect(await stream.read((all[4]?.sequence ?? 0) + 1, 3)).toEqual([]);
    },
  },
];
