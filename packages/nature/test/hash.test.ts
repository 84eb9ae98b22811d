import { describe, expect, test } from "vitest";
import { idOfData, idOfOutput } from "../src/instance/hash.ts";
import { checkId } from "../src/instance/id.ts";

const data = (content: string, context: Record<string, string> = {}) => ({ content, context, sysContext: {}, states: [] });

describe("the id of data", () => {
  test.each([
    ['"A"', { self: "self" }, "1487267541922457568"],
    ['"B"', { third: "third" }, "5511124463593097989"],
    ['"C"', { self: "self", third: "third" }, "13159812850727140160"],
    ['"D"', {}, "9688354360942590765"],
    ['"A"', {}, "18375946125590662357"],
    ['"B"', {}, "15760981570053939593"],
    ['"C"', {}, "11492880383379452140"],
    ["", {}, "3476900567878811119"],
  ])("of %s with %o is %s, as in the model's own documents", (content, context, id) => {
    expect(idOfData(data(content, context as Record<string, string>))).toBe(id);
  });

  test("of the order in the model's own demo is the one that it prints (§11.1)", () => {
    const order = {
      user_id: 123,
      price: 1_000,
      items: [
        { item: { id: 1, name: "phone", price: 800 }, num: 1 },
        { item: { id: 2, name: "battery", price: 100 }, num: 2 },
      ],
      address: "a.b.c",
    };
    expect(idOfData(data(JSON.stringify(order)))).toBe("6548010827999420547");
  });

  test("does not depend on the order in which context and states are given", () => {
    const one = { content: "x", context: { a: "1", "\uffee": "2", "😀": "3" }, sysContext: {}, states: ["\uffee", "😀"] };
    const other = { content: "x", context: { "😀": "3", a: "1", "\uffee": "2" }, sysContext: {}, states: ["😀", "\uffee"] };
    expect(idOfData(one)).toBe(idOfData(other));
  });

  test("depends on all that the data says", () => {
    const base = { content: "c", context: { k: "v" }, sysContext: {}, states: [] };
    const others = [
      { ...base, content: "d" },
      { ...base, context: {} },
      { ...base, context: { k: "w" } },
      { ...base, sysContext: { k: "v" } },
      { ...base, states: ["s"] },
    ];
    expect(new Set([base, ...others].map(idOfData)).size).toBe(6);
  });
});

describe("the id of an output", () => {
  const from = { meta: "B:a:1", id: "1", para: "", version: 0 };
  const id = (index: number, to = "B:b:1", version = 0) => idOfOutput({ from: { ...from, version }, to, index });

  test("is the same when the work is done again, and another for another upstream, target or place (D-25)", () => {
    expect(id(0)).toBe(id(0));
    expect(new Set([id(0), id(1), id(0, "B:c:1"), id(0, "B:b:1", 1)]).size).toBe(4);
  });
});

describe("an id", () => {
  test.each([
    ["7", "7"],
    ["0", "0"],
    ["007", "7"],
    ["18446744073709551615", "18446744073709551615"],
  ])("written %s is %s", (text, id) => expect(checkId(text)).toBe(id));

  test.each(["", "-1", "1.5", "1e3", "0x1", " 1", "18446744073709551616", "100000000000000000000"])("is not %j", (text) => {
    expect(() => checkId(text)).toThrow(expect.objectContaining({ code: "instance.invalid" }));
  });
});
