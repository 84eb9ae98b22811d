import { expect } from "vitest";
import type { Instance } from "../instance/instance.ts";
import type { ReadPage } from "../store/reads.ts";
import { CONFLICT, DONE_BEFORE, instanceOf, locatorOf, NOW_MS, put, putTask } from "./store-conformance-tools.ts";
import type { StorePromise } from "./store-harness.ts";

/** All items of all pages, and how many pages there were. */
async function allOf<T>(page: (cursor: { cursor?: string }) => Promise<ReadPage<T>>): Promise<{ items: T[]; pages: number }> {
  const items: T[] = [];
  for (let pages = 1, cursor: string | undefined; ; pages++) {
    const next = await page(cursor === undefined ? {} : { cursor });
    items.push(...next.items);
    cursor = next.cursor;
    if (cursor === undefined) return { items, pages };
  }
}

const line = { meta: "B:test/state:1", id: "7", para: "p/q" };

function states(count: number, given: Partial<Instance> = {}): Instance[] {
  return Array.from({ length: count }, (_, at) =>
    instanceOf({ ...line, version: at + 1, states: at % 2 === 0 ? ["open"] : ["closed", "paid"], ...given }),
  );
}

export const readPromises: readonly StorePromise[] = [
  {
    title: "an instance reads as it was stored, or as nothing",
    async run({ store }) {
      const one = instanceOf({
        id: "18446744073709551615",
        content: "'text' \u{1f600}",
        context: { a: "b" },
        sysContext: { "target.id": "1" },
        from: { meta: "B:test/up:1", id: "0", para: "x", version: 3 },
      });
      await put(store, one);
      expect(await store.reads.instance(one)).toEqual(one);
      expect(await store.reads.instance({ ...one, version: 1 })).toBeUndefined();
    },
  },
  {
    title: "what is committed is read at once",
    async run({ store }) {
      for (let id = 1; id <= 20; id++) {
        const one = instanceOf({ id: String(id) });
        await put(store, one);
        expect(await store.reads.instance(one)).toEqual(one);
      }
    },
  },
  {
    title: "the versions of a line come the last first, page by page",
    async run({ store }) {
      const all = states(7);
      await put(store, ...all, instanceOf({ ...line, para: "p", version: 1 }));
      const { items, pages } = await allOf((cursor) => store.reads.versions(line, { limit: 3, ...cursor }));
      expect(items).toEqual(all.toReversed());
      expect(pages).toBe(3);
    },
  },
  {
    title: "a range comes in pages in ascending order of keys, within its bounds",
    async run({ store }) {
      const all = ["1", "2", "10", "11", "100"].flatMap((id) => ["a", "B"].map((para) => instanceOf({ id, para })));
      await put(store, ...all, instanceOf({ meta: "B:test/z:1" }));
      const query = { keyGe: "B:test/order:1|2", keyLt: "B:test/z", limit: 3 };
      const { items, pages } = await allOf((cursor) => store.reads.range({ ...query, ...cursor }));
      const expected = ["2|B", "2|a", "10|B", "10|a", "11|B", "11|a", "100|B", "100|a"];
      expect(items.map(({ id, para }) => `${id}|${para}`)).toEqual(expected);
      expect(pages).toBe(3);
    },
  },
  {
    title: "the recent instances of a meta come the youngest first, each once, also when many are of the same moment",
    async run({ store }) {
      const all = Array.from({ length: 30 }, (_, at) =>
        instanceOf({ id: String(at + 1), createdMs: NOW_MS + Math.floor(at / 8) }),
      );
      await put(store, ...all, instanceOf({ meta: "B:test/z:1" }));
      const { items, pages } = await allOf((cursor) => store.reads.recent("B:test/order:1", { limit: 7, ...cursor }));
      const expected = all.toSorted((a, b) => b.createdMs - a.createdMs || Number(a.id) - Number(b.id));
      expect(items).toEqual(expected);
      expect(pages).toBe(5);
    },
  },
  {
    title: "lineage leads down to all that was made from an instance, and up to the input, also by an id of 0",
    async run({ store }) {
      const root = instanceOf({ meta: "B:test/root:1", id: "0", para: "x/y" });
      const middle = Array.from({ length: 5 }, (_, at) =>
        instanceOf({ meta: `B:test/${"edcba"[at]}:1`, id: String(at), from: locatorOf(root) }),
      );
      const leaf = instanceOf({ meta: "B:test/leaf:1", from: locatorOf(middle[2] as Instance) });
      await put(store, root, ...middle, leaf);
      const { items } = await allOf((cursor) => store.reads.downstream(root, { limit: 2, ...cursor }));
      expect(items).toEqual(middle.toReversed());
      expect((await store.reads.downstream({ ...root, para: "x" })).items).toEqual([]);
      expect(await store.reads.upstream(leaf)).toEqual([middle[2], root]);
      expect(await store.reads.upstream(leaf, 1)).toEqual([middle[2]]);
      expect(await store.reads.upstream(root)).toEqual([]);
    },
  },
  {
    title: "what was made from an instance is found and made once, whichever of the two was stored first (S4)",
    async run({ store }) {
      const root = instanceOf({ meta: "B:test/root:1" });
      const [before, after] = [1, 2].map((id) => instanceOf({ meta: "B:test/next:1", id: String(id), from: locatorOf(root) }));
      const first = instanceOf({ ...line, version: 1, from: locatorOf(root) });
      await put(store, before as Instance, first, root, after as Instance);
      expect(await put(store, { ...first, version: 2 })).toEqual([DONE_BEFORE]);
      const made = [before, after, first];
      expect((await store.reads.downstream(root)).items).toEqual(made);
      expect(await store.outcomes([root])).toEqual([{ instances: made, open: 0, failed: 0 }]);
    },
  },
  {
    title: "what is made from an instance is found also when a unit with that instance was taken back before",
    async run({ store }) {
      const root = instanceOf({ meta: "B:test/root:1" });
      const child = instanceOf({ meta: "B:test/next:1", from: locatorOf(root) });
      await put(store, ...states(1));
      const clash = { instances: [root, instanceOf({ ...line, version: 1 })].map((instance) => ({ instance, tasks: [] })) };
      expect(await store.commit([clash])).toEqual([CONFLICT]);
      await put(store, instanceOf({ id: "99" }), root, child);
      expect((await store.reads.downstream(root)).items).toEqual([child]);
    },
  },
  {
    title: "unfinished tasks and failed ones come by their ids in pages, all, those of a target, or those of an upstream",
    async run({ store }) {
      const tasks = [];
      for (let id = 1; id <= 7; id++) {
        const to = id % 2 === 0 ? "B:test/even:1" : "B:test/odd:1";
        tasks.push(await putTask(store, instanceOf({ id: String(id) }), { to, mine: id !== 1, dueMs: NOW_MS + id }));
      }
      const failing = tasks.slice(4);
      await store.fail(
        failing.map(({ id }) => ({
          taskId: id,
          code: "executor.logic",
          error: `it's ${id}`,
          failedMs: NOW_MS + 9,
          counts: false,
        })),
      );
      await store.retry([{ taskId: tasks[2]?.id ?? 0, dueMs: NOW_MS + 50, error: "not yet", counts: true }]);
      const views = tasks
        .slice(0, 4)
        .map(({ mine, ...task }) => ({ ...task, isOwned: mine, error: undefined as string | undefined }));
      Object.assign(views[2] as object, { isOwned: false, error: "not yet", attempts: 1, dueMs: NOW_MS + 50 });
      const { items, pages } = await allOf((cursor) => store.reads.tasks({ limit: 2, ...cursor }));
      expect(items).toEqual(views);
      expect(pages).toBe(2);
      expect((await store.reads.tasks({ to: "B:test/even:1" })).items).toEqual([views[1], views[3]]);
      expect((await store.reads.tasks({ from: instanceOf({ id: "3" }) })).items).toEqual([views[2]]);
      const failed = failing.map(({ mine: _, ...task }) => ({
        ...task,
        code: "executor.logic",
        error: `it's ${task.id}`,
        failedMs: NOW_MS + 9,
      }));
      const failedPages = await allOf((cursor) => store.reads.failedTasks({ limit: 2, ...cursor }));
      expect(failedPages).toEqual({ items: failed, pages: 2 });
      expect((await store.reads.failedTasks({ to: "B:test/odd:1" })).items).toEqual([failed[0], failed[2]]);
      expect((await store.reads.failedTasks({ from: instanceOf({ id: "6" }) })).items).toEqual([failed[1]]);
    },
  },
  {
    title: "instances are counted by meta, and lines by the states of their last versions",
    async run({ store }) {
      expect(await store.reads.counts()).toEqual([]);
      await put(store, ...states(4), ...states(3, { id: "8" }), ...states(2, { para: "" }), instanceOf({ meta: "B:test/A:1" }));
      const state = {
        meta: "B:test/state:1",
        instances: 9,
        states: [
          { state: "closed", lines: 2 },
          { state: "open", lines: 1 },
          { state: "paid", lines: 2 },
        ],
      };
      expect(await store.reads.counts()).toEqual([{ meta: "B:test/A:1", instances: 1, states: [] }, state]);
      expect(await store.reads.counts("B:test/state:1")).toEqual([state]);
      expect(await store.reads.counts("B:test/none:1")).toEqual([]);
    },
  },
  {
    title: "a page of exactly what there is has no next one",
    async run({ store }) {
      await put(store, ...states(4));
      expect((await store.reads.versions(line, { limit: 4 })).cursor).toBeUndefined();
      expect((await store.reads.versions(line, { limit: 3 })).cursor).toBeTypeOf("string");
      expect((await store.reads.recent("B:test/none:1")).items).toEqual([]);
    },
  },
  {
    title: "a cursor that no page gave, and a limit out of range, are refused",
    async run({ store }) {
      for (const cursor of ["x", "", Buffer.from("[1]").toString("base64url"), Buffer.from('{"a":1}').toString("base64url")]) {
        await expect(store.reads.recent("B:test/a:1", { cursor })).rejects.toMatchObject({ code: "usage.invalid" });
        await expect(store.reads.range({ cursor })).rejects.toMatchObject({ code: "usage.invalid" });
      }
      for (const limit of [0, 1_001, 1.5]) {
        await expect(store.reads.recent("B:test/a:1", { limit })).rejects.toMatchObject({ code: "config.invalid" });
      }
    },
  },
];
