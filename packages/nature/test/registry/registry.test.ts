import { VirtualClock } from "@metanode/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Catalog } from "../../src/catalog/catalog.ts";
import { normalMeta } from "../../src/catalog/normal.ts";
import { natureError } from "../../src/errors.ts";
import type { Meta } from "../../src/meta/meta.ts";
import type { Edit } from "../../src/registry/edit.ts";
import { openRegistry, type Registry } from "../../src/registry/registry.ts";
import { contradiction } from "../../src/registry/rules.ts";
import type { Relation } from "../../src/relation/relation.ts";
import { MemoryDisk } from "../../src/testing/memory-disk.ts";
import { type MemoryStore, openMemoryStore } from "../../src/testing/memory-store.ts";
import { instanceOf, put } from "../../src/testing/store-conformance-tools.ts";
import { emall } from "../declare/emall.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const relation = (from: string, to: string, settings: Relation["settings"] = {}): Relation => ({
  from,
  to,
  settings,
  enabled: true,
});

/** A registry with the shop in it. */
async function shop(): Promise<{ disk: MemoryDisk; store: MemoryStore; registry: Registry }> {
  const disk = new MemoryDisk();
  const store = openMemoryStore(disk);
  const registry = await openRegistry({ store });
  await registry.edit([
    ...emall.metas.map((meta): Edit => ({ op: "create-meta", meta })),
    ...emall.relations.map((one): Edit => ({ op: "create-relation", relation: one })),
  ]);
  return { disk, store, registry };
}

describe("an edit of the registry", () => {
  test("takes effect at once, without a restart, and leaves the catalog before it as it was", async () => {
    const { registry } = await shop();
    const before = registry.catalog;
    const { version } = await registry.createMeta({ meta: "B:sale/refund:1" });
    await registry.createRelation(relation("B:sale/orderState:1", "B:sale/refund:1", { delayMs: 5 }));
    expect(registry.version).toBe(version + 1);
    expect(registry.catalog.meta("B:sale/refund:1").meta).toBe("B:sale/refund:1");
    expect(registry.catalog.relationsFrom("B:sale/orderState:1").map(({ to }) => to.meta)).toContain("B:sale/refund:1");
    expect(before.has("B:sale/refund:1")).toBe(false);
  });

  test("creates what is not there, changes and deletes what is, and names the nearest where it is not", async () => {
    const { registry } = await shop();
    const order = "B:sale/order:1";
    await expect(registry.createMeta({ meta: "B:/sale/order/:01" })).rejects.toThrow(code("meta.exists"));
    await expect(registry.createMeta({ meta: "N:x:1" })).rejects.toThrow(code("meta.exists"));
    await expect(registry.changeMeta({ meta: "B:sale/ordr:1" })).rejects.toThrow(/did you mean B:sale\/order:1/);
    await expect(registry.deleteMeta("B:none:1")).rejects.toThrow(code("meta.unknown"));
    await expect(registry.createRelation(relation(order, "B:sale/orderState:1"))).rejects.toThrow(code("relation.exists"));
    await expect(registry.changeRelation(relation(order, order))).rejects.toThrow(code("relation.unknown"));
    await expect(registry.deleteRelation({ from: order, to: order })).rejects.toThrow(code("relation.unknown"));
    await registry.changeMeta({ meta: order, description: "what a customer wants" });
    expect(registry.catalog.meta(order).description).toBe("what a customer wants");
    await registry.deleteRelation({ from: "B:sale/orderSign:1", to: "B:sale/orderState:1" });
    expect(registry.catalog.relationsFrom("B:sale/orderSign:1")).toEqual([]);
  });

  test("is made as a whole or not at all", async () => {
    const { registry, store } = await shop();
    const { version } = registry;
    const edits: Edit[] = [
      { op: "create-meta", meta: { meta: "B:new:1" } },
      { op: "create-relation", relation: relation("B:new:1", "B:nowhere:1") },
    ];
    await expect(registry.edit(edits)).rejects.toThrow(code("meta.unknown"));
    expect(registry.catalog.has("B:new:1")).toBe(false);
    expect((await store.loadRegistry()).version).toBe(version);
  });

  test("that changes nothing is no edit", async () => {
    const { registry, store } = await shop();
    const { version } = registry;
    const again = { meta: "B:sale/order:1", description: "", states: " ", settings: { isState: false }, enabled: true };
    expect(await registry.edit([{ op: "put-meta", meta: again }])).toEqual({ version, changed: 0 });
    expect((await store.loadRegistry()).version).toBe(version);
  });

  test.each<[string, Edit, string]>([
    ["a meta-string that is none", { op: "create-meta", meta: { meta: "B:a" } }, "meta.syntax"],
    ["states that are none", { op: "create-meta", meta: { meta: "B:a:1", states: "a[" } }, "meta.syntax"],
    ["a master that is not there", { op: "create-meta", meta: { meta: "B:a:1", settings: { master: "B:b:1" } } }, "meta.unknown"],
    ["a loop without members", { op: "create-meta", meta: { meta: "L:a:1" } }, "meta.invalid"],
    [
      "a misspelt setting",
      { op: "create-meta", meta: { meta: "B:a:1", settings: { mastr: "B:b:1" } as object } },
      "config.invalid",
    ],
    [
      "a setting of the wrong kind",
      { op: "create-meta", meta: { meta: "B:a:1", settings: { isState: "yes" } as never } },
      "config.invalid",
    ],
    [
      "a state that the target does not have",
      { op: "create-relation", relation: relation("B:sale/order:1", "B:third/waybill:1", { target: { addStates: ["x"] } }) },
      "relation.invalid",
    ],
    [
      "a change by which a relation does not fit any more",
      { op: "change-meta", meta: { meta: "B:finance/orderAccount:1", states: "unpaid|partial" } },
      "instance.state",
    ],
    [
      "a misspelt setting of a relation that is not even enabled",
      {
        op: "create-relation",
        relation: { ...relation("B:sale/order:1", "B:third/waybill:1", { delay: 5 } as object), enabled: false },
      },
      "config.invalid",
    ],
  ])("is refused with %s", async (_what, edit, expected) => {
    const { registry } = await shop();
    const { version } = registry;
    await expect(registry.edit([edit])).rejects.toThrow(code(expected));
    expect(registry.version).toBe(version);
  });

  test("may leave what was broken before as it is, and may mend it", async () => {
    const store = openMemoryStore(new MemoryDisk());
    await store.editRegistry([
      { op: "put-meta", meta: { meta: "B:a:1", states: "x[" } },
      { op: "put-meta", meta: { meta: "B:b:1" } },
      { op: "put-relation", relation: relation("B:a:1", "B:b:1") },
    ]);
    const problems: string[] = [];
    const registry = await openRegistry({ store, onProblem: ({ what }) => problems.push(what) });
    expect(problems).toEqual(["B:a:1", "B:a:1 -> B:b:1"]);
    await registry.createMeta({ meta: "B:c:1" });
    await registry.changeMeta({ meta: "B:a:1", states: "x" });
    expect(registry.catalog.problems).toEqual([]);
    expect(registry.catalog.relationsFrom("B:a:1")).toHaveLength(1);
  });

  test("is not held up by rows of no form at all, and can take them away", async () => {
    const store = openMemoryStore(new MemoryDisk());
    await store.editRegistry([
      { op: "put-meta", meta: { meta: "what?" } },
      { op: "put-relation", relation: relation("what?", "and?", { colour: "red" } as object) },
    ]);
    const registry = await openRegistry({ store });
    expect(registry.catalog.problems).toHaveLength(2);
    await registry.createMeta({ meta: "B:a:1" });
    await registry.edit([
      { op: "delete-relation", from: "what?", to: "and?" },
      { op: "delete-meta", meta: "what?" },
    ]);
    expect(await store.loadRegistry()).toMatchObject({ metas: [{ meta: "B:a:1" }], relations: [] });
  });
});

describe("a meta in use", () => {
  test("says by what", async () => {
    const { registry, store } = await shop();
    await put(store, instanceOf({ meta: "B:sale/order:1" }));
    expect(await registry.usedBy("B:/sale/order:1")).toEqual({
      relations: ["B:sale/order:1 -> B:sale/orderState:1", "B:sale/order:1 -> B:finance/orderAccount:1"],
      metas: ["B:sale/orderState:1", "B:finance/orderAccount:1"],
      instances: true,
    });
  });

  test("is not deleted or disabled while a relation or another meta needs it, unless that goes with it", async () => {
    const { registry } = await shop();
    const waybill = "B:third/waybill:1";
    await expect(registry.deleteMeta(waybill)).rejects.toThrow(code("meta.in_use"));
    await expect(registry.setMetaEnabled(waybill, false)).rejects.toThrow(/relation B:sale\/orderState:1 -> B:third\/waybill:1/);
    await expect(registry.setMetaEnabled("B:sale/order:1", false)).rejects.toThrow(/meta B:sale\/orderState:1/);
    for (const one of emall.relations.filter(({ from, to }) => from === waybill || to === waybill)) {
      await registry.setRelationEnabled({ ...one, enabled: false });
    }
    await registry.setMetaEnabled(waybill, false);
    expect(registry.catalog.has(waybill)).toBe(false);
    await expect(registry.deleteMeta(waybill)).rejects.toThrow(code("meta.in_use"));
    await registry.edit([
      { op: "delete-meta", meta: waybill },
      { op: "delete-relation", from: waybill, to: "B:sale/orderState:1" },
      { op: "delete-relation", from: "B:sale/orderState:1", to: waybill },
    ]);
    expect(registry.declared.metas.map(({ meta }) => meta)).not.toContain(waybill);
  });

  test("is not deleted while instances of it are stored, but can be disabled and enabled again", async () => {
    const { registry, store } = await shop();
    await registry.createMeta({ meta: "B:note:1" });
    await put(store, instanceOf({ meta: "B:note:1" }));
    await expect(registry.deleteMeta("B:note:1")).rejects.toThrow(code("meta.in_use"));
    await registry.setMetaEnabled("B:note:1", false);
    expect(registry.catalog.has("B:note:1")).toBe(false);
    await registry.setMetaEnabled("B:note:1", true);
    expect(registry.catalog.has("B:note:1")).toBe(true);
  });

  test.each([
    ["a|b", "a|b|c", undefined],
    ["a|b", "a,b", undefined],
    ["a,b", "p[a,b]", undefined],
    ["a,b", "a|b", "the states a and b would exclude each other"],
    ["a|b[c,d]", "a|b[c|d]", "the states c and d would exclude each other"],
    ["a|b", "a|c", "the state b would go"],
    ["a", "a[b]", "the state a would go"],
    ["", "a", "it would get states"],
    ["a", "", "it would lose its states"],
  ])("keeps its states from %j to %j only as far as its instances allow", async (before, after, problem) => {
    const store = openMemoryStore(new MemoryDisk());
    const registry = await openRegistry({ store });
    await registry.createMeta({ meta: "B:a:1", states: before });
    await put(store, instanceOf({ meta: "B:a:1" }));
    const change = registry.changeMeta({ meta: "B:a:1", states: after });
    if (problem === undefined) await change;
    else await expect(change).rejects.toThrow(`meta B:a:1: ${problem}, but instances of it are stored; declare B:a:2 instead`);
    expect(await store.removeOld({ meta: "B:a:1", createdLtMs: Number.MAX_SAFE_INTEGER, limit: 1 })).toBe(1);
    await registry.changeMeta({ meta: "B:a:1", states: after });
    expect(registry.catalog.meta("B:a:1").states.list.length).toBe(after === "" ? 0 : after === "a,b" ? 2 : 1);
  });

  test("changes only so that each set of states that was allowed is allowed after it", () => {
    const names = ["a", "b", "c", "d"];
    const expression = fc.constantFrom(
      "a,b,c",
      "a|b,c",
      "a|b|c",
      "p[a|b],c",
      "a|q[b,c]",
      "a,b",
      "a|b",
      "a,b,c,d",
      "a|q[b|c],d",
      "x|a",
    );
    fc.assert(
      fc.property(expression, expression, fc.subarray(names), (before, after, states) => {
        const [old, next] = [before, after].map((one): Meta => ({ meta: "B:a:1", states: one })) as [Meta, Meta];
        const allows = (meta: Meta): boolean => {
          try {
            new Catalog({ metas: [meta], relations: [] }).meta("B:a:1").states.check(states);
            return true;
          } catch {
            return false;
          }
        };
        if (contradiction(old, next) === undefined && allows(old)) expect(allows(next)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("two nodes on one store", () => {
  test("see each other's edits, whole", async () => {
    const { registry: a, disk } = await shop();
    const b = await openRegistry({ store: openMemoryStore(disk) });
    const { promise: changed, resolve } = Promise.withResolvers<Registry>();
    b.onChange(resolve);
    await a.edit([
      { op: "create-meta", meta: { meta: "B:x:1" } },
      { op: "create-relation", relation: relation("B:x:1", "B:sale/order:1") },
    ]);
    expect((await changed).version).toBe(a.version);
    expect(b.catalog.relationsFrom("B:x:1")).toHaveLength(1);
    expect(b.declared).toEqual(a.declared);
  });

  test("lose no edit that they make at the same moment, and check each against the other's", async () => {
    const { registry: a, disk } = await shop();
    const b = await openRegistry({ store: openMemoryStore(disk) });
    const edits = Array.from({ length: 10 }, (_, n) => [a, b][n % 2]?.createMeta({ meta: `B:x${n}:1` }));
    await Promise.all(edits);
    await Promise.all([a.refresh(), b.refresh()]);
    expect(b.declared).toEqual(a.declared);
    expect(a.catalog.metas()).toHaveLength(emall.metas.length + 10);

    const [dropped, used] = await Promise.allSettled([
      a.deleteMeta("B:x1:1"),
      b.createRelation(relation("B:sale/order:1", "B:x1:1")),
    ]);
    expect([dropped.status, used.status].sort()).toEqual(["fulfilled", "rejected"]);
    await Promise.all([a.refresh(), b.refresh()]);
    expect(a.catalog.problems).toEqual([]);
  });

  test("refuse an edit that was thought up for an older version", async () => {
    const { registry: a, disk } = await shop();
    const b = await openRegistry({ store: openMemoryStore(disk) });
    const expectedVersion = a.version;
    await a.createMeta({ meta: "B:first:1" }, { expectedVersion });
    await expect(b.createMeta({ meta: "B:second:1" }, { expectedVersion })).rejects.toThrow(
      expect.objectContaining({ code: "state.conflict", details: { expected: expectedVersion, found: expectedVersion + 1 } }),
    );
    await b.createMeta({ meta: "B:second:1" }, { expectedVersion: b.version });
    expect(b.catalog.has("B:first:1")).toBe(true);
  });

  test("go on with what they have while the store cannot be read, and follow as soon as it can", async () => {
    const { registry: a, disk } = await shop();
    const clock = new VirtualClock();
    let isCut = false;
    const cut = (): void => {
      if (isCut) throw natureError("store.unavailable", "the wire is cut");
    };
    const { promise: told, resolve: tell } = Promise.withResolvers<string>();
    const store = openMemoryStore(disk, { fault: cut });
    const b = await openRegistry({ store, clock, onProblem: ({ error }) => tell(error.message) });
    const before = b.catalog;
    isCut = true;
    await a.createMeta({ meta: "B:x:1" });
    expect(await told).toBe("the wire is cut");
    expect(b.catalog).toBe(before);
    const { promise: changed, resolve } = Promise.withResolvers<Registry>();
    b.onChange(resolve);
    isCut = false;
    await clock.advance(1_000);
    expect((await changed).catalog.has("B:x:1")).toBe(true);
  });

  test("follow no longer once they are closed", async () => {
    const { registry: a, disk } = await shop();
    const b = await openRegistry({ store: openMemoryStore(disk) });
    const { version } = b;
    b[Symbol.dispose]();
    await a.createMeta({ meta: "B:x:1" });
    await a.refresh();
    expect(b.version).toBe(version);
  });
});

describe("what is stored", () => {
  test("is the normal form, whatever spelling came in", async () => {
    const store = openMemoryStore(new MemoryDisk());
    const registry = await openRegistry({ store });
    await registry.createMeta({
      meta: "B:/a/:01",
      states: " x | y ",
      description: "",
      settings: { isState: false, multiMeta: [] },
    });
    const { metas } = await store.loadRegistry();
    expect(metas).toEqual([{ meta: "B:a:1", states: "x|y" }]);
    expect(normalMeta(metas[0] as Meta)).toEqual(metas[0]);
  });
});
