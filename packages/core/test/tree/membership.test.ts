import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { hasCode } from "../../src/errors.ts";
import { TREE } from "../../src/tree/index.ts";
import { grow, HostPool, type HostProcess, type RemoteNode } from "./cluster.ts";

const pool = new HostPool();
const folders: string[] = [];

function processes(count: number): Promise<HostProcess[]> {
  return pool.take(count);
}

/** Nodes, each in a process of its own. */
async function nodesOf(...names: string[]): Promise<RemoteNode[]> {
  const hosts = await processes(names.length);
  return Promise.all(names.map((name, n) => (hosts[n] as HostProcess).node({ name, types: [`only.${name}`] })));
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "tree-test-"));
  folders.push(path);
  return path;
}

const pathOf = async (node: RemoteNode): Promise<string> => (await node.describe()).card.path;
const codeFrom = async (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => undefined,
    (error: { code?: string }) => error.code,
  );

afterEach(async () => {
  await pool.giveBack();
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });

  afterAll(() => pool.end());
});

describe("closure and tree", () => {
  test("M-01: what a node is follows from adoption alone: a tree is taken apart and built the other way round", async () => {
    const [a, b, c] = (await nodesOf("a", "b", "c")) as [RemoteNode, RemoteNode, RemoteNode];
    await a.adopt(b);
    await b.adopt(c);
    expect((await a.all({ type: "echo" })).outcomes.map(({ path }) => path)).toEqual(["/a", "/a/b", "/a/b/c"]);
    await b.release("c");
    await a.release("b");
    await c.adopt(a);
    await a.adopt(b);
    expect((await c.all({ type: "echo" })).outcomes.map(({ path }) => path)).toEqual(["/c", "/c/a", "/c/a/b"]);
  });

  test("M-02: a node alone is a whole system", async () => {
    const [a] = (await nodesOf("a")) as [RemoteNode];
    expect(await a.call({ type: "echo", data: 1 })).toEqual({ name: "a", data: 1, count: 1 });
    expect((await a.all({ type: "echo" })).tally.ok).toBe(1);
  });

  test("M-03: a chain 64 deep answers for all, and a message that passes too many hops is told so", async () => {
    const hosts = await processes(2);
    const chain: RemoteNode[] = [];
    for (let n = 0; n <= 64; n++) {
      const node = await (hosts[n % 2] as HostProcess).node({ name: `n${n}` });
      await chain.at(-1)?.adopt(node);
      chain.push(node);
    }
    const root = chain[0] as RemoteNode;
    const { tally, outcomes, verdict } = await root.all({ type: TREE.ping });
    expect([tally.ok, new Set(outcomes.map(({ id }) => id)).size, verdict]).toEqual([65, 65, true]);
    const bottom = await pathOf(chain.at(-1) as RemoteNode);
    expect(await root.send(bottom, "echo", 1)).toMatchObject({ name: "n64" });
    expect(await codeFrom(root.call({ type: "echo", hops: 100, extensions: { target: bottom } }))).toBe("call.hop_limit");
  });

  test("M-03, M-32, C7-2: a tree grows to 8 x 8 x 8 under traffic without an error, and gives 585 results, each once", async () => {
    const hosts = await processes(3);
    const root = await (hosts[0] as HostProcess).node({ name: "root" });
    await root.load({ type: "echo" }, 100);
    await grow(root, hosts, { fanOut: 8, depth: 3, spec: { heartbeatMs: 5_000 } });
    expect((await root.unload()).errors).toEqual({});
    const { tally, outcomes } = await root.all({ type: "echo" });
    expect(tally.ok).toBe(585);
    expect(new Set(outcomes.map(({ id }) => id)).size).toBe(585);
    const children = await root.all({ type: "echo", depth: 1, skipSelf: true });
    expect(children.tally.ok).toBe(8);
    const { value } = await root.all({ type: "number", reduce: "count" });
    expect(value).toBe(585);
    // M-06: the root remembers its children, not the tree.
    expect((await root.describe()).children).toHaveLength(8);
  });

  test("M-04: a tree grows by two levels under 500 messages a second, without an error", async () => {
    const [root, leaf, one, two] = (await nodesOf("root", "leaf", "one", "two")) as [
      RemoteNode,
      RemoteNode,
      RemoteNode,
      RemoteNode,
    ];
    await root.adopt(leaf);
    await root.load({ type: "echo", extensions: { target: "/root/leaf" } }, 500);
    await leaf.adopt(one);
    await one.adopt(two);
    expect((await root.all({ type: "echo" })).outcomes.map(({ path }) => path)).toContain("/root/leaf/one/two");
    await expect.poll(async () => (await leaf.seen()).echo ?? 0).toBeGreaterThan(20);
    expect((await root.unload()).errors).toEqual({});
  });

  test("M-05: one manager, and no circle; force takes a node from its manager, in a new epoch", async () => {
    const [a, b, c, other] = (await nodesOf("a", "b", "c", "other")) as [RemoteNode, RemoteNode, RemoteNode, RemoteNode];
    await a.adopt(b);
    await b.adopt(c);
    expect(await codeFrom(c.adopt(a))).toBe("tree.cycle");
    expect(await codeFrom(b.adopt(a))).toBe("tree.cycle");
    expect(await codeFrom(a.adopt(a))).toBe("tree.cycle");
    const refused = await other.adopt(c).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "tree.already_managed", details: { by: b.id, epoch: 1 } });
    expect(await other.adopt(c, { force: true })).toMatchObject({ epoch: 2, path: "/other/c" });
    await expect.poll(async () => (await b.describe()).children.length).toBe(0);
  });

  test("M-07: a path and an id lead to the same node; after a move the id still does, and the old path says where to", async () => {
    const [root, eu, us, n7] = (await nodesOf("root", "eu", "us", "n7")) as [RemoteNode, RemoteNode, RemoteNode, RemoteNode];
    await root.adopt(eu);
    await root.adopt(us);
    await eu.adopt(n7);
    expect(await root.send("/root/eu/n7", "echo")).toMatchObject({ name: "n7" });
    expect(await root.send(n7.id, "echo")).toMatchObject({ name: "n7" });
    expect(await us.send("/root/eu/n7", "echo")).toMatchObject({ name: "n7" });
    expect(await us.send(n7.id, "echo")).toMatchObject({ name: "n7" });
    await root.call({ type: TREE.move, data: { node: "/root/eu/n7", to: "/root/us" } });
    expect(await root.send(n7.id, "echo")).toMatchObject({ name: "n7" });
    const moved = await root.send("/root/eu/n7", "echo").catch((error: unknown) => error);
    expect(moved).toMatchObject({ code: "tree.moved", details: { path: "/root/us/n7", id: n7.id } });
    expect(await root.call({ type: "only.n7" })).toMatchObject({ name: "n7" });
    expect(await codeFrom(root.send("/root/eu/nobody", "echo"))).toBe("resource.not_found");
  });

  test("M-08: a manager that dies stops nothing below it, and is joined again as it was when it is back", async () => {
    const [hostRoot, hostMiddle, hostLeaf] = (await processes(3)) as [HostProcess, HostProcess, HostProcess];
    const kept = folder();
    const root = await hostRoot.node({ name: "root" });
    const middle = await hostMiddle.node({ name: "middle", folder: kept });
    const leaf = await hostLeaf.node({ name: "leaf" });
    await root.adopt(middle);
    await leaf.enlist(middle);
    await expect.poll(() => pathOf(leaf)).toBe("/root/middle/leaf");
    await leaf.load({ type: "echo" }, 200);
    await hostMiddle.kill();
    await expect.poll(async () => (await leaf.describe()).state).toBe("orphaned");
    expect(await leaf.call({ type: "echo" })).toMatchObject({ name: "leaf" });
    const [again] = (await processes(1)) as [HostProcess];
    const port = middle.address;
    await again.node({ name: "middle", folder: kept, listen: port });
    await expect.poll(async () => (await leaf.describe()).state, { timeout: 15_000 }).toBe("owned");
    await expect.poll(async () => (await root.all({ type: "echo" })).tally.ok, { timeout: 15_000 }).toBe(3);
    expect((await leaf.describe()).epoch).toBe(1);
    expect((await leaf.unload()).errors).toEqual({});
  });
});

describe("adoption and release", () => {
  test("M-30: a node that manages nobody does not know the orders of a manager", async () => {
    const [host] = (await processes(1)) as [HostProcess];
    const plain = await host.node({ name: "plain", manages: false });
    const boss = await host.node({ name: "boss" });
    expect(await codeFrom(plain.call({ type: TREE.adopt, data: { token: "x" } }))).toBe("message.unknown_type");
    await boss.adopt(plain);
    expect((await boss.all({ type: "echo" })).tally.ok).toBe(2);
  });

  test("M-31: a manager knows what its children are, and that one is silent within two beats of it", async () => {
    const [host, other] = (await processes(2)) as [HostProcess, HostProcess];
    const root = await host.node({ name: "root", heartbeatMs: 300 });
    const child = await other.node({
      name: "child",
      heartbeatMs: 300,
      labels: { region: "eu" },
      version: "1.2.3",
      types: ["own.type"],
    });
    await root.adopt(child);
    await expect
      .poll(async () => (await root.describe()).children)
      .toMatchObject([{ id: child.id, state: "managed", epoch: 1, card: { version: "1.2.3", labels: { region: "eu" } } }]);
    expect((await root.describe()).children[0]?.card?.types).toContain("own.type@1");
    other.signal("SIGSTOP");
    const stateOf = async (): Promise<string | undefined> => (await root.describe()).children[0]?.state;
    await expect.poll(stateOf, { interval: 50 }).toBe("suspect");
    await expect.poll(stateOf, { timeout: 5_000 }).toBe("unreachable");
    expect(await codeFrom(root.send("/root/child", "echo"))).toBe("node.unreachable");
    other.signal("SIGCONT");
    await expect.poll(stateOf, { timeout: 10_000 }).toBe("managed");
    expect(await root.send("/root/child", "echo")).toMatchObject({ name: "child" });
  });

  test("M-40: a node without a token waits for approval, and is sent nothing before", async () => {
    const [root, child] = (await nodesOf("root", "child")) as [RemoteNode, RemoteNode];
    await child.call({ type: TREE.join, data: { address: root.address } });
    await expect
      .poll(async () => (await root.describe()).children)
      .toMatchObject([{ name: "child", state: "pending", epoch: 0 }]);
    expect((await child.describe()).state).toBe("offered");
    expect(await codeFrom(root.send("/root/child", "echo"))).toBe("resource.not_found");
    expect((await root.all({ type: "echo" })).tally.ok).toBe(1);
    await root.call({ type: TREE.approve, data: { child: "child" } });
    expect(await root.send("/root/child", "echo")).toMatchObject({ name: "child" });
  });

  test("M-40: a token is used up by its use, is of use for its purpose only, and can be revoked", async () => {
    const [root, one, two] = (await nodesOf("root", "one", "two")) as [RemoteNode, RemoteNode, RemoteNode];
    const token = await root.host.ask<string>("token", "root", "join");
    await one.host.ask("join", "one", token);
    await expect.poll(() => pathOf(one)).toBe("/root/one");
    await two.host.ask("join", "two", token);
    await expect.poll(async () => (await two.describe()).state).toBe("offered");
    expect((await root.describe()).children).toHaveLength(1);
    expect(await codeFrom(root.call({ type: TREE.adopt, data: { token } }))).toBe("auth.unauthenticated");
    expect(await codeFrom(root.call({ type: TREE.adopt, data: { token: "nonsense" } }))).toBe("auth.unauthenticated");
  });

  test("M-41: a release waits for what is under way, then the node goes on alone and hears its old manager no more", async () => {
    const [root, child] = (await nodesOf("root", "child")) as [RemoteNode, RemoteNode];
    await root.adopt(child);
    await root.load({ type: "sleep", data: { ms: 50 }, extensions: { target: "/root/child" } }, 200);
    await expect.poll(async () => (await child.seen()).sleep ?? 0).toBeGreaterThan(20);
    expect(await root.release("child")).toMatchObject({ unfinished: 0 });
    const { errors } = await root.unload();
    // After the release the path leads nowhere; nothing that was accepted before was lost.
    expect(Object.keys(errors).filter((text) => !/^(resource\.not_found|node\.maintenance): /.test(text))).toEqual([]);
    expect(await child.describe()).toMatchObject({ state: "free", epoch: 1, card: { path: "/child" } });
    expect(await child.call({ type: "echo" })).toMatchObject({ name: "child" });
  });

  test("M-41: a release that does not end in time leaves the node managed, unless it is forced", async () => {
    const [root, child] = (await nodesOf("root", "child")) as [RemoteNode, RemoteNode];
    await root.adopt(child);
    const long = root.send("/root/child", "sleep", { ms: 3_000 });
    await expect.poll(async () => (await child.seen()).sleep ?? 0).toBe(1);
    expect(await codeFrom(root.release("child", { drainMs: 100 }))).toBe("call.deadline");
    expect((await root.describe()).children).toMatchObject([{ state: "managed" }]);
    expect(await root.release("child", { drainMs: 100, force: true })).toMatchObject({ unfinished: 1 });
    expect(await long).toBe("child");
  });

  test("M-42, C7-3: scaling is adopting and releasing: 3, 6, 2 workers under load, without an error", async () => {
    const hosts = await processes(3);
    const root = await (hosts[0] as HostProcess).node({ name: "root" });
    const workers = await Promise.all(
      Array.from({ length: 6 }, (_, n) => (hosts[1 + (n % 2)] as HostProcess).node({ name: `w${n}`, types: ["job"] })),
    );
    for (const worker of workers.slice(0, 3)) await root.adopt(worker);
    await expect.poll(async () => codeFrom(root.call({ type: "job" }))).toBe(undefined);
    await root.load({ type: "job" }, 400);
    for (const worker of workers.slice(3)) await root.adopt(worker);
    await expect.poll(async () => (await workers[5]?.seen())?.job ?? 0).toBeGreaterThan(5);
    for (const worker of workers.slice(0, 4)) await root.release(worker.name);
    const { answered, errors } = await root.unload();
    expect(errors).toEqual({});
    expect(Object.keys(answered).sort()).toEqual(["w0", "w1", "w2", "w3", "w4", "w5"]);
  });

  test("M-43, C7-4: a subtree of 50 nodes moves under traffic: never two managers, its work uninterrupted", async () => {
    const hosts = await processes(3);
    const [first, second, third] = hosts as [HostProcess, HostProcess, HostProcess];
    const root = await first.node({ name: "root" });
    const [a, b] = [await first.node({ name: "a" }), await second.node({ name: "b" })];
    await root.adopt(a);
    await root.adopt(b);
    const top = await third.node({ name: "top" });
    await a.adopt(top);
    await grow(top, [second, third], { fanOut: 7, depth: 2, spec: { heartbeatMs: 5_000 } }).then((nodes) =>
      expect(nodes.length).toBe(56),
    );
    await top.load({ type: "echo", extensions: { target: "/root/a/top/n-0/n-0-0" } }, 100);
    await root.load({ type: "echo", extensions: { target: top.id } }, 200);
    await root.call({ type: TREE.move, data: { node: "/root/a/top", to: "/root/b" } });
    expect((await root.all({ type: "echo" })).outcomes.filter(({ path }) => path.startsWith("/root/b/top"))).toHaveLength(57);
    expect(await top.describe()).toMatchObject({ state: "owned", epoch: 2, owner: { name: "b" } });
    expect((await a.describe()).children).toEqual([]);
    const { errors } = await root.unload();
    expect(errors).toEqual({});
  });

  test("M-46: the members that are desired: who is missing is adopted, who is too many is released", async () => {
    const hosts = await processes(2);
    const root = await (hosts[0] as HostProcess).node({ name: "root" });
    const nodes = await Promise.all(Array.from({ length: 25 }, (_, n) => (hosts[1] as HostProcess).node({ name: `n${n + 1}` })));
    for (const node of nodes.slice(4)) await root.adopt(node);
    const desired = await Promise.all(
      nodes.slice(0, 20).map(async ({ name, host }) => ({ name, token: await host.ask<string>("token", name, "adopt") })),
    );
    const result = await root.call<{ adopted: { name: string }[]; released: { name: string }[] }>({
      type: TREE.members,
      data: { desired },
    });
    expect(result.adopted.map(({ name }) => name)).toEqual(["n1", "n2", "n3", "n4"]);
    expect(result.released.map(({ name }) => name).sort()).toEqual(["n21", "n22", "n23", "n24", "n25"]);
    expect((await root.describe()).children.map(({ name }) => name).sort()).toEqual(desired.map(({ name }) => name).sort());
  });

  test("M-71: a manager that is started again knows its children without being told", async () => {
    const [host, other] = (await processes(2)) as [HostProcess, HostProcess];
    const kept = folder();
    const root = await host.node({ name: "root", folder: kept });
    const child = await other.node({ name: "child", labels: { region: "eu" } });
    await root.adopt(child);
    await host.kill();
    const [again] = (await processes(1)) as [HostProcess];
    const back = await again.node({ name: "root", folder: kept });
    expect((await back.describe()).children).toMatchObject([{ name: "child", epoch: 1, id: child.id }]);
    await expect.poll(async () => (await back.describe()).children[0]?.state, { timeout: 10_000 }).toBe("managed");
    expect(await back.send("/root/child", "echo")).toMatchObject({ name: "child" });
    expect((await child.describe()).epoch).toBe(1);
  });
});

test("an order that comes again under its operation does nothing again (M-38, M-44)", async () => {
  const [root, child] = (await nodesOf("root", "child")) as [RemoteNode, RemoteNode];
  const token = await child.host.ask<string>("token", "child", "adopt");
  const order = { type: TREE.adopt, data: { token, operation: "op-1" } };
  const [one, two] = await Promise.all([root.call(order), root.call(order)]);
  expect(one).toEqual(two);
  expect(await root.call(order)).toMatchObject({ epoch: 1 });
  expect(hasCode(await root.call({ ...order, data: { token } }).catch((error: unknown) => error), "tree.already_managed")).toBe(
    true,
  );
});
