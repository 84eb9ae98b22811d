import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseStates, printStates, type StateList } from "../src/meta/state-expression.ts";
import { stateRules } from "../src/meta/state-set.ts";

/** [expression, input in order, remaining, conflicts as winner and loser] */
const table: [string, string, string, string][] = [
  ["a|b", "b,a", "a", "a>b"],
  ["a|b|c", "a,b,c", "c", "b>a c>b"],
  ["s1[s1-1,s1-2,s1-3|s1-4],s2|s3,s4", "s1-1,s1-2,s1-3,s2,s4", "s1-1,s1-2,s1-3,s2,s4", ""],
  ["s1[s1-1,s1-2,s1-3|s1-4],s2|s3,s4", "s1-3,s1-4,s2,s3", "s1-4,s3", "s1-4>s1-3 s3>s2"],
  ["a|b[c|d,e]", "c,e", "c,e", ""],
  ["a|b[c|d,e]", "c,d", "d", "d>c"],
  ["a|b[c|d,e]", "a,d", "d", "d>a"],
  // What the model's code got wrong (D-8): all of a branch goes, and sets do not get mixed up.
  ["a|b[c|d,e]", "c,e,a", "a", "a>c a>e"],
  ["a|b[c|d,e]", "c,d,a", "a", "d>c a>d"],
  ["p[a|b],c|d", "a,d", "a,d", ""],
  // Several exclusive sets at the top (D-7), unicode (D-10).
  ["a|b,c|d", "a,c", "a,c", ""],
  ["новый|оплачен", "новый,оплачен", "оплачен", "оплачен>новый"],
];

describe("states taken in their order", () => {
  test.each(table)("of %s, %s leave %s", (expression, input, remaining, conflicts) => {
    const resolved = stateRules(expression).resolve(input.split(","));
    expect(resolved.states.join(",")).toBe(remaining);
    expect(resolved.conflicts.map(({ winner, loser }) => `${winner}>${loser}`).join(" ")).toBe(conflicts);
  });
});

const leaf = fc.stringMatching(/^[a-zä][a-z0-9 ä-]{0,5}[a-z0-9]$/);
/** An expression of random shape with the names n0, n1 … in order. */
const tree: fc.Arbitrary<StateList> = fc.letrec<{ list: StateList; group: StateList | undefined }>((tie) => ({
  list: fc.array(fc.array(fc.record({ name: leaf, group: tie("group") }), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 3,
  }),
  group: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: tie("list") },
  ),
})).list;

/** The same with names that are unique. */
function named(list: StateList, next = { n: 0 }): StateList {
  return list.map((item) =>
    item.map(({ name, group }) => ({ name: `${name}.${next.n++}`, group: group === undefined ? undefined : named(group, next) })),
  );
}

/** Independent of the rules: the way from the root to each state, as steps of item and alternative. */
function paths(list: StateList, above: readonly [number, number][] = []): Map<string, readonly [number, number][]> {
  const found = new Map<string, readonly [number, number][]>();
  list.forEach((item, at) => {
    item.forEach(({ name, group }, alternative) => {
      const path: [number, number][] = [...above, [at, alternative]];
      if (group === undefined) found.set(name, path);
      else for (const [inner, way] of paths(group, path)) found.set(inner, way);
    });
  });
  return found;
}

/** Two states exclude each other when their ways part at two alternatives of one item. */
function part(a: readonly [number, number][], b: readonly [number, number][]): boolean {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [itemA, alternativeA] = a[i] as [number, number];
    const [itemB, alternativeB] = b[i] as [number, number];
    if (itemA !== itemB) return false;
    if (alternativeA !== alternativeB) return true;
  }
  return false;
}

describe("the algebra of states", () => {
  test("agrees with a model that compares the ways from the root", () => {
    fc.assert(
      fc.property(tree, fc.array(fc.nat(), { maxLength: 12 }), (shape, picks) => {
        const list = named(shape);
        const ways = paths(list);
        const names = [...ways.keys()];
        const rules = stateRules(printStates(list));
        expect(rules.names).toEqual(names);
        const input = picks.map((pick) => names[pick % names.length] as string);
        let held: string[] = [];
        for (const name of input) {
          held = held
            .filter((other) => other !== name || true)
            .filter((other) => !part(ways.get(name) ?? [], ways.get(other) ?? []));
          if (!held.includes(name)) held.push(name);
        }
        expect(rules.resolve(input).states).toEqual(held);
      }),
      { numRuns: 2_000 },
    );
  });

  test("prints what parses to the same", () => {
    fc.assert(
      fc.property(tree, (shape) => {
        const list = named(shape);
        expect(parseStates(printStates(list))).toEqual(list);
      }),
    );
  });

  test("parses or refuses any text with a column, and never hangs", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[ab,|[\] ]*$/)), (text) => {
        try {
          const list = parseStates(text);
          expect(parseStates(printStates(list))).toEqual(list);
        } catch (error) {
          expect(error).toMatchObject({ code: "meta.syntax", details: { column: expect.any(Number) } });
        }
      }),
      { numRuns: 5_000 },
    );
  });

  test.each([
    ["a,,b", 3],
    ["a,", 3],
    ["[a]", 1],
    ["a[b", 4],
    ["a]", 2],
    ["a[b]c", 5],
    ["a,a", 3],
    ["p[a],a", 6],
    ["p,p[a]", 3],
    ["я|я", 3],
    ["a[]", 3],
  ])("refuses %s at column %d", (text, column) => {
    expect(() => parseStates(text)).toThrow(expect.objectContaining({ code: "meta.syntax", details: { text, line: 1, column } }));
  });

  test("says the line of an expression of several, and the column in it", () => {
    expect(() => parseStates("new |\n  paid[cash,\n  яя, new]")).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("line 3, column 7: new stands at column 1 already"),
        details: expect.objectContaining({ line: 3, column: 7 }),
      }),
    );
  });
});
