import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { seededRandom } from "../../src/member/random.ts";
import { HostProcess, type RemoteNode } from "./cluster.ts";

/** `npm run scenario -- 6 --seconds 3600` is the hour. */
const SECONDS = Number(process.env.METANODE_CHAOS_SECONDS ?? 4);
const SEED = Number(process.env.METANODE_CHAOS_SEED ?? 1);
const NAMES = ["root", "eu", "us", "eu1", "eu2", "us1", "us2"] as const;
const PARENTS: Readonly<Record<string, string>> = { eu: "root", us: "root", eu1: "eu", eu2: "eu", us1: "us", us2: "us" };

const folder = mkdtempSync(join(tmpdir(), "tree-chaos-"));
const nodes = new Map<string, RemoteNode>();

afterAll(async () => {
  await Promise.all([...nodes.values()].map(({ host }) => host.kill()));
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a node, or starts it again with what it had stored, where it was. */
async function start(name: string): Promise<RemoteNode> {
  const listen = nodes.get(name)?.address;
  const host = await HostProcess.start();
  const node = await host.node({
    name,
    folder: join(folder, name),
    types: ["job"],
    heartbeatMs: 200,
    ...(listen ? { listen } : {}),
  });
  nodes.set(name, node);
  return node;
}

const node = (name: string): RemoteNode => nodes.get(name) as RemoteNode;

test(`C7-6: ${SECONDS} s of kills and pauses of nodes and managers: what is left is the tree that was wanted`, {
  timeout: SECONDS * 1_000 + 120_000,
}, async () => {
  const random = seededRandom(SEED);
  for (const name of NAMES) await start(name);
  for (const [child, parent] of Object.entries(PARENTS)) await node(parent).adopt(node(child));
  const epochs = new Map<string, number>();
  const look = async (): Promise<void> => {
    for (const name of NAMES) {
      const { epoch } = await node(name).describe();
      expect(epoch, `${name} goes back`).toBeGreaterThanOrEqual(epochs.get(name) ?? 0);
      epochs.set(name, epoch);
    }
  };
  let [kills, pauses] = [0, 0];
  for (const endMs = performance.now() + SECONDS * 1_000; performance.now() < endMs; ) {
    const name = NAMES[Math.floor(random() * NAMES.length)] as string;
    if (random() < 0.6) {
      await node(name).host.kill();
      kills++;
      await delay(random() * 600);
      await start(name);
    } else {
      const { host } = node(name);
      host.signal("SIGSTOP");
      pauses++;
      await delay(random() * 1_500);
      host.signal("SIGCONT");
    }
    await look();
  }
  const wanted = NAMES.map((name) => {
    const path = [name as string];
    for (let at: string | undefined = PARENTS[name]; at !== undefined; at = PARENTS[at]) path.unshift(at);
    return `/${path.join("/")}`;
  });
  const alive = async (): Promise<string[]> =>
    (await node("root").all({ type: "echo", policy: "best-effort", timeoutMs: 3_000 })).outcomes
      .filter(({ status }) => status === "ok")
      .map(({ path }) => path)
      .sort();
  await expect.poll(alive, { timeout: 60_000 }).toEqual(wanted.sort());
  await look();
  expect(kills + pauses).toBeGreaterThan(0);
  // Nobody was adopted anew: all came back as what they were.
  expect([...epochs].filter(([name]) => name !== "root").map(([, epoch]) => epoch)).toEqual(NAMES.slice(1).map(() => 1));
});
