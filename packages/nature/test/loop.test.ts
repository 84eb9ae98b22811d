import { describe, expect, test } from "vitest";
import { afterPass, nextPass, passNumber, runningResult, withoutPass } from "../src/engine/loop.ts";
import { type Placed, place, resolveTarget } from "../src/engine/target.ts";
import type { Output } from "../src/executor/executor.ts";
import type { Instance } from "../src/instance/instance.ts";
import type { Mission } from "../src/relation/mission.ts";
import { catalogOf, instance, mission } from "./fixtures/things.ts";

const catalog = catalogOf([
  { meta: "B:up:1" },
  { meta: "B:r:1" },
  { meta: "L:many:1", settings: { multiMeta: ["B:r:1"] } },
  { meta: "L:one:1", settings: { multiMeta: ["B:r:1"], onlyOne: true } },
]);

interface Given {
  readonly to: "L:many:1" | "L:one:1";
  readonly upstream: Instance;
  readonly outputs: readonly Output[];
  /** Of the upstream after its filters; as stored if not given. */
  readonly working?: Record<string, string>;
  readonly mission?: Partial<Mission>;
}

function pass({ to, upstream, outputs, working = upstream.sysContext, mission: given }: Given): Placed[] {
  const ground = { catalog, mission: mission({ to, ...given }), upstream };
  const target = resolveTarget(ground);
  const placed = outputs.map((output, index) => place(ground, target, output, index));
  return afterPass({ target, mission: ground.mission, upstream, working }, placed);
}

const up = instance({ meta: "B:up:1", id: "4", para: "d1/d2" });
/** An instance between two passes. */
const between = (to: string, para: string, n: number): Instance =>
  instance({ meta: to, id: "4", para, sysContext: { "loop.id": String(n), "loop.next": "k", "loop.task": "{}" } });
const brief = (all: readonly Placed[]): string[] => all.map(({ meta, id, para }) => `${meta}|${id}|${para}`);

describe("the para of an instance between two passes (§15)", () => {
  test.each<[string, number, string | undefined, string]>([
    ["", 1, "x", "x/1"],
    ["9", 10, undefined, "10"],
    ["y/9", 10, undefined, "y/10"],
    ["y/10", 11, undefined, "y/11"],
    ["", 1, undefined, "1"],
  ])("after para %j in pass %d with an output at %j is %s", (para, n, outputPara, expected) => {
    const upstream = n === 1 ? { ...up, para } : between("L:one:1", para, n - 1);
    const [one] = pass({ to: "L:one:1", upstream, outputs: [outputPara === undefined ? {} : { para: outputPara }] });
    expect(one).toMatchObject({ meta: "L:one:1", para: expected, sysContext: { "loop.id": String(n) } });
  });

  test("cannot be told from one that is shorter than the number of its pass", () => {
    expect(() => pass({ to: "L:one:1", upstream: between("L:one:1", "", 9), outputs: [{}] })).toThrow(
      expect.objectContaining({ code: "executor.logic" }),
    );
  });
});

describe("a para without the number of the pass before (§15)", () => {
  test.each<[string, number, string]>([
    ["8", 10, ""],
    ["h/w/8", 10, "h/w"],
    ["h/w/10", 11, "h/w"],
    ["h/w/8", 1, "h/w/8"],
  ])("of %j in pass %d is %j", (para, n, expected) => expect(withoutPass(para, n)).toBe(expected));

  test("cannot be told from one that is shorter", () => {
    expect(() => withoutPass("8", 11)).toThrow(expect.objectContaining({ code: "executor.logic" }));
    expect(() => withoutPass("", 2)).toThrow(expect.objectContaining({ code: "executor.logic" }));
  });
});

describe("a loop that gives many (§6.3)", () => {
  const to = "L:many:1";

  test("adds an instance of its own to the outputs of every pass but the last", () => {
    const working = { "loop.id": "1", "loop.next": "B:x:1|0|a|0" };
    const all = pass({ to, upstream: up, outputs: [{ para: "x" }, { para: "y" }], working });
    expect(brief(all)).toEqual(["B:r:1|0|x", "B:r:1|0|y", "L:many:1|4|d1/d2/1"]);
    expect(all[2]?.sysContext).toMatchObject({ "loop.id": "1", "loop.next": "B:x:1|0|a|0" });
    expect(all[2]?.output).toEqual({});
  });

  test("goes on from there, and ends without one", () => {
    const middle = pass({ to, upstream: between(to, "d1/d2/1", 1), outputs: [{ para: "z" }] });
    expect(brief(middle)).toEqual(["B:r:1|0|z", "L:many:1|4|d1/d2/2"]);
    const end = pass({ to, upstream: between(to, "d1/d2/2", 2), outputs: [{ para: "z" }], working: { "loop.finished": "" } });
    expect(brief(end)).toEqual(["B:r:1|0|z"]);
  });

  test("gives its executor no running result", () => {
    const upstream = between(to, "d1/d2/1", 1);
    expect(runningResult(resolveTarget({ catalog, mission: mission({ to }), upstream }), upstream)).toBeUndefined();
  });
});

describe("a loop with one result (§6.3)", () => {
  const to = "L:one:1";

  test("hands its result from pass to pass, and turns it into the member at the end", () => {
    expect(brief(pass({ to, upstream: up, outputs: [{ para: "d1/d2", content: "7" }] }))).toEqual(["L:one:1|4|d1/d2/1"]);
    const middle = between(to, "d1/d2/1", 1);
    expect(brief(pass({ to, upstream: middle, outputs: [{ para: middle.para }] }))).toEqual(["L:one:1|4|d1/d2/2"]);
    const last = between(to, "d1/d2/2", 2);
    const end = pass({ to, upstream: last, outputs: [{ id: "4", para: last.para }], working: { "loop.finished": "" } });
    expect(brief(end)).toEqual(["B:r:1|4|d1/d2"]);
  });

  test("gives its executor the result so far, from the second pass on", () => {
    const target = resolveTarget({ catalog, mission: mission({ to }), upstream: up });
    const middle = between(to, "d1/d2/1", 1);
    expect(runningResult(target, up)).toBeUndefined();
    expect(runningResult(target, middle)).toBe(middle);
  });

  test("that ends in its first pass makes no instance of its own", () => {
    expect(brief(pass({ to, upstream: up, outputs: [{ para: "d1" }], working: { "loop.finished": "" } }))).toEqual([
      "B:r:1|0|d1",
    ]);
  });

  test("is refused an end by an executor that does not give the para back", () => {
    const upstream = between(to, "d1/d2/10", 10);
    expect(() => pass({ to, upstream, outputs: [{ para: "x" }], working: { "loop.finished": "" } })).toThrow(
      expect.objectContaining({ code: "executor.logic" }),
    );
  });

  test.each([0, 2])("treats a pass with %d outputs like one that gives many", (count) => {
    const outputs = Array.from({ length: count }, (_, at) => ({ para: `p${at}` }));
    const all = pass({ to, upstream: up, outputs });
    expect(brief(all)).toEqual([...outputs.map(({ para }) => `B:r:1|0|${para}`), "L:one:1|4|d1/d2/1"]);
  });
});

describe("what a loop knows of itself", () => {
  const sysContext = { "loop.id": "8", "loop.next": "k", "loop.finished": "", "loop.task": "{}", mine: "1" };

  test.each(["L:many:1", "L:one:1"] as const)("does not leave %s with an executor that gives back what it got", (to) => {
    const end = pass({
      to,
      upstream: between(to, "d/2", 2),
      outputs: [{ para: "d/2", sysContext }],
      working: { "loop.finished": "" },
    });
    expect(end.map((one) => one.sysContext)).toEqual([{ mine: "1" }]);
  });

  test("is the loop's own in the next pass, not what an executor made of it", () => {
    const [one] = pass({ to: "L:one:1", upstream: up, outputs: [{ sysContext }], working: {} });
    expect(one?.sysContext).toMatchObject({ "loop.id": "1", mine: "1" });
    expect(one?.sysContext).not.toHaveProperty(["loop.finished"]);
    expect(one?.sysContext).not.toHaveProperty(["loop.next"]);
  });

  test("counts passes in its own instances only", () => {
    const loop = catalog.meta("L:one:1");
    expect(passNumber(loop, { ...up, sysContext: { "loop.id": "5" } })).toBe(1);
    expect(passNumber(loop, between("L:one:1", "d/5", 5))).toBe(6);
    for (const id of ["x", "", "-1", "1.5"]) {
      const upstream = instance({ meta: "L:one:1", sysContext: { "loop.id": id } });
      expect(() => passNumber(loop, upstream)).toThrow(expect.objectContaining({ code: "executor.logic" }));
    }
  });

  test("holds the same mission for every pass, however many there were", () => {
    const given = mission({ to: "L:one:1", delayMs: 5, sysContext: { "target.id": "1" } });
    let upstream = up;
    let current = given;
    const lengths = new Set<number>();
    for (let n = 1; n <= 5; n++) {
      const [one] = pass({ to: "L:one:1", upstream, outputs: [{ para: upstream.para }], working: {}, mission: current }) as [
        Placed,
      ];
      current = nextPass(current, one.sysContext);
      expect(current).toMatchObject({ ...given, sysContext: { "target.id": "1", "loop.id": String(n) } });
      expect(current.sysContext).not.toHaveProperty(["loop.task"]);
      upstream = instance({ meta: one.meta, id: one.id, para: one.para, sysContext: one.sysContext });
      if (n > 1) lengths.add((one.sysContext["loop.task"] ?? "").length);
    }
    expect(lengths.size).toBe(1);
    expect(upstream.para).toBe("d1/d2/5");
  });
});
