import { describe, expect, test } from "vitest";
import { Pace } from "../../src/processor/pace.ts";

/** Calls that end one after the other, each so long after the one before. */
function finish(
  pace: Pace,
  count: number,
  { fromMs, everyMs, isDone = true }: { fromMs: number; everyMs: number; isDone?: boolean },
): number {
  let nowMs = fromMs;
  for (let n = 0; n < count; n++) {
    nowMs += everyMs;
    pace.ended(nowMs, 20, isDone);
  }
  return nowMs;
}

describe("the pace of a pool", () => {
  test("is not known before a few waiting calls ended", () => {
    const pace = new Pace();
    expect(pace.answerMs(100, 0)).toBeUndefined();
    pace.begin(0);
    const nowMs = finish(pace, 3, { fromMs: 0, everyMs: 10 });
    expect(pace.answerMs(100, nowMs)).toBeUndefined();
  });

  test("gives the time of those before, and of the call itself", () => {
    const pace = new Pace();
    pace.begin(0);
    const nowMs = finish(pace, 20, { fromMs: 0, everyMs: 10 });
    expect(pace.answerMs(50, nowMs)).toBeCloseTo(520);
  });

  test("follows when work takes longer, or less long", () => {
    const pace = new Pace();
    pace.begin(0);
    let nowMs = finish(pace, 200, { fromMs: 0, everyMs: 10 });
    nowMs = finish(pace, 200, { fromMs: nowMs, everyMs: 40 });
    expect(pace.answerMs(10, nowMs)).toBeCloseTo(420);
    nowMs = finish(pace, 1_000, { fromMs: nowMs, everyMs: 2 });
    expect(pace.answerMs(10, nowMs)).toBeCloseTo(40);
  });

  test("is nought when callers give up and nothing is finished, until calls begin to wait anew much later", () => {
    const pace = new Pace();
    pace.begin(0);
    const nowMs = finish(pace, 2_000, { fromMs: 0, everyMs: 1, isDone: false });
    expect(pace.answerMs(1, nowMs)).toBe(Number.POSITIVE_INFINITY);
    pace.begin(nowMs + 500);
    expect(pace.answerMs(1, nowMs + 500)).toBe(Number.POSITIVE_INFINITY);
    pace.begin(nowMs + 5_000);
    expect(pace.answerMs(1, nowMs + 5_000)).toBeUndefined();
  });

  test("is kept over a moment in which nothing waits, and that moment does not count", () => {
    const pace = new Pace();
    pace.begin(0);
    const nowMs = finish(pace, 20, { fromMs: 0, everyMs: 10 });
    pace.begin(nowMs + 900);
    expect(pace.answerMs(50, nowMs + 900)).toBeCloseTo(520);
  });
});
