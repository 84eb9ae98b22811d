import { describe, expect, test } from "vitest";
import { scatter } from "../../src/builtin/scatter.ts";
import type { ConvertResult, Output } from "../../src/executor/executor.ts";
import { instance, request } from "../fixtures/things.ts";

const scattered = (content: string, settings = ""): readonly Output[] => {
  const result = scatter(request({ from: instance({ meta: "B:a:1", content }), settings })) as ConvertResult;
  return result.type === "instances" ? result.instances : [];
};

describe("scatter (§5.1)", () => {
  test("makes one instance of each entry, in order; values stay the JSON that they are", () => {
    const content = '[{"key":"u9-math","value":71},{"key":"u9-art","value":"A"}]';
    expect(scattered(content, '{"dimension_separator":"-"}')).toEqual([
      { para: "u9/math", content: "71" },
      { para: "u9/art", content: '"A"' },
    ]);
  });

  test("takes / as the separator where no other is set, and ignores further members", () => {
    expect(scattered('[{"key":"a/b-c","value":{"x":[1]},"more":1}]')).toEqual([{ para: "a/b-c", content: '{"x":[1]}' }]);
  });

  test("keeps all digits of numbers", () => {
    const content = '[{"key":"a","value":12345678901234567890},{"key":"b","value":[1.50,-0,1e3]}]';
    expect(scattered(content).map((one) => one.content)).toEqual(["12345678901234567890", "[1.50,-0,1e3]"]);
  });

  test("takes keys that JSON writes with escapes", () => {
    expect(scattered('[{"key":"a\\"\\u00e4","value":null}]')).toEqual([{ para: 'a"ä', content: "null" }]);
  });

  test("of nothing makes nothing", () => expect(scattered("[]")).toEqual([]));

  test.each(["", "{}", "7", "[7]", '[{"key":"a"}]', '[{"value":1}]', '[{"key":1,"value":1}]', "[null]"])(
    "refuses the content %j",
    (content) => {
      expect(() => scattered(content)).toThrow(expect.objectContaining({ code: "executor.logic" }));
    },
  );

  test.each(['{"separator":"-"}', '{"dimension_separator":1}', '{"dimension_separator":""}', "[]", "x"])(
    "refuses the settings %s",
    (settings) => {
      expect(() => scattered("[]", settings)).toThrow(expect.objectContaining({ code: "config.invalid" }));
    },
  );
});
