import { describe, expect, test } from "vitest";
import type { InstanceInput } from "../../src/instance/instance.ts";
import { createTestNature } from "../../src/testing/index.ts";
import { relation } from "../fixtures/things.ts";

const metas = [{ meta: "B:a:1" }, { meta: "B:b:1" }, { meta: "B:s:1", states: "x|y,z" }];
const relations = [relation("B:a:1", "B:b:1"), relation("B:s:1", "B:b:1")];
const open = () => createTestNature({ metas, relations });
const a = (given: Partial<InstanceInput> = {}) => ({ meta: "B:a:1", ...given });
const s = (given: Partial<InstanceInput> = {}) => ({ meta: "B:s:1", id: "7", states: ["x"], ...given });

describe("an input without states", () => {
  test("is stored once with its tasks, however often it comes, at once or later (§7.5)", async () => {
    await using nature = open();
    const results = await Promise.all([nature.input(a({ content: "1" })), nature.input(a({ content: "1" }))]);
    await nature.settle();
    results.push(await nature.input(a({ content: "1" })));
    await nature.settle();
    expect(results.map(({ isNew }) => isNew)).toEqual([true, false, false]);
    expect(new Set(results.map(({ instance }) => instance.id)).size).toBe(1);
    expect(nature.instances("B:b:1")).toHaveLength(1);
    expect(nature.engine.stats).toMatchObject({ inputs: 1, stored: 2, converted: 1 });
  });

  test("of a given id keeps what came first, and answers with it (I-5)", async () => {
    await using nature = open();
    await nature.input(a({ id: "5", content: "first" }));
    const { instance, isNew } = await nature.input(a({ id: "5", content: "second" }));
    expect([instance.content, isNew]).toEqual(["first", false]);
    expect(nature.instances("B:a:1")).toMatchObject([{ id: "5", content: "first" }]);
  });
});

describe("an input with states", () => {
  test("that names no version becomes the next one, also when several come at the same moment", async () => {
    await using nature = open();
    const results = await Promise.all(Array.from({ length: 20 }, (_, n) => nature.input(s({ content: String(n) }))));
    expect(results.map(({ instance: { version } }) => version)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    await nature.settle();
    expect(nature.instances("B:b:1")).toHaveLength(20);
  });

  test("that names a version is stored if the one before it is, and the same again is the same (D-4)", async () => {
    await using nature = open();
    expect((await nature.input(s({ version: 1 }))).isNew).toBe(true);
    expect((await nature.input(s({ version: 2, states: ["y"] }))).isNew).toBe(true);
    expect((await nature.input(s({ version: 2, states: ["y"] }))).isNew).toBe(false);
    expect((await nature.input(s({ version: 1 }))).isNew).toBe(false);
    expect(nature.instances("B:s:1").map(({ version }) => version)).toEqual([1, 2]);
  });

  test("that leaves a version out is refused, and so is one that is stored with other data (D-5)", async () => {
    await using nature = open();
    await expect(nature.input(s({ version: 2 }))).rejects.toMatchObject({
      code: "instance.version_gap",
      details: { version: 2, last: 0 },
    });
    await nature.input(s({ version: 1 }));
    await expect(nature.input(s({ version: 1, states: ["y"] }))).rejects.toMatchObject({
      code: "instance.conflict",
      details: { version: 1, last: 1 },
    });
    await nature.settle();
    expect(nature.instances("B:s:1")).toHaveLength(1);
    expect(nature.instances("B:b:1")).toHaveLength(1);
  });

  test("of two engines at the same moment has no gap and no fork (S3)", async () => {
    await using one = open();
    await using other = createTestNature({ metas, relations, disk: one.disk, clock: one.clock });
    const inputs = Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? one : other).input(s({ content: String(n) })));
    const versions = (await Promise.all(inputs)).map(({ instance: { version } }) => version);
    expect(versions.toSorted((x, y) => x - y)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1));
    expect(one.instances("B:s:1")).toHaveLength(30);
  });

  test("and an origin is stored once per origin, however often it is sent, and answered with what is stored", async () => {
    await using nature = open();
    const origin = { meta: "S:message:1", id: "42", para: "", version: 0 };
    const first = await nature.engine.input(s(), { origin });
    await nature.engine.input(s({ states: ["y"] }), { origin: { ...origin, id: "43" } });
    const again = await nature.engine.input(s(), { origin });
    expect(first).toMatchObject({ isNew: true, instance: { version: 1, from: origin } });
    expect(again).toEqual({ isNew: false, instance: first.instance });
    expect(nature.instances("B:s:1")).toHaveLength(2);
  });
});

describe("several inputs at once", () => {
  test("are stored all, and answered in their order", async () => {
    await using nature = open();
    await nature.input(a({ content: "1" }));
    const results = await nature.engine.inputMany([a({ content: "0" }), a({ content: "1" }), s(), s({ id: "8" })]);
    expect(results.map(({ isNew, instance: { version } }) => [isNew, version])).toEqual([
      [true, 0],
      [false, 0],
      [true, 1],
      [true, 1],
    ]);
    expect(await nature.engine.inputMany([])).toEqual([]);
    await nature.settle();
    expect(nature.instances("B:b:1")).toHaveLength(4);
  });

  test("are stored not at all when one of them is refused, and the text says which", async () => {
    await using nature = open();
    const bad = nature.engine.inputMany([a({ content: "0" }), a({ meta: "B:none:1" })]);
    await expect(bad).rejects.toMatchObject({ code: "meta.unknown", details: { index: 1 }, message: /instance 1 of the batch/ });
    await expect(nature.engine.inputMany([a({ content: "0" }), s({ version: 3 })])).rejects.toMatchObject({
      code: "instance.version_gap",
    });
    expect(nature.instances()).toEqual([]);
  });

  test("can be sent again when their answer was lost, versions and all", async () => {
    await using nature = open();
    const batch = [a({ content: "0" }), s({ version: 1 }), s({ id: "8", version: 1 })];
    const first = await nature.engine.inputMany(batch);
    const again = await nature.engine.inputMany([...batch, s({ id: "9" })]);
    expect(again.map(({ isNew }) => isNew)).toEqual([false, false, false, true]);
    expect(again.slice(0, 3).map(({ instance }) => instance)).toEqual(first.map(({ instance }) => instance));
  });

  test("hold one version of a line at most, and no more than a batch may have", async () => {
    await using nature = createTestNature({ metas, relations, engine: { maxBatch: 2 } });
    await expect(nature.engine.inputMany([s(), s({ states: ["y"] })])).rejects.toMatchObject({ code: "instance.invalid" });
    await expect(nature.engine.inputMany([a(), a(), a()])).rejects.toMatchObject({ code: "instance.too_large" });
  });

  test("of two batches with the same lines in opposite orders do not wait for each other for ever", async () => {
    await using nature = open();
    const lines = ["1", "2", "3"].map((id) => s({ id }));
    const results = await Promise.all([nature.engine.inputMany(lines), nature.engine.inputMany(lines.toReversed())]);
    expect(results.flat().map(({ instance: { version } }) => version)).toEqual([1, 1, 1, 2, 2, 2]);
  });
});

test("an engine that stops takes nothing in", async () => {
  const nature = open();
  await nature.engine.stop();
  await expect(nature.input(a())).rejects.toMatchObject({ code: "node.closed" });
  await expect(nature.engine.inputMany([a()])).rejects.toMatchObject({ code: "node.closed" });
});
