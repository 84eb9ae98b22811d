import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { NodeCard } from "../../src/tree/index.ts";
import { TREE } from "../../src/tree/index.ts";
import { HostPool, type HostProcess, type RemoteNode } from "./cluster.ts";
import type { Dialect } from "./dialect.ts";

const pool = new HostPool();

afterEach(() => pool.giveBack());
afterAll(() => pool.end());

/** A manager and a node, each in a process and of the release that is said; without a word, of this one. */
async function pairOf(manager: Dialect | undefined, child: Dialect | undefined): Promise<[RemoteNode, RemoteNode]> {
  const hosts = (await pool.take(2)) as [HostProcess, HostProcess];
  return Promise.all([
    hosts[0].node({ name: "root", ...(manager ? { dialect: manager } : {}) }),
    hosts[1].node({ name: "leaf", types: ["job"], labels: { side: "left" }, ...(child ? { dialect: child } : {}) }),
  ]);
}

const MATRIX: readonly { manager: Dialect | undefined; child: Dialect | undefined }[] = [
  { manager: undefined, child: "next" },
  { manager: "next", child: undefined },
  { manager: undefined, child: "previous" },
  { manager: "previous", child: undefined },
];

const nameOf = (dialect: Dialect | undefined): string => (dialect === undefined ? "this" : `the ${dialect}`);

describe.each(MATRIX)("nodes of two releases that follow each other", ({ manager, child }) => {
  const title = `a manager of ${nameOf(manager)} release and a child of ${nameOf(child)} one`;

  test(`M-57: ${title} adopt, ask, ask all, maintain, stream and release`, async () => {
    const [root, leaf] = await pairOf(manager, child);
    expect(await root.adopt(leaf)).toMatchObject({ path: "/root/leaf", epoch: 1 });
    await root.send("/root/leaf", TREE.labels, { set: { side: "right" } });
    const card = async (): Promise<NodeCard | undefined> => (await root.describe()).children[0]?.card;
    await expect.poll(async () => (await card())?.labels).toEqual({ side: "right" });

    // By path, by type, and from the child to its manager.
    expect(await root.send("/root/leaf", "echo", { n: 1 })).toEqual({ name: "leaf", data: { n: 1 }, count: 1 });
    expect(await root.call({ type: "job" })).toMatchObject({ name: "leaf" });
    expect(await leaf.send("/root", "echo", "up")).toMatchObject({ name: "root", data: "up" });
    await expect(root.send("/root/leaf", "fail")).rejects.toThrow("leaf fails");
    await expect(root.send("/root/leaf", "metanode.node.dance")).rejects.toMatchObject({ code: "message.unknown_type" });

    const all = await root.all({ type: "echo", where: "side=right" });
    expect(all.outcomes).toMatchObject([{ path: "/root/leaf", status: "ok", value: { name: "leaf" } }]);
    expect(await root.all({ type: "echo", policy: "all", reduce: "count" })).toMatchObject({ verdict: true });

    await root.open("/root/leaf", 100);
    expect(await root.read()).toBe(100);

    const maintained = { node: "/root/leaf", waitMs: 5_000 };
    expect(await root.call({ type: TREE.maintain, data: { on: true, ...maintained } })).toMatchObject({ drained: true });
    await expect(root.send("/root/leaf", "job")).rejects.toMatchObject({ code: "node.maintenance" });
    expect((await root.all({ type: "echo" })).tally).toMatchObject({ ok: 1, skipped: 1 });
    await root.call({ type: TREE.maintain, data: { on: false, ...maintained } });
    expect(await root.send("/root/leaf", "job")).toMatchObject({ name: "leaf" });

    expect(await root.release("leaf")).toMatchObject({ unfinished: 0 });
    await expect.poll(async () => (await leaf.describe()).state).toBe("free");
    expect(await leaf.call({ type: "echo" })).toMatchObject({ name: "leaf" });
  });

  test(`M-57: ${title} find each other also when the child dials, and again when it was away`, async () => {
    const [root, leaf] = await pairOf(manager, child);
    await leaf.enlist(root);
    await expect.poll(async () => (await leaf.describe()).state, { timeout: 10_000 }).toBe("owned");
    // Its manager may not have heard the answer yet.
    await expect.poll(async () => (await root.describe()).children[0]?.state, { timeout: 10_000 }).toBe("managed");
    expect(await root.send("/root/leaf", "echo")).toMatchObject({ name: "leaf" });
    leaf.host.signal("SIGSTOP");
    await expect.poll(async () => (await root.describe()).children[0]?.state, { timeout: 15_000 }).toBe("unreachable");
    leaf.host.signal("SIGCONT");
    await expect.poll(async () => (await root.describe()).children[0]?.state, { timeout: 15_000 }).toBe("managed");
    expect(await root.send("/root/leaf", "echo")).toMatchObject({ name: "leaf" });
  }, 60_000);
});

describe("nodes of two releases that share no version", () => {
  test("M-57: are told both ranges, whoever dials, and stay what they were", async () => {
    for (const [manager, child] of [
      [undefined, "future"],
      ["future", undefined],
    ] as const) {
      const [root, leaf] = await pairOf(manager, child);
      // The manager dials.
      const refused = await root.adopt(leaf).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: "protocol.version" });
      const { message } = refused as Error;
      expect(message).toContain(
        manager === undefined
          ? "speaks protocol versions 1 to 1, this node 2 to 3"
          : "speaks protocol versions 2 to 3, this node 1 to 1",
      );
      // The child dials.
      await leaf.enlist(root);
      const failure = (): Promise<{ code: string; message: string } | undefined> => leaf.host.ask("failure", leaf.name);
      await expect.poll(async () => (await failure())?.code, { timeout: 10_000 }).toBe("protocol.version");
      expect((await failure())?.message).toMatch(/1 to 1.*2 to 3|2 to 3.*1 to 1/);
      expect(await leaf.call({ type: "echo" })).toMatchObject({ name: "leaf" });
      expect((await root.describe()).children.filter(({ epoch }) => epoch > 0)).toEqual([]);
      await pool.giveBack();
    }
  });
});
