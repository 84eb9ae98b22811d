import { expect } from "vitest";
import { CONFLICT, DONE_NEW, instanceOf, NOW_MS, put, putTask, stored, versions } from "./store-conformance-tools.ts";
import type { StorePromise } from "./store-harness.ts";

const meta = "B:test/kept:1";
const line = { meta, id: "7", para: "" };

export const upkeepPromises: readonly StorePromise[] = [
  {
    title: "old instances of a meta are removed, the oldest first, up to the limit; the young and those of others stay",
    async run({ store }) {
      const at = (id: number, createdMs: number) => instanceOf({ meta, id: String(id), createdMs });
      await put(store, at(3, NOW_MS + 3), at(1, NOW_MS + 1), at(2, NOW_MS + 2), at(4, NOW_MS + 4));
      await put(store, instanceOf({ meta: "B:test/other:1", createdMs: 1 }));
      const query = { meta, createdLtMs: NOW_MS + 4, limit: 2 };
      expect(await store.removeOld(query)).toBe(2);
      expect((await store.range({ meta, limit: 10 })).map(({ id }) => id)).toEqual(["3", "4"]);
      expect(await store.removeOld(query)).toBe(1);
      expect(await store.removeOld(query)).toBe(0);
      expect((await store.range({ limit: 10 })).map(({ id }) => id)).toEqual(["4", "1"]);
    },
  },
  {
    title: "the last version of a line goes last, so that no version is given a second time while others are there",
    async run({ store }) {
      await put(store, ...[1, 2, 3].map((version) => instanceOf({ ...line, version, createdMs: NOW_MS - version })));
      await put(store, instanceOf({ ...line, version: 4, createdMs: NOW_MS + 10 }));
      const query = { meta, createdLtMs: NOW_MS + 20, limit: 10 };
      expect(await store.removeOld({ ...query, createdLtMs: NOW_MS })).toBe(3);
      expect(await versions(store, line)).toEqual([4]);
      expect(await put(store, instanceOf({ ...line, version: 5, createdMs: NOW_MS }))).toEqual([DONE_NEW]);
      expect(await store.removeOld(query)).toBe(1);
      expect(await versions(store, line)).toEqual([5]);
      expect(await store.removeOld(query)).toBe(1);
      expect(await put(store, instanceOf({ ...line, version: 6 }))).toEqual([CONFLICT]);
      expect(await put(store, instanceOf({ ...line, version: 1 }))).toEqual([DONE_NEW]);
    },
  },
  {
    title: "what a task or a failed task works on stays until that is done",
    async run({ store }) {
      const [waiting, failing] = ["1", "2"].map((id) => instanceOf({ meta, id, createdMs: 1 }));
      if (waiting === undefined || failing === undefined) throw new Error("two were made");
      const task = await putTask(store, waiting);
      const failed = await putTask(store, failing);
      await store.fail([{ taskId: failed.id, code: "executor.logic", error: "", failedMs: NOW_MS, counts: false }]);
      const query = { meta, createdLtMs: NOW_MS, limit: 10 };
      expect(await store.removeOld(query)).toBe(0);
      await store.commit([{ taskId: task.id, instances: [] }]);
      expect(await store.removeOld(query)).toBe(1);
      expect(await stored(store, waiting)).toBeUndefined();
      await store.dropFailed([failed.id]);
      expect(await store.removeOld(query)).toBe(1);
    },
  },
];
