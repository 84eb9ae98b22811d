import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createGroup } from "../../src/member/group.ts";
import type { Member, Outcome } from "../../src/member/member.ts";
import { type GroupResult, missingOf } from "../../src/member/outcome.ts";
import { policy, verdictOf } from "../../src/member/policy.ts";
import { type Reducer, reduce } from "../../src/member/reduce.ts";
import { all } from "../../src/member/select.ts";
import { answerOf, down, errorOf, failed, hang, later, member, message, setup, throwing } from "./members.ts";

function resultOf(values: readonly unknown[]): GroupResult {
  const outcomes = values.map(
    (value, index): Outcome =>
      value instanceof Error
        ? { member: `m${index}`, status: "error", error: value }
        : { member: `m${index}`, status: "ok", value },
  );
  return { verdict: verdictOf(policy.any(), outcomes), outcomes, missing: missingOf(outcomes) };
}

const gap = failed();

describe("the list of values", () => {
  test("is in member order, never in the order of coming, without those who are missing", async () => {
    const { clock, context } = setup();
    const members = [
      member("a", later(clock, 30, 1)),
      member("b", throwing(gap)),
      member("c", later(clock, 10, 3)),
      member("d", () => 4),
    ];
    const group = createGroup({ id: "g", members, select: all(policy.bestEffort()), clock });
    const answer = answerOf(() => group.call(message(), context));
    await clock.advance(30);
    expect(await answer).toEqual([1, 3, 4]);
  });

  test("of no members is empty", () => {
    expect(reduce.list().reduce(resultOf([]))).toEqual([]);
  });
});

describe("the first value", () => {
  test("is the first in member order", () => {
    expect(reduce.first().reduce(resultOf([gap, 2, 3]))).toBe(2);
    expect(reduce.first().reduce(resultOf([undefined, 2]))).toBeUndefined();
    expect(reduce.first().reduce(resultOf([gap]))).toBeUndefined();
  });
});

describe("a merge", () => {
  test("gets the values in member order and every outcome", () => {
    const merge = reduce.merge((values, outcomes) => ({ values, who: outcomes.map((o) => `${o.member} ${o.status}`) }));
    expect(merge.reduce(resultOf([1, gap, 3]))).toEqual({ values: [1, 3], who: ["m0 ok", "m1 error", "m2 ok"] });
  });

  test("may answer with a promise", async () => {
    const { context, clock } = setup();
    const sum = reduce.merge(async (values) => (values as number[]).reduce((a, b) => a + b, 0));
    const group = createGroup({
      id: "g",
      members: [member("a", () => 1), member("b", () => 2)],
      select: all(),
      reduce: sum,
      clock,
    });
    expect(await group.call(message(), context)).toBe(3);
  });
});

describe("a report", () => {
  test("is the result itself", async () => {
    const { clock, context } = setup();
    const group = createGroup({
      id: "g",
      members: [member("a"), member("b", throwing(gap))],
      select: all(policy.any({ rest: "wait" })),
      reduce: reduce.report(),
      clock,
    });
    expect(await group.call(message(), context)).toEqual({
      verdict: true,
      outcomes: [
        { member: "a", status: "ok", value: "a" },
        { member: "b", status: "error", error: gap },
      ],
      missing: ["b"],
    });
  });
});

describe("a merge that answers with a promise", () => {
  test("ends at the deadline of the call, and with its caller", async () => {
    const { clock, context, abort } = setup(800);
    const endless = reduce.merge(() => new Promise(() => undefined));
    const group = createGroup({
      id: "g",
      members: [member("a"), member("b", later(clock, 5, "b"))],
      select: all(),
      reduce: endless,
      clock,
    });
    const late = errorOf(() => group.call(message(), { deadlineMs: context.deadlineMs }));
    const withdrawn = errorOf(() => group.call(message(), context));
    await clock.advance(5);
    abort.abort();
    expect(await withdrawn).toMatchObject({ code: "call.cancelled" });
    await clock.advance(795);
    expect(await late).toMatchObject({ code: "call.deadline" });
    expect(clock.pendingTimers).toBe(0);
  });

  test("that comes too late with an error troubles nobody", async () => {
    const { clock, context } = setup(80);
    const broken = reduce.merge(() => new Promise((_resolve, reject) => clock.setTimer(200, () => reject(gap))));
    const group = createGroup({ id: "g", members: [member("a")], select: all(), reduce: broken, clock });
    const late = errorOf(() => group.call(message(), context));
    await clock.advance(300); // an unhandled rejection here would fail the run
    expect(await late).toMatchObject({ code: "call.deadline" });
  });
});

/** A tree of values: what a group of groups folds. */
type Tree = number | readonly Tree[];
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.integer({ min: -99, max: 99 }),
    fc.array(tie("tree"), { maxLength: 4 }),
  ),
}));

function leaves(of: Tree): number[] {
  return typeof of === "number" ? [of] : of.flatMap(leaves);
}

function treeOf(of: Tree, leaf: (value: number) => unknown, reducer: Reducer, id = "root"): Member {
  // Every other leaf answers with a promise.
  if (typeof of === "number") return member(id, () => (of % 2 === 0 ? leaf(of) : Promise.resolve(leaf(of))));
  const members = of.map((child, index) => treeOf(child, leaf, reducer, `${id}.${index}`));
  return createGroup({ id, members, select: all(), reduce: reducer });
}

/** As many members as the tree has leaves, so that nothing is out of reach: an empty inner group is skipped as down. */
const filled = tree.filter((shape) => typeof shape === "object" && full(shape));

function full(shape: Tree): boolean {
  return typeof shape === "number" || (shape.length > 0 && shape.every(full));
}

describe("a fold", () => {
  const laws = {
    sum: reduce.fold(0, (a: number, b: number) => a + b),
    "sum, unordered": reduce.fold(0, (a: number, b: number) => a + b, { unordered: true }),
    maximum: reduce.fold(Number.NEGATIVE_INFINITY, Math.max, { unordered: true }),
    "text, which does not commute": reduce.fold("", (a: string, b: string) => a + b),
  };

  test.each(Object.entries(laws))("comes to the same in every bracketing: %s", async (name, fold) => {
    const leaf = (value: number): unknown => (name.startsWith("text") ? `${value};` : value);
    const context = { deadlineMs: Number.POSITIVE_INFINITY };
    await fc.assert(
      fc.asyncProperty(filled, async (shape) => {
        const flat = leaves(shape);
        const nested = treeOf(shape, leaf, fold as Reducer).call(message(), context);
        const reference = treeOf(flat, leaf, fold as Reducer).call(message(), context);
        expect(await nested).toEqual(await reference);
      }),
    );
  });

  test("of no values is the identity", () => {
    expect(reduce.fold(7, (a: number, b: number) => a + b).reduce(resultOf([gap]))).toBe(7);
  });

  test("combines in member order, whichever value comes first", async () => {
    const { clock, context } = setup();
    const members = [member("a", later(clock, 20, "a")), member("b", later(clock, 10, "b")), member("c", () => "c")];
    const text = reduce.fold("", (a: string, b: string) => a + b);
    const group = createGroup({ id: "g", members, select: all(), reduce: text, clock });
    const answer = answerOf(() => group.call(message(), context));
    await clock.advance(20);
    expect(await answer).toBe("abc");
  });

  test("that is unordered combines each value when it comes, and none of those that came too late", async () => {
    const { clock, context } = setup();
    const members = [member("a", later(clock, 20, 1)), member("b", later(clock, 10, 2)), member("c", hang)];
    const steps: [number, number][] = [];
    const sum = reduce.fold(
      0,
      (a: number, b: number) => {
        steps.push([a, b]);
        return a + b;
      },
      { unordered: true },
    );
    const group = createGroup({ id: "g", members, select: all(policy.quorum(2)), reduce: sum, clock });
    const answer = answerOf(() => group.call(message(), context));
    await clock.advance(10);
    expect(steps).toEqual([[0, 2]]);
    await clock.advance(10);
    expect(await answer).toBe(3);
    // A second call begins anew.
    const again = answerOf(() => group.call(message(), context));
    await clock.advance(20);
    expect(await again).toBe(3);
  });
});

describe("the agreement of members", () => {
  test("is the value of more than half of the group, by deep equality", () => {
    expect(reduce.agreement().reduce(resultOf([{ v: [1] }, { v: [2] }, { v: [1] }]))).toEqual({ v: [1] });
    expect(reduce.agreement().reduce(resultOf([gap, 5, 5]))).toBe(5);
  });

  test("is group.policy_unmet, with the votes, where no value has more than half of the group", async () => {
    expect(await errorOf(() => reduce.agreement().reduce(resultOf([1, 1, 2, 3])))).toMatchObject({
      code: "group.policy_unmet",
      retryable: true,
      details: { atLeast: 3, votes: [2, 1, 1] },
    });
    expect(await errorOf(() => reduce.agreement().reduce(resultOf([1, gap, gap])))).toMatchObject({ code: "group.policy_unmet" });
    expect(await errorOf(() => reduce.agreement().reduce(resultOf([])))).toMatchObject({ code: "group.policy_unmet" });
  });

  test("needs as many as asked for", async () => {
    expect(reduce.agreement({ atLeast: 1 }).reduce(resultOf([1, 2]))).toBe(1);
    expect(await errorOf(() => reduce.agreement({ atLeast: 3 }).reduce(resultOf([1, 1, 2])))).toMatchObject({
      details: { atLeast: 3 },
    });
    expect(() => reduce.agreement({ atLeast: 0 })).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });

  test("works with a quorum: two of three agree while the third is down", async () => {
    const { clock, context } = setup();
    const members = [
      member("a", () => ({ stock: 4 })),
      member("b", throwing(down())),
      member("c", later(clock, 5, { stock: 4 })),
    ];
    const group = createGroup({ id: "g", members, select: all(policy.quorum(2)), reduce: reduce.agreement(), clock });
    const answer = answerOf(() => group.call(message(), context));
    await clock.advance(5);
    expect(await answer).toEqual({ stock: 4 });
  });
});

describe("a reducer that throws", () => {
  const broken = new TypeError("no such field");
  const kinds: Record<string, Reducer> = {
    "at the end": reduce.merge(() => {
      throw broken;
    }),
    "in a promise": reduce.merge(() => Promise.reject(broken)),
    "while values come": reduce.fold(
      0,
      () => {
        throw broken;
      },
      { unordered: true },
    ),
  };

  test.each(Object.entries(kinds))("%s ends the call with a typed error that names it", async (_when, reducer) => {
    const { clock, context } = setup();
    const hanging = member("c", hang);
    const members = [member("a"), member("b", later(clock, 5, "b")), hanging];
    const group = createGroup({ id: "g", members, select: all(policy.quorum(2)), reduce: reducer, clock });
    const error = errorOf(() => group.call(message(), context));
    await clock.advance(5);
    expect(await error).toMatchObject({ code: "processor.failed", cause: broken });
    expect(((await error) as Error).message).toContain(`reducer ${reducer.name} of group g failed: no such field`);
    expect(hanging.aborted).toBe(hanging.messages.length); // whatever was sent is withdrawn
  });

  test("with an error of ours is heard as it is", async () => {
    const { context, clock } = setup();
    const own = down("the index");
    const merge = reduce.merge(() => {
      throw own;
    });
    const group = createGroup({ id: "g", members: [member("a")], select: all(), reduce: merge, clock });
    expect(await errorOf(() => group.call(message(), context))).toBe(own);
  });
});
