import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DONE, freedRanges, type Position, type Range } from "../../src/log/retention.ts";

const LAST = 30;

/** Where a consumer may stand: some of what is up to its cursor is open. */
const anyPosition: fc.Arbitrary<Position> = fc
  .record({ cursor: fc.nat(LAST), open: fc.uniqueArray(fc.integer({ min: 1, max: LAST })) })
  .map(({ cursor, open }) => ({ cursor, open: new Set(open.filter((sequence) => sequence <= cursor)) }));

/** The consumer moved on: it delivered further messages and settled some of those that were open. */
const anyMove = fc.tuple(anyPosition, fc.nat(LAST), fc.infiniteStream(fc.boolean())).map(([before, further, coin]) => {
  const cursor = Math.max(before.cursor, further);
  const candidates = [...before.open, ...Array.from({ length: cursor - before.cursor }, (_, n) => before.cursor + 1 + n)];
  return { before, after: { cursor, open: new Set(candidates.filter(() => coin.next().value)) } };
});

function needed(positions: readonly Position[]): Set<number> {
  const all = Array.from({ length: LAST }, (_, n) => n + 1);
  return new Set(all.filter((sequence) => positions.some(({ cursor, open }) => sequence > cursor || open.has(sequence))));
}

function inRanges(ranges: readonly Range[]): number[] {
  return ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, n) => from + n)).toSorted((a, b) => a - b);
}

describe("what a consumer sets free as it moves on", () => {
  test("is exactly what somebody needed before and nobody needs now, each once", () => {
    fc.assert(
      fc.property(fc.array(anyPosition, { maxLength: 3 }), anyMove, (others, { before, after }) => {
        const then = needed([...others, before]);
        const now = needed([...others, after]);
        expect(inRanges(freedRanges(others, before, after))).toEqual([...then].filter((sequence) => !now.has(sequence)));
      }),
    );
  });

  test("is, when it is removed, what it alone needed", () => {
    fc.assert(
      fc.property(fc.array(anyPosition, { minLength: 1, maxLength: 3 }), anyPosition, (others, before) => {
        const then = needed([...others, before]);
        const now = needed(others);
        expect(inRanges(freedRanges(others, before, DONE))).toEqual([...then].filter((sequence) => !now.has(sequence)));
      }),
    );
  });

  test("is nothing when it was the last and is removed", () => {
    expect(freedRanges([], { cursor: 5, open: new Set([2]) }, DONE)).toEqual([]);
  });
});
