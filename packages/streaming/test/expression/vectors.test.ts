import { describe, expect, test } from "vitest";
import { checkExpression, planExpression } from "../../src/index.ts";
import vectors from "../fixtures/stream-expressions.json" with { type: "json" };

const NAMES = ["a", "b", "c", "d"];

/** Further mistakes: the input, the kind and the column of the first error. */
const TABLE: readonly (readonly [text: string, kind: string, column: number])[] = [
  ["()", "unexpected-token", 2],
  ["a)", "unexpected-token", 2],
  ["; a", "unexpected-token", 1],
  ["a(b)", "unexpected-token", 2],
  ["a |||| b", "unexpected-token", 5],
  ["a,b", "lexical", 2],
  ["a; 1b", "lexical", 4],
  ["\u0430; b", "lexical", 1],
  ["a; x9", "unknown-node", 4],
];

describe("the vectors of expressions", () => {
  test.each(vectors.positive)("plan `$expr` as they say, edge by edge and in their order", ({ expr, ...plan }) => {
    expect(planExpression(expr)).toEqual(plan);
  });

  test.each(vectors.negative)("find the mistake in `$expr` first, and no other", ({ expr, kind, line, col }) => {
    const { tree, errors } = checkExpression(expr, { names: NAMES });
    expect(tree).toBeUndefined();
    expect(errors.map((error) => [error.kind, error.line, error.column])).toEqual([[kind, line, col]]);
  });
});

describe("further mistakes", () => {
  test.each(TABLE)("in %j are found first: %s in column %i", (text, kind, column) => {
    const { errors } = checkExpression(text, { names: NAMES });
    expect(errors.map((error) => [error.kind, error.line, error.column])).toEqual([[kind, 1, column]]);
  });
});
