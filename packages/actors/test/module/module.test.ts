import { createNode, type MetaNode } from "@metanode/core";
import { settle } from "@metanode/core/testing/clock";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { Actor, type PID, type Ref, Supervisor } from "../../src/index.ts";
import { type ActorsModule, actors, nodeRouter as door } from "../../src/module/index.ts";
import { lastTally, Tally } from "./actors.ts";
import { errorOf, ground } from "./ground.ts";

describe("the actors of a node", () => {
  test("live in a kernel that is named after node and host, under the names of the configuration", async () => {
    const { hosted } = await ground();
    expect(hosted.kernel.name).toBe("test@here");
    expect(hosted.roots()).toMatchObject([
      { name: "tally", restarts: 0, lastReason: undefined, pid: hosted.kernel.whereIs("tally") },
      { name: "asker" },
    ]);
    expect(hosted.kernel.whereIs("node")).toBeDefined();
    expect(hosted.health()).toEqual({ status: "ok", reasons: [] });
  });

  test("answer the messages of their types, and get the whole message with the deadline of the call", async () => {
    const { node, clock } = await ground();
    node.cast({ type: "tally.add", data: 40 });
    node.cast({ type: "tally.add", data: 2 });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    expect(await node.call({ type: "tally.get", traceparent }, { timeoutMs: 700 })).toBe(42);
    expect(lastTally().got.at(-1)).toMatchObject({
      type: "tally.get",
      source: "/nodes/test",
      traceparent,
      deadline: clock.now() + 700,
    });
  });

  test("get only the payload where that is wanted", async () => {
    class Plain extends Actor<string> {
      override handleCall(_from: PID, _ref: Ref, request: never): never {
        return request;
      }
    }
    const { node } = await ground({
      roots: { plain: { actor: Plain } },
      handles: { "plain.*": { actor: "plain", pass: "data" } },
    });
    expect(await node.call({ type: "plain.any", data: { n: 1 } })).toEqual({ n: 1 });
  });

  test("are members like any other: listed with schema and description, checked before they are asked", async () => {
    const inputSchema = { type: "number" };
    const { node } = await ground({
      roots: { tally: { actor: Tally } },
      handles: { "tally.add": { actor: "tally", inputSchema, description: "adds", version: "2", ordered: true } },
    });
    expect(node.router.routes().filter(({ type }) => type === "tally.add")).toMatchObject([
      { memberId: "actor:tally", description: "adds", version: "2", ordered: true, inputSchema },
    ]);
    expect(await errorOf(node.call({ type: "tally.add", data: "x" }))).toMatchObject({ code: "message.schema" });
    expect(lastTally().got).toEqual([]);
  });

  test("take durable messages: one in the mailbox is handled, one for nobody waits without costing an attempt", async () => {
    const { node, clock, hosted } = await ground({}, { durable: { maxAttempts: 1 } });
    await node.send({ type: "tally.add", data: 5 });
    await settle();
    expect(lastTally().total).toBe(5);
    await node.send({ type: "nobody.there", data: 1 });
    await clock.advance(5_000);
    expect(await node.deadLetters.count()).toBe(0);
    expect(await node.backlog()).toEqual({ "tally.add": 0, "nobody.there": 1 });
    hosted.kernel.spawn(Tally, { name: "nobody" });
    await clock.advance(1_000);
    expect(lastTally().got).toMatchObject([{ type: "nobody.there" }]);
    expect(await node.backlog()).toMatchObject({ "nobody.there": 0 });
  });
});

describe("a call to an actor", () => {
  test("rejects with the error that the actor answers, as it is", async () => {
    const { node } = await ground();
    expect(await errorOf(node.call({ type: "tally.refuse" }))).toMatchObject({
      code: "message.schema",
      message: "not this one",
      details: { path: "/data" },
    });
  });

  test("of a name that nobody bears is processor.down, can be tried again, and was never dispatched", async () => {
    const { node } = await ground();
    expect(await errorOf(node.call({ type: "nobody.there" }))).toMatchObject({
      code: "processor.down",
      retryable: true,
      retryAfterMs: 1_000,
      details: { actor: "nobody", dispatched: false },
    });
    expect(() => node.cast({ type: "nobody.there" })).toThrow(/no actor named nobody runs/);
  });

  test("ends at once when the actor ends before it has answered, and the next call meets its replacement", async () => {
    const { node, hosted } = await ground();
    const waiting = errorOf(node.call({ type: "tally.never" }));
    const error = await errorOf(node.call({ type: "tally.crash" }));
    expect(error).toMatchObject({ code: "processor.down", message: expect.stringContaining("it broke"), retryable: true });
    expect(error).toMatchObject({ details: { actor: "tally" }, cause: { code: "actor.panic" } });
    expect(error).not.toMatchObject({ details: { dispatched: false } });
    expect(await waiting).toMatchObject({ code: "processor.down" });
    expect(await node.call({ type: "tally.get" })).toBe(0);
    expect(hosted.roots()[0]).toMatchObject({ restarts: 1, lastReason: { code: "actor.panic" } });
  });

  test("gets the answer that an actor gives with its end", async () => {
    const { node } = await ground();
    expect(await node.call({ type: "tally.leave" })).toBe("goodbye");
  });

  test("ends at its deadline with call.deadline", async () => {
    const { node, clock } = await ground();
    const late = errorOf(node.call({ type: "tally.never" }, { timeoutMs: 300 }));
    await clock.advance(200);
    expect(node.stats().find(({ type }) => type === "tally.never")).toMatchObject({ inFlight: 1 });
    await clock.advance(200);
    expect(await late).toMatchObject({ code: "call.deadline", details: { member: "actor:tally" } });
    expect(await errorOf(node.call({ type: "tally.get", deadline: clock.now() - 1 }))).toMatchObject({ code: "call.deadline" });
  });

  test("is withdrawn by its caller, and the answer that comes later finds nobody", async () => {
    const { node, clock } = await ground();
    const abort = new AbortController();
    const withdrawn = errorOf(node.call({ type: "tally.wait" }, { signal: abort.signal }));
    await settle();
    abort.abort();
    expect(await withdrawn).toMatchObject({ code: "call.cancelled" });
    expect(await errorOf(node.call({ type: "tally.get" }, { signal: abort.signal }))).toMatchObject({ code: "call.cancelled" });
    lastTally().release?.();
    await clock.advance(60_000);
    expect(await node.call({ type: "tally.get" })).toBe(0);
  });

  test("that finds a full mailbox is actor.mailbox_full, and was never dispatched", async () => {
    const { node } = await ground({ roots: { tally: { actor: Tally, options: { mailboxLimit: 1 } } } });
    const first = node.call({ type: "tally.wait" });
    await settle();
    const second = node.call({ type: "tally.get" });
    const full = { code: "actor.mailbox_full", retryable: true, details: { actor: "tally", dispatched: false } };
    expect(await errorOf(node.call({ type: "tally.get" }))).toMatchObject(full);
    expect(() => node.cast({ type: "tally.add", data: 1 })).toThrow(expect.objectContaining(full));
    lastTally().release?.();
    expect([await first, await second]).toEqual(["late", 0]);
  });
});

describe("the actor named node", () => {
  test("gives an actor the answer of whoever handles a message, with trace, deadline and hops of the one it handles", async () => {
    const { node, echoed, clock } = await ground();
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    expect(await node.call({ type: "ask.echo", data: "hello", traceparent, hops: 3 }, { timeoutMs: 400 })).toBe("hello");
    expect(echoed).toMatchObject([{ data: "hello", hops: 4, traceparent, deadline: clock.now() + 400 }]);
  });

  test("never waits longer than the call of the actor itself", async () => {
    const { hosted, echoed, clock } = await ground();
    await hosted.kernel.call(door, { call: { type: "echo.message", data: 1 } }, { timeoutMs: 800 });
    await hosted.kernel.call(door, { call: { type: "echo.message", deadline: clock.now() + 100 } }, { timeoutMs: 800 });
    expect(echoed.map(({ deadline = 0 }) => deadline - clock.now())).toEqual([800, 100]);
  });

  test("gives errors back as they are", async () => {
    const { hosted } = await ground();
    expect(await errorOf(hosted.kernel.call(door, { call: { type: "nothing.known" } }))).toMatchObject({
      code: "message.unknown_type",
    });
    expect(await errorOf(hosted.kernel.call(door, { call: { type: "echo.message", data: "fail" } }))).toMatchObject({
      message: "no echo",
    });
    expect(await errorOf(hosted.kernel.call(door, {} as never))).toMatchObject({ code: "actor.incorrect" });
  });

  test("stores a message durably, and says so to whoever asks", async () => {
    const { hosted, echoed } = await ground();
    const accepted = await hosted.kernel.call(door, { send: { type: "echo.message", id: "one", data: 1 } });
    expect(accepted).toMatchObject({ id: "one", duplicate: false });
    hosted.kernel.send(door, { send: { type: "echo.message", data: 2 } });
    await settle();
    await settle();
    expect(echoed.map(({ data }) => data)).toEqual([1, 2]);
  });

  test("takes plain mail of meta-processes, too", async () => {
    const { node, echoed } = await ground();
    await node.call({ type: "ask.meta" });
    await settle();
    expect(echoed.map(({ data }) => data)).toEqual(["from a meta-process"]);
  });

  test("tells the node's log what came to nothing, and lives on", async () => {
    const { hosted, lines, echoed } = await ground();
    hosted.kernel.send(door, { cast: { type: "nothing.known" } });
    hosted.kernel.send(door, { send: { type: "nothing.known" } });
    hosted.kernel.send(door, { cats: {} } as never);
    hosted.kernel.send(door, { cast: { type: "echo.message", data: "after" } });
    await settle();
    const lost = lines.filter(({ msg }) => msg === "a message of an actor was not handled");
    expect(lost.map(({ err }) => (err as { code: string }).code).toSorted()).toEqual([
      "actor.incorrect",
      "message.unknown_type",
      "message.unknown_type",
    ]);
    expect(echoed).toHaveLength(1);
  });

  test("shows what it waits for", async () => {
    const { hosted, node } = await ground();
    const waiting = errorOf(node.call({ type: "tally.never" }));
    await settle();
    const pid = hosted.kernel.whereIs("node") as PID;
    expect(await hosted.kernel.inspect(pid)).toEqual({ "in flight": "1", watched: "1" });
    await node.close();
    expect(await waiting).toMatchObject({ code: "node.closed" });
  });
});

/** Starts only once in a while. */
let startsLeft = 0;
class Shaky extends Actor {
  override init(): void {
    if (startsLeft-- <= 0) throw new Error("the database is away");
  }
}

describe("a configured actor that is down", () => {
  test("makes the node degraded with the reason, takes nothing else down, and is tried again", async () => {
    startsLeft = 0;
    const { node, clock, lines } = await ground({
      roots: { shaky: { actor: Shaky, retryMs: 4_000 }, tally: { actor: Tally } },
      handles: { "tally.get": "tally" },
    });
    expect(node.health()).toMatchObject({
      status: "degraded",
      modules: { actors: { status: "degraded", reasons: ["actor shaky is down: the database is away"] } },
    });
    expect(lines).toContainEqual(expect.objectContaining({ level: 50, actor: "shaky", msg: "actor shaky did not start" }));
    expect(await node.call({ type: "tally.get" })).toBe(0);
    await clock.advance(4_000);
    expect(node.health().status).toBe("degraded");
    startsLeft = 1;
    await clock.advance(4_000);
    expect(node.health().status).toBe("ok");
  });

  test("was restarted more often than it may: the last failure is the reason, and it comes back later", async () => {
    const { node, hosted, clock } = await ground({
      roots: { tally: { actor: Tally, intensity: 1, periodMs: 1_000, retryMs: 500 } },
    });
    for (let i = 0; i < 2; i++) await errorOf(node.call({ type: "tally.crash" }));
    expect(hosted.health()).toEqual({ status: "degraded", reasons: ["actor tally is down: a callback threw: it broke"] });
    expect(await errorOf(node.call({ type: "tally.get" }))).toMatchObject({ code: "processor.down" });
    expect(node.router.find("tally.get")).toBeDefined();
    await clock.advance(500);
    expect(await node.call({ type: "tally.get" })).toBe(0);
    expect(hosted.roots()[0]?.restarts).toBe(2);
  });

  test("that ended as somebody wanted stays down and says so, unless it was to run only once", async () => {
    const { hosted, node, clock } = await ground({
      roots: { tally: { actor: Tally }, once: { actor: Tally, restart: "temporary" } },
    });
    for (const name of ["tally", "once"]) hosted.kernel.exit(hosted.kernel.whereIs(name) as PID, "shutdown");
    await clock.advance(60_000);
    expect(node.health().modules.actors?.reasons).toEqual(["actor tally is down: shutdown"]);
  });

  test("that is permanent runs again whatever it ended with", async () => {
    const { node, hosted } = await ground({ roots: { tally: { actor: Tally, restart: "permanent", args: [7] } } });
    await node.call({ type: "tally.leave" });
    await settle();
    expect(await node.call({ type: "tally.get" })).toBe(7);
    expect(hosted.health().status).toBe("ok");
  });
});

describe("what the module measures and tells", () => {
  test("are metrics of the node", async () => {
    const { node, hosted } = await ground();
    await errorOf(node.call({ type: "tally.crash" }));
    const text = await node.metrics.metrics();
    expect(text).toContain('metanode_actor_up{actor="tally"} 1');
    expect(text).toContain('metanode_actor_restarts_total{actor="tally"} 1');
    expect(text).toContain('metanode_actor_mailbox_messages{actor="asker"} 0');
    expect(text).toContain(`metanode_actor_processes ${hosted.kernel.info().processes}`);
    expect(text).toContain('metanode_actor_reports_total{kind="ended"} 1');
    expect(text).toMatch(/^metanode_actor_requests_in_flight 0$/m);
    expect(text).toMatch(/^metanode_actor_metas 0$/m);
    expect(text).toMatch(/^metanode_actor_events \d+$/m);
  });

  test("are lines of the node's log, loud as they deserve", async () => {
    const { node, hosted, lines } = await ground();
    const pid = hosted.kernel.whereIs("tally");
    await errorOf(node.call({ type: "tally.crash" }));
    expect(lines.filter(({ kind }) => kind === "ended")).toMatchObject([
      { level: 50, module: "actors", process: String(pid), err: { message: expect.stringContaining("it broke") } },
    ]);
  });
});

describe("the stop of a node", () => {
  test("answers what was taken, takes nothing new, ends every actor and lets go of its routes", async () => {
    const { node, hosted } = await ground();
    const { kernel } = hosted;
    const taken = node.router.call({ type: "tally.wait" });
    await settle();
    const drained = node.drain();
    await settle();
    expect(await errorOf(node.router.call({ type: "tally.get" }))).toMatchObject({
      code: "node.closed",
      details: { dispatched: false },
    });
    lastTally().release?.();
    expect(await taken).toBe("late");
    await drained;
    expect(kernel.info().processes).toBe(0);
    expect(node.router.find("tally.get")).toBeUndefined();
    expect(() => hosted.kernel).toThrow(/not running/);
    expect(await node.closed).toBeUndefined();
  });

  test("waits no longer than its grace", async () => {
    const { node, clock } = await ground();
    const taken = errorOf(node.router.call({ type: "tally.never" }));
    await settle();
    const drained = node.drain({ graceMs: 2_000 });
    await clock.advance(2_000);
    await drained;
    expect(await taken).toMatchObject({ code: "node.closed" });
    await clock.advance(30_000); // the deadline of what was taken
    expect(clock.pendingTimers).toBe(0);
  });

  test("without a grace drops what is left, and starts nothing again", async () => {
    startsLeft = 0;
    const { node, clock } = await ground({ roots: { shaky: { actor: Shaky } }, handles: {} });
    await node.close();
    await clock.advance(60_000);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a start that cannot be", () => {
  test("because two handle one type leaves nothing running", async () => {
    const first = actors({ handles: { "a.b": "x" } });
    const second = actors({ roots: { tally: { actor: Tally } }, handles: { "a.b": "tally" } });
    const modules = [first, { ...asModule(second), name: "more" }];
    const error = await errorOf(createNode({ modules, logger: pino({ level: "silent" }) }));
    expect(error).toMatchObject({ code: "state.conflict" });
    expect(() => second.kernel).toThrow(/not running/);
    expect(() => first.kernel).toThrow(/not running/);
  });

  test.each([
    [{ root: {} }, "actors.root", "did you mean roots?"],
    [{ host: "a@b" }, "actors.host", "without @"],
    [{ roots: { node: { actor: Tally } } }, "actors.roots.node", "a name of its own"],
    [{ roots: { "": { actor: Tally } } }, "actors.roots.", "a name of its own"],
    [{ roots: { a: undefined } }, "actors.roots.a", "an object with an actor"],
    [{ roots: { a: { actor: "Tally" } } }, "actors.roots.a.actor", "extends Actor"],
    [{ roots: { a: { actor: Tally, args: 1 } } }, "actors.roots.a.args", "a list"],
    [{ roots: { a: { actor: Tally, restart: "always" } } }, "actors.roots.a.restart", "transient, permanent, temporary"],
    [{ roots: { a: { actor: Tally, intensity: -1 } } }, "actors.roots.a.intensity", "0 or more"],
    [{ roots: { a: { actor: Tally, retryMs: 1.5 } } }, "actors.roots.a.retryMs", "a whole number"],
    [{ roots: { a: { actor: Tally, options: { name: "b" } } } }, "actors.roots.a.options.name", "not a known setting"],
    [{ handles: { "a.b": 1 } }, "actors.handles.a.b", "the name of an actor"],
    [{ handles: { "a.b": { actor: "" } } }, "actors.handles.a.b.actor", "a non-empty string"],
    [{ handles: { "a.b": { actor: "x", mode: "ask" } } }, "actors.handles.a.b.mode", "call, send"],
    [{ handles: { "a.b": { actor: "x", pass: "all" } } }, "actors.handles.a.b.pass", "message, data"],
    [{ handles: { "a.b": { actor: "x", maxInFlight: 0 } } }, "actors.handles.a.b.maxInFlight", "1 or more"],
    [{ handles: { "a.b": { actor: "x", mod: "call" } } }, "actors.handles.a.b.mod", "did you mean mode?"],
  ])("because of %j says where and what is expected", (options, path, text) => {
    const refused = expect.objectContaining({
      code: "config.invalid",
      message: expect.stringContaining(text),
      details: expect.objectContaining({ path }),
    });
    expect(() => actors(options as never)).toThrow(refused);
  });
});

/** The methods of a module by themselves. */
function asModule(module: ActorsModule) {
  return {
    start: module.start.bind(module),
    health: module.health.bind(module),
    drain: module.drain.bind(module),
    stop: module.stop.bind(module),
  };
}

describe("the types of the module", () => {
  class Top extends Supervisor {
    override init(count: number) {
      return { children: [{ name: `tally-${count}`, actor: Tally }] };
    }
  }

  test("want the arguments that the actor wants, and mail that the node knows", async () => {
    const hosted = actors({
      roots: { top: { actor: Top, args: [1] }, tally: { actor: Tally }, other: { actor: Tally, args: [1] } },
    });
    // @ts-expect-error: no argument is missing
    expect(hosted.name).toBe(actors({ roots: { top: { actor: Top } } }).name);
    // @ts-expect-error: an argument of the wrong type
    expect(hosted.name).toBe(actors({ roots: { tally: { actor: Tally, args: ["1"] } } }).name);
    const refused = (kernel: ActorsModule["kernel"]): void => {
      // @ts-expect-error: no such mail
      kernel.send(door, { cast: { data: 1 } });
    };
    expect(refused).toBeTypeOf("function");
    await using node = await createNode({ modules: [hosted], logger: pino({ level: "silent" }) });
    expect(node.health().status).toBe("ok");
    expect(hosted.kernel.whereIs("tally-1")).toBeDefined();
  });
});

describe("the journal of a node", () => {
  const stepsOf = ({ journal }: MetaNode): unknown[] =>
    journal
      .since(0, 100, ({ kind }) => kind === "actor")
      .map(({ what, type, code }) => [what, type, ...(code === undefined ? [] : [code])]);

  test("tells of roots that start, fail, are killed and end, each time once", async () => {
    const { node, hosted, clock } = await ground({
      roots: { tally: { actor: Tally, intensity: 1, periodMs: 1_000, retryMs: 500 } },
    });
    for (let i = 0; i < 2; i++) await errorOf(node.call({ type: "tally.crash" }));
    await clock.advance(500);
    hosted.kernel.exit(hosted.kernel.whereIs("tally") as PID, "kill");
    await settle();
    await node.drain();
    expect(stepsOf(node)).toEqual([
      ["tally", "started"],
      ["tally", "failed", "actor.panic"],
      ["tally", "started"],
      ["tally", "failed", "actor.panic"],
      ["tally", "started"],
      ["tally", "killed"],
      ["tally", "started"],
      ["tally", "ended"],
    ]);
  });

  test("tells of a root that does not come up", async () => {
    class Broken extends Actor {
      override init(): void {
        throw new Error("no disk");
      }
    }
    const { node, clock } = await ground({ roots: { broken: { actor: Broken, retryMs: 500 } }, handles: {} });
    await clock.advance(500);
    expect(stepsOf(node)).toEqual(Array(2).fill(["broken", "failed", "actor.panic"]));
  });

  test("tells of applications", async () => {
    const applications = ["fine", "broken"].map((name) => ({ name, mode: "permanent", group: [{ actor: Tally, name }] }));
    const { node, hosted } = await ground({ applications, roots: {}, handles: { "tally.crash": "broken" } });
    await errorOf(node.call({ type: "tally.crash" }));
    await hosted.kernel.stopApplication("fine");
    await settle();
    expect(stepsOf(node)).toEqual([
      ["application:fine", "started"],
      ["application:broken", "started"],
      ["application:broken", "failed", "actor.panic"],
      ["application:fine", "ended"],
    ]);
  });
});
