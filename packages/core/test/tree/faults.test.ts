import { describe, expect, test } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { TARGET } from "../../src/router/router.ts";
import { SIMULATED_TIMES, WORK } from "../../src/testing/tree/node.ts";
import { TREE } from "../../src/tree/index.ts";
import { World } from "./world.ts";

/** What is tried with a death at each of its writes: the world before, and the deed. */
const deeds: Record<string, { prepare(world: World): Promise<void>; deed(world: World): Promise<unknown> }> = {
  "an adoption that the manager dials": { prepare: async () => undefined, deed: (world) => world.adopt("a", "b") },
  "an adoption that the child dials": {
    prepare: async () => undefined,
    deed: (world) => world.enlist("b", "a"),
  },
  "a release": {
    prepare: async (world) => void (await world.during(world.adopt("a", "b"))),
    deed: (world) => world.order("a", TREE.release, { child: "b" }),
  },
  "a move": {
    prepare: async (world) => {
      await world.during(world.adopt("a", "b"));
      await world.during(world.adopt("a", "c"));
      await world.during(world.adopt("b", "d"));
    },
    deed: (world) => world.order("a", TREE.move, { node: "/a/b/d", to: "/a/c" }),
  },
  "a move of a node that dials its manager": {
    prepare: async (world) => {
      await world.during(world.adopt("a", "b"));
      await world.during(world.adopt("a", "c"));
      await world.during(world.enlist("d", "b"));
    },
    deed: (world) => world.order("a", TREE.move, { node: "/a/b/d", to: "/a/c" }),
  },
  "an adoption by force": {
    prepare: async (world) => void (await world.during(world.adopt("a", "b"))),
    deed: (world) => world.adopt("c", "b", { force: true }),
  },
};

describe("M-44: a death at any write leaves a node managed or not, never half", () => {
  test.each(Object.entries(deeds))("%s", async (_name, { prepare, deed }) => {
    const counting = await World.of("a", "b", "c", "d");
    await prepare(counting);
    counting.fault = undefined;
    await counting.during(deed(counting));
    const writes = [...counting.writes].filter(([, count]) => count > 0);
    expect(writes.length).toBeGreaterThan(0);
    let faults = 0;
    for (const [node, count] of writes) {
      for (let write = 1; write <= count; write++) {
        for (const when of ["before", "after"] as const) {
          const world = await World.of("a", "b", "c", "d");
          await prepare(world);
          world.fault = { node, write, when };
          await world.during(deed(world));
          await world.recover();
          expect(world.invariants.violations, `${node} dies ${when} its write ${write}`).toEqual([]);
          faults++;
        }
      }
    }
    expect(faults).toBeGreaterThanOrEqual(4);
  });
});

describe("M-45: a manager that is lost", () => {
  test("keeps its right for the length of the lease; then another may adopt, and its old orders are refused", async () => {
    const world = await World.of("a", "b", "c");
    await world.during(world.adopt("a", "b"));
    world.network.part("a", "b");
    await world.during(Promise.resolve(), SIMULATED_TIMES.heartbeatMs * 11);
    expect(codeOf(await world.during(world.adopt("c", "b"), 2_000))).toBe("tree.already_managed");
    expect(world.node("b").tree?.upward.state).toBe("orphaned");
    await world.during(Promise.resolve(), SIMULATED_TIMES.leaseMs);
    expect(world.node("b").tree?.upward.state).toBe("free");
    await world.during(world.adopt("c", "b"));
    expect(world.node("b").tree?.upward.ownership.owner).toMatchObject({ name: "c", epoch: 2 });
    // What the old manager had sent, and what it sends now, arrives with the old epoch.
    const sent = world.order("a", TREE.all, { type: WORK, timeoutMs: 4_000, skipSelf: true });
    await world.during(sent);
    world.network.join();
    await world.during(Promise.resolve(), 10_000);
    expect(world.node("b").tree?.upward.ownership.owner).toMatchObject({ name: "c", epoch: 2 });
    expect(world.node("a").tree?.children.list()).toEqual([]);
    const late = await world.during(
      world.node("a").router?.call({ type: WORK, extensions: { [TARGET]: "/a/b" } }) as Promise<unknown>,
    );
    expect(["tree.moved", "resource.not_found"]).toContain(codeOf(late));
    world.invariants.atRest();
    expect(world.invariants.violations).toEqual([]);
  });

  test("adopts anew when it comes back after its lease, in a new epoch, if nobody else has", async () => {
    const world = await World.of("a", "b");
    await world.during(world.adopt("a", "b"));
    world.network.part("a", "b");
    await world.during(Promise.resolve(), SIMULATED_TIMES.heartbeatMs * 11 + SIMULATED_TIMES.leaseMs);
    expect(world.node("b").tree?.upward.state).toBe("free");
    world.network.join();
    await world.during(Promise.resolve(), 30_000);
    expect(world.node("b").tree?.upward).toMatchObject({ state: "owned", ownership: { owner: { name: "a", epoch: 2 } } });
  });

  test("a return within the lease is no new adoption", async () => {
    const world = await World.of("a", "b");
    await world.during(world.adopt("a", "b"));
    world.network.part("a", "b");
    await world.during(Promise.resolve(), SIMULATED_TIMES.heartbeatMs * 4);
    world.network.join();
    await world.during(Promise.resolve(), 5_000);
    expect(world.node("b").tree?.upward).toMatchObject({ state: "owned", ownership: { owner: { name: "a", epoch: 1 } } });
  });
});

describe("C4: a former manager that adopts again when it is told that it is none any more", () => {
  test("is heard when it is lost, and those who came between are told as well", async () => {
    const world = await World.of("a", "d", "e");
    const { during } = world;
    const passes = (ms: number): Promise<unknown> => during.call(world, Promise.resolve(), ms);
    // The answer to the adoption is lost: for a, d is one that it has begun to adopt.
    world.fault = { node: "a", write: 4, when: "before" };
    await during.call(world, world.enlist("d", "a"), 1_000);
    expect(world.node("a").isUp).toBe(false);
    expect(world.node("d").tree?.upward.ownership.owner?.name).toBe("a");
    world.fault = undefined;
    await passes(SIMULATED_TIMES.leaseMs + 2_000);
    await during.call(world, world.enlist("d", "e"));
    expect(world.node("d").tree?.upward.ownership.owner?.name).toBe("e");
    world.node("e").kill();
    await passes(SIMULATED_TIMES.leaseMs + 2_000);
    await world.node("a").start();
    await passes(5_000);
    expect(world.node("d").tree?.upward).toMatchObject({ state: "owned", ownership: { owner: { name: "a", epoch: 3 } } });

    world.node("a").kill();
    await passes(1_000);
    expect(world.node("d").tree?.upward.state).toBe("orphaned");
    await world.recover();
    expect(world.node("e").tree?.children.list()).toEqual([]);
    expect(world.invariants.violations).toEqual([]);
  });
});

describe("M-06: what a node sends and remembers", () => {
  test("hangs on its neighbours, not on the size of the tree", async () => {
    /** Frames that a leaf's manager exchanges with it in a minute at rest, and records that the root keeps. */
    const measured = async (extra: number): Promise<{ children: number; size: number }> => {
      const names = Array.from({ length: 3 + extra }, (_, n) => `n${n}`);
      const world = await World.of(...names);
      await world.during(world.adopt("n0", "n1"));
      await world.during(world.adopt("n1", "n2"));
      for (let n = 3; n < names.length; n++) await world.during(world.adopt("n2", `n${n}`), 1_000);
      await world.during(Promise.resolve(), 2_000);
      const root = world.node("n0").tree;
      return { children: root?.children.list().length ?? 0, size: root?.card().size ?? 0 };
    };
    expect(await measured(0)).toEqual({ children: 1, size: 2 });
    expect(await measured(12)).toEqual({ children: 1, size: 14 });
  });
});
