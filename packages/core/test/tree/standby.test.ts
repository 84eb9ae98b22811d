import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { TARGET } from "../../src/router/router.ts";
import { SIMULATED_TIMES, WORK } from "../../src/testing/tree/node.ts";
import { TREE } from "../../src/tree/index.ts";
import { HostPool, type HostProcess, type NodeSpec, type RemoteNode } from "./cluster.ts";
import { World } from "./world.ts";

/** Times of the processes: a silent link is cut after a second, and the lease is longer than that. */
const LEASE_MS = 3_000;
const TIMES = { heartbeatMs: 100, leaseMs: LEASE_MS, redialMs: 50 };
const CHILDREN = 6;

const pool = new HostPool();
const folders: string[] = [];

afterEach(async () => {
  await pool.giveBack();
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});
afterAll(() => pool.end());

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "standby-test-"));
  folders.push(path);
  return path;
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what: string, holds: () => Promise<boolean>, withinMs = 20_000): Promise<number> {
  const startMs = performance.now();
  while (!(await holds().catch(() => false))) {
    if (performance.now() - startMs > withinMs) throw new Error(`${what}: not within ${withinMs} ms`);
    await wait(10);
  }
  return performance.now() - startMs;
}

interface Cluster {
  readonly active: RemoteNode;
  readonly standby: RemoteNode;
  readonly children: readonly RemoteNode[];
  readonly activeSpec: NodeSpec;
}

/** A manager, its standby, and children on two processes; half of them were adopted, half came by themselves. */
async function cluster(): Promise<Cluster> {
  const [one, two, three, four] = (await pool.take(4)) as [HostProcess, HostProcess, HostProcess, HostProcess];
  const activeSpec: NodeSpec = { name: "active", folder: folder(), standby: "standby", ...TIMES };
  const active = await one.node(activeSpec);
  const standby = await two.node({ name: "standby", folder: folder(), ...TIMES });
  await active.adopt(standby);
  const children = await Promise.all(
    Array.from({ length: CHILDREN }, async (_, n) => {
      const child = await (n % 2 === 0 ? three : four).node({ name: `c${n}`, ...TIMES });
      if (n % 2 === 0) await active.adopt(child);
      else await child.enlist(active);
      return child;
    }),
  );
  await until("all are managed and the standby is ready", async () => {
    const { children: all, standby: info } = await active.describe();
    return all.length === CHILDREN + 1 && all.every(({ state }) => state === "managed") && info?.isReady === true;
  });
  return { active, standby, children, activeSpec };
}

const reached = async (manager: RemoteNode): Promise<number> =>
  (await manager.all({ type: "echo", skipSelf: true, policy: "best-effort", timeoutMs: 500 })).tally.ok ?? 0;

/** Writes down who manages whom; gives what was seen of each child, and complains of two managers in an epoch. */
class EpochLog {
  readonly #seen = new Map<string, Map<number, string>>();
  readonly #running: Promise<unknown>;
  #isOver = false;

  private constructor(children: readonly RemoteNode[]) {
    this.#running = this.#watch(children).catch((error: unknown) => error);
  }

  static async of(children: readonly RemoteNode[]): Promise<EpochLog> {
    const log = new EpochLog(children);
    await until("every child was seen once", async () => log.#seen.size === children.length);
    return log;
  }

  async end(): Promise<Map<string, Map<number, string>>> {
    this.#isOver = true;
    const failure = await this.#running;
    if (failure !== undefined) throw failure;
    return this.#seen;
  }

  async #watch(children: readonly RemoteNode[]): Promise<void> {
    while (!this.#isOver) {
      for (const child of children) {
        const { epoch, owner, state } = await child.describe();
        if (owner === undefined || state !== "owned") continue;
        const owners = this.#seen.get(child.name) ?? new Map<number, string>();
        this.#seen.set(child.name, owners);
        expect(owners.get(epoch) ?? owner.name, `${child.name} in epoch ${epoch}`).toBe(owner.name);
        expect(epoch, child.name).toBe(Math.max(epoch, ...owners.keys()));
        owners.set(epoch, owner.name);
      }
      await wait(20);
    }
  }
}

describe("M-72: a manager with a standby", () => {
  test("is killed under calls: the standby manages every child within the lease and a second, and their own work goes on", async () => {
    const { active, standby, children } = await cluster();
    for (const child of children) await child.load({ type: "echo" }, 50);
    await active.load({ type: "metanode.node.ping", extensions: { target: children[0]?.id ?? "" } }, 50);
    await wait(300);
    const log = await EpochLog.of(children);
    const startMs = performance.now();
    await active.host.kill();
    await until("the standby reaches every child", async () => (await reached(standby)) === CHILDREN);
    const tookMs = performance.now() - startMs;
    expect(tookMs).toBeLessThan(LEASE_MS + 1_000);
    const { card, children: list, state } = await standby.describe();
    expect(list.map(({ state: seen }) => seen)).toEqual(Array.from({ length: CHILDREN }, () => "managed"));
    // The paths of the children are what they were.
    expect([state, card.path]).toEqual(["free", "/active"]);
    expect(list.map(({ path }) => path).sort()).toEqual(children.map(({ name }) => `/active/${name}`));
    for (const child of children) expect((await child.unload()).errors).toEqual({});
    for (const owners of (await log.end()).values()) {
      expect([...owners]).toEqual([
        [1, "active"],
        [2, "standby"],
      ]);
    }
  });

  test("is stopped for longer than the lease and goes on: it is fenced, nobody obeys it, and it becomes the next standby", async () => {
    const { active, standby, children } = await cluster();
    const log = await EpochLog.of(children);
    const before = await Promise.all(children.map((child) => child.seen()));
    active.host.signal("SIGSTOP");
    await until("the standby manages every child", async () => {
      const { children: list } = await standby.describe();
      return list.filter(({ state }) => state === "managed").length === CHILDREN;
    });
    // What it is asked while it is stopped, it does as soon as it goes on.
    const orders = children.map((child) => active.send(`/active/${child.name}`, "echo").catch((error: unknown) => codeOf(error)));
    active.host.signal("SIGCONT");
    const codes = await Promise.all(orders);
    for (const code of codes) {
      expect(["node.unreachable", "resource.not_found", "tree.moved", "tree.stale_epoch"]).toContain(code);
    }
    expect(await Promise.all(children.map((child) => child.seen()))).toEqual(before);
    await until("the old manager stands by for the new one", async () => {
      const { standby: info } = await standby.describe();
      return info?.isReady === true && info.id === active.id;
    });
    // It may stand by already while it has not yet written down that nobody is left to hand on.
    await until("the old manager has handed on everybody", async () => (await active.describe()).standby?.isFenced === false);
    const { owner, children: left, standby: role } = await active.describe();
    expect(owner?.name).toBe("standby");
    expect(left).toEqual([]);
    expect(role).toMatchObject({ manager: { name: "standby", isTaken: false } });
    expect(await reached(standby)).toBe(CHILDREN + 1);
    for (const owners of (await log.end()).values()) {
      expect([...owners]).toEqual([
        [1, "active"],
        [2, "standby"],
      ]);
    }
  });

  test("starts again as itself after it was replaced, and takes over again when its successor is killed", async () => {
    const { active, standby, children, activeSpec } = await cluster();
    await active.host.kill();
    await until("the standby reaches every child", async () => (await reached(standby)) === CHILDREN);
    const [host] = (await pool.take(1)) as [HostProcess];
    const again = await host.node(activeSpec);
    expect(again.id).toBe(active.id);
    await until("it stands by", async () => (await standby.describe()).standby?.isReady === true);
    const { children: list } = await standby.describe();
    expect(list.map(({ name, epoch }) => [name, epoch]).sort()).toEqual([
      ["active", 1],
      ...children.map(({ name }) => [name, 2]),
    ]);
    await standby.host.kill();
    await until("it manages again", async () => (await reached(again)) === CHILDREN);
    expect((await again.describe()).card.path).toBe("/active");
    expect((await children[0]?.describe())?.owner?.name).toBe("active");
  });

  test("M-52, C7-5: the root is upgraded too: its standby takes its place while all work, and gives it back, without a failed request", async () => {
    const { active, standby, children, activeSpec } = await cluster();
    const names = children.map(({ name }) => name);
    // Each to its neighbour, through the root, by path or by id; and to the standby.
    const targets = children.map((_, n) => {
      const next = children[(n + 1) % children.length] as RemoteNode;
      return n === 0 ? standby.id : n % 2 === 0 ? next.id : `/active/${next.name}`;
    });
    await Promise.all(children.map((child, n) => child.load({ type: "echo", extensions: { target: targets[n] as string } }, 30)));

    await active.call({ type: TREE.standby, data: { handOver: true } });
    expect(await standby.describe()).toMatchObject({ state: "free", card: { path: "/active" } });
    expect((await standby.describe()).children.map(({ name }) => name).sort()).toEqual(["active", ...names]);
    expect(await active.describe()).toMatchObject({ owner: { name: "standby" }, children: [] });

    await active.host.kill();
    const [host] = (await pool.take(1)) as [HostProcess];
    const again = await host.node({ ...activeSpec, version: "2" });
    await until("it stands by", async () => (await standby.describe()).standby?.isReady === true);
    await standby.call({ type: TREE.standby, data: { handOver: true } });
    expect(await again.describe()).toMatchObject({ state: "free", card: { path: "/active", version: "2" } });
    expect((await again.describe()).children.map(({ name }) => name).sort()).toEqual([...names, "standby"].sort());

    const loads = await Promise.all(children.map((child) => child.unload()));
    for (const [n, { errors, answered }] of loads.entries()) {
      expect(errors, `${names[n]} to ${targets[n]}`).toEqual({});
      expect(Object.values(answered).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(10);
    }
  });

  test("has links with certificates: the children know the standby by its authority", async () => {
    const [one, two, three] = (await pool.take(3)) as [HostProcess, HostProcess, HostProcess];
    const more = { tls: true, ...TIMES } as const;
    const active = await one.node({ name: "active", standby: "standby", ...more });
    const standby = await two.node({ name: "standby", ...more });
    const children = [await three.node({ name: "c0", ...more }), await three.node({ name: "c1", ...more })] as const;
    await standby.enlist(active);
    await active.adopt(children[0]);
    await children[1].enlist(active);
    await until("the standby is ready", async () => {
      const { standby: info, children: all } = await active.describe();
      return info?.isReady === true && all.filter(({ state }) => state === "managed").length === 3;
    });
    await active.host.kill();
    await until("the standby reaches both", async () => (await reached(standby)) === 2);
  });
});

describe("M-72: who hears what", () => {
  let world: World;

  beforeEach(async () => {
    world = await World.of("a", "b", "c", "d");
    for (const name of ["b", "c", "d"]) await world.during(world.adopt("a", name), 1_000);
    await world.during(world.order("a", TREE.standby, { child: "b" }), 1_000);
    expect(world.node("a").tree?.standby.info).toMatchObject({ name: "b", isReady: true });
  });

  const ownerOf = (name: string): string | undefined => world.node(name).tree?.upward.ownership.owner?.name;
  const passes = (ms: number): Promise<unknown> => world.during(Promise.resolve(), ms);
  const LONG_MS = SIMULATED_TIMES.heartbeatMs * 11 + SIMULATED_TIMES.leaseMs * 2;

  /** Nobody is half managed, and no rule was broken. */
  const atRest = (): void => {
    world.invariants.atRest();
    expect(world.invariants.violations).toEqual([]);
  };

  test("a standby that has lost the manager takes no child that still hears it, and is its child again when it is back", async () => {
    world.network.part("a", "b");
    await passes(LONG_MS);
    expect(world.node("b").tree?.upward.state).toBe("free");
    expect([ownerOf("c"), ownerOf("d")]).toEqual(["a", "a"]);
    expect(world.node("b").tree?.children.list()).toEqual([]);
    world.network.join();
    await passes(10_000);
    expect(world.node("a").tree?.standby.info).toMatchObject({ isReady: true, isFenced: false });
    atRest();
  });

  test("a child that has lost the manager is not taken by a standby that hears it", async () => {
    world.network.part("a", "c");
    await passes(LONG_MS);
    expect(world.node("c").tree?.upward.state).toBe("free");
    expect(world.node("b").tree?.upward.state).toBe("owned");
    world.network.join();
    await passes(10_000);
    expect(ownerOf("c")).toBe("a");
    atRest();
  });

  test("an adoption below the standby that was cut off stands in the way of a handover no longer than its hold lasts", async () => {
    await world.during(world.order("a", TREE.release, { child: "d" }));
    await world.during(world.order("a", TREE.move, { node: "/a/c", to: "/a/b" }));
    world.fault = { node: "c", write: 3, when: "before" };
    await world.during(world.adopt("c", "d"), 1_000);
    expect(world.node("c").isUp).toBe(false);
    expect(world.node("b").tree?.upward.isHolding).toBe(true);
    await passes(SIMULATED_TIMES.stepMs * 7);
    expect(world.node("b").tree?.upward.isHolding).toBe(false);
    await world.during(world.order("a", TREE.standby, { handOver: true }));
    expect([ownerOf("a"), ownerOf("b")]).toEqual(["b", undefined]);
  });

  test("a manager that was replaced goes to its successor, whomever else it was told to join", async () => {
    world.network.part("a", "b");
    world.network.part("a", "c");
    await passes(LONG_MS);
    expect([ownerOf("c"), ownerOf("d")]).toEqual(["b", "a"]);
    await world.during(world.enlist("a", "a"), 1_000); // which nobody can ever do
    world.network.join();
    await passes(20_000);
    expect([ownerOf("a"), ownerOf("d")]).toEqual(["b", "b"]);
    atRest();
  });

  test("a manager that reaches only some of its children keeps them until it hears that it was replaced, then hands them on", async () => {
    world.network.part("a", "b");
    world.network.part("a", "c");
    await passes(LONG_MS);
    expect([ownerOf("c"), ownerOf("d")]).toEqual(["b", "a"]);
    world.network.join();
    await passes(20_000);
    expect([ownerOf("a"), ownerOf("b"), ownerOf("c"), ownerOf("d")]).toEqual(["b", undefined, "b", "b"]);
    expect(world.node("b").tree?.standby.info).toMatchObject({ name: "a", isReady: true });
    atRest();
  });

  test("the orders of a manager that was replaced are of an old epoch, and its key opens nothing", async () => {
    const a = world.node("a").tree;
    const record = a?.children.named("c")?.record;
    world.node("a").kill();
    await passes(LONG_MS);
    const { upward } = world.node("c").tree ?? {};
    expect(ownerOf("c")).toBe("b");
    for (const order of [
      () => upward?.admitOwner("id-a", record?.key ?? ""),
      () => upward?.ownership.check(record?.epoch ?? 0),
      () => world.node("b").tree?.upward.admitOwner("id-a", "its key"),
    ]) {
      expect(order).toThrow(
        expect.objectContaining({ code: "tree.stale_epoch", details: expect.objectContaining({ by: "id-b" }) }),
      );
    }
  });

  test("two that take each other's place again and again stay one manager and one standby", async () => {
    for (const [lost, next] of [
      ["a", "b"],
      ["b", "a"],
      ["a", "b"],
    ] as const) {
      world.node(lost).kill();
      await passes(LONG_MS);
      expect([ownerOf("c"), ownerOf("d")]).toEqual([next, next]);
      await world.node(lost).start();
      await passes(LONG_MS);
      expect(ownerOf(lost)).toBe(next);
      expect(world.node(next).tree?.standby.info).toMatchObject({ name: lost, isReady: true, isFenced: false });
      atRest();
    }
  });

  test("whoever was away comes late, and the standby names it until then", async () => {
    world.node("d").kill();
    world.node("a").kill();
    await passes(LONG_MS);
    const children = world.node("b").tree?.children;
    expect(children?.list().map(({ record, state }) => [record.name, record.state, state])).toEqual([
      ["c", "managed", "ready"],
      ["d", "adopting", "down"],
    ]);
    const done = (await world.during(world.all("b"))) as { outcomes: readonly { path: string; status: string }[] };
    expect(done.outcomes.map(({ path, status }) => [path, status]).sort()).toEqual([
      ["/a", "ok"],
      ["/a/c", "ok"],
      ["/a/d", "unreachable"],
    ]);
    await world.node("d").start();
    await passes(LONG_MS);
    expect(ownerOf("d")).toBe("b");
    atRest();
  });

  test("one that is dismissed, released or moved stands by no more", async () => {
    await world.during(world.order("a", TREE.standby, { none: true }), 1_000);
    expect(world.node("c").tree?.upward.ownership.owner?.successor).toBeUndefined();
    expect(world.node("b").tree?.standby.info.manager).toBeUndefined();
    await world.during(world.order("a", TREE.standby, { child: "b" }), 1_000);
    expect(world.node("c").tree?.upward.ownership.owner?.successor?.name).toBe("b");
    await world.during(world.order("a", TREE.release, { child: "b" }));
    expect(world.node("c").tree?.upward.ownership.owner?.successor).toBeUndefined();
    world.node("a").kill();
    await passes(LONG_MS);
    expect(world.node("b").tree?.children.list()).toEqual([]);
    expect(world.node("c").tree?.upward.state).toBe("free");
  });

  test("a stranger with a guessed key gets nowhere, and a manager that lives cannot be replaced with the right one", async () => {
    const { successor } = world.node("c").tree?.upward.ownership.owner ?? {};
    const admit = (key: string): void => world.node("b").tree?.ward.admit({ id: "id-c", name: "c", key });
    expect(() => admit("guessed")).toThrow(expect.objectContaining({ code: "tree.not_managed" }));
    expect(() => admit(successor?.key ?? "")).toThrow(expect.objectContaining({ code: "tree.already_managed" }));
  });

  test.each(["before", "after"] as const)("a death of the standby %s any write of the takeover only delays it", async (when) => {
    let faults = 0;
    for (let write = 1; write <= 8; write++) {
      const again = await World.of("a", "b", "c", "d");
      world = again;
      for (const name of ["b", "c", "d"]) await world.during(world.adopt("a", name), 1_000);
      await world.during(world.order("a", TREE.standby, { child: "b" }), 1_000);
      world.fault = { node: "b", write, when };
      world.node("a").kill();
      await passes(LONG_MS);
      if (!world.node("b").isUp) faults++;
      await world.recover();
      await passes(LONG_MS);
      expect(world.invariants.violations, `${when} write ${write}`).toEqual([]);
      const owners = [ownerOf("c"), ownerOf("d")];
      expect(owners[0], `${when} write ${write}`).toBe(owners[1]);
      const manager = world.node(owners[0] ?? "");
      const sent = world.node(owners[0] ?? "").router?.call({ type: WORK, extensions: { [TARGET]: "id-d" } });
      expect(await world.during(sent as Promise<unknown>)).toBe("d");
      expect(manager.tree?.standby.info.isReady, `${when} write ${write}`).toBe(true);
    }
    expect(faults).toBeGreaterThanOrEqual(4);
  });
});
