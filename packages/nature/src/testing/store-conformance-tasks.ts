import { expect } from "vitest";
import type { NewTask, Task } from "../store/store.ts";
import { DONE_NEW, instanceOf, LOST, NOW_MS, putTask, taskOf, unitOf } from "./store-conformance-tools.ts";
import type { StorePromise } from "./store-harness.ts";

function asTask({ mine: _, ...task }: NewTask): Task {
  return task;
}

const up = (id: number) => instanceOf({ meta: "B:test/up:1", id: String(id) });

export const taskPromises: readonly StorePromise[] = [
  {
    title: "a claim gives the due tasks that nobody owns, the longest due first, up to the limit, and only once",
    async run({ store }) {
      const dues = [30, 10, 20, 40, 1_000];
      const tasks: NewTask[] = [];
      for (const [at, due] of dues.entries()) tasks.push(await putTask(store, up(at), { dueMs: NOW_MS + due, mine: false }));
      const owned = await putTask(store, up(99), { dueMs: NOW_MS });
      expect(await store.nextDueMs()).toBe(NOW_MS + 10);
      expect((await store.claim(NOW_MS + 9, 10)).length).toBe(0);
      const first = await store.claim(NOW_MS + 40, 3);
      expect(first.map(({ dueMs }) => dueMs - NOW_MS)).toEqual([10, 20, 30]);
      expect(first[0]).toEqual(asTask(tasks[1] as NewTask));
      expect((await store.claim(NOW_MS + 40, 3)).map(({ dueMs }) => dueMs - NOW_MS)).toEqual([40]);
      expect(await store.claim(NOW_MS + 40, 3)).toEqual([]);
      expect(await store.nextDueMs()).toBe(NOW_MS + 1_000);
      expect(await store.commit([{ taskId: owned.id, instances: [] }])).toEqual([{ status: "done", stored: [] }]);
    },
  },
  {
    title: "with no task that is free nothing is due",
    async run({ store }) {
      expect(await store.nextDueMs()).toBeUndefined();
      await putTask(store, up(1));
      expect(await store.nextDueMs()).toBeUndefined();
    },
  },
  {
    title: "a task that is put back waits until it is due, is nobody's meanwhile, and counts the tries that count",
    async run({ store }) {
      const task = await putTask(store, up(1));
      await store.retry([{ taskId: task.id, dueMs: NOW_MS + 500, error: "could not 'reach' it", counts: true }]);
      expect(await store.commit([{ taskId: task.id, ...unitOf(instanceOf()) }])).toEqual([LOST]);
      expect(await store.claim(NOW_MS + 499, 10)).toEqual([]);
      expect(await store.claim(NOW_MS + 500, 10)).toEqual([{ ...asTask(task), dueMs: NOW_MS + 500, attempts: 1 }]);
      await store.retry([{ taskId: task.id, dueMs: NOW_MS, error: "the engine stops", counts: false }]);
      expect((await store.claim(NOW_MS, 10))[0]?.attempts).toBe(1);
    },
  },
  {
    title: "only a task that is owned is put back or fails (S5)",
    async run({ store }) {
      const free = await putTask(store, up(1), { mine: false });
      await store.retry([{ taskId: free.id, dueMs: NOW_MS + 9, error: "", counts: true }]);
      await store.fail([{ taskId: free.id, code: "executor.logic", error: "", failedMs: NOW_MS, counts: false }]);
      await store.fail([{ taskId: free.id + 1_000, code: "executor.logic", error: "", failedMs: NOW_MS, counts: false }]);
      expect(await store.claim(NOW_MS, 10)).toEqual([asTask(free)]);
      expect((await store.backlog(NOW_MS)).failed).toBe(0);
    },
  },
  {
    title: "a task that failed is no task any more, until it is replayed: then it is as new, due now",
    async run({ store }) {
      const task = await putTask(store, up(1), { attempts: 3 });
      const second = await putTask(store, up(2));
      const failures = [task, second].map(({ id }) => ({
        taskId: id,
        code: "executor.logic",
        error: "it's wrong",
        failedMs: NOW_MS + 5,
        counts: false,
      }));
      await store.fail(failures);
      expect(await store.task(task.id)).toBeUndefined();
      expect(await store.commit([{ taskId: task.id, instances: [] }])).toEqual([LOST]);
      expect((await store.backlog(NOW_MS)).failed).toBe(2);
      expect(await store.replayFailed([task.id, task.id + 77, second.id], NOW_MS + 100)).toEqual([task.id, second.id]);
      expect(await store.claim(NOW_MS + 99, 10)).toEqual([]);
      const again = [task, second].map((one) => ({ ...asTask(one), dueMs: NOW_MS + 100, attempts: 0 }));
      expect(await store.claim(NOW_MS + 100, 10)).toEqual(again);
      expect((await store.backlog(NOW_MS)).failed).toBe(0);
    },
  },
  {
    title: "a task that failed says how often it was tried: its last try as well, where that counts",
    async run({ store }) {
      const [once, often, waited] = [
        await putTask(store, up(1)),
        await putTask(store, up(2), { attempts: 3 }),
        await putTask(store, up(3), { attempts: 3 }),
      ];
      const failure = { code: "executor.logic", error: "no", failedMs: NOW_MS };
      await store.fail([
        { ...failure, taskId: once.id, counts: true },
        { ...failure, taskId: often.id, counts: true },
        { ...failure, taskId: waited.id, counts: false },
      ]);
      const failed = await store.failedTasks({ limit: 10 });
      expect(failed).toEqual([
        { ...asTask(once), ...failure, attempts: 1 },
        { ...asTask(often), ...failure, attempts: 4 },
        { ...asTask(waited), ...failure, attempts: 3 },
      ]);
    },
  },
  {
    title: "a task fails again after a replay, and failed tasks can be forgotten",
    async run({ store }) {
      const task = await putTask(store, up(1));
      const failure = { taskId: task.id, code: "task.attempts", error: "again", failedMs: NOW_MS, counts: false };
      await store.fail([failure]);
      await store.replayFailed([task.id], NOW_MS);
      await store.claim(NOW_MS, 1);
      await store.fail([failure]);
      expect((await store.backlog(NOW_MS)).failed).toBe(1);
      expect(await store.dropFailed([task.id, task.id + 5])).toBe(1);
      expect(await store.dropFailed([task.id])).toBe(0);
      expect(await store.replayFailed([task.id], NOW_MS)).toEqual([]);
    },
  },
  {
    title: "failed tasks are read by their ids, page by page, all or those to one meta",
    async run({ store }) {
      const tasks: NewTask[] = [];
      for (let id = 1; id <= 4; id++) tasks.push(await putTask(store, up(id), { to: `B:test/${id % 2}:1`, attempts: id }));
      const failures = tasks.map(({ id }) => ({
        taskId: id,
        code: "executor.logic",
        error: `e${id}`,
        failedMs: NOW_MS + id,
        counts: false,
      }));
      await store.fail(failures.toReversed());
      const all = await store.failedTasks({ limit: 10 });
      expect(all).toEqual(
        tasks.map((task) => ({ ...asTask(task), code: "executor.logic", error: `e${task.id}`, failedMs: NOW_MS + task.id })),
      );
      expect(await store.failedTasks({ limit: 2, afterId: tasks[0]?.id ?? 0 })).toEqual(all.slice(1, 3));
      expect(await store.failedTasks({ limit: 9, to: "B:test/0:1" })).toEqual([all[1], all[3]]);
      expect(await store.failedTasks({ limit: 9, to: "B:test/0:1", afterId: tasks[1]?.id ?? 0 })).toEqual([all[3]]);
    },
  },
  {
    title: "a failed task can be replayed with another mission",
    async run({ store }) {
      const tasks = [await putTask(store, up(1)), await putTask(store, up(2))];
      await store.fail(
        tasks.map(({ id }) => ({ taskId: id, code: "executor.logic", error: "", failedMs: NOW_MS, counts: false })),
      );
      const [first, second] = tasks.map(({ id }) => id) as [number, number];
      await store.replayFailed([first], NOW_MS, '{"changed":true}');
      await store.replayFailed([second], NOW_MS);
      expect((await store.claim(NOW_MS, 10)).map(({ id, mission }) => [id, mission])).toEqual([
        [first, '{"changed":true}'],
        [second, tasks[1]?.mission],
      ]);
    },
  },
  {
    title: "what has come of instances is what was made from each, and its tasks that are open and that failed",
    async run({ store }) {
      const [one, two] = [up(1), up(2)];
      const task = await putTask(store, one);
      const failing = await putTask(store, two);
      const open = taskOf(store, two, { to: "B:test/b:1", mine: false, dueMs: NOW_MS + 5 });
      await store.commit([{ instances: [{ instance: up(3), tasks: [{ ...open, upstream: open.upstream }] }] }]);
      await store.fail([{ taskId: failing.id, code: "executor.logic", error: "", failedMs: NOW_MS, counts: false }]);
      const made = [instanceOf({ id: "8", from: task.upstream }), instanceOf({ id: "30", from: task.upstream })];
      await store.commit([{ taskId: task.id, ...unitOf(...made.toReversed()) }]);
      expect(await store.outcomes([one, two, up(9)])).toEqual([
        { instances: made, open: 0, failed: 0 },
        { instances: [], open: 1, failed: 1 },
        { instances: [], open: 0, failed: 0 },
      ]);
      expect(await store.outcomes([])).toEqual([]);
    },
  },
  {
    title: "a callback takes a task over from whoever has it, and finds none that is done",
    async run({ store }) {
      const free = await putTask(store, up(1), { mine: false, dueMs: NOW_MS + 60_000 });
      expect(await store.take(free.id)).toEqual(asTask(free));
      expect(await store.commit([{ taskId: free.id, ...unitOf(instanceOf()) }])).toEqual([DONE_NEW]);
      expect(await store.take(free.id)).toBeUndefined();
    },
  },
  {
    title: "the tasks of an engine that has ended are free for the next, the delayed ones when they are due",
    async run(harness) {
      const owned = await putTask(harness.store, up(1));
      const delayed = await putTask(harness.store, up(2), { mine: false, dueMs: NOW_MS + 50 });
      const next = await harness.reopen();
      expect(await next.claim(NOW_MS, 10)).toEqual([asTask(owned)]);
      expect(await next.claim(NOW_MS + 50, 10)).toEqual([asTask(delayed)]);
    },
  },
  {
    title: "a live engine keeps its tasks when it renews its lease",
    async run({ store }) {
      const task = await putTask(store, up(1));
      expect(await store.renewLease(30_000)).toEqual({ freed: 0, fenced: false });
      expect(await store.commit([{ taskId: task.id, instances: [] }])).toEqual([{ status: "done", stored: [] }]);
    },
  },
  {
    title: "the backlog counts what is owned, due, delayed and failed, and names the longest wait",
    async run({ store }) {
      expect(await store.backlog(NOW_MS)).toEqual({ owned: 0, due: 0, delayed: 0, failed: 0, oldestDueMs: undefined });
      await putTask(store, up(1));
      const failing = await putTask(store, up(2));
      for (const due of [0, -20, 1, 2, 3]) await putTask(store, up(10 + due), { mine: false, dueMs: NOW_MS + due });
      await store.fail([{ taskId: failing.id, code: "executor.logic", error: "", failedMs: NOW_MS, counts: false }]);
      expect(await store.backlog(NOW_MS)).toEqual({ owned: 1, due: 2, delayed: 3, failed: 1, oldestDueMs: NOW_MS - 20 });
    },
  },
  {
    title: "unfinished tasks are counted by the range of their upstream, by due time and by time of creation",
    async run({ store }) {
      const at = (id: string, para: string, given: Partial<NewTask> = {}) => {
        const upstream = instanceOf({ meta: "B:test/money:1", id, para });
        const tasks = [taskOf(store, upstream, given), taskOf(store, upstream, { to: "B:test/b:1", mine: false, ...given })];
        return store.commit([{ instances: [{ instance: upstream, tasks }] }]);
      };
      await at("0", "1/a");
      await at("0", "1/b", { dueMs: NOW_MS + 10 });
      await at("0", "10/a");
      await at("0", "2/a", { createdMs: NOW_MS + 10 });
      await at("5", "1/a");
      const prefix = { keyGt: "B:test/money:1|0|1/", keyLt: "B:test/money:1|0|10" };
      expect(await store.countTasks(prefix)).toBe(4);
      expect(await store.countTasks({ ...prefix, dueGeMs: NOW_MS + 10 })).toBe(2);
      expect(await store.countTasks({ keyGt: "B:test/money:1|0", keyLt: "B:test/money:1|10" })).toBe(2);
      expect(await store.countTasks({ keyGt: "", keyLt: "" })).toBe(10);
      expect(await store.countTasks({ keyGt: "", keyLt: "", createdLtMs: NOW_MS + 1 })).toBe(8);
    },
  },
];
