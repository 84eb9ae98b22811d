import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byBytes } from "../src/byte-order.ts";

describe("the order of texts", () => {
  test("is that of their bytes in UTF-8, also where surrogates are involved", () => {
    expect(["\uffee", "😀", "a", "ä", ""].sort(byBytes)).toEqual(["", "a", "ä", "\uffee", "😀"]);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
        expect(Math.sign(byBytes(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 2_000 },
    );
  });
});
