import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { createNode, type MetaNode } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { TREE, type TreeEvent, type TreeModuleOptions, treeModule } from "../../src/tree/index.ts";
import { containerMark } from "../../src/tree/upgrade.ts";
import { HostPool, type HostProcess, type RemoteNode } from "./cluster.ts";

const pool = new HostPool();
const folders: string[] = [];

function processes(count: number): Promise<HostProcess[]> {
  return pool.take(count);
}

afterEach(async () => {
  await pool.giveBack();
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });

  afterAll(() => pool.end());
});

interface Maintained {
  readonly drained: boolean;
  readonly node?: { readonly state: string };
}

const maintain = (root: RemoteNode, data: object): Promise<Maintained> =>
  root.call({ type: TREE.maintain, data: { on: true, ...data } }, { timeoutMs: 20_000 });

/** A root with workers that all handle `job`, each in a process of its own. */
async function workers(count: number, spec: object = {}): Promise<{ root: RemoteNode; nodes: RemoteNode[] }> {
  const hosts = await processes(count + 1);
  const root = await (hosts[0] as HostProcess).node({ name: "root", ...spec });
  const nodes: RemoteNode[] = [];
  for (let n = 0; n < count; n++) {
    const node = await (hosts[n + 1] as HostProcess).node({ name: `w${n}`, types: ["job"] });
    await root.adopt(node);
    nodes.push(node);
  }
  return { root, nodes };
}

describe("maintenance", () => {
  test("M-50: of a node, a member of it, a subtree, and all nodes of a host; its state is seen at the top", async () => {
    const [host] = (await processes(1)) as [HostProcess];
    const root = await host.node({ name: "root" });
    const [a, b] = [await host.node({ name: "a", types: ["job"] }), await host.node({ name: "b" })];
    await root.adopt(a);
    await a.adopt(b);
    const stateOf = async (path: string): Promise<string | undefined> =>
      (await root.all({ type: TREE.describe, where: `path=${path}`, includeMaintenance: true })).outcomes
        .map(({ value }) => (value as { card: { maintenance?: { state: string } } }).card.maintenance?.state)
        .at(0);
    await maintain(root, { node: "/root/a", waitMs: 5_000 });
    expect(await stateOf("/root/a")).toBe("drained");
    await expect.poll(async () => (await root.describe()).children[0]?.state).toBe("maintenance");
    await maintain(root, { node: "/root/a", on: false });
    await maintain(root, { node: "/root/a", member: "job", waitMs: 5_000 });
    await expect(root.send("/root/a", "job")).rejects.toMatchObject({ code: "node.maintenance", details: { member: "job" } });
    expect(await root.send("/root/a", "echo")).toMatchObject({ name: "a" });
    await maintain(root, { node: "/root/a", member: "job", on: false });
    await maintain(root, { subtree: "/root/a" });
    expect([await stateOf("/root/a"), await stateOf("/root/a/b"), await stateOf("/root")]).toEqual([
      "drained",
      "drained",
      undefined,
    ]);
    await maintain(root, { subtree: "/root/a", on: false });
    expect([await stateOf("/root/a"), await stateOf("/root/a/b")]).toEqual([undefined, undefined]);
    await expect(maintain(root, { node: "/root/a", member: "nobody" })).rejects.toMatchObject({ code: "resource.not_found" });
  });

  test("M-66: several nodes on a host: maintenance of the host is that of all of them", async () => {
    const { root, nodes } = await workers(2);
    const facts = (await nodes[0]?.describe())?.card.facts;
    const where = `fact.host="${facts?.host}"`;
    expect((await root.all({ type: TREE.ping, where })).tally.ok).toBe(3);
    await maintain(root, { host: facts?.host, reason: "a new kernel" });
    for (const node of [root, ...nodes])
      expect((await node.describe()).card.maintenance).toMatchObject({ reason: "a new kernel" });
    await maintain(root, { host: facts?.host, on: false });
    expect((await root.all({ type: "echo" })).tally).toMatchObject({ ok: 3, skipped: 0 });
  });

  test("M-51: what was taken ends, what comes late is told how long and who else; drained is told then", async () => {
    const { root, nodes } = await workers(2);
    const [one, two] = nodes as [RemoteNode, RemoteNode];
    await expect.poll(async () => (await root.describe()).children.every(({ card }) => card?.types.includes("job@1"))).toBe(true);
    const long = Array.from({ length: 200 }, () => root.send("/root/w0", "sleep", { ms: 400 }));
    await expect.poll(async () => (await one.seen()).sleep ?? 0).toBe(200);
    const entering = maintain(root, { node: "/root/w0", reason: "new disk", waitMs: 10_000 });
    await expect.poll(async () => (await one.describe()).card.maintenance?.state).toBe("draining");
    const late = await root.send("/root/w0", "echo").catch((error: unknown) => error);
    expect(late).toMatchObject({
      code: "node.maintenance",
      retryAfterMs: 1_000,
      details: { reason: "new disk", alternates: ["/root/w1"] },
    });
    expect(await entering).toMatchObject({ drained: true, node: { state: "drained" } });
    expect(await Promise.all(long)).toEqual(Array.from({ length: 200 }, () => "w0"));
    expect(two.name).toBe("w1");
  });

  test("M-52, M-55, C7-5: every worker is stopped and started anew under load, without a failed request; a for-all counts it as skipped", async () => {
    const { root, nodes } = await workers(3);
    await expect.poll(async () => (await root.describe()).children.every(({ card }) => card?.types.includes("job@1"))).toBe(true);
    await root.load({ type: "job" }, 300);
    for (const node of nodes) {
      const path = `/root/${node.name}`;
      await maintain(root, { node: path, waitMs: 10_000 });
      expect((await root.all({ type: "echo" })).tally).toMatchObject({ ok: 3, skipped: 1, error: 0 });
      expect((await root.all({ type: "echo" })).verdict).toBe(true);
      await node.host.kill();
      await root.release(node.name, { force: true, drainMs: 0 });
      const [host] = (await processes(1)) as [HostProcess];
      await root.adopt(await host.node({ name: node.name, types: ["job"], version: "2" }));
      await expect
        .poll(async () => (await root.describe()).children.find(({ name }) => name === node.name)?.card?.types.length)
        .toBeGreaterThan(0);
    }
    const { errors, answered } = await root.unload();
    expect(errors).toEqual({});
    expect(Object.keys(answered).sort()).toEqual(["w0", "w1", "w2"]);
    const versions = (await root.describe()).children.map(({ card }) => card?.version);
    expect(versions).toEqual(["2", "2", "2"]);
  });

  test("M-53: maintenance of a node between stops nothing that passes through it or happens below", async () => {
    const [host, other] = (await processes(2)) as [HostProcess, HostProcess];
    const root = await host.node({ name: "root" });
    const middle = await other.node({ name: "middle" });
    const leaf = await host.node({ name: "leaf", types: ["job"] });
    await root.adopt(middle);
    await middle.adopt(leaf);
    await expect.poll(async () => (await root.describe()).children[0]?.card?.below).toContain("job@1");
    await root.load({ type: "job" }, 200);
    await maintain(root, { node: "/root/middle", waitMs: 5_000, force: true });
    await expect(root.send("/root/middle", "echo")).rejects.toMatchObject({ code: "node.maintenance" });
    expect(await root.send("/root/middle/leaf", "echo")).toMatchObject({ name: "leaf" });
    await maintain(root, { node: "/root/middle", on: false });
    expect((await root.unload()).errors).toEqual({});
  });

  test("M-54: it can be asked, prolonged and ended from afar; it survives a restart; when its time is over somebody is told, and it lasts", async () => {
    const kept = mkdtempSync(join(tmpdir(), "maintenance-"));
    folders.push(kept);
    const clock = new VirtualClock();
    const events: TreeEvent[] = [];
    const open = async () => {
      const module = treeModule({ heartbeatMs: 1_000_000 });
      module.onEvent((event) => events.push(event));
      return {
        module,
        node: await createNode({ name: "root", folder: kept, clock, modules: [module], logger: pino({ level: "silent" }) }),
      };
    };
    const first = await open();
    await first.node.call({ type: TREE.maintenance, data: { reason: "new disk", expiresInMs: 60_000 } });
    await first.node.close();
    const second = await open();
    expect(second.module.tree.maintenance.node).toMatchObject({ state: "drained", reason: "new disk" });
    await clock.advance(50_000);
    await second.node.call({ type: TREE.maintenance, data: { expiresInMs: 30_000 } });
    await clock.advance(20_000);
    expect(events.filter(({ kind }) => kind === "overdue")).toEqual([]);
    await clock.advance(11_000);
    expect(events.filter(({ kind }) => kind === "overdue")).toHaveLength(1);
    expect(second.node.health()).toMatchObject({
      status: "degraded",
      modules: { tree: { reasons: [expect.stringContaining("lasts longer")] } },
    });
    expect(second.module.tree.maintenance.node).toBeDefined();
    await second.node.call({ type: TREE.maintenance, data: { on: false } });
    expect(second.node.health().status).toBe("ok");
    await second.node.close();
  });

  test("M-55, M-59: hooks are called before, when drained, and after; one that fails keeps the node out", async () => {
    const called: string[] = [];
    let isWell = false;
    const hooks = {
      before: () => void called.push("before"),
      drained: () => void called.push("drained"),
      after: () => {
        called.push("after");
        if (!isWell) throw new Error("the new version is not well");
      },
    };
    const module = treeModule({ hooks });
    await using node = await createNode({ name: "root", modules: [module], logger: pino({ level: "silent" }) });
    await node.call({ type: TREE.maintenance, data: { waitMs: 5_000 } });
    await expect.poll(() => called).toEqual(["before", "drained"]);
    await expect(node.call({ type: TREE.maintenance, data: { on: false } })).rejects.toThrow(/not well/);
    expect(module.tree.maintenance.node?.state).toBe("drained");
    isWell = true;
    await node.call({ type: TREE.maintenance, data: { on: false } });
    expect(called).toEqual(["before", "drained", "after", "after"]);
    expect(module.tree.maintenance.node).toBeUndefined();
  });

  test("M-56: a node upgrades itself by its hook on a bare host, and in a container not at all", async () => {
    const asked: unknown[] = [];
    const upgrade = (request: unknown): string => {
      asked.push(request);
      return "2.0 is installed";
    };
    const logger = pino({ level: "silent" });
    const rootModule = treeModule({ listen: "127.0.0.1:0", isContainer: false });
    await using root = await createNode({ name: "root", modules: [rootModule], logger });
    const of = async (name: string, options: TreeModuleOptions): Promise<MetaNode> => {
      const node = await createNode({ name, modules: [treeModule({ listen: "127.0.0.1:0", ...options })], logger });
      const { text: token } = (await node.call({ type: TREE.token, data: { purpose: "adopt" } })) as { text: string };
      await root.call({ type: TREE.adopt, data: { token } });
      return node;
    };
    const order = (target: string): Promise<unknown> =>
      root.call({ type: TREE.upgrade, extensions: { target }, data: { version: "2.0", caller: "operator" } });
    await using bare = await of("bare", { isContainer: false, hooks: { upgrade } });
    await using plain = await of("plain", { isContainer: false });
    await using pod = await of("pod", { isContainer: true, hooks: { upgrade } });

    expect(await order("/root/bare")).toBe("2.0 is installed");
    expect(asked).toEqual([{ version: "2.0", by: "operator" }]);
    await expect(order("/root/plain")).rejects.toMatchObject({
      code: "call.unsupported",
      message: expect.stringMatching(/hooks\.upgrade/),
    });
    await expect(order("/root/pod")).rejects.toMatchObject({
      code: "call.unsupported",
      message: expect.stringMatching(/roll out a new image/),
    });
    const upwards = bare.call({ type: TREE.upgrade, extensions: { target: "/root" } });
    await expect(upwards).rejects.toMatchObject({ code: "auth.denied" });
    expect(asked).toHaveLength(1);

    const written = async (node: MetaNode): Promise<unknown> =>
      ((await node.call({ type: TREE.audit })) as { verb: string }[]).find(({ verb }) => verb === "upgrade");
    expect(await written(bare)).toMatchObject({ caller: "operator", target: "/root/bare", ok: true });
    expect(await written(plain)).toMatchObject({ ok: false, code: "call.unsupported" });
    expect(await written(pod)).toMatchObject({ ok: false, code: "call.unsupported" });
  });

  test("M-56: that it runs in a container is seen by what engines and Kubernetes leave there", () => {
    const on = (files: readonly string[], env: Record<string, string> = {}): string | undefined =>
      containerMark({ exists: (path) => files.includes(path), env });
    expect(on([])).toBeUndefined();
    expect(on(["/.dockerenv"])).toBe("/.dockerenv");
    expect(on(["/run/.containerenv"])).toBe("/run/.containerenv");
    expect(on([], { KUBERNETES_SERVICE_HOST: "10.0.0.1" })).toBe("KUBERNETES_SERVICE_HOST");
  });

  test("M-58: no more at a time than the limit, unless it is forced, which is written down", async () => {
    const { root } = await workers(3, { maxInMaintenance: 1 });
    await maintain(root, { node: "/root/w0" });
    await expect.poll(async () => (await root.describe()).children[0]?.state).toBe("maintenance");
    const refused = await maintain(root, { node: "/root/w1" }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "state.conflict", details: { limit: 1, inMaintenance: ["w0"] } });
    await maintain(root, { node: "/root/w1", force: true });
    await expect.poll(async () => (await root.describe()).children[1]?.state).toBe("maintenance");
    const audit = await root.call<{ verb: string; target: string }[]>({ type: TREE.audit });
    expect(audit).toContainEqual(expect.objectContaining({ verb: "maintain.force", target: "/root/w1" }));
  });
});
