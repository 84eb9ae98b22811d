import { describe, expect, test } from "vitest";
import { idOfData } from "../src/instance/hash.ts";

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
});
