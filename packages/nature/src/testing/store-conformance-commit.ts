import { expect } from "vitest";
import type { Instance } from "../instance/instance.ts";
import {
  CONFLICT,
  DONE_BEFORE,
  DONE_NEW,
  instanceOf,
  LOST,
  locatorOf,
  NOW_MS,
  put,
  putTask,
  stored,
  taskOf,
  unitOf,
  versions,
} from "./store-conformance-tools.ts";
import type { StorePromise } from "./store-harness.ts";

/** Texts that something on the way could spoil. */
const oddTexts = [
  "",
  " ",
  "'; DROP TABLE instance; --",
  '"quoted" \\ {a,b} [1] $1 ?1 %',
  "line\r\nline\ttab\u2028",
  "Ünïcødé-日本 \u{1f600}",
  "NULL",
  "x".repeat(70_000),
];

const line = { meta: "B:test/state:1", id: "7", para: "a/b" };

function version(number: number, given: Partial<Instance> = {}): Instance {
  return instanceOf({ ...line, version: number, states: ["open"], ...given });
}

const upstream = instanceOf({ meta: "B:test/up:1", id: "9" });
const other = instanceOf({ meta: "B:test/up:1", id: "10" });

export const commitPromises: readonly StorePromise[] = [
  {
    title: "an instance is stored with everything it says, character by character (S6)",
    async run({ store }) {
      const given = oddTexts.map((text, index) =>
        instanceOf({
          id: String(index + 1),
          para: text.slice(0, 60),
          content: text,
          context: { [text.slice(0, 99)]: text, b: "2" },
          sysContext: { "target.id": "18446744073709551615", "": text },
          states: ["a", "über"],
          from: { meta: "B:test/up:1", id: "18446744073709551615", para: text.slice(0, 60), version: 2_147_483_647 },
        }),
      );
      expect(await put(store, ...given)).toEqual(given.map(() => DONE_NEW));
      expect(await store.load(given)).toEqual(given);
    },
  },
  {
    title: "an id of 64 bits keeps all its digits, and 0 is an id like any other (S6)",
    async run({ store }) {
      const given = ["0", "1", "9007199254740993", "18446744073709551615"].map((id) => instanceOf({ id }));
      await put(store, ...given);
      expect((await store.load(given)).map((one) => one?.id)).toEqual(given.map(({ id }) => id));
    },
  },
  {
    title: "what a commit resolved is there after a restart (S2)",
    async run(harness) {
      const given = Array.from({ length: 300 }, (_, index) => instanceOf({ id: String(index), content: `number ${index}` }));
      await put(harness.store, ...given);
      const reopened = await harness.reopen();
      expect(await reopened.load(given)).toEqual(given);
    },
  },
  {
    title: "a commit without units is done, and so is a unit without instances",
    async run({ store }) {
      expect(await store.commit([])).toEqual([]);
      expect(await store.commit([{ instances: [] }])).toEqual([{ status: "done", stored: [] }]);
      const task = await putTask(store, upstream);
      expect(await store.commit([{ taskId: task.id, instances: [] }])).toEqual([{ status: "done", stored: [] }]);
      expect(await store.task(task.id)).toBeUndefined();
    },
  },
  {
    title: "the same data without states is stored once, and the first stands (S4)",
    async run({ store }) {
      const first = instanceOf({ content: "first" });
      expect(await put(store, first)).toEqual([DONE_NEW]);
      expect(await put(store, instanceOf({ content: "second", from: locatorOf(other) }))).toEqual([DONE_BEFORE]);
      expect(await stored(store, first)).toEqual(first);
    },
  },
  {
    title: "the same instance twice in one commit is stored once, in one unit or in two (S4)",
    async run({ store }) {
      const one = instanceOf({ content: "one" });
      const two = instanceOf({ content: "two" });
      expect(await store.commit([unitOf(one, two), unitOf(two)])).toEqual([
        { status: "done", stored: [true, false] },
        DONE_BEFORE,
      ]);
      expect(await stored(store, one)).toEqual(one);
    },
  },
  {
    title: "what was stored before gets no tasks again (S4)",
    async run({ store }) {
      const one = instanceOf();
      const first = await putTask(store, one);
      const again = taskOf(store, one);
      const twice = taskOf(store, one);
      const unit = (task: typeof again) => ({ instances: [{ instance: one, tasks: [task] }] });
      expect(await store.commit([unit(again), unit(twice)])).toEqual([DONE_BEFORE, DONE_BEFORE]);
      expect([await store.task(first.id), await store.task(again.id), await store.task(twice.id)]).toEqual([
        expect.objectContaining({ id: first.id }),
        undefined,
        undefined,
      ]);
    },
  },
  {
    title: "versions follow each other without gaps: the next is taken, one too far is a conflict (S3)",
    async run({ store }) {
      expect(await put(store, version(2))).toEqual([CONFLICT]);
      expect(await put(store, version(1), version(2), version(3))).toEqual([DONE_NEW, DONE_NEW, DONE_NEW]);
      expect(await put(store, version(5))).toEqual([CONFLICT]);
      expect(await versions(store, line)).toEqual([1, 2, 3]);
    },
  },
  {
    title: "a version belongs to whoever stores it first, and to no second, with an upstream or without (S3)",
    async run({ store }) {
      const first = version(1, { from: locatorOf(upstream), content: "first" });
      expect(await put(store, first)).toEqual([DONE_NEW]);
      expect(await put(store, version(1, { from: locatorOf(other) }))).toEqual([CONFLICT]);
      expect(await put(store, version(1))).toEqual([CONFLICT]);
      expect(await stored(store, first)).toEqual(first);
    },
  },
  {
    title: "of two that want the same version in one commit the first has it (S3)",
    async run({ store }) {
      const results = await put(store, version(1, { content: "a" }), version(1, { content: "b" }), version(2));
      expect(results).toEqual([DONE_NEW, CONFLICT, DONE_NEW]);
      expect((await stored(store, version(1)))?.content).toBe("a");
    },
  },
  {
    title: "lines differ by meta, id and para, so that their versions have nothing to do with each other (S3)",
    async run({ store }) {
      const lines = [{}, { meta: "B:test/state:2" }, { id: "70" }, { para: "a" }, { para: "A/b" }, { para: "" }];
      expect(await put(store, ...lines.map((given) => version(1, given)))).toEqual(lines.map(() => DONE_NEW));
      expect(await store.latest(lines.map((given) => version(0, given)))).toEqual(lines.map((given) => version(1, given)));
    },
  },
  {
    title: "a further version from the same upstream is the one that it gave before, whatever number it bears (S4)",
    async run({ store }) {
      await put(store, version(1, { from: locatorOf(upstream), content: "once" }), version(2, { from: locatorOf(other) }));
      const again = version(3, { from: locatorOf(upstream), content: "again" });
      expect(await put(store, again)).toEqual([DONE_BEFORE]);
      expect(await versions(store, line)).toEqual([1, 2]);
    },
  },
  {
    title: "a conflict takes back its whole unit and no other, and its task stands (S1)",
    async run({ store }) {
      await put(store, version(1));
      const task = await putTask(store, upstream);
      const extra = instanceOf({ id: "55" });
      const follow = taskOf(store, extra);
      const unit = {
        taskId: task.id,
        instances: [
          { instance: extra, tasks: [follow] },
          { instance: version(1, { from: locatorOf(upstream) }), tasks: [] },
        ],
      };
      const results = await store.commit([unitOf(instanceOf({ id: "60" })), unit, unitOf(instanceOf({ id: "61" }))]);
      expect(results).toEqual([DONE_NEW, CONFLICT, DONE_NEW]);
      expect(await stored(store, extra)).toBeUndefined();
      expect(await store.task(follow.id)).toBeUndefined();
      expect(await store.task(task.id)).toEqual(expect.objectContaining({ id: task.id }));
      const right = { ...unit, instances: [{ instance: version(2, { from: locatorOf(upstream) }), tasks: [follow] }] };
      expect(await store.commit([right])).toEqual([DONE_NEW]);
      expect(await store.task(task.id)).toBeUndefined();
    },
  },
  {
    title: "a task ends with what came of it, once: the second time it is lost and nothing is stored (S1, S5)",
    async run({ store }) {
      const task = await putTask(store, upstream);
      const out = instanceOf({ meta: "B:test/next:1", id: "3", from: locatorOf(upstream) });
      expect(await store.commit([{ taskId: task.id, ...unitOf(out) }])).toEqual([DONE_NEW]);
      const late = instanceOf({ meta: "B:test/next:1", id: "4" });
      expect(await store.commit([{ taskId: task.id, ...unitOf(late) }])).toEqual([LOST]);
      expect(await store.commit([{ taskId: task.id, ...unitOf(version(1)) }])).toEqual([LOST]);
      expect(await stored(store, late)).toBeUndefined();
      expect(await versions(store, line)).toEqual([]);
    },
  },
  {
    title: "the tasks of an instance are stored with it, those of other engines' choice free, with all that they say (S1)",
    async run({ store }) {
      const mine = taskOf(store, upstream, { mission: oddTexts.join(), attempts: 2, dueMs: NOW_MS + 5 });
      const free = taskOf(store, upstream, { to: "B:test/other:1", mine: false, createdMs: NOW_MS - 7 });
      await store.commit([{ instances: [{ instance: upstream, tasks: [mine, free] }] }]);
      const { mine: _, ...bare } = mine;
      const { mine: __, ...claimable } = free;
      expect(await store.task(mine.id)).toEqual(bare);
      expect(await store.claim(NOW_MS + 10, 10)).toEqual([claimable]);
    },
  },
  {
    title: "task ids rise and are never given twice, also over restarts",
    async run(harness) {
      const before = [harness.store.newTaskId(), harness.store.newTaskId()];
      const reopened = await harness.reopen();
      const ids = [...before, reopened.newTaskId(), reopened.newTaskId()];
      expect(new Set(ids).size).toBe(4);
      expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    },
  },
  {
    title: "a commit of many units answers for each of them in their order",
    async run({ store }) {
      const task = await putTask(store, upstream);
      await put(store, version(1));
      const units = Array.from({ length: 400 }, (_, index) => {
        if (index % 4 === 0) return unitOf(instanceOf({ id: String(index) }));
        if (index % 4 === 1) return unitOf(instanceOf({ id: String(index - 1) }));
        return index % 4 === 2 ? unitOf(version(1)) : { taskId: task.id + 1_000 + index, instances: [] };
      });
      const expected = [DONE_NEW, DONE_BEFORE, CONFLICT, LOST];
      expect(await store.commit(units)).toEqual(units.map((_, index) => expected[index % 4]));
    },
  },
  {
    title: "commits that are under way at the same time are each whole",
    async run({ store }) {
      const batches = Array.from({ length: 20 }, (_, batch) =>
        Array.from({ length: 20 }, (_, index) => instanceOf({ id: String((batch * 7 + index) % 50), para: String(index % 3) })),
      );
      const results = await Promise.all(batches.map((batch) => put(store, ...batch)));
      const fresh = results.flat().filter((result) => result.status === "done" && result.stored[0] === true);
      const keys = new Set(batches.flat().map(({ id, para }) => `${id}|${para}`));
      expect(fresh).toHaveLength(keys.size);
    },
  },
];
