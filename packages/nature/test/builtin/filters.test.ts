import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { builtIns } from "../../src/builtin/built-ins.ts";
import { paraAsKey } from "../../src/builtin/para-as-key.ts";
import { taskChecker } from "../../src/builtin/task-checker.ts";
import type { ConvertResult } from "../../src/executor/executor.ts";
import type { Instance } from "../../src/instance/instance.ts";
import { filterRequest, instance, request } from "../fixtures/things.ts";

describe("para_as_key (§5.5)", () => {
  const keyed = async (given: Partial<Instance>, settings: object): Promise<string> =>
    (await paraAsKey(instance({ meta: "B:a:1", ...given }), filterRequest({ settings: JSON.stringify(settings) }))).content;

  test.each<[object, string, string]>([
    [{ part: [1], plain: true }, "123", '["xx",123]'],
    [{ part: [0, 2] }, "123", '["ll/bb","123"]'],
    [{ part: [1] }, 'say "hi"\n', '["xx","say \\"hi\\"\\n"]'],
    [{ part: [1], plain: true }, "12345678901234567890", '["xx",12345678901234567890]'],
  ])("with %o makes %j into %s", async (settings, content, expected) => {
    expect(await keyed({ para: "ll/xx/bb", content }, settings)).toBe(expected);
  });

  test("gives JSON for any para and content", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string({ unit: "binary" }), async (para, content) => {
        expect(JSON.parse(await keyed({ para, content }, { part: [0] }))).toEqual([para.split("/")[0], content]);
      }),
    );
  });

  test("refuses content that is no JSON where it has to be", async () => {
    for (const content of ["", "x", '"'])
      await expect(async () => keyed({ content }, { part: [0], plain: true })).rejects.toMatchObject({ code: "executor.logic" });
  });

  test("refuses parts that are missing, in the para and in the settings", async () => {
    await expect(async () => keyed({ para: "a" }, { part: [1] })).rejects.toMatchObject({ code: "instance.invalid" });
    for (const settings of [{}, { part: [] }, { part: 1 }, { part: [0], plan: true }])
      await expect(async () => keyed({}, settings)).rejects.toMatchObject({ code: "config.invalid" });
  });
});

describe("task-checker (§5.6)", () => {
  const asked: object[] = [];
  const check = (waiting: number, settings: object, para = "") =>
    taskChecker({
      countTasks: async (query) => {
        asked.push(query);
        return waiting;
      },
    })(instance({ meta: "B:a:1", para, content: "c" }), filterRequest({ settings: JSON.stringify(settings) }));

  test("lets the instance pass as it is when no such task is left", async () => {
    expect(await check(0, { key_gt: "B:x:1|0|a/", key_lt: "B:x:1|0|a0", time_part: [0, 1] }, "100/200")).toEqual(
      instance({ meta: "B:a:1", para: "100/200", content: "c" }),
    );
    expect(asked.at(-1)).toEqual({ keyGt: "B:x:1|0|a/", keyLt: "B:x:1|0|a0", dueGeMs: 100, createdLtMs: 200 });
  });

  test("has it tried again later when there are some", async () => {
    await expect(check(3, { key_gt: "a", key_lt: "b" })).rejects.toMatchObject({ code: "executor.environment", retryable: true });
  });

  test("takes an empty bound for none", async () => {
    await check(0, { key_gt: "", key_lt: "" });
    const { keyGt, keyLt } = asked.at(-1) as { keyGt: string; keyLt: string };
    expect([keyGt < "B:a:1", "N::1|9|z" < keyLt]).toEqual([true, true]);
  });

  test("refuses settings without bounds, and a para without its window", async () => {
    for (const settings of [{}, { key_gt: "" }, { key_gt: "", key_lt: "", time_part: [1] }, { key_gt: "", key_lt: "", x: 1 }])
      await expect(check(0, settings)).rejects.toMatchObject({ code: "config.invalid" });
    await expect(check(0, { key_gt: "", key_lt: "", time_part: [0, 1] }, "100")).rejects.toMatchObject({
      code: "instance.invalid",
    });
  });
});

describe("the built-ins", () => {
  const table = builtIns({ store: { range: async () => [], countTasks: async () => 0 }, resolvers: () => ({}) });

  test("are found by name, each in its role", () => {
    for (const name of ["scatter", "merge", "time_range", "random"])
      expect(Object.keys(table.resolve(name))).toEqual(["convert"]);
    for (const name of ["instance-loader", "para_as_key", "task-checker"])
      expect(Object.keys(table.resolve(name))).toEqual(["before"]);
  });

  test.each([
    ["sum", "merge"],
    ["dimensionSplit", "scatter"],
    ["timer", "time_range"],
    ["time-range", "time_range"],
  ])("say of %s that %s is meant", (name, meant) => {
    expect(() => table.resolve(name)).toThrow(
      expect.objectContaining({ code: "executor.unknown", message: expect.stringContaining(`did you mean ${meant}?`) }),
    );
  });

  test("draw strings of the length and letters that are asked for", () => {
    const drawn = (settings: object): string => {
      const result = table.resolve("random").convert?.(request({ settings: JSON.stringify(settings) })) as ConvertResult;
      return result.type === "instances" ? (result.instances[0]?.content ?? "") : "";
    };
    expect(drawn({})).toMatch(/^[0-9A-Za-z]{16}$/);
    expect(drawn({ of: "digits", length: 40 })).toMatch(/^\d{40}$/);
    expect(drawn({ of: "letters", length: 1 })).toMatch(/^[A-Za-z]$/);
    expect(drawn({})).not.toBe(drawn({}));
    for (const settings of [{ length: 0 }, { length: 1_025 }, { of: "hex" }, { len: 1 }])
      expect(() => drawn(settings)).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });
});
