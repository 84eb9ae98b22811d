import type { Store } from "../../src/store/full-store.ts";
import type { Task, Unit } from "../../src/store/store.ts";
import { instanceOf, NOW_MS, taskOf } from "../../src/testing/store-conformance-tools.ts";

/*
 * Work whose every step is one unit: a lane is a line of versions, and each step ends the task of the last version, stores the next one and an
 * extra instance, and leaves one task on it. So at any moment a lane has exactly one task, which is on its last version, and as many extras
 * as versions: whatever dies, counting tells.
 */

const LANE = "B:test/lane:1";
const EXTRA = "B:test/extra:1";

/** The unit of a lane's step: from nothing, or from the task of the version before. */
export function stepOf(store: Store, lane: number, before?: Task): { readonly unit: Unit; readonly next: Task } {
  const version = (before?.upstream.version ?? 0) + 1;
  const from = before?.upstream;
  const state = instanceOf({ meta: LANE, id: String(lane), version, from, content: "x".repeat(100) });
  const extra = instanceOf({ meta: EXTRA, id: String(lane), para: String(version), from });
  const { mine: _, ...next } = taskOf(store, state, { to: LANE });
  const unit = {
    instances: [
      { instance: extra, tasks: [] },
      { instance: state, tasks: [{ ...next, mine: true }] },
    ],
  };
  return { unit: before === undefined ? unit : { ...unit, taskId: before.id }, next };
}

export function laneOf(task: Task): number {
  return Number(task.upstream.id);
}

/** What a store says of its lanes: versions by lane. Throws if anything does not fit. */
export async function checkLanes(store: Store): Promise<Map<number, number>> {
  const lanes = new Map<number, number>();
  const extras = new Map<number, number>();
  for (let keyGt = ""; ; ) {
    const page = await store.range({ keyGt, limit: 1_000 });
    for (const { meta, id, para, version } of page) {
      const counts = meta === LANE ? lanes : extras;
      const expected = (counts.get(Number(id)) ?? 0) + 1;
      if (meta === LANE && version !== expected) throw new Error(`lane ${id} has version ${version} after ${expected - 1}`);
      if (meta === EXTRA && !/^\d+$/.test(para)) throw new Error(`an extra of lane ${id} is ${para}`);
      counts.set(Number(id), expected);
    }
    const last = page.at(-1);
    if (last === undefined) break;
    keyGt = `${last.meta}|${last.id}|${last.para}|${last.version}`;
  }
  for (const [lane, versions] of lanes) {
    if (extras.get(lane) !== versions) throw new Error(`lane ${lane} has ${versions} versions and ${extras.get(lane)} extras`);
    const bound = `${LANE}|${lane}`;
    const tasks = await store.countTasks({ keyGt: `${bound}||${versions - 1}`, keyLt: `${bound}||${versions + 1}` });
    const all = await store.countTasks({ keyGt: `${LANE}|${lane - 1}`, keyLt: `${LANE}|${lane + 1}` });
    if (tasks !== 1 || all !== 1)
      throw new Error(`lane ${lane} has ${all} tasks, ${tasks} of them on its last version ${versions}`);
  }
  return lanes;
}

/** Claims the tasks of all lanes and takes each lane some steps further. Work that belongs to another by now is left to that one. */
export async function goOn(store: Store, steps: number): Promise<void> {
  let tasks = await store.claim(NOW_MS, 1_000);
  for (let step = 0; step < steps; step++) {
    const planned = tasks.map((task) => stepOf(store, laneOf(task), task));
    const results = await store.commit(planned.map(({ unit }) => unit));
    tasks = planned.flatMap(({ next }, at) => (results[at]?.status === "done" ? [next] : []));
  }
  await store.retry(tasks.map(({ id }) => ({ taskId: id, dueMs: NOW_MS, error: "", counts: false })));
}
