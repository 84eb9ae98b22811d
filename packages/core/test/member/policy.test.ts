import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Outcome } from "../../src/member/member.ts";
import { type Policy, policy, type Tally, tallyOf, verdictOf } from "../../src/member/policy.ts";
import { failed } from "./members.ts";

const ok: Outcome = { member: "ok", status: "ok", value: 1 };
const err: Outcome = { member: "err", status: "error", error: failed() };
const late: Outcome = { member: "late", status: "timeout" };
const gone: Outcome = { member: "gone", status: "unreachable", error: failed() };
const maint: Outcome = { member: "maint", status: "skipped", reason: "maintenance" };
const words = { ok, err, late, gone, maint };

describe("the truth table of the policies", () => {
  const columns = {
    all: policy.all(),
    any: policy.any(),
    none: policy.none(),
    "quorum(2)": policy.quorum(2),
    "quorum(50%)": policy.quorum("50%"),
    first: policy.first(),
    "best effort": policy.bestEffort(),
  };
  /** T or F for each column in turn. */
  const rows = {
    "": "TFTFTFT",
    ok: "TTFFTTT",
    err: "FFTFFFT",
    late: "FFTFFFT",
    gone: "FFTFFFT",
    maint: "FFTFFFT",
    "ok ok": "TTFTTTT",
    "ok err": "FTFFTTT",
    "ok late": "FTFFTTT",
    "ok gone": "FTFFTTT",
    "ok maint": "FTFFTTT",
    "err late": "FFTFFFT",
    "ok ok err": "FTFTTTT",
    "ok err late": "FTFFFTT",
    "ok late maint": "FTFFFTT",
    "ok ok gone maint": "FTFTTTT",
  };
  const cells = Object.entries(rows).flatMap(([what, verdicts]) => {
    const outcomes = what === "" ? [] : what.split(" ").map((word) => words[word as keyof typeof words]);
    return Object.entries(columns).map(([name, column], at) => ({
      name,
      what: what || "nobody",
      outcomes,
      column,
      expected: verdicts[at] === "T",
    }));
  });

  test.each(cells)("$name over $what is $expected", ({ column, outcomes, expected }) => {
    expect(verdictOf(column, outcomes)).toBe(expected);
  });
});

describe("a policy that ignores skipped members", () => {
  test("does not count them among its targets", () => {
    expect(verdictOf(policy.all({ skipped: "ignore" }), [ok, maint])).toBe(true);
    expect(verdictOf(policy.all({ skipped: "ignore" }), [maint])).toBe(true);
    expect(verdictOf(policy.any({ skipped: "ignore" }), [maint])).toBe(false);
    expect(verdictOf(policy.quorum("60%", { skipped: "ignore" }), [ok, err, maint])).toBe(false);
    expect(verdictOf(policy.quorum("50%", { skipped: "ignore" }), [ok, err, maint, maint])).toBe(true);
  });
});

const every: readonly Policy[] = [
  policy.all(),
  policy.any(),
  policy.none(),
  policy.quorum(1),
  policy.quorum(3),
  policy.quorum("34%"),
  policy.quorum("100%"),
  policy.bestEffort(),
];
const anyPolicy = fc.constantFrom(...every);
const outcomes = fc.array(fc.constantFrom(ok, err, late, gone, maint), { maxLength: 8 });

/** The tally after the first `ended` of the outcomes. */
function tallyAfter(all: readonly Outcome[], ended: number): Tally {
  return { ...tallyOf(all.slice(0, ended)), open: all.length - ended };
}

describe("every policy", () => {
  test("knows its verdict when nothing is open", () => {
    fc.assert(
      fc.property(fc.constantFrom(...every, policy.first()), outcomes, (judge, all) => {
        expect(judge.verdict(tallyOf(all))).toBeTypeOf("boolean");
      }),
    );
  });

  test("never takes back a verdict, in whatever order the outcomes come", () => {
    fc.assert(
      fc.property(anyPolicy, outcomes, (judge, all) => {
        const seen = all.map((_, ended) => judge.verdict(tallyAfter(all, ended)));
        for (const early of seen) if (early !== undefined) expect(early).toBe(verdictOf(judge, all));
      }),
    );
  });

  test("knows its verdict as soon as nothing that is open could change it", () => {
    fc.assert(
      fc.property(anyPolicy, outcomes, fc.nat(8), (judge, all, cut) => {
        fc.pre(judge.name !== "best effort"); // its verdict is a matter of time, not of outcomes
        const ended = Math.min(cut, all.length);
        const open = all.length - ended;
        const futures = [ok, err].map((rest) => verdictOf(judge, [...all.slice(0, ended), ...new Array(open).fill(rest)]));
        const known = judge.verdict(tallyAfter(all, ended));
        // More answers help `all` and quorums and harm `none`: what holds of these two futures holds of all between.
        expect(known).toBe(futures[0] === futures[1] ? futures[0] : undefined);
      }),
    );
  });
});

describe("first", () => {
  test("is decided by the first answer, also by an error, and by nothing that is no answer", () => {
    const verdict = (part: Partial<Tally>) =>
      policy.first().verdict({ ok: 0, error: 0, timeout: 0, unreachable: 0, skipped: 0, open: 1, ...part });
    expect(verdict({ ok: 1 })).toBe(true);
    expect(verdict({ error: 1 })).toBe(false);
    expect(verdict({ timeout: 1, unreachable: 1, skipped: 1 })).toBeUndefined();
  });
});

describe("a quorum in percent", () => {
  test("is the share of the targets, rounded up", () => {
    const needed = (percent: `${number}%`, targets: number): number => {
      const judge = policy.quorum(percent);
      for (let count = 0; count <= targets; count++) {
        const all = [...new Array(count).fill(ok), ...new Array(targets - count).fill(err)];
        if (verdictOf(judge, all)) return count;
      }
      return Number.NaN;
    };
    expect([needed("60%", 5), needed("51%", 4), needed("30%", 10), needed("7%", 100), needed("0.5%", 100)]).toEqual([
      3, 3, 3, 7, 1,
    ]);
    expect([needed("55%", 100), needed("29%", 100), needed("32.2%", 500), needed("100%", 3)]).toEqual([55, 29, 161, 3]);
  });

  test.each([0, -1, 1.5, Number.NaN, "0%", "101%", "x%", "-5%", "5", ""])("refuses %s with config.invalid", (needed) => {
    expect(() => policy.quorum(needed as number)).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });
});

describe("best effort", () => {
  test("ends after its own time, and before the deadline of the call by a tenth of what is left or 50 ms", () => {
    expect(policy.bestEffort({ withinMs: 100 }).deadlineMs?.(1_000, 9_000)).toBe(1_100);
    expect(policy.bestEffort({ withinMs: 100 }).deadlineMs?.(1_000, 1_100)).toBe(1_090);
    expect(policy.bestEffort().deadlineMs?.(1_000, 9_000)).toBe(8_950);
    expect(policy.bestEffort().deadlineMs?.(1_000, 1_200)).toBe(1_180);
    expect(policy.bestEffort().deadlineMs?.(1_000, Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });

  test("refuses a time that is none", () => {
    expect(() => policy.bestEffort({ withinMs: 0 })).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });
});
