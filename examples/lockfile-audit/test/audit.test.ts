import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { slicesByName } from "../src/audit.ts";
import { findDuplicates } from "../src/inspect.ts";

describe("packages cut into messages for the search of duplicates", () => {
  const packages = fc.array(
    fc.record({ name: fc.constantFrom("a", "b", "c", "d", "e"), version: fc.constantFrom("1.0.0", "1.1.0", "2.0.0") }),
    { maxLength: 40 },
  );

  test("give the same answer in slices of any size as in one message", () => {
    fc.assert(
      fc.property(packages, fc.integer({ min: 1, max: 50 }), (all, size) => {
        const slices = slicesByName(all, size);
        expect(slices.flatMap(findDuplicates)).toEqual(findDuplicates(all));
        expect(slices.flat()).toHaveLength(all.length);
        expect(slices.every((slice) => slice.length > 0)).toBe(true);
      }),
    );
  });
});
