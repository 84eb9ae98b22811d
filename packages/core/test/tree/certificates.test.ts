import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { TREE } from "../../src/tree/index.ts";
import { formatToken, parseToken } from "../../src/tree/tokens.ts";
import { Authority } from "../../src/trust/authority.ts";
import type { Trust } from "../../src/trust/meet.ts";
import { HostPool, type HostProcess, type NodeSpec, type RemoteNode } from "./cluster.ts";

const pool = new HostPool();
const folders: string[] = [];

async function host(): Promise<HostProcess> {
  return (await pool.take(1))[0] as HostProcess;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "certificates-"));
  folders.push(path);
  return path;
}

/** A node whose links have certificates, also on this machine. */
async function node(name: string, more: Partial<NodeSpec> = {}): Promise<RemoteNode> {
  return (await host()).node({ name, tls: true, ...more });
}

const stateOf = async (one: RemoteNode): Promise<string> => (await one.describe()).state;
/** How a node dials its manager, as it keeps it. */
function readTrust(path: string): Trust {
  const { owner } = JSON.parse(readFileSync(join(path, "tree", "self.json"), "utf8")) as { owner: { dial: { trust: Trust } } };
  return owner.dial.trust;
}

const childState = async (one: RemoteNode): Promise<string | undefined> => (await one.describe()).children[0]?.state;

afterEach(async () => {
  await pool.giveBack();
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });

  afterAll(() => pool.end());
});

describe("links with certificates", () => {
  test("M-40: a token names the authority; the node that comes with it gets a certificate, and comes back with that", async () => {
    const [rootFolder, leafFolder] = [folder(), folder()];
    const root = await node("root", { folder: rootFolder });
    const leaf = await node("leaf", { folder: leafFolder });
    const token = await root.host.ask<string>("token", "root", "join");
    expect(parseToken(token).fingerprint).toMatch(/^[\w-]{43}$/);
    await leaf.host.ask("join", "leaf", token);
    await expect.poll(() => stateOf(leaf)).toBe("owned");
    const stored = (): string => readFileSync(join(leafFolder, "tree", "self.json"), "utf8");
    await expect.poll(stored).toContain("BEGIN PRIVATE KEY");
    await expect.poll(() => childState(root)).toBe("managed");
    expect(await root.send("/root/leaf", "echo")).toMatchObject({ name: "leaf" });
    // Started again it has no token, and needs none.
    await leaf.host.kill();
    await expect.poll(() => childState(root)).toBe("unreachable");
    const back = await node("leaf", { folder: leafFolder });
    await expect.poll(() => stateOf(back), { timeout: 10_000 }).toBe("owned");
    expect((await back.describe()).epoch).toBe(1);
  });

  test("M-40: the same the other way round, where the manager dials", async () => {
    const [rootFolder, leafFolder] = [folder(), folder()];
    const root = await node("root", { folder: rootFolder });
    const leaf = await node("leaf", { folder: leafFolder });
    await root.adopt(leaf);
    const records = (): string =>
      readdirSync(join(rootFolder, "tree"))
        .filter((name) => name.startsWith("child"))
        .join();
    await expect.poll(() => readFileSync(join(rootFolder, "tree", records()), "utf8")).toContain("BEGIN PRIVATE KEY");
    await root.host.kill();
    await expect.poll(() => stateOf(leaf)).toBe("orphaned");
    const back = await node("root", { folder: rootFolder });
    await expect.poll(() => childState(back), { timeout: 10_000 }).toBe("managed");
    expect(await back.send("/root/leaf", "echo")).toMatchObject({ name: "leaf" });
  });

  test("M-40: a wrong authority is refused both ways, and says so", async () => {
    const [root, other, leaf] = [await node("root"), await node("other"), await node("leaf")];
    const real = parseToken(await root.host.ask<string>("token", "root", "join"));
    const foreign = parseToken(await other.host.ask<string>("token", "other", "join"));
    // The token of one node, with the address of another: whoever answers there is not believed.
    await leaf.host.ask("join", "leaf", formatToken({ ...real, address: foreign.address }));
    await expect.poll(() => leaf.host.ask("failure", "leaf")).toMatchObject({ code: "auth.unauthenticated" });
    expect(await stateOf(leaf)).toBe("offered");
    expect((await root.describe()).children).toEqual([]);
    // A plain link to a node with certificates comes to nothing, and neither does the opposite.
    const { fingerprint: _fingerprint, ...plain } = real;
    const third = await node("third");
    await third.host.ask("join", "third", formatToken(plain));
    await expect
      .poll(() => third.host.ask("failure", "third"))
      .toMatchObject({ code: expect.stringMatching(/unreachable|protocol/) });
    expect((await root.describe()).children).toEqual([]);
  });

  test("E1: whoever knows the key of a node, and not its certificate, is not let in", async () => {
    const leafFolder = folder();
    const root = await node("root");
    const leaf = await node("leaf", { folder: leafFolder });
    await leaf.enlist(root);
    const file = join(leafFolder, "tree", "self.json");
    await expect.poll(() => readFileSync(file, "utf8")).toContain("BEGIN PRIVATE KEY");
    // It comes back once with its certificate; from then on nobody does without.
    await leaf.host.kill();
    const again = await node("leaf", { folder: leafFolder });
    await expect.poll(() => stateOf(again), { timeout: 10_000 }).toBe("owned");
    await again.host.kill();
    const stolen = JSON.parse(readFileSync(file, "utf8")) as { owner: { dial: { trust: { cert?: string; key?: string } } } };
    delete stolen.owner.dial.trust.cert;
    delete stolen.owner.dial.trust.key;
    writeFileSync(file, JSON.stringify(stolen));
    const thief = await node("leaf", { folder: leafFolder });
    await expect
      .poll(() => thief.host.ask("failure", "leaf"), { timeout: 10_000 })
      .toMatchObject({ code: "auth.unauthenticated" });
    expect(await stateOf(thief)).toBe("orphaned");
    expect(await childState(root)).toBe("unreachable");
  });

  test("M-70: the authority is changed under load: no error, and all come back with certificates of the new one", async () => {
    const root = await node("root");
    const kept = [folder(), folder(), folder()];
    const leaves: RemoteNode[] = [];
    for (const [n, path] of kept.entries()) {
      const leaf = await node(`leaf${n}`, { folder: path, types: ["job"] });
      await leaf.enlist(root);
      leaves.push(leaf);
    }
    await expect
      .poll(async () => (await root.describe()).children.filter(({ card }) => card?.types.includes("job@1")).length)
      .toBe(3);
    const certificate = (n: number): string | undefined =>
      (
        JSON.parse(readFileSync(join(kept[n] ?? "", "tree", "self.json"), "utf8")) as {
          owner: { dial: { trust: { cert?: string } } };
        }
      ).owner.dial.trust.cert;
    await expect.poll(() => kept.every((_, n) => certificate(n) !== undefined)).toBe(true);
    const before = kept.map((_, n) => certificate(n));
    await root.load({ type: "job" }, 300);
    await root.call({ type: TREE.authority, data: { action: "rotate" } });
    await expect.poll(() => kept.every((_, n) => certificate(n) !== before[n]), { timeout: 10_000 }).toBe(true);
    await root.call({ type: TREE.authority, data: { action: "retire" } });
    const { errors, answered } = await root.unload();
    expect(errors).toEqual({});
    expect(Object.keys(answered)).toHaveLength(3);
    // Whoever comes anew comes with what the new authority has signed.
    await leaves[0]?.host.kill();
    const back = await node("leaf0", { folder: kept[0] ?? "", types: ["job"] });
    await expect.poll(() => stateOf(back), { timeout: 10_000 }).toBe("owned");
    expect(await root.send("/root/leaf0", "job")).toMatchObject({ name: "leaf0" });
  });

  test("M-70: a node that was away when the authority changed comes back, and gets a certificate of the new one then", async () => {
    const path = folder();
    const root = await node("root");
    const leaf = await node("leaf", { folder: path });
    await leaf.enlist(root);
    const trust = (): Trust => readTrust(path);
    await expect.poll(() => trust().cert).toBeDefined();
    const before = trust();
    await leaf.host.kill();
    await expect.poll(() => childState(root)).toBe("unreachable");
    await root.call({ type: TREE.authority, data: { action: "rotate" } });
    const back = await node("leaf", { folder: path });
    await expect.poll(() => stateOf(back), { timeout: 10_000 }).toBe("owned");
    await expect.poll(() => trust().cert, { timeout: 10_000 }).not.toBe(before.cert);
    await root.call({ type: TREE.authority, data: { action: "retire" } });
    await expect.poll(() => trust().bundle.split("BEGIN CERTIFICATE").length - 1, { timeout: 10_000 }).toBe(1);
    await back.host.kill();
    const again = await node("leaf", { folder: path });
    await expect.poll(() => stateOf(again), { timeout: 10_000 }).toBe("owned");
    expect(await root.send("/root/leaf", "echo")).toMatchObject({ name: "leaf" });
  });

  test("E1: whoever shows a certificate of another authority is not let in, whatever key it has, also for the first time", async () => {
    const path = folder();
    const root = await node("root");
    const leaf = await node("leaf", { folder: path });
    await leaf.enlist(root);
    await expect.poll(() => readTrust(path).cert).toBeDefined();
    await leaf.host.kill();
    const other = await Authority.open("other", systemClock, { record: undefined, put: () => undefined });
    const { makeKeys } = await import("../../src/trust/issue.ts");
    const { privateKey, publicKey } = await makeKeys();
    const cert = await other.issue(leaf.id, publicKey);
    other.close();
    const file = join(path, "tree", "self.json");
    const stolen = JSON.parse(readFileSync(file, "utf8")) as { owner: { dial: { trust: Trust } } };
    stolen.owner.dial.trust = { ...stolen.owner.dial.trust, cert, key: privateKey };
    writeFileSync(file, JSON.stringify(stolen));
    const thief = await node("leaf", { folder: path });
    await expect
      .poll(() => thief.host.ask("failure", "leaf"), { timeout: 10_000 })
      .toMatchObject({ code: "auth.unauthenticated", message: expect.stringContaining("was not issued by this node") });
    expect(await childState(root)).toBe("unreachable");
  });

  test("what is kept is readable for its owner only, and holds no secret of a token", async () => {
    const path = folder();
    const root = await node("root", { folder: path });
    const { secret } = parseToken(await root.host.ask<string>("token", "root", "join"));
    for (const name of readdirSync(join(path, "tree"))) {
      const file = join(path, "tree", name);
      expect(statSync(file).mode & 0o077, name).toBe(0);
      expect(readFileSync(file, "utf8").includes(secret), name).toBe(false);
    }
  });

  test("C7-7: garbage, and frames of nobody, at the port of a node end in refusals, and the node goes on", async () => {
    const [root, leaf] = [await node("root"), await node("leaf")];
    await root.adopt(leaf);
    const at = root.address.lastIndexOf(":");
    for (const bytes of [
      randomBytes(4_096),
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      Buffer.alloc(0),
    ]) {
      const socket = connect(Number(root.address.slice(at + 1)), root.address.slice(0, at));
      socket.on("error", () => undefined);
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.end(bytes);
      await closed;
    }
    expect(await root.send("/root/leaf", "echo")).toMatchObject({ name: "leaf" });
  });
});
