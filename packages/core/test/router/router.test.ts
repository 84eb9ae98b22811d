import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { handlerMember } from "../../src/member/handler.ts";
import type { Message } from "../../src/message/message.ts";
import { comparePatterns, matchesPattern, parsePattern } from "../../src/router/pattern.ts";
import { Router } from "../../src/router/router.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

function createRouter(clock = new VirtualClock()): { router: Router; clock: VirtualClock } {
  return { router: new Router({ source: "/nodes/test", clock }), clock };
}

const says = (text: string) => handlerMember(text, () => text);
const failing = (code: string) => expect.objectContaining({ code });

describe("dispatch by type", () => {
  test("finds the member of an exact type before any pattern, and the more exact pattern before the less exact", async () => {
    const { router } = createRouter();
    router.register({ type: ">", member: says("everything") });
    router.register({ type: "order.>", member: says("orders") });
    router.register({ type: "order.*", member: says("one word") });
    router.register({ type: "order.price", member: says("price") });
    expect(await router.call({ type: "order.price" })).toBe("price");
    expect(await router.call({ type: "order.tax" })).toBe("one word");
    expect(await router.call({ type: "order.tax.eu" })).toBe("orders");
    expect(await router.call({ type: "user.born" })).toBe("everything");
  });

  test("refuses a type that nobody handles with message.unknown_type", async () => {
    const { router } = createRouter();
    await expect(router.call({ type: "no.such" })).rejects.toEqual(failing("message.unknown_type"));
  });

  test("refuses a second member for the same type and version with state.conflict and keeps the first", async () => {
    const { router } = createRouter();
    router.register({ type: "a", member: says("first") });
    expect(() => router.register({ type: "a", member: says("second") })).toThrowError(failing("state.conflict"));
    expect(await router.call({ type: "a" })).toBe("first");
  });

  test("forgets a route that is removed, once, and lets the type be taken again", async () => {
    const { router } = createRouter();
    const registration = router.register({ type: "a", member: says("old") });
    registration.remove();
    registration.remove();
    await expect(router.call({ type: "a" })).rejects.toEqual(failing("message.unknown_type"));
    router.register({ type: "a", member: says("new") });
    expect(await router.call({ type: "a" })).toBe("new");
  });

  test("sends a message that names a version there, and one that names none to the oldest", async () => {
    const { router } = createRouter();
    for (const version of ["10", "2", "1"]) router.register({ type: "a", version, member: says(`v${version}`) });
    expect(await router.call({ type: "a" })).toBe("v1");
    expect(await router.call({ type: "a", typeversion: "10" })).toBe("v10");
    await expect(router.call({ type: "a", typeversion: "3" })).rejects.toMatchObject({
      code: "message.unknown_type",
      details: { versions: ["1", "2", "10"] },
    });
    expect(router.routes().map(({ version }) => version)).toEqual(["1", "2", "10"]);
  });

  test("tells the member which version was chosen when the sender named none", async () => {
    const { router } = createRouter();
    router.register({ type: "a", version: "2", member: handlerMember("m", (message) => message.typeversion) });
    expect(await router.call({ type: "a" })).toBe("2");
  });
});

describe("patterns of types", () => {
  const word = fc.constantFrom("a", "b", "c");
  const type = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join("."));
  const pattern = fc
    .tuple(fc.array(fc.oneof(word, fc.constant("*")), { minLength: 1, maxLength: 3 }), fc.boolean())
    .map(([words, open]) => [...words, ...(open ? [">"] : [])].join("."));

  test("match what the same pattern, as a regular expression, matches", () => {
    fc.assert(
      fc.property(pattern, type, (text, candidate) => {
        const asRegExp = new RegExp(`^${text.replace(/\./g, "\\.").replace(/\*/g, "[^.]+").replace(/>/g, ".+")}$`);
        expect(matchesPattern(parsePattern(text), candidate)).toBe(asRegExp.test(candidate));
      }),
    );
  });

  test("have an order without ties between different patterns", () => {
    fc.assert(
      fc.property(pattern, pattern, (a, b) => {
        const [left, right] = [parsePattern(a), parsePattern(b)];
        expect(Math.sign(comparePatterns(left, right))).toBe(-Math.sign(comparePatterns(right, left)) + 0);
        expect(comparePatterns(left, right) === 0).toBe(a === b);
      }),
    );
  });

  test.each(["", "a..b", "a.>.b", "a*", "a. b"])("refuse %j with config.invalid", (text) => {
    const { router } = createRouter();
    expect(() => router.register({ type: text, member: says("x") })).toThrowError(failing("config.invalid"));
  });
});

describe("a payload", () => {
  const inputSchema = {
    type: "object",
    required: ["items"],
    properties: {
      items: { type: "array", items: { type: "object", required: ["sku"], properties: { amount: { type: "integer" } } } },
    },
    additionalProperties: false,
  };

  test.each([
    ["a missing property", {}, "/items"],
    ["a wrong type deep inside", { items: [{ sku: "a" }, { sku: "b", amount: 1.5 }] }, "/items/1/amount"],
    ["a missing property deep inside", { items: [{}] }, "/items/0/sku"],
    ["a property too many", { items: [], more: 1 }, "/more"],
    ["no payload at all", undefined, ""],
  ])("with %s is refused with message.schema and the path, and the member never sees it", async (_what, data, path) => {
    const { router } = createRouter();
    let seen = 0;
    router.register({ type: "a", inputSchema, member: handlerMember("m", () => seen++) });
    await expect(router.call({ type: "a", data })).rejects.toMatchObject({ code: "message.schema", details: { path } });
    expect(seen).toBe(0);
    await router.call({ type: "a", data: { items: [{ sku: "a", amount: 2 }] } });
    expect(seen).toBe(1);
  });

  test("whose schema is itself wrong is refused at registration with config.invalid", () => {
    const { router } = createRouter();
    expect(() => router.register({ type: "a", inputSchema: { type: "nonsense" }, member: says("x") })).toThrowError(
      failing("config.invalid"),
    );
  });
});

describe("a call", () => {
  test("ends at its deadline even when the member never answers, and the member's signal is aborted", async () => {
    const { router, clock } = createRouter();
    let signal: AbortSignal | undefined;
    router.register({
      type: "a",
      member: handlerMember("m", (_message, context) => {
        signal = context.signal;
        return new Promise(() => undefined);
      }),
    });
    const call = router.call({ type: "a" }, { timeoutMs: 50 });
    const outcome = expect(call).rejects.toEqual(failing("call.deadline"));
    await clock.advance(60);
    await outcome;
    expect(signal?.aborted).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  test("never waits longer than the message's own deadline, nor than its timeout", async () => {
    const { router, clock } = createRouter();
    const deadlines: number[] = [];
    router.register({
      type: "a",
      member: handlerMember("m", (_message, { deadlineMs }) => void deadlines.push(deadlineMs - clock.now())),
    });
    await router.call({ type: "a" });
    await router.call({ type: "a" }, { timeoutMs: 5_000 });
    await router.call({ type: "a", deadline: clock.now() + 700 });
    await router.call({ type: "a", deadline: clock.now() + 700 }, { timeoutMs: 5_000 });
    await router.call({ type: "a", deadline: clock.now() + 7_000 }, { timeoutMs: 5_000 });
    expect(deadlines).toEqual([30_000, 5_000, 700, 700, 5_000]);
  });

  test("whose deadline has passed is refused before the member sees it", async () => {
    const { router, clock } = createRouter();
    let seen = 0;
    router.register({ type: "a", member: handlerMember("m", () => seen++) });
    await expect(router.call({ type: "a", deadline: clock.now() - 1 })).rejects.toEqual(failing("call.deadline"));
    expect(seen).toBe(0);
  });

  test("that is withdrawn ends at once with call.cancelled, and the member hears of it", async () => {
    const { router, clock } = createRouter();
    const controller = new AbortController();
    let heard = false;
    router.register({
      type: "a",
      member: handlerMember("m", (_message, { signal }) => {
        signal?.addEventListener("abort", () => {
          heard = true;
        });
        return new Promise(() => undefined);
      }),
    });
    const call = router.call({ type: "a" }, { signal: controller.signal });
    const outcome = expect(call).rejects.toEqual(failing("call.cancelled"));
    await clock.advance(1);
    controller.abort();
    await outcome;
    expect(heard).toBe(true);
  });

  test("over the hop limit is refused with call.hop_limit", async () => {
    const { router } = createRouter();
    router.register({ type: "a", member: says("x") });
    expect(await router.call({ type: "a", hops: 128 })).toBe("x");
    await expect(router.call({ type: "a", hops: 129 })).rejects.toEqual(failing("call.hop_limit"));
  });

  test("gives the very error that the member threw", async () => {
    const { router } = createRouter();
    const error = new Error("mine");
    router.register({ type: "a", member: handlerMember("m", () => Promise.reject(error)) });
    await expect(router.call({ type: "a" })).rejects.toBe(error);
  });
});

describe("a streamed answer", () => {
  async function* upTo(count: number): AsyncGenerator<number> {
    for (let value = 1; value <= count; value++) yield value;
  }

  test("comes item by item, and as one array to a plain call", async () => {
    const { router } = createRouter();
    router.register({ type: "count", streaming: true, member: handlerMember("m", () => upTo(3)) });
    const items: unknown[] = [];
    for await (const item of router.stream({ type: "count" })) items.push(item);
    expect(items).toEqual([1, 2, 3]);
    expect(await router.call({ type: "count" })).toEqual([1, 2, 3]);
  });

  test("of a plain type is its one value", async () => {
    const { router } = createRouter();
    router.register({ type: "a", member: says("x") });
    const items: unknown[] = [];
    for await (const item of router.stream({ type: "a" })) items.push(item);
    expect(items).toEqual(["x"]);
  });

  test("ends the member's work when the reader leaves", async () => {
    const { router } = createRouter();
    let isOver = false;
    const member = handlerMember("m", async function* () {
      try {
        for (let value = 0; ; value++) yield value;
      } finally {
        isOver = true;
      }
    });
    router.register({ type: "count", streaming: true, member });
    for await (const item of router.stream({ type: "count" })) if (item === 2) break;
    expect(isOver).toBe(true);
  });

  test("ends at its deadline when the member stops sending", async () => {
    const { router, clock } = createRouter();
    const member = handlerMember("m", async function* () {
      yield 1;
      await new Promise(() => undefined);
    });
    router.register({ type: "count", streaming: true, member });
    const items: unknown[] = [];
    const reading = (async () => {
      for await (const item of router.stream({ type: "count" }, { timeoutMs: 100 })) items.push(item);
    })();
    const outcome = expect(reading).rejects.toEqual(failing("call.deadline"));
    await clock.advance(110);
    await outcome;
    expect(items).toEqual([1]);
  });
});

describe("an ordered type", () => {
  /** A member whose answers come when the test says so. */
  function createGate(): {
    member: ReturnType<typeof handlerMember>;
    begun: string[];
    open: (id: string) => void;
    fail: (id: string) => void;
  } {
    const begun: string[] = [];
    const gates = new Map<string, PromiseWithResolvers<string>>();
    const member = handlerMember("gate", (message: Message) => {
      begun.push(message.id);
      const gate = Promise.withResolvers<string>();
      gates.set(message.id, gate);
      return gate.promise;
    });
    return { member, begun, open: (id) => gates.get(id)?.resolve(id), fail: (id) => gates.get(id)?.reject(new Error(id)) };
  }

  test("hands on the messages of one subject one after the other, in order, and others beside them", async () => {
    const { router, clock } = createRouter();
    const { member, begun, open, fail } = createGate();
    router.register({ type: "a", ordered: true, member });
    const calls = ["x1", "x2", "x3", "y1"].map((id) => router.call({ type: "a", id, subject: id.slice(0, 1) }));
    const free = router.call({ type: "a", id: "free" });
    await clock.advance(0);
    expect(begun).toEqual(["x1", "y1", "free"]);
    fail("x1");
    await expect(calls[0]).rejects.toThrow("x1");
    await clock.advance(0);
    expect(begun).toEqual(["x1", "y1", "free", "x2"]);
    open("x2");
    await clock.advance(0);
    open("x3");
    open("y1");
    open("free");
    expect(await Promise.all([...calls.slice(1), free])).toEqual(["x2", "x3", "y1", "free"]);
    expect(begun).toEqual(["x1", "y1", "free", "x2", "x3"]);
  });

  test("goes on with the next when one has run out of its time", async () => {
    const { router, clock } = createRouter();
    const { member, begun, open } = createGate();
    router.register({ type: "a", ordered: true, member });
    const first = router.call({ type: "a", id: "x1", subject: "x" }, { timeoutMs: 100 });
    const outcome = expect(first).rejects.toEqual(failing("call.deadline"));
    const second = router.call({ type: "a", id: "x2", subject: "x" });
    await clock.advance(110);
    await outcome;
    expect(begun).toEqual(["x1", "x2"]);
    open("x2");
    expect(await second).toBe("x2");
  });

  test("keeps the order of every subject, whatever the interleaving of beginnings and ends", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom("x", "y", "z"), fc.boolean()), { maxLength: 30 }), async (steps) => {
        const { router, clock } = createRouter();
        const { member, begun, open } = createGate();
        router.register({ type: "a", ordered: true, member });
        const sent: Record<string, string[]> = { x: [], y: [], z: [] };
        const ended = new Set<string>();
        const endOne = async (): Promise<void> => {
          const id = begun.find((one) => !ended.has(one));
          if (id === undefined) return;
          ended.add(id);
          open(id);
          await clock.advance(0);
        };
        const calls: Promise<unknown>[] = [];
        for (const [index, [subject, end]] of steps.entries()) {
          const id = `${subject}${index}`;
          sent[subject]?.push(id);
          calls.push(router.call({ type: "a", id, subject }));
          await clock.advance(0);
          if (end) await endOne();
        }
        while (ended.size < steps.length) await endOne();
        await Promise.all(calls);
        for (const [subject, ids] of Object.entries(sent)) expect(begun.filter((id) => id.startsWith(subject))).toEqual(ids);
      }),
      { numRuns: 30 },
    );
  });
});

describe("a type with a limit", () => {
  test("sheds what is over it with call.resource_exhausted and takes messages again as soon as one has ended", async () => {
    const { router, clock } = createRouter();
    const gates: PromiseWithResolvers<string>[] = [];
    const member = handlerMember("m", () => {
      const gate = Promise.withResolvers<string>();
      gates.push(gate);
      return gate.promise;
    });
    router.register({ type: "a", maxInFlight: 2, member });
    const calls = [router.call({ type: "a" }), router.call({ type: "a" })];
    await expect(router.call({ type: "a" })).rejects.toMatchObject({ code: "call.resource_exhausted", retryable: true });
    gates[0]?.resolve("one");
    expect(await calls[0]).toBe("one");
    const third = router.call({ type: "a" });
    await clock.advance(0);
    gates[1]?.resolve("two");
    gates[2]?.resolve("three");
    expect(await Promise.all([calls[1], third])).toEqual(["two", "three"]);
  });
});

describe("a cast", () => {
  test("returns before the message is handled, and its error goes to the node's log", async () => {
    const errors: unknown[] = [];
    const router = new Router({
      source: "/",
      onCastError: (message, error) => errors.push([message.type, (error as Error).message]),
    });
    router.register({ type: "a", member: handlerMember("m", () => Promise.reject(new Error("no"))) });
    router.cast({ type: "a" });
    expect(errors).toEqual([]);
    await expect.poll(() => errors).toEqual([["a", "no"]]);
  });
});
