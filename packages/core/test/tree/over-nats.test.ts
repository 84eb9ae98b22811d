import { afterAll, afterEach, describe, expect, test } from "vitest";
import { until } from "../fixtures/until.ts";
import { type NatsServer, NO_NATS, startNats } from "../link/nats-server.ts";
import { HostPool, type HostProcess, type RemoteNode } from "./cluster.ts";

const pool = new HostPool();
const SETTINGS = 'authorization { user: "tree", password: "p/w" }';

afterEach(() => pool.giveBack());
afterAll(() => pool.end());

/** A root, a node below it, and one below that: each a process, none of which can dial another. */
async function chain(nats: NatsServer): Promise<RemoteNode[]> {
  const hosts = await pool.take(3);
  const url = nats.url.replace("nats://", "nats://tree:p%2Fw@");
  const nodes = await Promise.all(
    hosts.map((host, level) =>
      host.node({ name: `n${level}`, listen: `nats:n${level}`, nats: url, types: level === 2 ? ["leaf"] : [] }),
    ),
  );
  const [root, middle, leaf] = nodes as [RemoteNode, RemoteNode, RemoteNode];
  await middle.adopt(leaf); // the manager dials
  await middle.enlist(root); // the node dials
  await until("the root has a child", async () => (await stateOfChild(root)) === "managed");
  return nodes;
}

async function stateOfChild(manager: RemoteNode): Promise<string | undefined> {
  return (await manager.describe()).children[0]?.state;
}

describe.skipIf(NO_NATS !== undefined)("a tree over NATS", () => {
  test("nodes that meet on a bus adopt each other, and for all reaches every one of them", async () => {
    await using nats = await startNats(SETTINGS);
    const [root] = (await chain(nats)) as [RemoteNode];
    expect(root.address).toBe("nats:n0");
    const { verdict, outcomes } = await root.all({ type: "echo", skipSelf: true });
    expect(verdict).toBe(true);
    expect(outcomes.map(({ path, status }) => `${path} ${status}`).toSorted()).toEqual(["/n0/n1 ok", "/n0/n1/n2 ok"]);
  });

  test("a type that only a leaf handles is found from the root", async () => {
    await using nats = await startNats(SETTINGS);
    const [root] = (await chain(nats)) as [RemoteNode];
    expect(await root.call({ type: "leaf" })).toMatchObject({ name: "n2" });
  });

  test("a bus that goes away and comes back costs no adoption: the nodes return as what they were", async () => {
    await using nats = await startNats(SETTINGS);
    const [root, middle] = (await chain(nats)) as [RemoteNode, RemoteNode];
    const before = await middle.describe();
    await nats.kill();
    await until("the root misses its child", async () => (await stateOfChild(root)) !== "managed");
    await nats.start();
    await until(
      "both are back",
      async () => (await stateOfChild(root)) === "managed" && (await stateOfChild(middle)) === "managed",
    );
    expect((await middle.describe()).epoch).toBe(before.epoch);
    expect((await root.all({ type: "echo", skipSelf: true })).outcomes).toHaveLength(2);
  });
});

describe("an address on NATS", () => {
  test("is refused by a node that has no bus, with what is to be set", async () => {
    const [host] = (await pool.take(1)) as [HostProcess];
    await expect(host.node({ name: "lonely", listen: "nats:lonely" })).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringContaining("tree.nats"),
    });
  });

  test("is refused together with certificates, which links over NATS do not have", async () => {
    const [host] = (await pool.take(1)) as [HostProcess];
    const spec = { name: "strict", listen: "nats:strict", nats: "nats://127.0.0.1:1", tls: true };
    await expect(host.node(spec)).rejects.toMatchObject({ code: "config.invalid", message: expect.stringContaining("tree.tls") });
  });
});
