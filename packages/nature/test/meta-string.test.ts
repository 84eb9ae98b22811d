import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalMeta, formatMetaString, parseMetaString } from "../src/meta/meta-string.ts";

describe("a meta-string", () => {
  test.each([
    ["B:a:1", "B:a:1"],
    ["B:/a/b/:1", "B:a/b:1"],
    ["B://a:1", "B:/a:1"],
    ["B:a//:1", "B:a/:1"],
    ["B:a:01", "B:a:1"],
    ["B:a:+7", "B:a:7"],
    ["B:a:0", "B:a:0"],
    ["B:a:4294967295", "B:a:4294967295"],
    ["S:a b:1", "S:a b:1"],
    ["D:заказ/😀:3", "D:заказ/😀:3"],
    ["N:abc:xyz", "N::1"],
    ["N::1", "N::1"],
    ["T:a:1", "T:a:1"],
    ["P:a:1", "P:a:1"],
    ["C:a:1", "C:a:1"],
  ])("%s is spelled %s (M-2, M-3, M-4, M-5)", (given, canonical) => {
    expect(canonicalMeta(given)).toBe(canonical);
  });

  test.each([
    ["", 1],
    ["B", 2],
    ["B:a", 4],
    ["B:a:1:2", 8],
    ["b:a:1", 1],
    ["X:a:1", 1],
    ["BB:a:1", 1],
    ["B:/:1", 3],
    ["B::1", 3],
    ["B://:1", 3],
    ["B:😀|x:1", 4],
    ["B:a|b:1", 4],
    ["B:a:-1", 5],
    ["B:a:4294967296", 5],
    ["B:a:", 5],
    ["B:a:1.0", 5],
    ["B:a: 1", 5],
    ["B:😀:x", 5],
  ])("%s is refused at column %d (M-1, M-2, M-4, M-5)", (text, column) => {
    expect(() => parseMetaString(text)).toThrow(
      expect.objectContaining({ code: "meta.syntax", details: { text, line: 1, column } }),
    );
  });

  test("that is no text is refused, as JSON may bring it", () => {
    expect(() => parseMetaString(7 as unknown as string)).toThrow(expect.objectContaining({ code: "meta.syntax" }));
  });

  test("with half of a surrogate pair or a NUL in its key is refused", () => {
    for (const text of ["B:a\ud800:1", "B:a\0:1"]) expect(() => parseMetaString(text)).toThrow("no database can store");
  });

  test("of any text parses or is refused with a column, and its canonical spelling parses to the same", () => {
    const near = fc.tuple(fc.constantFrom("B", "N", "L", "x", ""), fc.string(), fc.string()).map((parts) => parts.join(":"));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), near), (text) => {
        try {
          const name = parseMetaString(text);
          const spelled = formatMetaString(name);
          // One / at each end is dropped, so a key that still has one loses it when it is read again.
          if (!/^\/|\/$/.test(name.key)) expect(parseMetaString(spelled)).toEqual(name);
        } catch (error) {
          expect(error).toMatchObject({ code: "meta.syntax", details: { column: expect.any(Number) } });
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
