import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Condition } from "../src/relation/relation.ts";
import { meets, selects } from "../src/relation/selector.ts";
import { instance } from "./fixtures/things.ts";

const met = (condition: Condition, names: string): boolean => {
  const held = new Set(names.split(","));
  return meets(condition, (name) => held.has(name));
};

describe("a condition", () => {
  test.each<[Condition, string, boolean]>([
    [{ none: ["a"] }, "a,b,c", false],
    [{ none: ["a"], any: ["a"] }, "a,b,c", false],
    [{ none: ["x"] }, "a,b,c", true],
    [{ all: ["a"], any: ["b"] }, "a,c", false],
    [{ all: ["a"], any: ["b"] }, "b,c", false],
    [{ all: ["a"], any: ["b"] }, "a,b", true],
    [{ any: ["x", "b"] }, "a,b", true],
    [{}, "a", true],
    [{ none: [], all: [], any: [] }, "a", true],
  ])("%o over %s is %s (§15)", (condition, names, result) => {
    expect(met(condition, names)).toBe(result);
  });

  test("means: none of none, each of all, one of any unless any is empty", () => {
    const sets = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 4 });
    fc.assert(
      fc.property(sets, sets, sets, sets, (none, all, any, held) => {
        const counted = (names: readonly string[]): number => names.filter((name) => held.includes(name as "a")).length;
        const expected = counted(none) === 0 && counted(all) === all.length && (any.length === 0 || counted(any) > 0);
        expect(meets({ none, all, any }, (name) => held.includes(name as "a"))).toBe(expected);
      }),
    );
  });
});

describe("a selector", () => {
  const upstream = instance({ meta: "B:a:1", context: { vip: "" }, sysContext: { "target.id": "1" }, states: ["paid"] });

  test("looks at keys of contexts, never at values", () => {
    expect(selects({ context: { all: ["vip"] } }, upstream)).toBe(true);
    expect(selects({ context: { any: ["1"] } }, upstream)).toBe(false);
    expect(selects({ sysContext: { all: ["target.id"] } }, upstream)).toBe(true);
    expect(selects({ context: { any: ["toString"] } }, upstream)).toBe(false);
  });

  test("is met when all its families are", () => {
    const states = { all: ["paid"] };
    expect(selects({ context: { all: ["vip"] }, sysContext: { none: ["loop.id"] }, states }, upstream)).toBe(true);
    expect(selects({ context: { none: ["vip"] }, states }, upstream)).toBe(false);
    expect(selects({ sysContext: { all: ["loop.id"] }, states }, upstream)).toBe(false);
    expect(selects({}, upstream)).toBe(true);
    expect(selects(undefined, upstream)).toBe(true);
  });
});
