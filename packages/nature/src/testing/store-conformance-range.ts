import { expect } from "vitest";
import { keyOf } from "../instance/instance.ts";
import type { Store } from "../store/full-store.ts";
import type { RangeQuery } from "../store/store.ts";
import { instanceOf, NOW_MS, put } from "./store-conformance-tools.ts";
import type { StorePromise } from "./store-harness.ts";

const KEYS = [
  ["B:a:1", "0", "abc/1", 0],
  ["B:a:1", "0", "abc/2", 0],
  ["B:a:1", "0", "abd", 0],
  ["B:a:1", "5", "", 1],
  ["B:a:1", "5", "", 2],
  ["B:a:1", "5", "", 10],
  ["B:a:1", "40", "", 0],
  ["B:a:1", "18446744073709551615", "", 0],
  ["B:a:10", "1", "", 0],
  ["B:a:2", "1", "B", 0],
  ["B:a:2", "1", "a", 0],
  ["B:a:2", "1", "ä", 0],
  ["B:a:2", "1", "\u{ff5e}", 0],
  ["B:a:2", "1", "\u{1f600}", 0],
] as const;

async function filled(store: Store): Promise<void> {
  const rows = KEYS.map(([meta, id, para, version], at) => instanceOf({ meta, id, para, version, createdMs: NOW_MS + at }));
  // Version 10 stands alone: nothing but a removal of old ones leads there.
  for (let version = 3; version < 10; version++) rows.splice(5, 0, instanceOf({ meta: "B:a:1", id: "5", version, createdMs: 1 }));
  await put(store, ...rows.toSorted((a, b) => a.version - b.version));
  await store.removeOld({ meta: "B:a:1", createdLtMs: 2, limit: 100 });
}

const all = KEYS.map(([meta, id, para, version]) => `${meta}|${id}|${para}|${version}`);

async function keys(store: Store, query: Partial<RangeQuery>): Promise<string[]> {
  return (await store.range({ limit: 100, ...query })).map(keyOf);
}

export const rangePromises: readonly StorePromise[] = [
  {
    title: "a range is in the order of its keys: metas and paras by bytes, ids and versions by number (S6)",
    async run({ store }) {
      await filled(store);
      expect(await keys(store, {})).toEqual(all);
    },
  },
  {
    title: "a bound that is the beginning of a key is compared with the beginnings of keys",
    async run({ store }) {
      await filled(store);
      expect(await keys(store, { keyGt: "B:a:1|0|abc/", keyLt: "B:a:1|0|abc0" })).toEqual(all.slice(0, 2));
      expect(await keys(store, { keyGt: "B:a:1|0", keyLt: "B:a:1|40" })).toEqual(all.slice(3, 6));
      expect(await keys(store, { keyGe: "B:a:1|0", keyLe: "B:a:1|40" })).toEqual(all.slice(0, 7));
      expect(await keys(store, { keyGe: "B:a:1|5||2", keyLt: "B:a:1|5||10" })).toEqual(all.slice(4, 5));
      expect(await keys(store, { keyGt: "B:a:1" })).toEqual(all.slice(8));
      expect(await keys(store, { keyLt: "B:a:2|1|a" })).toEqual(all.slice(0, 10));
      expect(await keys(store, { keyGt: "", keyLe: "B:a:1||abc/1" })).toEqual(all.slice(0, 1));
    },
  },
  {
    title: "pages follow each other, each from the last key of the one before, until all were seen once",
    async run({ store }) {
      await filled(store);
      const seen: string[] = [];
      for (let page = await keys(store, { limit: 4 }); page.length > 0; ) {
        seen.push(...page);
        page = await keys(store, { limit: 4, keyGt: seen.at(-1) as string });
      }
      expect(seen).toEqual(all);
    },
  },
  {
    title: "a range is narrowed by meta and by time of creation",
    async run({ store }) {
      await filled(store);
      expect(await keys(store, { meta: "B:a:2" })).toEqual(all.slice(9));
      expect(await keys(store, { createdGeMs: NOW_MS + 3, createdLtMs: NOW_MS + 5 })).toEqual(all.slice(3, 5));
      expect(await keys(store, { meta: "B:a:1", createdGeMs: NOW_MS + 6 })).toEqual(all.slice(6, 8));
    },
  },
  {
    title: "a bound that is none is refused with instance.invalid, and quotes in one do no harm",
    async run({ store }) {
      await filled(store);
      for (const keyGt of ["B:a:1|x", "B:a:1|1||x", "B:a:1|1||0|0", "B:a:1|-1", "B:a:1|99999999999999999999"]) {
        await expect(store.range({ keyGt, limit: 1 })).rejects.toMatchObject({ code: "instance.invalid" });
      }
      expect(await keys(store, { keyGt: "'; DELETE FROM instance; --" })).toEqual(all);
    },
  },
  {
    title: "the last version of a line is the highest number, and a line that is not there has none",
    async run({ store }) {
      await filled(store);
      const lines = [
        { meta: "B:a:1", id: "5", para: "" },
        { meta: "B:a:1", id: "6", para: "" },
        { meta: "B:a:2", id: "1", para: "A" },
      ];
      expect((await store.latest(lines)).map((one) => one?.version)).toEqual([10, undefined, undefined]);
      expect(await store.load([{ ...(lines[0] as (typeof lines)[0]), version: 4 }])).toEqual([undefined]);
      expect(await store.latest([])).toEqual([]);
    },
  },
  {
    title: "the same key may be asked for several times at once",
    async run({ store }) {
      const one = instanceOf({ version: 1 });
      await put(store, one);
      expect(await store.load([one, { ...one, id: "2" }, one])).toEqual([one, undefined, one]);
      expect(await store.latest([one, { ...one, id: "2" }, one])).toEqual([one, undefined, one]);
    },
  },
];
