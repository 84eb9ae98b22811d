import { expect } from "vitest";
import type { UnitResult, WorkStore } from "../store/store.ts";
import {
  another,
  DONE_NEW,
  eventually,
  instanceOf,
  LOST,
  NOW_MS,
  put,
  putTask,
  unitOf,
  versions,
} from "./store-conformance-tools.ts";
import type { StorePromise } from "./store-harness.ts";

const up = (id: number) => instanceOf({ meta: "B:test/up:1", id: String(id) });

/** Lets the lease of one engine run out; how many tasks were freed. On a slow machine it is over, and seen to be, before the call is. */
async function loseLease(store: WorkStore, other: WorkStore): Promise<number> {
  let { freed } = await store.renewLease(1);
  await eventually("the lease to run out", async () => {
    freed += (await other.renewLease(30_000)).freed;
    return freed > 0;
  });
  return freed;
}

/** Engines that share a database. */
export const sharingPromises: readonly StorePromise[] = [
  {
    title: "two engines never claim the same task",
    needsAnother: true,
    async run(harness) {
      const second = await another(harness);
      for (let id = 0; id < 60; id++) await putTask(harness.store, up(id), { mine: false });
      const claims = await Promise.all(
        Array.from({ length: 12 }, (_, n) => (n % 2 === 0 ? harness.store : second).claim(NOW_MS, 8)),
      );
      const ids = claims.flat().map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      const rest = await second.claim(NOW_MS, 100);
      expect(ids.length + rest.length).toBe(60);
    },
  },
  {
    title: "the task of a live engine is nobody else's to end, to put back or to fail (S5)",
    needsAnother: true,
    async run(harness) {
      const second = await another(harness);
      const task = await putTask(harness.store, up(1));
      expect(await second.commit([{ taskId: task.id, ...unitOf(instanceOf()) }])).toEqual([LOST]);
      await second.retry([{ taskId: task.id, dueMs: NOW_MS, error: "", counts: true }]);
      await second.fail([{ taskId: task.id, code: "executor.logic", error: "", failedMs: NOW_MS, counts: false }]);
      expect(await second.claim(NOW_MS, 10)).toEqual([]);
      expect(await second.renewLease(30_000)).toEqual({ freed: 0, fenced: false });
      expect(await harness.store.commit([{ taskId: task.id, ...unitOf(instanceOf()) }])).toEqual([DONE_NEW]);
    },
  },
  {
    title: "an engine whose lease ran out has lost its tasks to the others, and can do with them nothing any more (S5)",
    needsAnother: true,
    async run(harness) {
      const second = await another(harness);
      const task = await putTask(harness.store, up(1));
      expect(await loseLease(harness.store, second)).toBe(1);
      expect((await second.claim(NOW_MS, 10)).map(({ id }) => id)).toEqual([task.id]);
      expect(await harness.store.commit([{ taskId: task.id, ...unitOf(instanceOf({ id: "5" })) }])).toEqual([LOST]);
      await harness.store.fail([{ taskId: task.id, code: "executor.logic", error: "", failedMs: NOW_MS, counts: false }]);
      expect(await second.commit([{ taskId: task.id, ...unitOf(instanceOf()) }])).toEqual([DONE_NEW]);
    },
  },
  {
    title: "an engine that was thought dead goes on under a new lease, and what it stores from then on is its own (S5)",
    needsAnother: true,
    async run(harness) {
      const second = await another(harness);
      await putTask(harness.store, up(1));
      await loseLease(harness.store, second);
      const late = await putTask(harness.store, up(2));
      expect((await harness.store.renewLease(30_000)).freed).toBe(0);
      expect((await second.renewLease(30_000)).freed).toBe(0);
      expect(await harness.store.commit([{ taskId: late.id, ...unitOf(instanceOf()) }])).toEqual([DONE_NEW]);
    },
  },
  {
    title: "a renewal says when the lease was lost meanwhile",
    needsAnother: true,
    async run(harness) {
      const second = await another(harness);
      await putTask(harness.store, up(1));
      await loseLease(harness.store, second);
      expect((await harness.store.renewLease(30_000)).fenced).toBe(true);
      expect((await harness.store.renewLease(30_000)).fenced).toBe(false);
    },
  },
  {
    title: "the tasks of an engine that was closed are free at once",
    needsAnother: true,
    async run(harness) {
      const second = await another(harness);
      const task = await putTask(second, up(1));
      await second.close();
      expect((await harness.store.claim(NOW_MS, 10)).map(({ id }) => id)).toEqual([task.id]);
    },
  },
  {
    title: "a callback takes a task over from another engine",
    needsAnother: true,
    async run(harness) {
      const second = await another(harness);
      const task = await putTask(harness.store, up(1));
      expect((await second.take(task.id))?.id).toBe(task.id);
      expect(await harness.store.commit([{ taskId: task.id, instances: [] }])).toEqual([LOST]);
      expect(await second.commit([{ taskId: task.id, ...unitOf(instanceOf()) }])).toEqual([DONE_NEW]);
    },
  },
  {
    title: "two engines that write versions of the same lines leave no gap and no fork, and each version is one's own (S3)",
    needsAnother: true,
    async run(harness) {
      const stores = [harness.store, await another(harness)];
      const lines = Array.from({ length: 5 }, (_, n) => ({ meta: "B:test/state:1", id: String(n), para: "" }));
      const won = await Promise.all(
        stores.map(async (store, engine) => {
          const mine: string[] = [];
          for (let step = 0; mine.length < 100; step++) {
            const latest = await store.latest(lines);
            const wanted = lines.map((one, at) =>
              instanceOf({ ...one, version: (latest[at]?.version ?? 0) + 1, content: `${engine}/${step}` }),
            );
            const results: UnitResult[] = await put(store, ...(engine === 0 ? wanted : wanted.toReversed()));
            const ordered = engine === 0 ? wanted : wanted.toReversed();
            for (const [at, { status }] of results.entries()) {
              if (status === "done") mine.push(`${ordered[at]?.id}|${ordered[at]?.version}|${ordered[at]?.content}`);
            }
          }
          return mine;
        }),
      );
      const all = await harness.store.range({ meta: "B:test/state:1", limit: 1_000 });
      expect(all.map(({ id, version, content }) => `${id}|${version}|${content}`).sort()).toEqual(won.flat().sort());
      for (const one of lines) {
        const there = await versions(harness.store, one);
        expect(there).toEqual(there.map((_, at) => at + 1));
      }
    },
  },
  {
    title: "two engines that store the same data at the same time store it once, with its tasks once (S4)",
    needsAnother: true,
    async run(harness) {
      const stores = [harness.store, await another(harness)];
      const given = Array.from({ length: 40 }, (_, id) => up(id));
      const results = await Promise.all(
        stores.flatMap((store, engine) =>
          [given, given.toReversed()].map((order) =>
            store.commit(
              order.map((instance) => ({
                instances: [
                  {
                    instance,
                    tasks: [
                      { ...instanceTask(instance.id), id: store.newTaskId(), upstream: instance, to: `B:test/${engine}:1` },
                    ],
                  },
                ],
              })),
            ),
          ),
        ),
      );
      const fresh = results.flat().filter((result) => result.status === "done" && result.stored[0] === true);
      expect(fresh).toHaveLength(40);
      expect(await harness.store.countTasks({ keyGt: "", keyLt: "" })).toBe(40);
    },
  },
  {
    title: "task ids of two engines are never the same",
    needsAnother: true,
    async run(harness) {
      const second = await another(harness);
      const ids = [harness.store, second].flatMap((store) => Array.from({ length: 100 }, () => store.newTaskId()));
      expect(new Set(ids).size).toBe(200);
    },
  },
];

function instanceTask(id: string) {
  return { mission: id, createdMs: NOW_MS, dueMs: NOW_MS, attempts: 0, mine: true };
}
