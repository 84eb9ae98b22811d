import { describe, expect, test } from "vitest";
import { coreError } from "../../src/errors.ts";
import { CALL_MODE, type Frame } from "../../src/link/frames.ts";
import type { IncomingContext } from "../../src/link/incoming.ts";
import type { Message } from "../../src/message/message.ts";
import { errorOf } from "../fixtures/until.ts";
import { contextOf, messageOf, openPair, openRaw, settleLink } from "./pair.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("a call over a session", () => {
  test("is answered with the handler's value, given at once or later", async () => {
    const { clock, caller } = openPair(({ data }) => (data === "later" ? Promise.resolve([data]) : [data]));
    expect(await caller.call(messageOf("now"), contextOf(clock))).toEqual(["now"]);
    expect(await caller.call(messageOf("later"), contextOf(clock))).toEqual(["later"]);
  });

  test("carries bytes as bytes, and nothing as nothing", async () => {
    const { clock, caller } = openPair(({ data }) => data);
    const bytesBack = await caller.call(messageOf(new Uint8Array([0, 255])), contextOf(clock));
    expect([...(bytesBack as Uint8Array)]).toEqual([0, 255]);
    expect(await caller.call(messageOf(undefined), contextOf(clock))).toBeUndefined();
    expect(await caller.call(messageOf(null), contextOf(clock))).toBeNull();
  });

  test("carries every attribute of the message, one hop on, with what is left of its time and its attempt", async () => {
    const seen: { message: Message; context: IncomingContext }[] = [];
    const { clock, caller } = openPair((message, context) => void seen.push({ message, context }));
    const message = {
      ...messageOf({ n: 1 }),
      subject: "eu",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      idempotencykey: "k",
      typeversion: "2",
      hops: 3,
      extensions: { tenant: "tea", level: -7, isnew: false },
    };
    await caller.call(message, { ...contextOf(clock, 250), attempt: 4 });
    expect(seen[0]?.message).toMatchObject({ ...message, hops: 4, deadline: clock.now() + 250 });
    expect(seen[0]?.context).toMatchObject({ attempt: 4, mode: CALL_MODE.unary, deadlineMs: clock.now() + 250 });
  });

  test("fails with the handler's error: code, details, retry advice, cause, and the way that it came", async () => {
    const { clock, caller } = openPair(() => {
      throw coreError("log.full", "no room", {
        details: { limit: 5 },
        retryAfterMs: 40,
        cause: new TypeError("disk"),
      });
    });
    const error = await errorOf(caller.call(messageOf(), contextOf(clock)));
    expect(error).toMatchObject({
      code: "log.full",
      message: "no room",
      retryable: true,
      retryAfterMs: 40,
      details: { limit: 5 },
      origin: ["answerer"],
    });
    expect((error.cause as Error).message).toBe("disk");
  });

  test("ends with call.deadline when its time is over, and the handler's signal says why", async () => {
    const reasons: unknown[] = [];
    const { clock, caller, answerer } = openPair((_, { signal }) => {
      signal.addEventListener("abort", () => reasons.push((signal.reason as { code: string }).code));
      return new Promise(() => undefined);
    });
    const ended = errorOf(caller.call(messageOf(), contextOf(clock, 100)));
    await clock.advance(92);
    expect(answerer.incomingCalls).toBe(1);
    await clock.advance(24);
    expect(await ended).toMatchObject({ code: "call.deadline", origin: ["answerer"] });
    expect(reasons).toEqual(["call.deadline"]);
    expect([caller.openCalls, answerer.incomingCalls]).toEqual([0, 0]);
  });

  test("that its caller withdraws ends with call.cancelled, carrying the caller's reason", async () => {
    const { clock, caller, answerer } = openPair(() => new Promise(() => undefined));
    const control = new AbortController();
    const ended = errorOf(caller.call(messageOf(), contextOf(clock, undefined, control.signal)));
    await settleLink();
    expect(answerer.incomingCalls).toBe(1);
    control.abort("no longer wanted");
    expect(await ended).toMatchObject({ code: "call.cancelled", cause: "no longer wanted" });
    await clock.advance(1);
    expect([caller.openCalls, answerer.incomingCalls]).toEqual([0, 0]);
  });

  test("that is withdrawn or out of time before it begins is never sent", async () => {
    const raw = openRaw();
    const aborted = raw.session.call(messageOf(), contextOf(raw.clock, undefined, AbortSignal.abort("early")));
    expect(await errorOf(aborted)).toMatchObject({ code: "call.cancelled" });
    expect(await errorOf(raw.session.call(messageOf(), contextOf(raw.clock, 0)))).toMatchObject({ code: "call.deadline" });
    await settleLink();
    expect(raw.received).toEqual([]);
  });

  test("whose payload is too large or cannot be written fails by itself and sends nothing", async () => {
    const raw = openRaw({ maxMessageBytes: 10 });
    const large = raw.session.call(messageOf("x".repeat(20)), contextOf(raw.clock));
    expect(await errorOf(large)).toMatchObject({ code: "message.too_large", details: { bytes: 22, maxBytes: 10 } });
    expect(await errorOf(raw.session.call(messageOf(10n), contextOf(raw.clock)))).toMatchObject({ code: "message.invalid" });
    await settleLink();
    expect(raw.received).toEqual([]);
    expect(raw.session.credit).toBe(8);
  });

  test("whose answer is unreadable, or a stream, is the other side's breach of the protocol", async () => {
    const raw = openRaw();
    const unreadable = errorOf(raw.session.call(messageOf(), contextOf(raw.clock)));
    const streamed = errorOf(raw.session.call(messageOf(), contextOf(raw.clock)));
    await settleLink();
    raw.send(
      { call: raw.callNumber(0), reply: { data: bytes('{"a":') } },
      { call: raw.callNumber(1), item: { data: bytes("1") } },
    );
    expect(await unreadable).toMatchObject({ code: "processor.protocol" });
    expect(await streamed).toMatchObject({ code: "processor.protocol" });
  });

  test("whose answer is too large fails with message.too_large, told by the answering side", async () => {
    const raw = openRaw({ maxMessageBytes: 10, handler: () => "y".repeat(50) });
    raw.send({ call: 1, request: { message: { id: "1", source: "/", type: "test.ask" } } });
    await settleLink();
    expect(raw.received).toMatchObject([{ call: 1, failure: { code: "message.too_large" } }]);
  });
});

describe("the credit of a session", () => {
  test("lets no more calls out than the other side takes; the rest follow in order", async () => {
    const begun: unknown[] = [];
    const { clock, caller } = openPair(
      async ({ data }) => {
        begun.push(data);
        await new Promise<void>((resolve) => clock.setTimer(10, resolve));
        return data;
      },
      { concurrency: 2 },
    );
    const answers = Promise.all([1, 2, 3, 4, 5].map((n) => caller.call(messageOf(n), contextOf(clock))));
    await settleLink();
    expect(begun).toEqual([1, 2]);
    expect(caller.credit).toBeLessThanOrEqual(0);
    for (const done of [2, 4, 5]) {
      await clock.advance(10);
      await settleLink();
      expect(begun).toHaveLength(Math.min(5, done + 2));
    }
    expect(await answers).toEqual([1, 2, 3, 4, 5]);
    expect(begun).toEqual([1, 2, 3, 4, 5]);
    expect(caller.credit).toBe(2);
  });

  test("comes back for a withdrawn call only when the other side has ended it", async () => {
    const raw = openRaw({ concurrency: 1 });
    const control = new AbortController();
    const first = errorOf(raw.session.call(messageOf(1), contextOf(raw.clock, undefined, control.signal)));
    const second = raw.session.call(messageOf(2), contextOf(raw.clock));
    await settleLink();
    control.abort();
    expect(await first).toMatchObject({ code: "call.cancelled" });
    await settleLink();
    expect(raw.received.filter(({ request }) => request)).toHaveLength(1);
    expect(raw.received.at(-1)).toMatchObject({ call: raw.callNumber(0), cancel: { reason: "cancelled" } });
    expect(raw.session.abandonedCalls).toBe(1);
    raw.send({ call: raw.callNumber(0), failure: { code: "call.cancelled", message: "withdrawn" } });
    await settleLink();
    expect(raw.session.abandonedCalls).toBe(0);
    raw.send({ call: raw.callNumber(1), reply: { data: bytes("2") } });
    expect(await second).toBe(2);
  });

  test("is not lost on a waiting call that turns out too large: the one behind it goes", async () => {
    const raw = openRaw({ concurrency: 1, maxMessageBytes: 10 });
    const first = raw.session.call(messageOf(1), contextOf(raw.clock));
    const large = errorOf(raw.session.call(messageOf("x".repeat(20)), contextOf(raw.clock)));
    const third = raw.session.call(messageOf(3), contextOf(raw.clock));
    await settleLink();
    raw.send({ call: raw.callNumber(0), reply: { data: bytes("1") } });
    expect(await first).toBe(1);
    expect(await large).toMatchObject({ code: "message.too_large" });
    await settleLink();
    raw.send({ call: raw.callNumber(1), reply: { data: bytes("3") } });
    expect(await third).toBe(3);
  });

  test("lets so many wait and no more, but for urgent ones, which go first and in order", async () => {
    const isUrgent = ({ type }: Message): boolean => type === "urgent";
    const raw = openRaw({ concurrency: 1, maxWaiting: 2, isUrgent });
    const call = (data: number, type?: string): Promise<unknown> => raw.session.call(messageOf(data, type), contextOf(raw.clock));
    const taken = [call(1), call(2), call(3)];
    expect(await errorOf(call(4))).toMatchObject({ code: "call.resource_exhausted", details: { queued: 2, limit: 2 } });
    taken.push(call(5, "urgent"), call(6, "urgent"));
    for (let n = 0; n < taken.length; n++) {
      await settleLink();
      raw.send({ call: raw.callNumber(n), reply: {} });
    }
    await Promise.all(taken);
    const sent = raw.received.flatMap(({ request }) => (request ? [String(request.message.data)] : []));
    expect(sent).toEqual(["1", "5", "6", "2", "3"]);
  });
});

describe("a streamed call", () => {
  async function* count({ data }: Message): AsyncGenerator<number> {
    for (let n = 1; n <= (data as number); n++) yield n;
  }

  test("gives the items in order and then ends, also when there are none", async () => {
    const { clock, caller } = openPair(count);
    for (const n of [0, 1, 500]) {
      const items: unknown[] = [];
      for await (const item of caller.stream(messageOf(n), contextOf(clock))) items.push(item);
      expect(items).toEqual(Array.from({ length: n }, (_, index) => index + 1));
    }
  });

  test("holds the sender back while the reader does not read", async () => {
    let made = 0;
    const { clock, caller } = openPair(
      async function* () {
        for (;;) yield ++made;
      },
      { streamWindow: 8 },
    );
    const iterator = caller.stream(messageOf(), contextOf(clock))[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: false, value: 1 });
    await settleLink();
    await settleLink();
    expect(made).toBeLessThanOrEqual(10); // a window, the one that was read, and the one that waits for credit
    for (let n = 2; n <= 100; n++) expect((await iterator.next()).value).toBe(n);
    await iterator.return?.();
  });

  test("is held to fewer items at a time the larger they are, and to at least two", async () => {
    for (const [bytes, most] of [
      [10, 64],
      [65_536, 8],
      [4_000_000, 2],
    ] as const) {
      let made = 0;
      const { clock, caller } = openPair(async function* () {
        for (;;) {
          made++;
          yield new Uint8Array(bytes);
        }
      });
      const iterator = caller.stream(messageOf(), contextOf(clock))[Symbol.asyncIterator]();
      const READ = 200;
      for (let n = 0; n < READ; n++) await iterator.next();
      await settleLink();
      expect(made - READ).toBeLessThanOrEqual(most + 1); // one more waits for credit
      expect(made - READ).toBeGreaterThan(most / 2);
      await iterator.return?.();
    }
  });

  test("that its reader leaves runs the handler's finally blocks and frees the call", async () => {
    let isFinished = false;
    const { clock, caller, answerer } = openPair(async function* () {
      try {
        for (let n = 1; ; n++) yield n;
      } finally {
        isFinished = true;
      }
    });
    for await (const item of caller.stream(messageOf(), contextOf(clock))) if (item === 3) break;
    await clock.advance(1);
    await settleLink();
    expect(isFinished).toBe(true);
    expect([caller.openCalls, answerer.incomingCalls]).toEqual([0, 0]);
  });

  test("that fails in the middle gives its items first, then the error", async () => {
    const { clock, caller } = openPair(async function* () {
      yield 1;
      yield 2;
      throw coreError("state.conflict", "it changed");
    });
    const items: unknown[] = [];
    const read = (async () => {
      for await (const item of caller.stream(messageOf(), contextOf(clock))) items.push(item);
    })();
    expect(await errorOf(read)).toMatchObject({ code: "state.conflict" });
    expect(items).toEqual([1, 2]);
  });

  test("to a handler with one value is call.unsupported", async () => {
    const { clock, caller } = openPair(() => 7);
    const iterator = caller.stream(messageOf(), contextOf(clock))[Symbol.asyncIterator]();
    expect(await errorOf(iterator.next())).toMatchObject({ code: "call.unsupported" });
  });

  test("whose sender goes beyond its credit is ended as a breach of the protocol", async () => {
    const raw = openRaw({ streamWindow: 4 });
    const iterator = raw.session.stream(messageOf(), contextOf(raw.clock))[Symbol.asyncIterator]();
    await settleLink();
    const call = raw.callNumber(0);
    raw.send(...Array.from({ length: 5 }, () => ({ call, item: { data: bytes("1") } })));
    await settleLink();
    const read = (async () => {
      while (!(await iterator.next()).done);
    })();
    expect(await errorOf(read)).toMatchObject({ code: "processor.protocol" });
    expect(raw.received.some(({ cancel }) => cancel)).toBe(true);
  });
});

describe("the end of a channel", () => {
  test("ends every open and every waiting call with the code of the session, exactly once", async () => {
    const raw = openRaw({ concurrency: 2 });
    const calls = Array.from({ length: 5 }, (_, n) => errorOf(raw.session.call(messageOf(n), contextOf(raw.clock))));
    await settleLink();
    raw.close(coreError("node.unreachable", "cut"));
    const errors = await Promise.all(calls);
    expect(errors.map(({ code }) => code)).toEqual(Array(5).fill("processor.down"));
    expect(errors[0]?.message).toContain("cut");
    expect(await errorOf(raw.session.call(messageOf(), contextOf(raw.clock)))).toMatchObject({ code: "processor.down" });
    expect(raw.session.credit).toBe(0);
  });

  test("aborts what is being answered, and ends streams in both directions", async () => {
    let aborted: unknown;
    const { clock, caller, answerer } = openPair((_, { signal }) => {
      signal.addEventListener("abort", () => {
        aborted = signal.reason;
      });
      return new Promise(() => undefined);
    });
    const iterator = caller.stream(messageOf(), contextOf(clock))[Symbol.asyncIterator]();
    const next = errorOf(iterator.next());
    await settleLink();
    answerer.close();
    expect(await next).toMatchObject({ code: "processor.down" });
    expect(aborted).toMatchObject({ code: "processor.down" });
  });

  test("ends a ping that was not answered", async () => {
    const raw = openRaw();
    const ping = errorOf(raw.session.ping());
    await settleLink();
    raw.close();
    expect(await ping).toMatchObject({ code: "processor.down" });
    expect(await errorOf(raw.session.ping())).toMatchObject({ code: "processor.down" });
  });
});

describe("frames of a session", () => {
  test("of one turn leave as one batch, in the order of making", async () => {
    const { clock, caller, channel } = openPair(({ data }) => data);
    const batches: (readonly Frame[])[] = [];
    channel.onSent = (frames) => batches.push(frames);
    const answers = Promise.all(Array.from({ length: 50 }, (_, n) => caller.call(messageOf(n), contextOf(clock))));
    expect(await answers).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(batches).toHaveLength(7); // eight by credit; the rest as credit comes back, eight at a time
    expect(batches.map((batch) => batch.length)).toEqual([8, 8, 8, 8, 8, 8, 2]);
  });

  test("a ping is answered, also while calls are open", async () => {
    const { clock, caller, answerer } = openPair(() => new Promise(() => undefined));
    void caller.call(messageOf(), contextOf(clock)).catch(() => undefined);
    await caller.ping();
    await answerer.ping();
    expect(answerer.incomingCalls).toBe(1);
  });

  test("drain and drained reach the other side", async () => {
    const told: unknown[] = [];
    const raw = openRaw({ onDrain: (graceMs) => told.push(graceMs), onDrained: () => told.push("drained") });
    raw.send({ drain: { graceMs: 70 } }, { drained: {} });
    await settleLink();
    expect(told).toEqual([70, "drained"]);
    raw.session.drain(12.5);
    raw.session.drained();
    await settleLink();
    expect(raw.received).toEqual([{ drain: { graceMs: 13 } }, { drained: {} }]);
  });

  test("for calls that never were, and of a later version, are passed over", async () => {
    const raw = openRaw();
    raw.send(
      {},
      { call: 5 },
      { call: 9, reply: {} },
      { call: 9, item: {} },
      { call: 9, cancel: {} },
      { call: 9, credit: { items: 3 } },
      { call: 9, pong: {} },
    );
    raw.send({ call: 3, ping: {} });
    await settleLink();
    expect(raw.received).toEqual([{ call: 3, pong: {} }]);
  });
});
