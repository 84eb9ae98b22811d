import { describe, expect, test } from "vitest";
import { Invariants } from "../../src/testing/tree/invariants.ts";
import { simulateTree } from "../../src/testing/tree/simulate.ts";

/** `npm run simulate` runs ten thousand. */
const SEEDS = 300;

describe("a tree of nodes in a simulated world", () => {
  test(`M-75: holds its invariants through ${SEEDS} seeds of adoptions, releases, moves, crashes and partitions`, async () => {
    let ended = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = await simulateTree({ seed });
      expect(result.violations, `seed ${seed}; npm run simulate -- --seed ${seed} tells what happened`).toEqual([]);
      ended += result.ended;
    }
    expect(ended).toBeGreaterThan(SEEDS * 5);
  });

  test("M-75: the same seed gives the same run, step by step", async () => {
    const [one, again, other] = [
      await simulateTree({ seed: 37 }),
      await simulateTree({ seed: 37 }),
      await simulateTree({ seed: 38 }),
    ];
    expect(again.trace).toEqual(one.trace);
    expect(other.trace).not.toEqual(one.trace);
    expect(one.trace.length).toBeGreaterThan(20);
  });

  test("runs larger trees for longer", async () => {
    const { violations, trace } = await simulateTree({ seed: 5, nodes: 12, steps: 60 });
    expect(violations).toEqual([]);
    expect(trace.filter((line) => / adopted /.test(line)).length).toBeGreaterThan(3);
  });
});

/** What the invariants look at of a node, made up. */
function fake(id: string, state: string, { owner, epoch = 1 }: { owner?: string; epoch?: number }): never {
  const ownership = { epoch, owner: owner === undefined ? undefined : { id: owner, epoch } };
  const tree = {
    upward: { ownership, state },
    children: { list: () => [], get: () => undefined },
    maintenance: { node: undefined },
    standby: { info: { isFenced: false } },
  };
  return { id, name: id, tree } as never;
}

describe("the invariants", () => {
  test("see a circle, a second owner in an epoch, an epoch that goes back, and a node that only one side calls managed", () => {
    const circle = new Invariants([fake("a", "owned", { owner: "b" }), fake("b", "orphaned", { owner: "a" })]);
    circle.look();
    expect(circle.violations.join()).toContain("I3");
    const owners = new Invariants([]);
    owners.event(fake("a", "owned", { owner: "b" }), { kind: "owned" } as never);
    owners.event(fake("a", "owned", { owner: "c" }), { kind: "owned" } as never);
    expect(owners.violations.join()).toContain("I1");
    owners.event(fake("a", "owned", { owner: "c", epoch: 4 }), { kind: "owned" } as never);
    owners.event(fake("a", "owned", { owner: "c", epoch: 3 }), { kind: "owned" } as never);
    expect(owners.violations.join()).toContain("I2");
    const half = new Invariants([fake("a", "owned", { owner: "b" }), fake("b", "free", {})]);
    half.atRest();
    expect(half.violations.join()).toContain("half managed");
  });

  test("see a target without an end and one with two", () => {
    const subject = new Invariants([]);
    const done = { kind: "done", outcomes: [{ id: "a" }, { id: "a" }] } as never;
    subject.forAll([{ kind: "target", id: "b", path: "/b" }, done]);
    expect(subject.violations).toEqual(["I6: a for-all has two ends for one target", "I6: target /b has no end"]);
  });
});
