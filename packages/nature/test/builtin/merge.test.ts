import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { merge, mergeSettings, readMerged } from "../../src/builtin/merge.ts";
import { instance, request } from "../fixtures/things.ts";

interface Given {
  readonly settings?: object;
  readonly content: string;
  readonly para?: string;
  readonly last?: string;
}

function merged({ settings = {}, content, para = "", last }: Given): string {
  const result = merge(
    request({
      from: instance({ meta: "B:a:1", id: "5", content, para }),
      last: last === undefined ? undefined : instance({ meta: "B:b:1", version: 1, content: last }),
      settings: JSON.stringify(settings),
    }),
  );
  const [output] = result.type === "instances" ? result.instances : [];
  expect(output).toMatchObject({ id: "5", para });
  return output?.content ?? "";
}

describe("merge by a part of the para (§5.2)", () => {
  const last = '{"detail":{"b":123},"total":123}';
  test.each([
    ["Sum", 223],
    ["Old", 123],
    ["New", 100],
    ["Max", 123],
    ["Min", 100],
  ])("with %s makes 100 onto 123 into %d", (when_same, value) => {
    const settings = { key: { Para: [1] }, sum_all: true, when_same };
    expect(merged({ settings, content: "100", para: "a/b/c", last })).toBe(`{"detail":{"b":${value}},"total":${value}}`);
  });

  test("joins the parts to a key, and refuses parts that are missing", () => {
    const settings = { key: { Para: [2, 0] } };
    expect(merged({ settings, content: " 7 ", para: "a/b/c" })).toBe('{"c/a":7}');
    expect(() => merged({ settings, content: "7", para: "a" })).toThrow(expect.objectContaining({ code: "instance.invalid" }));
  });
});

describe("merge by keys in the content (§5.2)", () => {
  test.each([
    ["Sum", 212],
    ["Old", 112],
    ["New", 100],
    ["Max", 112],
    ["Min", 100],
  ])("with %s makes 112 and 100 into %d", (when_same, value) => {
    const content = JSON.stringify(['["a",112]', '["a",100]']);
    expect(merged({ settings: { key: "Content", when_same }, content })).toBe(`{"a":${value}}`);
    expect(merged({ settings: { when_same }, content: '["112","100"]' })).toBe(String(value));
  });

  test("keeps keys of any kind apart, also those that objects treat in a way of their own", () => {
    const content = JSON.stringify(['["__proto__",1]', '["10",2]', '["9",3]', '["constructor",4]']);
    const settings = { key: "Content", sum_all: true };
    const first = merged({ settings, content });
    expect(first).toBe('{"detail":{"10":2,"9":3,"__proto__":1,"constructor":4},"total":10}');
    expect(merged({ settings, content, last: first })).toBe('{"detail":{"10":4,"9":6,"__proto__":2,"constructor":8},"total":20}');
  });
});

describe("merge without keys (§5.2)", () => {
  test("adds up what stands in the content", () => expect(merged({ content: '["4","9"]' })).toBe("13"));
  test("of nothing is 0", () => expect(merged({ content: "[]" })).toBe("0"));
  test("is exact beyond the numbers of JavaScript", () => {
    expect(merged({ content: '["9007199254740993","9000000000000000000"]' })).toBe("9009007199254740993");
    expect(merged({ content: '["1"]', last: "9223372036854775806" })).toBe("9223372036854775807");
  });
  test("refuses a sum of more than 64 bits", () => {
    expect(() => merged({ content: '["1"]', last: "9223372036854775807" })).toThrow(
      expect.objectContaining({ code: "executor.logic" }),
    );
  });
});

describe("the top of a merge (§5.2)", () => {
  const content = JSON.stringify(['["a",5]', '["b",9]', '["c",1]', '["d",9]']);
  test.each<[object, string]>([
    [{ MaxTop: 1 }, '{"detail":{"b":9},"total":24}'],
    [{ MaxTop: 2 }, '{"detail":{"b":9,"d":9},"total":24}'],
    [{ MinTop: 2 }, '{"detail":{"a":5,"c":1},"total":24}'],
    [{ MaxTop: 0 }, '{"detail":{},"total":24}'],
    [{ MaxTop: 100 }, '{"detail":{"a":5,"b":9,"c":1,"d":9},"total":24}'],
  ])("of %o keeps as many, the total counts all (D-18)", (top, expected) => {
    expect(merged({ settings: { key: "Content", sum_all: true, top }, content })).toBe(expected);
  });
});

describe("a merge", () => {
  test("leaves a total of 0 out", () => {
    expect(merged({ settings: { key: "Content", sum_all: true }, content: '["[\\"a\\",0]"]' })).toBe('{"detail":{"a":0}}');
  });

  test("goes on from whatever an earlier one gave, also without sum_all (D-18)", () => {
    const content = JSON.stringify(['["a",1]']);
    expect(merged({ settings: { key: "Content" }, content, last: '{"a":1,"detail":7}' })).toBe('{"a":2,"detail":7}');
    expect(merged({ settings: { key: "Content", sum_all: true }, content, last: '{"a":1,"total":7}' })).toBe(
      '{"detail":{"a":2,"total":7},"total":9}',
    );
    expect(merged({ settings: { key: "Content", sum_all: true }, content, last: '{"detail":{"a":1}}' })).toBe(
      '{"detail":{"a":2},"total":1}',
    );
    expect(merged({ content: '["2"]', last: "40" })).toBe("42");
    expect(merged({ content: '["2"]', last: "" })).toBe("2");
    expect(readMerged("7").total).toBe(7n);
  });

  test.each<[Given]>([
    [{ content: "" }],
    [{ content: "{}" }],
    [{ content: '["a"]' }],
    [{ content: '["1.5"]' }],
    [{ content: "[1.5]" }],
    [{ content: '["9223372036854775808"]' }],
    [{ settings: { key: "Content" }, content: '["a"]' }],
    [{ settings: { key: "Content" }, content: '[["a",1,2]]' }],
    [{ settings: { key: "Content" }, content: '["[\\"a\\"]"]' }],
    [{ settings: { key: { Para: [0] } }, content: "x" }],
    [{ content: "[]", last: "x" }],
    [{ content: "[]", last: "[1]" }],
    [{ content: "[]", last: '{"a":"1"}' }],
    [{ content: "[]", last: '{"detail":{"a":1.5}}' }],
    [{ content: "[]", last: '{"detail":{},"total":"x"}' }],
  ])("refuses %o", (given) => {
    expect(() => merged(given)).toThrow(expect.objectContaining({ code: "executor.logic" }));
  });

  test.each([
    { key: "none" },
    { key: {} },
    { key: { Para: [] } },
    { key: { Para: [-1] } },
    { key: { Para: [0], Content: 1 } },
    { when_same: "sum" },
    { sum_all: 1 },
    { top: { MaxTop: -1 } },
    { top: { MaxTop: 1, MinTop: 1 } },
    { top: { Top: 1 } },
    { top: 3 },
    { wen_same: "Sum" },
  ])("refuses the settings %o", (settings) => {
    expect(() => mergeSettings(JSON.stringify(settings))).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });
});

/** Independent of the code: applies the table of §5.2 to a plain list of pairs. */
function model(items: readonly [string, number][], whenSame: string): { detail: Record<string, number>; total: number } {
  const pairs: [string, number][] = [];
  for (const [key, value] of items) {
    const at = pairs.findIndex(([other]) => other === key);
    const old = pairs[at]?.[1];
    if (old === undefined) pairs.push([key, value]);
    else {
      const next =
        { Old: old, New: value, Sum: old + value, Min: Math.min(old, value), Max: Math.max(old, value) }[whenSame] ?? Number.NaN;
      pairs[at] = [key, next];
    }
  }
  return { detail: Object.fromEntries(pairs), total: pairs.reduce((sum, [, value]) => sum + value, 0) };
}

describe("any sequence of merges", () => {
  const items = fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "ä"), fc.integer({ min: -1_000, max: 1_000 })), {
    maxLength: 12,
  });
  const whenSame = fc.constantFrom("Old", "New", "Sum", "Min", "Max");

  test("agrees with a model, however it is cut into steps (M1)", () => {
    fc.assert(
      fc.property(items, fc.array(fc.nat(12), { maxLength: 3 }), whenSame, fc.boolean(), (all, cuts, when_same, sum_all) => {
        const settings = { key: "Content", when_same, sum_all };
        const bounds = [0, ...cuts.sort((a, b) => a - b), all.length];
        let last: string | undefined;
        for (let at = 1; at < bounds.length; at++) {
          const step = all.slice(bounds[at - 1], Math.max(bounds[at - 1] ?? 0, bounds[at] ?? 0));
          const content = JSON.stringify(step.map((item) => JSON.stringify(item)));
          last = merged({ settings, content, ...(last === undefined ? {} : { last }) });
        }
        const expected = model(all, when_same);
        const given = JSON.parse(last ?? "{}") as Record<string, unknown>;
        expect(sum_all ? { total: 0, ...given } : given).toEqual(sum_all ? expected : expected.detail);
      }),
      { numRuns: 1_000 },
    );
  });

  test("gives the same text for the same, in whatever order keys came (M2)", () => {
    fc.assert(
      fc.property(items, fc.nat(5), (all, limit) => {
        const settings = { key: "Content", when_same: "Sum", top: { MaxTop: limit } };
        const contentOf = (list: typeof all): string => JSON.stringify(list.map((item) => JSON.stringify(item)));
        expect(merged({ settings, content: contentOf(all) })).toBe(merged({ settings, content: contentOf([...all].reverse()) }));
      }),
    );
  });

  test("keeps the top of what a model sorts", () => {
    fc.assert(
      fc.property(items, fc.nat(5), fc.constantFrom("MaxTop", "MinTop"), (all, limit, which) => {
        const content = JSON.stringify(all.map((item) => JSON.stringify(item)));
        const given = JSON.parse(merged({ settings: { key: "Content", top: { [which]: limit } }, content })) as Record<
          string,
          number
        >;
        const values = Object.values(model(all, "Sum").detail).sort((a, b) => (which === "MaxTop" ? b - a : a - b));
        const kept = Object.values(given).sort((a, b) => (which === "MaxTop" ? b - a : a - b));
        expect(kept).toEqual(values.slice(0, limit));
      }),
    );
  });
});
