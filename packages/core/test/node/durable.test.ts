import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { coreError } from "../../src/errors.ts";
import { createMemoryLog } from "../../src/log/memory.ts";
import { type Handler, handlerMember } from "../../src/member/handler.ts";
import type { Message } from "../../src/message/message.ts";
import { DurableDispatch, type DurableOptions } from "../../src/node/durable.ts";
import { type Route, Router } from "../../src/router/router.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

interface Bench {
  readonly clock: VirtualClock;
  readonly router: Router;
  readonly durable: DurableDispatch;
  readonly log: ReturnType<typeof createMemoryLog>;
  /** Ids, in the order in which the handler saw them. */
  readonly seen: string[];
  handle(type: string, handler: Handler, route?: Partial<Route>): void;
}

async function createBench(options: DurableOptions = {}): Promise<Bench> {
  const clock = new VirtualClock();
  const log = createMemoryLog({ clock });
  const seen: string[] = [];
  const router: Router = new Router({ source: "/nodes/test", clock, accept: (message) => durable.accept(message) });
  const durable = new DurableDispatch(log, router, clock, { backoffMs: [100], ...options });
  await durable.start();
  onTestFinished(() => log.close());
  return {
    clock,
    router,
    durable,
    log,
    seen,
    handle(type, handler, route = {}) {
      const member = handlerMember(`${type}-handler`, (message, context) => {
        seen.push(message.id);
        return handler(message, context);
      });
      router.register({ ...route, type, member });
    },
  };
}

describe("a durable send", () => {
  test("is handled once when all goes well, with the id that was accepted", async () => {
    const { router, clock, seen, handle, durable } = await createBench();
    handle("a", () => "done");
    expect(await router.send({ type: "a", id: "m1" })).toEqual({ id: "m1", sequence: 1, duplicate: false });
    await clock.advance(1_000);
    expect(seen).toEqual(["m1"]);
    expect(await durable.backlog()).toEqual({ a: 0 });
  });

  test("of a message that was accepted before changes nothing and says so", async () => {
    const { router, clock, seen, handle } = await createBench();
    handle("a", () => "done");
    await router.send({ type: "a", id: "m1", idempotencykey: "k" });
    expect(await router.send({ type: "a", id: "m2", idempotencykey: "k" })).toMatchObject({ sequence: 1, duplicate: true });
    await clock.advance(1_000);
    expect(seen).toEqual(["m1"]);
  });

  test("of an unknown type or a wrong payload is refused and nothing is stored", async () => {
    const { router, log, handle } = await createBench();
    handle("a", () => "done", { inputSchema: { type: "number" } });
    await expect(router.send({ type: "b" })).rejects.toMatchObject({ code: "message.unknown_type" });
    await expect(router.send({ type: "a", data: "x" })).rejects.toMatchObject({ code: "message.schema" });
    expect(await log.streams()).toEqual([]);
  });

  test("is tried again after its backoff when the handler fails, with the same id and the next attempt", async () => {
    const { router, clock, seen, handle } = await createBench();
    const attempts: (number | undefined)[] = [];
    handle("a", (_message, { attempt }) => {
      attempts.push(attempt);
      if (attempts.length < 3) throw new Error("not yet");
    });
    await router.send({ type: "a", id: "m1" });
    await clock.advance(50);
    expect(attempts).toEqual([1]);
    await clock.advance(1_000);
    expect(attempts).toEqual([1, 2, 3]);
    expect(seen).toEqual(["m1", "m1", "m1"]);
  });

  test("becomes a dead letter with the last reason after its attempts, and is handled when it is replayed", async () => {
    const { router, clock, log, handle } = await createBench({ maxAttempts: 3 });
    let isMended = false;
    const done: string[] = [];
    handle("a", (message) => {
      if (!isMended) throw new Error("broken");
      done.push(message.id);
    });
    await router.send({ type: "a", id: "m1", data: { n: 1 } });
    await clock.advance(5_000);
    const { items } = await log.deadLetters.list();
    expect(items).toMatchObject([{ attempts: 3, error: { message: "broken" }, message: { id: "m1", data: { n: 1 } } }]);
    isMended = true;
    await log.deadLetters.replay(items[0]?.id ?? "");
    await clock.advance(5_000);
    expect(done).toEqual(["m1"]);
    expect(await log.deadLetters.count()).toBe(0);
  });

  test("that no process can take now waits as long as it must, and no attempt is counted", async () => {
    const { router, clock, log, handle } = await createBench({ maxAttempts: 2 });
    const attempts: (number | undefined)[] = [];
    let isDown = true;
    handle("a", (_message, { attempt }) => {
      if (isDown) throw coreError("processor.down", "no process", { details: { dispatched: false } });
      attempts.push(attempt);
    });
    await router.send({ type: "a", id: "m1" });
    await clock.advance(60_000);
    expect(await log.deadLetters.count()).toBe(0);
    isDown = false;
    await clock.advance(1_000);
    expect(attempts).toEqual([1]);
  });

  test("whose payload is hopeless for the handler is a dead letter at once", async () => {
    const { router, clock, log, seen, handle } = await createBench();
    handle("a", () => {
      throw coreError("message.schema", "wrong");
    });
    await router.send({ type: "a", id: "m1" });
    await clock.advance(5_000);
    expect(seen).toEqual(["m1"]);
    expect(await log.deadLetters.count()).toBe(1);
  });

  test("survives the absence of its processor and is handled when that comes back", async () => {
    const { router, clock, seen, handle } = await createBench();
    const registration = router.register({ type: "a", member: handlerMember("gone", () => undefined) });
    const send = router.send({ type: "a", id: "m1" });
    registration.remove();
    await send;
    await clock.advance(60_000);
    handle("a", () => "done");
    await clock.advance(1_000);
    expect(seen).toEqual(["m1"]);
  });

  test("that is being handled when the node drains finishes; what waits is given back to the log", async () => {
    const { router, clock, seen, handle, durable } = await createBench({ maxInFlight: 1 });
    const gate = Promise.withResolvers<void>();
    handle("a", () => gate.promise);
    await router.send({ type: "a", id: "m1" });
    await router.send({ type: "a", id: "m2" });
    await clock.advance(10);
    const drained = durable.drain(5_000);
    gate.resolve();
    await clock.advance(5_000);
    await drained;
    expect(seen).toEqual(["m1"]);
    expect(await durable.backlog()).toEqual({ a: 1 });
  });
});

describe("durable sends of an ordered type", () => {
  test("wait for the earlier ones of their subject through retries and dead letters, and for no others", async () => {
    const { router, clock, seen, handle } = await createBench({ maxAttempts: 2 });
    handle(
      "a",
      (message: Message) => {
        if (message.id === "x1") throw new Error("always");
      },
      { ordered: true },
    );
    for (const id of ["x1", "x2", "y1", "x3"]) await router.send({ type: "a", id, subject: id.slice(0, 1) });
    await clock.advance(10_000);
    expect(seen.filter((id) => id.startsWith("x"))).toEqual(["x1", "x1", "x2", "x3"]);
    expect(seen.indexOf("y1")).toBeLessThan(seen.lastIndexOf("x1"));
  });

  test("do not wait for one that was purged", async () => {
    const { router, clock, seen, handle, log } = await createBench({ backoffMs: [3_600_000] });
    handle(
      "a",
      (message: Message) => {
        if (message.id === "x1") throw new Error("in an hour again");
      },
      { ordered: true },
    );
    await router.send({ type: "a", id: "x1", subject: "x" });
    await clock.advance(1_000);
    await (await log.stream("send.a")).purge();
    await router.send({ type: "a", id: "x2", subject: "x" });
    await clock.advance(60_000);
    expect(seen).toEqual(["x1", "x2"]);
  });

  test("are each handled in order of acceptance, whatever fails how often", async () => {
    const plan = fc.array(fc.record({ subject: fc.constantFrom("x", "y"), failures: fc.nat(2) }), {
      minLength: 1,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(plan, async (messages) => {
        const { router, clock, seen, handle, log } = await createBench({ maxAttempts: 5 });
        const left = new Map(messages.map(({ failures }, index) => [String(index), failures]));
        const done: string[] = [];
        handle(
          "a",
          (message: Message) => {
            const failures = left.get(message.id) ?? 0;
            left.set(message.id, failures - 1);
            if (failures > 0) throw new Error("again");
            done.push(message.id);
          },
          { ordered: true },
        );
        for (const [index, { subject }] of messages.entries()) await router.send({ type: "a", id: String(index), subject });
        await clock.advance(20_000);
        for (const subject of ["x", "y"]) {
          const expected = messages.flatMap((one, index) => (one.subject === subject ? [String(index)] : []));
          expect(done.filter((id) => expected.includes(id))).toEqual(expected);
        }
        expect(seen).toHaveLength(messages.reduce((sum, { failures }) => sum + failures + 1, 0));
        await log.close();
      }),
      { numRuns: 25 },
    );
  });
});
