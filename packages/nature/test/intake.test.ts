import { describe, expect, test } from "vitest";
import { accept, saysTheSame } from "../src/engine/intake.ts";
import { idOfData } from "../src/instance/hash.ts";
import type { Instance, InstanceInput } from "../src/instance/instance.ts";
import { catalogOf, instance } from "./fixtures/things.ts";

const catalog = catalogOf([
  { meta: "B:a:1" },
  { meta: "B:s:1", states: "new|paid,seen" },
  { meta: "S:sys:1" },
  { meta: "M:m:1", settings: { multiMeta: ["B:a:1"] } },
  { meta: "L:l:1", settings: { multiMeta: ["B:a:1"] } },
]);
const limits = { maxContentBytes: 100, maxContextBytes: 100 };
const accepted = (input: InstanceInput) => accept(catalog, input, limits, 5.7);

describe("an input", () => {
  test("gets its canonical meta, an id from its data, and its time from the engine (I-2, I-6)", () => {
    const given = { meta: "B:/a:01", content: "x", createdMs: 1, from: { meta: "B:z:1", id: "1", para: "", version: 0 } };
    const { instance: one } = accepted(given);
    expect(one).toMatchObject({ meta: "B:a:1", createdMs: 5, from: undefined, version: 0 });
    expect(one.id).toBe(idOfData({ content: "x", context: {}, sysContext: {}, states: [] }));
  });

  test("keeps an id that it has, and id 0 where its para names it (I-2, I-5)", () => {
    expect(accepted({ meta: "B:a:1", id: "007" }).instance.id).toBe("7");
    expect(accepted({ meta: "B:a:1", para: "p" }).instance.id).toBe("0");
    expect(accepted({ meta: "B:a:1", para: "p", id: "7" }).instance.id).toBe("7");
  });

  test("has states of its meta, sorted (D-33)", () => {
    expect(accepted({ meta: "B:s:1", states: ["seen", "new", "seen"], version: 3 }).instance).toMatchObject({
      states: ["new", "seen"],
      version: 3,
    });
  });

  test.each<[string, InstanceInput, string]>([
    ["is of an unknown meta", { meta: "B:b:1" }, "meta.unknown"],
    ["is of no meta", { meta: "b" }, "meta.syntax"],
    ["is of an M meta", { meta: "M:m:1" }, "instance.invalid"],
    ["is of an L meta", { meta: "L:l:1" }, "instance.invalid"],
    ["is of an S meta", { meta: "S:sys:1" }, "instance.invalid"],
    ["has an id that is none", { meta: "B:a:1", id: "x" }, "instance.invalid"],
    ["has a para that would break keys", { meta: "B:a:1", para: "a|b" }, "instance.invalid"],
    ["has a version without states", { meta: "B:a:1", version: 1 }, "instance.invalid"],
    ["has half a version", { meta: "B:s:1", version: 1.5 }, "instance.invalid"],
    ["has a negative version", { meta: "B:s:1", version: -1 }, "instance.invalid"],
    ["has states without having any", { meta: "B:a:1", states: ["new"] }, "instance.state"],
    ["has an unknown state", { meta: "B:s:1", states: ["payd"] }, "instance.state"],
    ["has two states that exclude each other", { meta: "B:s:1", states: ["new", "paid"] }, "instance.state"],
    ["has more content than allowed", { meta: "B:a:1", content: "x".repeat(101) }, "instance.too_large"],
  ])("is refused when it %s", (_what, input, code) => {
    expect(() => accepted(input)).toThrow(expect.objectContaining({ code }));
  });
});

describe("two instances", () => {
  const base = instance({ meta: "B:s:1", content: "c", context: { k: "v" }, states: ["a", "b"] });

  test("say the same when content, states and contexts do, whatever else they are", () => {
    expect(saysTheSame(base, { ...base, id: "9", createdMs: 1, context: { k: "v" } })).toBe(true);
    const others: Partial<Instance>[] = [
      { content: "d" },
      { context: {} },
      { context: { k: "w" } },
      { context: { k: "v", l: "" } },
      { sysContext: { k: "v" } },
      { states: ["a"] },
    ];
    for (const other of others) expect(saysTheSame(base, { ...base, ...other })).toBe(false);
  });
});
