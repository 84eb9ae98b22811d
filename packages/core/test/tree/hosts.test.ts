import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { TREE } from "../../src/tree/index.ts";
import type { NodeSpec, RemoteNode } from "./cluster.ts";
import { Lan } from "./lan.ts";

const HEARTBEAT_MS = 100;
const LEASE_MS = 2_000;
/** Longer than it takes to cut a silent link (ten beats) and to end the lease. */
const LONG = { timeout: 10 * HEARTBEAT_MS + LEASE_MS + 15_000 };

const whyNot = Lan.whyNot;
let lan: Lan;

beforeEach(() => {
  if (whyNot === undefined) lan = Lan.of(3);
});
afterEach(async () => {
  if (whyNot === undefined) await lan[Symbol.asyncDispose]();
});

/** One node per host, in the order of the names. */
function nodesOn(specs: readonly NodeSpec[]): Promise<RemoteNode[]> {
  return Promise.all(
    specs.map(async (spec, n) => {
      const host = lan.hosts[n] as Lan["hosts"][number];
      const process = await host.process();
      return process.node({
        listen: `${host.address}:0`,
        heartbeatMs: HEARTBEAT_MS,
        leaseMs: LEASE_MS,
        stepMs: 1_000,
        redialMs: 50,
        ...spec,
      });
    }),
  );
}

const named = (...names: string[]): Promise<RemoteNode[]> => nodesOn(names.map((name) => ({ name })));

async function stateOf(manager: RemoteNode, child: string): Promise<string | undefined> {
  return (await manager.describe()).children.find(({ name }) => name === child)?.state;
}

describe.skipIf(whyNot !== undefined)(`hosts with addresses of their own${whyNot === undefined ? "" : ` (${whyNot})`}`, () => {
  test("M-31, M-40: nodes of three hosts know each other by certificates, and for all reaches each of them", async () => {
    const [root, middle, leaf] = (await named("root", "middle", "leaf")) as [RemoteNode, RemoteNode, RemoteNode];
    await root.adopt(middle);
    await leaf.enlist(middle);
    await expect.poll(async () => (await leaf.describe()).card.path).toBe("/root/middle/leaf");
    expect(await root.send("/root/middle/leaf", "echo", 1)).toMatchObject({ name: "leaf" });
    expect((await root.all({ type: "echo" })).tally).toMatchObject({ ok: 3 });
    expect(root.address).toBe(`192.0.2.1:${root.address.split(":")[1]}`);
  });

  test("M-22: nothing of a node listens but its links; its processors cannot be reached from another host", async () => {
    const file = fileURLToPath(new URL("../fixtures/answering.ts", import.meta.url));
    const processors = [{ name: "answering", file, env: { FIXTURE_TYPES: "job", FIXTURE_BY: "it" } }];
    const [one] = (await nodesOn([{ name: "one", processors }])) as [RemoteNode];
    expect(await one.call({ type: "job" })).toMatchObject({ by: "it" });
    expect(lan.hosts[0]?.listeners()).toEqual([one.address]);
  });

  test("M-31: a cable that is pulled is seen after two beats, and leaves no half-open connection behind", async () => {
    const [root, leaf] = (await named("root", "leaf")) as [RemoteNode, RemoteNode];
    await root.adopt(leaf);
    lan.hosts[1]?.unplug();
    await expect.poll(() => stateOf(root, "leaf"), LONG).toBe("suspect");
    await expect.poll(() => stateOf(root, "leaf"), LONG).toBe("unreachable");
    const { outcomes } = await root.all({ type: "echo", timeoutMs: 5_000 });
    expect(outcomes).toContainEqual(expect.objectContaining({ path: "/root/leaf", status: "unreachable" }));
    // It goes on for itself, and comes back as what it was.
    expect(await leaf.call({ type: "echo" })).toMatchObject({ name: "leaf" });
    lan.hosts[1]?.plug();
    await expect.poll(() => stateOf(root, "leaf"), LONG).toBe("managed");
    expect(await leaf.describe()).toMatchObject({ epoch: 1 });
    expect(await root.send("/root/leaf", "echo")).toMatchObject({ name: "leaf" });
  });

  test("M-08: the hosts below one that was cut off go on, and come back without a new adoption", async () => {
    const patient = ["root", "middle", "leaf"].map((name) => ({ name, leaseMs: 60_000 }));
    const [root, middle, leaf] = (await nodesOn(patient)) as [RemoteNode, RemoteNode, RemoteNode];
    await root.adopt(middle);
    await middle.adopt(leaf);
    lan.hosts[0]?.unplug();
    await expect.poll(async () => (await middle.describe()).state, LONG).toBe("orphaned");
    expect(await middle.send("/root/middle/leaf", "echo")).toMatchObject({ name: "leaf" });
    lan.hosts[0]?.plug();
    await expect.poll(async () => (await middle.describe()).state, LONG).toBe("owned");
    expect((await root.all({ type: "echo" })).tally).toMatchObject({ ok: 3 });
    expect(await middle.describe()).toMatchObject({ epoch: 1 });
  });

  test("M-45: after its lease a node that was cut off takes another manager, and the old one's orders are refused", async () => {
    const [old, next, leaf] = (await named("old", "next", "leaf")) as [RemoteNode, RemoteNode, RemoteNode];
    await old.adopt(leaf);
    lan.hosts[0]?.unplug();
    await expect.poll(async () => (await leaf.describe()).state, LONG).toBe("orphaned");
    await expect(next.adopt(leaf)).rejects.toMatchObject({ code: "tree.already_managed" });
    await expect.poll(async () => (await leaf.describe()).state, LONG).toBe("free");
    expect(await next.adopt(leaf)).toMatchObject({ epoch: 2 });
    lan.hosts[0]?.plug();
    await expect.poll(async () => (await old.describe()).children, LONG).toEqual([]);
    const late = await old.send("/old/leaf", "echo").catch(codeOf);
    expect(["tree.moved", "resource.not_found"]).toContain(late);
    expect(await leaf.describe()).toMatchObject({ epoch: 2, owner: { name: "next" } });
  });

  test("M-72: a standby takes over from a manager that was cut off, which is fenced when it is back", async () => {
    const [root, heir, leaf] = (await named("root", "heir", "leaf")) as [RemoteNode, RemoteNode, RemoteNode];
    await root.adopt(heir);
    await root.adopt(leaf);
    await root.call({ type: TREE.standby, data: { child: "heir" } });
    await expect.poll(async () => (await root.describe()).standby?.isReady).toBe(true);
    lan.hosts[0]?.unplug();
    await expect.poll(() => stateOf(heir, "leaf"), LONG).toBe("managed");
    expect(await heir.describe()).toMatchObject({ card: { path: "/root" } });
    expect(await heir.send("/root/leaf", "echo")).toMatchObject({ name: "leaf" });
    lan.hosts[0]?.plug();
    await expect.poll(async () => (await root.describe()).owner?.name, LONG).toBe("heir");
    expect(await stateOf(heir, "leaf")).toBe("managed");
  });
});
