import { describe, expect, test } from "vitest";
import { checkData, checkPara } from "../src/instance/check.ts";
import type { InstanceData } from "../src/instance/instance.ts";
import { loadMeta } from "../src/meta/meta.ts";

const limits = { maxContentBytes: 30, maxContextBytes: 30 };
const meta = loadMeta({ meta: "B:a:1" });
const checking =
  (given: Partial<InstanceData>, checked = meta) =>
  (): void =>
    checkData(checked, { content: "", context: {}, sysContext: {}, states: [], ...given }, limits);

describe("the data of an instance", () => {
  test("may have content and contexts up to their limit in bytes", () => {
    expect(checking({ content: "ä".repeat(15), context: { key: "x".repeat(20) } })).not.toThrow();
  });

  test.each<[string, Partial<InstanceData>, string]>([
    ["/content", { content: "ä".repeat(15).concat("x") }, "instance.too_large"],
    ["/context", { context: { key: "x".repeat(21) } }, "instance.too_large"],
    ["/sysContext", { sysContext: { key: "x".repeat(21) } }, "instance.too_large"],
    ["/content", { content: 7 as unknown as string }, "instance.invalid"],
    ["/context/k", { context: { k: null as unknown as string } }, "instance.invalid"],
    ["/content", { content: "a\0" }, "instance.invalid"],
    ["/content", { content: "\udc00" }, "instance.invalid"],
    ["/sysContext/k", { sysContext: { k: "\0" } }, "instance.invalid"],
  ])("is refused at %s where it breaks a rule", (path, given, code) => {
    expect(checking(given)).toThrow(expect.objectContaining({ code, details: expect.objectContaining({ path }) }));
  });

  test("has content of the schema that its meta has", () => {
    const fields = { type: "object", properties: { price: { type: "number" } }, required: ["price"] };
    const typed = loadMeta({ meta: "B:a:1", fields });
    expect(checking({ content: '{"price":3}' }, typed)).not.toThrow();
    expect(checking({ content: '{"price":"3"}' }, typed)).toThrow(
      expect.objectContaining({ code: "instance.invalid", details: { meta: "B:a:1", path: "/content/price" } }),
    );
    expect(checking({ content: "{" }, typed)).toThrow(expect.objectContaining({ code: "instance.invalid" }));
    expect(checking({ content: "1" }, loadMeta({ meta: "B:a:1", fields: { type: "nonsense" } }))).toThrow(
      expect.objectContaining({ code: "meta.invalid" }),
    );
  });
});

describe("a para", () => {
  test.each<[unknown, string]>([
    ["a|b", "instance.invalid"],
    ["a\0", "instance.invalid"],
    ["\ud800", "instance.invalid"],
    [7, "instance.invalid"],
    ["x".repeat(1_001), "instance.too_large"],
  ])("is not %j", (para, code) => {
    expect(() => checkPara(meta, para)).toThrow(expect.objectContaining({ code }));
  });

  test("may hold anything else, up to its limit in bytes", () => {
    for (const para of ["", "a/b", "/ems/1", "ä".repeat(500), 'it\'s "quoted"'])
      expect(() => checkPara(meta, para)).not.toThrow();
  });
});
