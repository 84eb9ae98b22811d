import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../fixtures/until.ts";
import { ITEM_BYTES } from "./byte-stream.ts";
import { HostPool, type HostProcess, type RemoteNode } from "./cluster.ts";

const pool = new HostPool();
const LEAF = "/root/middle/leaf";
/** Megabytes that a process may grow by, however much goes through it. */
const MOST_GROWTH = 100;
/** Items that wait on two links and in two sessions if nobody reads; the first of them come before their size is known. */
const MOST_UNREAD = 100;

let root: RemoteNode;
let leaf: RemoteNode;
let hosts: HostProcess[];

function itemsOf(megabytes: number): number {
  return Math.ceil((megabytes * 1e6) / ITEM_BYTES);
}

/** How many items the leaf has given; -1 when it is over. */
async function given(): Promise<number> {
  return (await leaf.seen()).bytes ?? 0;
}

/** How many the leaf has given when it gives no more for a while. */
async function givenInTheEnd(): Promise<number> {
  let before = -2;
  let same = 0;
  return until("the leaf gives no more", async () => {
    const now = await given();
    same = now === before ? same + 1 : 0;
    before = now;
    return same === 40 ? now : undefined;
  });
}

async function expectSmall(): Promise<void> {
  const growth = await Promise.all(hosts.map((host) => host.grown()));
  for (const grown of growth) expect(grown, `${growth.map(Math.round).join(", ")} MB`).toBeLessThan(MOST_GROWTH);
}

beforeEach(async () => {
  hosts = await pool.take(3);
  const names = ["root", "middle", "leaf"];
  const nodes = await Promise.all(hosts.map((host, n) => host.node({ name: names[n] as string })));
  const [top, middle, low] = nodes as [RemoteNode, RemoteNode, RemoteNode];
  [root, leaf] = [top, low];
  await top.adopt(middle);
  await middle.adopt(low);
  // What code takes once is not the stream's growth.
  await root.open(LEAF, 20);
  await root.read();
  await Promise.all(hosts.map((host) => host.weigh()));
});

afterEach(() => pool.giveBack());
afterAll(() => pool.end());

describe("a stream of bytes from a leaf over its manager to the root, each a process", () => {
  test("M-68: comes whole and in order, and no process grows by what went through it", { timeout: 120_000 }, async () => {
    const items = itemsOf(400);
    await root.open(LEAF, items);
    expect(await root.read()).toBe(items);
    await expectSmall();
  });

  test("M-68: waits for a reader that reads slowly: the leaf is never far ahead of it", { timeout: 120_000 }, async () => {
    const items = itemsOf(250);
    await root.open(LEAF, items);
    let read = 0;
    while (read < 200) {
      read = await root.read(20);
      const ahead = (await givenInTheEnd()) - read;
      expect(ahead).toBeGreaterThanOrEqual(0);
      expect(ahead).toBeLessThan(MOST_UNREAD);
    }
    // In small parts from here on, so that the stream stands and goes again all the time.
    while (read < items) {
      const before = read;
      read = await root.read(7);
      if (read === before) break;
      const now = await given();
      if (now >= 0) expect(now - read).toBeLessThan(MOST_UNREAD);
    }
    expect(read).toBe(items);
    await expectSmall();
  });

  test("M-68: has no end, and ends at the leaf when the reader leaves", { timeout: 60_000 }, async () => {
    await root.open(LEAF, Number.MAX_SAFE_INTEGER);
    await root.read(1_000);
    await root.leave();
    await until("the leaf has ended it", async () => (await given()) === -1);
    await expectSmall();
  });
});
