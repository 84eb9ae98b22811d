import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { appendPara, paraParts, pickPara } from "../src/instance/para.ts";

describe("a para", () => {
  test("gives the parts that are picked in their order, and what is left (§15)", () => {
    expect(pickPara("a/b/c/d", [3, 1])).toEqual({ picked: "d/b", rest: "a/c" });
    expect(pickPara("a/b/c", [0, 2])).toEqual({ picked: "a/c", rest: "b" });
    expect(pickPara("any/thing", [])).toEqual({ picked: "", rest: "" });
  });

  test("that is empty has one empty part (§15)", () => {
    expect(paraParts("")).toEqual([""]);
    expect(pickPara("", [0])).toEqual({ picked: "", rest: "" });
  });

  test("refuses an index that it does not have (§15)", () => {
    expect(() => pickPara("a/b", [2])).toThrow(
      expect.objectContaining({ code: "instance.invalid", details: { para: "a/b", index: 2 } }),
    );
    expect(() => pickPara("", [1])).toThrow(expect.objectContaining({ code: "instance.invalid" }));
  });

  test("is appended to with a separator only between two that are there (§15)", () => {
    expect(appendPara("a/b", "c/e")).toBe("a/b/c/e");
    expect(appendPara("", "x")).toBe("x");
    expect(appendPara("x", "")).toBe("x");
  });

  test("that is picked whole is the para again", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[^/]*$/), { minLength: 1 }), (parts) => {
        const para = parts.join("/");
        expect(pickPara(para, [...parts.keys()])).toEqual({ picked: para, rest: "" });
      }),
    );
  });
});
