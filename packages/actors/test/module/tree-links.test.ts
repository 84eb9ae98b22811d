import { createNode, type MetaNode } from "@metanode/core";
import { type TreeModule, treeModule } from "@metanode/core/tree";
import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { Actor, type Call, type Link, MessageDown, type PID, ProcessName, type Ref } from "../../src/index.ts";
import { type ActorsModule, type ActorsOptions, actors } from "../../src/module/index.ts";
import { TreeLinks } from "../../src/module/tree-links.ts";
import { linkConformance } from "../../src/testing/link-conformance.ts";
import { until } from "../fixtures/until.ts";

const open: MetaNode[] = [];
const logger = pino({ level: "silent" });

afterEach(async () => {
  for (const node of open.splice(0).toReversed()) await node.close();
});

interface Member {
  readonly node: MetaNode;
  readonly tree: TreeModule["tree"];
  readonly actors: ActorsModule;
}

async function member(name: string, options: Partial<ActorsOptions> = {}): Promise<Member> {
  const tree = treeModule({ listen: "127.0.0.1:0", heartbeatMs: 200 });
  const hosted = actors({ host: "here", acceptNodes: true, ...options } as ActorsOptions);
  const node = await createNode({ name, modules: [hosted, tree], logger });
  open.push(node);
  return { node, tree: tree.tree, actors: hosted };
}

async function adopt(manager: Member, child: Member): Promise<void> {
  child.tree.join((await manager.tree.token({ purpose: "join" })).text);
  await until("the node is managed", () => child.tree.upward.state === "owned");
}

/** A root with two nodes below it, which have no link to each other. */
async function siblings(options: Partial<ActorsOptions> = {}): Promise<{ root: Member; eu: Member; us: Member }> {
  const root = await member("root");
  const eu = await member("eu", { roots: { counter: { actor: Counter } } });
  const us = await member("us", options);
  await adopt(root, eu);
  await adopt(root, us);
  return { root, eu, us };
}

/** Gives back what it got, and how many came before. */
class Counter extends Actor<number, Call<unknown, unknown>> {
  readonly got: number[] = [];
  override handleMessage(_from: PID, n: number): void {
    this.got.push(n);
  }
  override handleCall(_from: PID, _ref: Ref, request: unknown): unknown {
    return request === "got" ? this.got : request;
  }
}

/** Keeps what it is told, and does what it is given. */
class Watcher extends Actor<unknown, Call<(self: Watcher) => unknown, unknown>> {
  readonly told: unknown[] = [];
  override handleMessage(_from: PID, message: unknown): void {
    this.told.push(message);
  }
  override handleCall(_from: PID, _ref: Ref, work: (self: Watcher) => unknown): unknown {
    return work(this);
  }
}

linkConformance({
  name: "the ways of a tree",
  async open() {
    const { eu, us } = await siblings();
    const arrived = Promise.withResolvers<Link>();
    // In place of those of the modules, which would connect their kernels.
    for (const { actors } of [eu, us]) await actors.drain(0);
    const parts = { maxMessageBytes: 1024 * 1024, onRefused: () => undefined };
    const there = new TreeLinks({ ...parts, router: eu.node.router, accept: async (link) => arrived.resolve(link) });
    const here = new TreeLinks({ ...parts, router: us.node.router, accept: async () => undefined });
    const dialled = await here.dial("/root/eu");
    return {
      ends: [dialled, await arrived.promise],
      async dispose() {
        await Promise.all([here.close(), there.close()]);
        for (const node of open.splice(0).toReversed()) await node.close();
      },
    };
  },
});

test("actors of two nodes that meet only in their manager send, ask and get answers in order", async () => {
  const { us } = await siblings({ nodes: { "eu@here": "/root/eu" } });
  const counter = new ProcessName<number, Call<unknown, unknown>>("counter", "eu@here");
  const { kernel } = us.actors;
  for (let n = 0; n < 1_000; n++) kernel.send(counter, n);
  expect(await kernel.call(counter, "got")).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
});

test("a connection is made by path or by id, and names the kernel", async () => {
  const { root, eu, us } = await siblings();
  expect(await us.actors.connect(eu.tree.id)).toBe("eu@here");
  expect(await us.actors.connect("/root")).toBe("root@here");
  expect(root.actors.kernel.nodes().map(({ node }) => node)).toEqual(["us@here"]);
});

test("mail goes on while a node moves: the connection does not go by its place", async () => {
  const { root, eu, us } = await siblings();
  await us.actors.connect(eu.tree.id);
  const counter = new ProcessName<number, Call<unknown, unknown>>("counter", "eu@here");
  expect(await us.actors.kernel.call(counter, "before")).toBe("before");
  await root.node.call({ type: "metanode.tree.move", data: { node: "/root/eu", to: "/root/us" } });
  expect(await us.actors.kernel.call(counter, "after")).toBe("after");
  expect(us.actors.kernel.nodes()).toHaveLength(1);
});

test("whoever watches an actor on a node that drains is told at once", async () => {
  const { eu, us } = await siblings({ nodes: { "eu@here": "/root/eu" } });
  const { kernel } = us.actors;
  const watcher = kernel.spawn(Watcher);
  const target = new ProcessName("counter", "eu@here");
  await kernel.call(watcher, (self: Watcher) => self.monitor(target));
  open.splice(open.indexOf(eu.node), 1);
  await eu.node.drain();
  const told = await until("the watcher is told", async () => {
    const got = (await kernel.call(watcher, (self: Watcher) => self.told)) as unknown[];
    return got.length > 0 ? got : undefined;
  });
  expect(told[0]).toBeInstanceOf(MessageDown);
});

test("whoever watches an actor on a node that dies without a word is told when that one gives no sign of life", async () => {
  const { eu, us } = await siblings({ nodes: { "eu@here": "/root/eu" }, network: { keepAliveMs: 100 } });
  const { kernel } = us.actors;
  const watcher = kernel.spawn(Watcher);
  await kernel.call(watcher, (self: Watcher) => self.monitor(new ProcessName("counter", "eu@here")));
  open.splice(open.indexOf(eu.node), 1);
  await eu.tree.stop(); // from here on nothing that it says leaves it
  const told = await until("the watcher is told", async () => {
    const got = (await kernel.call(watcher, (self: Watcher) => self.told)) as unknown[];
    return got.length > 0 ? got : undefined;
  });
  expect(told[0]).toBeInstanceOf(MessageDown);
  await eu.node.close();
});

test("a node lets in the actors of others only if it is told to: auth.denied", async () => {
  const { root, eu } = await siblings({ acceptNodes: false });
  await expect(root.actors.connect("/root/us")).rejects.toMatchObject({ code: "auth.denied" });
  expect(await root.actors.connect(eu.tree.id)).toBe("eu@here");
});

test("there is no way to a node that is not there, or has no tree: actor.no_route", async () => {
  const { us } = await siblings();
  await expect(us.actors.connect("/root/nobody")).rejects.toMatchObject({ code: "actor.no_route" });
  const alone = actors({ host: "here" });
  const node = await createNode({ name: "alone", modules: [alone], logger });
  open.push(node);
  await expect(alone.connect("/root")).rejects.toMatchObject({
    code: "actor.no_route",
    message: expect.stringContaining("@metanode/core/tree"),
  });
});
