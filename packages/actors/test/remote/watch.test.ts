import { describe, expect, test } from "vitest";
import {
  Alias,
  createMemoryLinks,
  EventName,
  MessageDown,
  MessageEventStart,
  MessageEventStop,
  MessageExit,
  PID,
  ProcessName,
  type Reason,
} from "../../src/index.ts";
import { FRAME } from "../../src/remote/frames.ts";
import { inside, Probe } from "../probe.ts";
import { greetOnly, join, type Node, node, pair, quiet } from "./cluster.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const boom = Object.assign(new Error("boom"), { code: "shop.sold_out" });

/** A named target with an alias and an event on the second node; someone who watches on the first. */
async function two() {
  const [a, b] = await pair();
  const target = b.kernel.spawn(Probe, { name: "t" });
  const alias = inside(target).createAlias();
  const token = inside(target).registerEvent("e", { notify: true, bufferLimit: 2 });
  const watcher = a.kernel.spawn(Probe);
  inside(watcher).setTrapExit(true);
  const targets = { pid: target, name: new ProcessName("t", "b@here"), alias, event: new EventName("e", "b@here") };
  return { a, b, target, alias, token, watcher, near: inside(watcher), far: inside(target), targets };
}
type Two = Awaited<ReturnType<typeof two>>;

/** Links to and monitors everything. */
async function watchAll({ near, targets }: Two): Promise<void> {
  for (const target of [targets.pid, targets.name, targets.alias]) {
    await near.link(target);
    await near.monitor(target);
  }
  await near.linkEvent(targets.event);
  await near.monitorEvent(targets.event);
}

/** Everything that is told when all targets end by `reason`, each by a link and a monitor. */
function allEnds({ targets }: Two, reason: unknown) {
  return Object.entries(targets).flatMap(([kind, target]) =>
    [MessageExit, MessageDown].map((Kind) => Object.assign(new Kind(kind as "pid", target, "normal"), { reason })),
  );
}

/** No relation is left on either side. */
function expectNone(...nodes: Node[]): void {
  for (const { kernel } of nodes) {
    for (const { watches, watched } of kernel.nodes()) expect({ watches, watched }).toEqual({ watches: 0, watched: 0 });
    for (const pid of kernel.processes()) expect(kernel.processInfo(pid)).toMatchObject({ links: [], monitors: [] });
    for (const event of kernel.info().events) expect(event.subscribers).toBe(0);
  }
}

const ends: [string, (on: Two) => void, unknown][] = [
  ["kill", ({ b, target }) => b.kernel.kill(target), "kill"],
  ["an error with a code", ({ b, target }) => b.kernel.exit(target, boom), code("shop.sold_out")],
  ["shutdown", ({ b, target }) => b.kernel.exit(target, "shutdown"), "shutdown"],
  ["normal", ({ b, target }) => b.kernel.exit(target, "normal"), "normal"],
  [
    "a panic",
    ({ b, target }) =>
      b.kernel.send(target, () => {
        throw boom;
      }),
    expect.objectContaining({ code: "actor.panic", cause: code("shop.sold_out") }),
  ],
];

describe("links and monitors of a process, name, alias and event on another node", () => {
  test.each(ends)("are told once, each with the reason, when the target ends by %s (57, 58, 63)", async (_name, end, reason) => {
    const on = await two();
    await watchAll(on);
    end(on);
    await quiet();
    expect(on.near.got).toHaveLength(8);
    for (const message of allEnds(on, reason)) expect(on.near.got).toContainEqual(message);
    expectNone(on.a, on.b);
  });

  test("are told actor.unregistered when name, alias and event are withdrawn (58)", async () => {
    const on = await two();
    await watchAll(on);
    on.b.kernel.unregisterName("t");
    on.far.deleteAlias(on.alias);
    on.far.unregisterEvent("e");
    await quiet();
    expect(on.near.got).toHaveLength(6);
    for (const message of on.near.got) expect((message as MessageDown).reason).toEqual(code("actor.unregistered"));
    expect(on.a.kernel.processInfo(on.watcher)).toMatchObject({ links: [String(on.target)], monitors: [String(on.target)] });
  });

  test("end a linker that does not trap exits", async () => {
    const { a, b, target } = await two();
    const linker = a.kernel.spawn(Probe);
    await inside(linker).link(target);
    b.kernel.exit(target, boom);
    await quiet();
    expect(inside(linker).ended).toEqual([code("shop.sold_out")]);
  });

  test("leave the target alone when the one who watches ends (61), and leave nothing behind (71)", async () => {
    const on = await two();
    await watchAll(on);
    expect(on.b.kernel.nodes()[0]?.watched).toBe(4);
    on.a.kernel.kill(on.watcher);
    await quiet();
    expect(on.b.kernel.isAlive(on.target)).toBe(true);
    expect(on.far.got).toEqual([new MessageEventStart("e"), new MessageEventStop("e")]);
    expectNone(on.a, on.b);
  });

  test("cannot be made to nobody, or to an address of an earlier life (59)", async () => {
    const { near, b } = await two();
    const { creation } = b.kernel.info();
    await expect(near.monitor(new PID("b@here", 7, creation))).rejects.toEqual(code("actor.process_unknown"));
    await expect(near.link(new ProcessName("nobody", "b@here"))).rejects.toEqual(code("actor.process_unknown"));
    await expect(near.monitor(new Alias("b@here", 7, creation))).rejects.toEqual(code("actor.alias_unknown"));
    await expect(near.monitorEvent(new EventName("none", "b@here"))).rejects.toEqual(code("actor.event_unknown"));
    await expect(near.link(new PID("b@here", 1_001, creation - 1))).rejects.toEqual(code("actor.incarnation"));
    await expect(near.monitor(new PID("z@here", 1_001, 1))).rejects.toEqual(code("actor.no_route"));
  });

  test("exist once per kind, and only what exists can be removed (62)", async () => {
    const on = await two();
    const { near, target, targets } = on;
    expect(() => near.unlink(target)).toThrow(code("actor.target_unknown"));
    await near.link(target);
    await expect(near.link(target)).rejects.toEqual(code("actor.target_exists"));
    expect(() => near.demonitor(target)).toThrow(code("actor.target_unknown"));
    near.unlink(target);
    expect(() => near.unlink(target)).toThrow(code("actor.target_unknown"));
    await near.monitorEvent(targets.event);
    await expect(near.monitorEvent(targets.event)).rejects.toEqual(code("actor.target_exists"));
    expect(() => near.unlinkEvent(targets.event)).toThrow(code("actor.target_unknown"));
    near.demonitorEvent(targets.event);
    await quiet();
    expectNone(on.a, on.b);
    on.b.kernel.kill(target);
    await quiet();
    expect(near.got).toEqual([]);
  });

  test("may be begun twice at a time and taken back before the answer has come", async () => {
    const on = await two();
    const { near, target } = on;
    const first = near.monitor(target);
    const second = near.monitor(target);
    const third = near.link(target);
    await expect(second).rejects.toEqual(code("actor.target_exists"));
    near.demonitor(target);
    near.unlink(target);
    await expect(first).rejects.toEqual(code("actor.canceled"));
    await expect(third).rejects.toEqual(code("actor.canceled"));
    const again = near.monitor(target);
    on.b.kernel.kill(target);
    await expect(again).rejects.toEqual(code("actor.process_unknown"));
    await quiet();
    expect(near.got).toEqual([]);
    expectNone(on.a, on.b);
  });

  test("are told of an end that crosses the confirmation, once", async () => {
    const on = await two();
    const made = on.near.monitor(on.target);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    on.b.kernel.kill(on.target);
    await made;
    await quiet();
    expect(on.near.got).toEqual([new MessageDown("pid", on.target, "kill")]);
  });

  test("that the other node does not confirm in 5 seconds are not made, and it is told to forget them", async () => {
    const a = node("a");
    const [left, right] = createMemoryLinks();
    const [, heard] = await Promise.all([a.kernel.connect(left), greetOnly(right, "mute@here")]);
    const watcher = a.kernel.spawn(Probe);
    const made = [
      inside(watcher).monitor(new ProcessName("x", "mute@here")),
      inside(watcher).link(new PID("mute@here", 1_001, 5)),
    ];
    const outcomes = made.map((each) => (each as Promise<void>).catch((error) => error));
    await quiet();
    expect(heard).toHaveLength(1);
    await a.clock.advance(5_008);
    await quiet();
    expect(await Promise.all(outcomes)).toEqual([code("actor.timeout"), code("actor.timeout")]);
    expect(heard).toHaveLength(2);
    expect([...(heard[1] as Uint8Array)]).toEqual([FRAME.unwatch, 1, FRAME.unwatch, 2]);
    expectNone(a);
  });

  test("can be made to a meta-process or any alias by whoever got it in a message", async () => {
    const on = await two();
    on.far.send(on.watcher, on.alias);
    await quiet();
    const got = on.near.got[0] as Alias;
    expect(got).toBeInstanceOf(Alias);
    await on.near.monitor(got);
    on.far.deleteAlias(on.alias);
    await quiet();
    expect(on.near.got[1]).toMatchObject({ kind: "alias", target: on.alias, reason: { code: "actor.unregistered" } });
  });
});

describe("many on one node that watch one target on another", () => {
  test("share one round trip, and one message of its end (72)", async () => {
    const on = await two();
    const watchers = Array.from({ length: 50 }, () => inside(on.a.kernel.spawn(Probe)));
    const before = on.a.kernel.nodes()[0]?.messagesOut ?? 0;
    await Promise.all(watchers.map((watcher) => watcher.monitor(on.target)));
    await Promise.all(watchers.map((watcher) => watcher.monitorEvent(on.targets.event)));
    expect((on.a.kernel.nodes()[0]?.messagesOut ?? 0) - before).toBe(2);
    expect(on.b.kernel.nodes()[0]).toMatchObject({ watched: 2 });
    for (const watcher of watchers.slice(1)) watcher.demonitor(on.target);
    await quiet();
    expect((on.a.kernel.nodes()[0]?.messagesOut ?? 0) - before).toBe(2);
    watchers[0]?.demonitor(on.target);
    await quiet();
    expect((on.a.kernel.nodes()[0]?.messagesOut ?? 0) - before).toBe(3);
    const sent = on.b.kernel.nodes()[0]?.messagesOut ?? 0;
    on.b.kernel.kill(on.target);
    await quiet();
    expect((on.b.kernel.nodes()[0]?.messagesOut ?? 0) - sent).toBe(1);
    for (const watcher of watchers) expect(watcher.got).toMatchObject([{ kind: "event", reason: "kill" }]);
    expectNone(on.a, on.b);
  });
});

describe("an event on another node", () => {
  test("reaches its subscribers, after the last ones that it has kept, oldest first (73, 74)", async () => {
    const on = await two();
    for (const n of [1, 2, 3]) on.far.sendEvent("e", on.token, n);
    expect(await on.near.monitorEvent(on.targets.event)).toMatchObject([{ message: 2 }, { message: 3 }]);
    on.far.sendEvent("e", on.token, { n: 4 });
    await quiet();
    expect(on.near.got).toMatchObject([{ event: on.targets.event, message: { n: 4 }, timeMs: on.b.clock.now() }]);
    const later = inside(on.a.kernel.spawn(Probe));
    expect(await later.linkEvent(on.targets.event)).toMatchObject([{ message: 3 }, { message: { n: 4 } }]);
    on.near.demonitorEvent(on.targets.event);
    later.unlinkEvent(on.targets.event);
    await quiet();
    expect(on.far.got).toEqual([new MessageEventStart("e"), new MessageEventStop("e")]);
    expectNone(on.a, on.b);
  });

  test("is published as one message per node, whoever many subscribe there (72)", async () => {
    const [a, b, c] = [node("a"), node("b"), node("c")];
    await Promise.all([join(a, b), join(a, c)]);
    const token = a.kernel.registerEvent("news");
    const subscribers = [b, c].flatMap(({ kernel }) => Array.from({ length: 100 }, () => inside(kernel.spawn(Probe))));
    await Promise.all(subscribers.map((each) => each.monitorEvent(new EventName("news", "a@here"))));
    const out = (): number => a.kernel.nodes().reduce((sum, { messagesOut }) => sum + messagesOut, 0);
    const before = out();
    for (let n = 0; n < 10; n++) a.kernel.sendEvent("news", token, n);
    await quiet();
    expect(out() - before).toBe(20);
    for (const each of subscribers) expect(each.got).toHaveLength(10);
    expect(a.kernel.info().events).toContainEqual(
      expect.objectContaining({ name: "news", subscribers: 2, published: 10, delivered: 20 }),
    );
  });

  test("gives each of two subscriptions of one process its own copy of the notice, and one object to all", async () => {
    const on = await two();
    await on.near.linkEvent(on.targets.event);
    await on.near.monitorEvent(on.targets.event);
    on.far.sendEvent("e", on.token, 1);
    await quiet();
    expect(on.near.got).toHaveLength(2);
    expect(on.near.got[0]).toBe(on.near.got[1]);
  });

  test("comes in the queue of its publisher's priority", async () => {
    const on = await two();
    await on.near.monitorEvent(on.targets.event);
    on.far.setSendPriority("max");
    on.far.send(on.watcher, "normal", "normal");
    on.far.sendEvent("e", on.token, "urgent");
    await quiet();
    expect(on.near.got).toMatchObject([{ message: "urgent" }, "normal"]);
  });

  test("with a payload that cannot be sent is lost there, and told to people", async () => {
    const on = await two();
    await on.near.monitorEvent(on.targets.event);
    on.far.sendEvent("e", on.token, () => 1);
    on.far.sendEvent("e", on.token, "next");
    await quiet();
    expect(on.near.got).toMatchObject([{ message: "next" }]);
    expect(on.b.reports).toContainEqual(expect.objectContaining({ kind: "undelivered", error: code("actor.not_sendable") }));
  });

  test("needs a token of its own node to be published (75)", async () => {
    const on = await two();
    on.far.send(on.watcher, on.token);
    await quiet();
    const token = on.near.got[0] as typeof on.token;
    expect(token).toEqual(on.token);
    const own = on.near.registerEvent("e");
    expect(own.id).not.toBe(token.id);
    expect(() => on.near.sendEvent("e", token, 1)).toThrow(code("actor.event_owner"));
    on.near.send(on.target, token);
    await quiet();
    on.far.sendEvent("e", on.far.got.at(-1) as typeof on.token, 1);
  });
});

describe("the loss of a node", () => {
  const losses: [string, (on: Two) => void][] = [
    ["a broken connection, seen from the one side", ({ a }) => a.kernel.disconnect("b@here")],
    ["a broken connection, seen from the other side", ({ b }) => b.kernel.disconnect("a@here")],
  ];

  test.each(losses)("by %s tells everything that watched there actor.no_connection, once (70)", async (_name, lose) => {
    const on = await two();
    await watchAll(on);
    await on.near.linkNode("b@here");
    await on.near.monitorNode("b@here");
    lose(on);
    await quiet();
    expect(on.near.got).toHaveLength(10);
    for (const message of allEnds(on, code("actor.no_connection"))) expect(on.near.got).toContainEqual(message);
    for (const Kind of [MessageExit, MessageDown]) {
      const noticed = Object.assign(new Kind("node", "b@here", "normal"), { reason: code("actor.no_connection") });
      expect(on.near.got).toContainEqual(noticed);
    }
    expect(on.b.kernel.isAlive(on.target)).toBe(true);
    expect(on.far.got).toEqual([new MessageEventStart("e"), new MessageEventStop("e")]);
    expectNone(on.a, on.b);
    expect([on.a.kernel.nodes(), on.b.kernel.nodes()]).toEqual([[], []]);
  });

  test("by its stop tells shutdown of its processes first, and what is left that the connection is gone", async () => {
    const on = await two();
    await watchAll(on);
    await on.near.monitorNode("b@here");
    await on.b.kernel.stop();
    await quiet();
    expect(on.near.got).toHaveLength(9);
    for (const message of allEnds(on, "shutdown")) expect(on.near.got).toContainEqual(message);
    expect(on.near.got).toContainEqual(expect.objectContaining({ kind: "node", target: "b@here" }));
    expectNone(on.a);
  });

  test("ends a linker of the node that does not trap exits, and what is asked of it fails at once", async () => {
    const { a, near, target, far } = await two();
    const linker = a.kernel.spawn(Probe);
    await inside(linker).linkNode("b@here");
    far.answer = () => new Promise(() => undefined);
    const asked = [near.call(target, 1), a.kernel.call(target, 1)].map((call) => call.catch((error) => error));
    near.sendRequest(target, 1, { label: "l" });
    await quiet();
    a.kernel.disconnect("b@here");
    await quiet();
    expect(inside(linker).ended).toEqual([code("actor.no_connection")]);
    expect(await Promise.all(asked)).toEqual([code("actor.no_connection"), code("actor.no_connection")]);
    expect(near.got).toMatchObject([{ label: "l", error: { code: "actor.no_connection" } }]);
  });

  test("leaves relations with a third node as they are", async () => {
    const [a, b, c] = [node("a"), node("b"), node("c")];
    await Promise.all([join(a, b), join(a, c)]);
    const [onB, onC] = [b.kernel.spawn(Probe), c.kernel.spawn(Probe)];
    const near = inside(a.kernel.spawn(Probe));
    await near.monitor(onB);
    await near.monitor(onC);
    a.kernel.disconnect("b@here");
    await quiet();
    expect(near.got).toMatchObject([{ target: onB }]);
    c.kernel.kill(onC);
    await quiet();
    expect(near.got).toMatchObject([{ target: onB }, { target: onC, reason: "kill" }]);
  });
});

describe("a watch on the connection to a node", () => {
  test("needs a connection, is made once per kind and can be taken back (62, 70)", async () => {
    const { a, near } = await two();
    await expect(near.monitorNode("z@nowhere")).rejects.toEqual(code("actor.no_route"));
    await expect(near.linkNode("a@here")).rejects.toEqual(code("actor.not_allowed"));
    expect(() => near.demonitorNode("b@here")).toThrow(code("actor.target_unknown"));
    await near.monitorNode("b@here");
    await expect(near.monitorNode("b@here")).rejects.toEqual(code("actor.target_exists"));
    await near.linkNode("b@here");
    near.demonitorNode("b@here");
    near.unlinkNode("b@here");
    a.kernel.disconnect("b@here");
    await quiet();
    expect(near.got).toEqual([]);
    expect(() => near.unlinkNode("b@here")).toThrow(code("actor.target_unknown"));
  });
});

describe("a reason", () => {
  test("of any kind arrives as what it was, even with parts that cannot be sent", async () => {
    const reasons: Reason[] = ["normal", "kill", new RangeError("far"), Object.assign(new Error("x"), { extra: () => 1 })];
    for (const reason of reasons) {
      const on = await two();
      await on.near.monitor(on.target);
      on.b.kernel.exit(on.target, reason);
      await quiet();
      const got = (on.near.got[0] as MessageDown).reason;
      if (typeof reason === "string") expect(got).toBe(reason);
      else expect(got).toMatchObject({ name: reason.name, message: reason.message });
    }
  });
});
