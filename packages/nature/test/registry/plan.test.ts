import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { normalMeta, normalRelation } from "../../src/catalog/normal.ts";
import { planChanges, planText } from "../../src/declare/plan.ts";
import { applyChanges } from "../../src/registry/apply.ts";
import { openRegistry } from "../../src/registry/registry.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { MemoryDisk } from "../../src/testing/memory-disk.ts";
import { openMemoryStore } from "../../src/testing/memory-store.ts";
import { declarations } from "../declare/arbitrary.ts";
import { emall } from "../declare/emall.ts";
import { testFolder } from "../store/sqlite-harness.ts";

const nothing = { metas: [], relations: [] };

/** The shop with a state more, an account without its master, one relation less and another one new. */
const changed = {
  metas: [
    ...emall.metas.map((one) =>
      one.meta === "B:finance/orderAccount:1" ? { ...one, states: "unpaid|partial|paid|refunded", description: "money" } : one,
    ),
    { meta: "B:sale/refund:1", settings: { master: "B:sale/order:1" } },
  ].filter(({ meta }) => meta !== "B:sale/orderSign:1"),
  relations: emall.relations
    .filter(({ from, to }) => from !== "B:sale/orderSign:1" && to !== "B:sale/orderSign:1")
    .map((one) =>
      one.to === "B:third/waybill:1" ? { ...one, settings: { ...one.settings, delayMs: 5_000 }, enabled: false } : one,
    ),
};

describe("a plan", () => {
  test("shows what is added, which members change and what is left alone", () => {
    const plan = planChanges(changed, { ...emall, version: 7 });
    expect(planText(plan)).toBe(`~ meta B:finance/orderAccount:1
    states: "unpaid|partial|paid" -> "unpaid|partial|paid|refunded"
    description: (none) -> "money"
+ meta B:sale/refund:1
    settings.master: "B:sale/order:1"
~ relation B:sale/orderState:1 -> B:third/waybill:1
    settings.delayMs: (none) -> 5000
    enabled: true -> false

1 to add, 2 to change, 0 to remove; 11 as declared; 3 not declared here and left alone`);
    expect(plan).toMatchObject({ version: 7, unchanged: 11 });
    expect(plan.leftAlone).toEqual([
      "B:sale/orderState:1 -> B:sale/orderSign:1",
      "B:sale/orderSign:1 -> B:sale/orderState:1",
      "B:sale/orderSign:1",
    ]);
  });

  test("removes what is not declared only when it is asked to", () => {
    const plan = planChanges(changed, emall, { prune: true });
    expect(plan.leftAlone).toEqual([]);
    expect(plan.changes.filter(({ action }) => action === "remove").map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      "relation B:sale/orderState:1 -> B:sale/orderSign:1",
      "relation B:sale/orderSign:1 -> B:sale/orderState:1",
      "meta B:sale/orderSign:1",
    ]);
  });

  test("is empty for what means the same in another spelling, and is plain data", () => {
    const spelt = {
      metas: emall.metas.map((one) => ({ ...one, states: one.states?.replaceAll("|", " | "), description: "", enabled: true })),
      relations: emall.relations.map((one) => ({
        ...one,
        settings: { idBridge: false, delayMs: 0, before: [], ...one.settings },
      })),
    };
    const plan = planChanges(spelt, emall);
    expect(plan.changes).toEqual([]);
    expect(planText(plan)).toBe("0 to add, 0 to change, 0 to remove; 16 as declared");
    expect(JSON.parse(JSON.stringify(planChanges(changed, emall)))).toMatchObject({ changes: { length: 3 } });
  });

  test("that is applied leaves nothing to be planned", async () => {
    await fc.assert(
      fc.asyncProperty(declarations, declarations, fc.boolean(), async (before, after, prune) => {
        const registry = await openRegistry({ store: openMemoryStore(new MemoryDisk()) });
        await applyChanges(registry, planChanges(before, registry.declared));
        const plan = planChanges(after, registry.declared, { prune });
        // Without pruning, what stays may need what is changed; then all is refused and nothing is done.
        const { declared } = registry;
        const applied = await applyChanges(registry, plan).then(
          () => true,
          () => false,
        );
        if (!applied) {
          expect(prune).toBe(false);
          expect(registry.declared).toBe(declared);
          return;
        }
        expect(planChanges(after, registry.declared, { prune }).changes).toEqual([]);
        if (!prune) return;
        const sorted = (all: readonly object[]): string[] => all.map((one) => JSON.stringify(one)).sort();
        expect(sorted(registry.declared.metas)).toEqual(sorted(after.metas.map((one) => normalMeta(one))));
        expect(sorted(registry.declared.relations)).toEqual(sorted(after.relations.map((one) => normalRelation(one))));
      }),
    );
  });

  test("is applied whole, through JSON and in one edit", async () => {
    const registry = await openRegistry({ store: openMemoryStore(new MemoryDisk()) });
    const first = JSON.parse(JSON.stringify(planChanges(emall, registry.declared)));
    expect(await applyChanges(registry, first)).toEqual({ version: 1, changed: 16 });
    const second = await applyChanges(registry, planChanges(changed, registry.declared, { prune: true }));
    expect(second).toEqual({ version: 2, changed: 6 });
    expect(registry.catalog.problems).toEqual([]);
    expect(registry.catalog.has("B:sale/orderSign:1")).toBe(false);
  });

  test("is empty against what a database gives back of it after a restart", async () => {
    await using folder = await testFolder();
    {
      await using store = await openSqliteStore({ folder: folder.path });
      await applyChanges(await openRegistry({ store }), planChanges(emall, nothing));
    }
    await using store = await openSqliteStore({ folder: folder.path });
    const registry = await openRegistry({ store });
    const plan = planChanges(emall, registry.declared, { prune: true });
    expect(plan).toEqual({ version: 1, changes: [], unchanged: 16, leftAlone: [] });
    expect(await applyChanges(registry, plan)).toEqual({ version: 1, changed: 0 });
    // What it did not change, it did not touch either.
    await registry.changeMeta({ meta: "B:sale/order:1", description: "wanted" });
    expect(registry.version).toBe(2);
    expect((await store.loadRegistry()).metas[0]).toMatchObject({ meta: "B:sale/order:1", description: "wanted" });
  });

  test("is refused when the registry was edited since it was made", async () => {
    const registry = await openRegistry({ store: openMemoryStore(new MemoryDisk()) });
    const plan = planChanges(emall, registry.declared);
    await registry.createMeta({ meta: "B:else:1" });
    await expect(applyChanges(registry, plan)).rejects.toThrow(expect.objectContaining({ code: "state.conflict" }));
    await applyChanges(registry, planChanges(emall, nothing));
    expect(registry.catalog.relations()).toHaveLength(10);
  });
});
