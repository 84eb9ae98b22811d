import { expect } from "vitest";
import type { Meta } from "../meta/meta.ts";
import type { Relation } from "../relation/relation.ts";
import { another, eventually, instanceOf, put } from "./store-conformance-tools.ts";
import type { StorePromise } from "./store-harness.ts";

const order: Meta = { meta: "B:test/order:1", description: "an 'order'", states: "", settings: {}, enabled: true };
const state: Meta = {
  meta: "B:test/state:1",
  description: "",
  states: "new|paid,flagged",
  fields: { type: "object", properties: { price: { type: "integer" } } },
  settings: { master: "B:test/order:1", retentionMs: 5_000 },
  enabled: false,
};
const relation: Relation = {
  from: "B:test/order:1",
  to: "B:test/state:1",
  settings: { description: "x", target: { addStates: ["new"] }, delayMs: 5 },
  enabled: true,
};

export const registryPromises: readonly StorePromise[] = [
  {
    title: "a new database declares nothing, and has a version",
    async run({ store }) {
      expect(await store.loadRegistry()).toEqual({ version: 0, metas: [], relations: [] });
    },
  },
  {
    title: "what was declared comes back whole and in the order of declaration, also after a restart",
    async run(harness) {
      const version = await harness.store.editRegistry([
        { op: "put-meta", meta: state },
        { op: "put-meta", meta: order },
        { op: "put-relation", relation },
      ]);
      expect(version).toBe(1);
      const declared = { version: 1, metas: [state, order], relations: [relation] };
      expect(await harness.store.loadRegistry()).toEqual(declared);
      expect(await (await harness.reopen()).loadRegistry()).toEqual(declared);
    },
  },
  {
    title: "a put replaces what has the same name, in its place; a delete removes it, and deletes nothing twice",
    async run({ store }) {
      await store.editRegistry([
        { op: "put-meta", meta: state },
        { op: "put-meta", meta: order },
        { op: "put-relation", relation },
      ]);
      const { fields: _, ...bare } = state;
      const changed = { ...bare, states: "a", enabled: true };
      const off = { ...relation, settings: {}, enabled: false };
      await store.editRegistry([
        { op: "put-meta", meta: changed },
        { op: "put-relation", relation: off },
      ]);
      expect(await store.loadRegistry()).toEqual({ version: 2, metas: [changed, order], relations: [off] });
      await store.editRegistry([
        { op: "delete-meta", meta: order.meta },
        { op: "delete-relation", from: relation.from, to: relation.to },
        { op: "delete-meta", meta: "B:test/none:1" },
      ]);
      expect(await store.loadRegistry()).toEqual({ version: 3, metas: [changed], relations: [] });
    },
  },
  {
    title: "an edit for a version that is not the present one does nothing",
    async run({ store }) {
      expect(await store.editRegistry([{ op: "put-meta", meta: order }], 0)).toBe(1);
      expect(await store.editRegistry([{ op: "delete-meta", meta: order.meta }], 0)).toBeUndefined();
      expect(await store.editRegistry([{ op: "put-meta", meta: state }], 1)).toBe(2);
      expect((await store.loadRegistry()).metas).toEqual([order, state]);
    },
  },
  {
    title: "those who watch are told of each edit until they stop",
    async run({ store }) {
      const told: number[] = [];
      const stop = store.watchRegistry((version) => told.push(version));
      await store.editRegistry([{ op: "put-meta", meta: order }]);
      await eventually("the first version", () => told.includes(1));
      stop();
      await store.editRegistry([{ op: "put-meta", meta: state }]);
      expect((await store.loadRegistry()).version).toBe(2);
      expect(told).toEqual([1]);
    },
  },
  {
    title: "edits of one engine reach the others without a restart",
    needsAnother: true,
    async run(harness) {
      const second = await another(harness);
      const told: number[] = [];
      second.watchRegistry((version) => told.push(version));
      await harness.store.editRegistry([{ op: "put-meta", meta: order }]);
      await eventually("the edit of the other", () => told.at(-1) === 1);
      expect((await second.loadRegistry()).metas).toEqual([order]);
    },
  },
  {
    title: "a setting has the value of whoever asked first, also after a restart",
    async run(harness) {
      expect(await harness.store.setting("callback_secret", "first")).toBe("first");
      expect(await harness.store.setting("callback_secret", "second")).toBe("first");
      expect(await (await harness.reopen()).setting("callback_secret", "third")).toBe("first");
    },
  },
  {
    title: "whether a meta has instances is known",
    async run({ store }) {
      await put(store, instanceOf({ meta: "B:test/a:1" }));
      expect(await store.hasInstances("B:test/a:1")).toBe(true);
      expect(await store.hasInstances("B:test/A:1")).toBe(false);
    },
  },
];
