import { describe, expect, test } from "vitest";
import type { Store } from "../../src/store/full-store.ts";
import { openPostgresStore } from "../../src/store/postgres.ts";
import type { Task, Unit } from "../../src/store/store.ts";
import {
  DONE_BEFORE,
  DONE_NEW,
  eventually,
  instanceOf,
  LOST,
  NOW_MS,
  put,
  putTask,
  taskOf,
  unitOf,
} from "../../src/testing/store-conformance-tools.ts";
import { sharedPostgres, testDatabase } from "../postgres/database.ts";
import { openProxy, type Wire } from "../postgres/proxy.ts";
import { startPostgres } from "../postgres/server.ts";
import { checkLanes, goOn, stepOf } from "./lanes.ts";

const server = await sharedPostgres();
const skip = "reason" in server ? server.reason : undefined;
const serverUrl = "url" in server ? server.url : "";

const DOWN = { code: "store.unavailable", retryable: true };

interface Wired extends AsyncDisposable {
  readonly store: Store;
  readonly proxy: Wire;
  /** Another engine on the same database, whose wire stays whole. */
  readonly other: Store;
}

async function wired(): Promise<Wired> {
  const database = await testDatabase(serverUrl);
  const proxy = await openProxy(database.url);
  const store = await openPostgresStore({ url: proxy.url, maxConnections: 3, registryPollMs: 5 });
  const other = await openPostgresStore({ url: database.url, maxConnections: 3 });
  return {
    store,
    proxy,
    other,
    async [Symbol.asyncDispose]() {
      await store.close();
      await other.close();
      await proxy[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

function withTask(store: Store, id: number): { unit: Unit; task: Task } {
  const instance = instanceOf({ id: String(id) });
  const { mine: _, ...task } = taskOf(store, instance);
  return { unit: { instances: [{ instance, tasks: [{ ...task, mine: true }] }] }, task };
}

describe("a database that cannot be reached", () => {
  test("fails everything with store.unavailable and is used again as soon as it is back", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using wire = await wired();
    const { store, proxy } = wire;
    const { task, unit } = withTask(store, 1);
    expect(await store.commit([unit])).toEqual([DONE_NEW]);
    expect(await store.reads.instance(instanceOf())).toBeDefined();
    proxy.cut();
    await expect(put(store, instanceOf({ id: "2" }))).rejects.toMatchObject(DOWN);
    await expect(store.latest([instanceOf()])).rejects.toMatchObject(DOWN);
    await expect(store.claim(NOW_MS, 1)).rejects.toMatchObject(DOWN);
    await expect(store.nextDueMs()).rejects.toMatchObject(DOWN);
    await expect(store.renewLease(30_000)).rejects.toMatchObject(DOWN);
    await expect(store.loadRegistry()).rejects.toMatchObject(DOWN);
    await expect(store.reads.instance(instanceOf())).rejects.toMatchObject(DOWN);
    proxy.mend();
    expect(await put(store, instanceOf({ id: "2" }))).toEqual([DONE_NEW]);
    expect(await store.reads.instance(instanceOf())).toBeDefined();
    // What was owned before the outage is owned after it.
    expect(await store.commit([{ taskId: task.id, instances: [] }])).toEqual([{ status: "done", stored: [] }]);
  });

  test("is not opened, and the error names the place and no secret", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    const opened = openPostgresStore({ url: "postgresql://someone:hush-hush@127.0.0.1:9/x", connectTimeoutMs: 2_000 });
    const error = await opened.catch((thrown: Error) => thrown);
    expect(error).toMatchObject(DOWN);
    expect(String((error as Error).message)).toContain("127.0.0.1:9/x");
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain("hush-hush");
  });

  test("that refuses us is no matter of waiting: store.unusable", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    const [password, name] = [new URL(serverUrl), new URL(serverUrl)];
    password.password = "wrong";
    name.pathname = "/no_such_database";
    for (const { href } of [password, name]) {
      await expect(openPostgresStore({ url: href })).rejects.toMatchObject({ code: "store.unusable", retryable: false });
    }
  });

  test("tells of edits that were made while it was away", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using wire = await wired();
    const { store, proxy, other } = wire;
    const told: number[] = [];
    store.watchRegistry((version) => told.push(version));
    proxy.cut();
    await other.editRegistry([{ op: "put-meta", meta: { meta: "B:test/a:1" } }]);
    proxy.mend();
    await eventually("the edit", () => told.includes(1));
  });
});

describe("a commit whose answer does not come", () => {
  test("rejects, and its tasks are free for whoever claims them: none is owned by an engine that does not know (S7)", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using wire = await wired();
    const { store, proxy } = wire;
    const known = withTask(store, 1);
    const unknown = withTask(store, 2);
    await store.commit([known.unit]);
    proxy.swallow("SELECT 1");
    await expect(store.commit([unknown.unit])).rejects.toMatchObject({ ...DOWN, details: { outcome: "unknown" } });
    expect(proxy.swallowed).toBe(1);
    // It was stored all the same, and to say it again changes nothing.
    expect(await store.commit([unknown.unit])).toEqual([DONE_BEFORE]);
    expect(await store.claim(NOW_MS, 10)).toEqual([unknown.task]);
    // What was known before is still owned.
    expect(await store.commit([{ taskId: known.task.id, instances: [] }])).toEqual([{ status: "done", stored: [] }]);
  });

  test("ends a task once, whether it is tried again or not (S1)", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using wire = await wired();
    const { store, proxy } = wire;
    const first = await putTask(store, instanceOf());
    const ending = { taskId: first.id, ...unitOf(instanceOf({ id: "9" })) };
    proxy.swallow("SELECT 1");
    await expect(store.commit([ending])).rejects.toMatchObject(DOWN);
    expect(await store.commit([ending])).toEqual([LOST]);
    expect(await store.countTasks({ keyGt: "", keyLt: "" })).toBe(0);
  });

  test("is the same for several statements in one transaction (S7)", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using wire = await wired();
    const { store, proxy } = wire;
    const one = withTask(store, 1);
    const same = withTask(store, 1);
    proxy.swallow("COMMIT");
    await expect(store.commit([one.unit, same.unit])).rejects.toMatchObject(DOWN);
    expect(await store.claim(NOW_MS, 10)).toEqual([one.task]);
  });
});

describe("a claim whose answer does not come", () => {
  test("leaves its tasks to the next claim (S7)", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using wire = await wired();
    const { store, proxy, other } = wire;
    const kept = await putTask(store, instanceOf({ id: "1" }));
    const free = await putTask(store, instanceOf({ id: "2" }), { mine: false });
    proxy.swallow("COMMIT");
    await expect(store.claim(NOW_MS, 10)).rejects.toMatchObject(DOWN);
    expect(await other.claim(NOW_MS, 10)).toEqual([]);
    expect((await store.claim(NOW_MS, 10)).map(({ id }) => id)).toEqual([free.id]);
    expect(await store.commit([{ taskId: kept.id, instances: [] }])).toEqual([{ status: "done", stored: [] }]);
  });
});

describe("a task that could not be put back", () => {
  test("is put back as soon as the database is there, and one that should have failed fails (S7)", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using wire = await wired();
    const { store, proxy, other } = wire;
    const again = await putTask(store, instanceOf({ id: "1" }));
    const never = await putTask(store, instanceOf({ id: "2" }));
    proxy.cut();
    await expect(store.retry([{ taskId: again.id, dueMs: NOW_MS, error: "x", counts: true }])).rejects.toMatchObject(DOWN);
    await expect(
      store.fail([{ taskId: never.id, code: "executor.logic", error: "y", failedMs: NOW_MS, counts: false }]),
    ).rejects.toMatchObject(DOWN);
    proxy.mend();
    await store.renewLease(30_000);
    expect((await other.claim(NOW_MS, 10)).map(({ id, attempts }) => [id, attempts])).toEqual([[again.id, 1]]);
    expect((await other.reads.failedTasks()).items.map(({ id, error }) => [id, error])).toEqual([[never.id, "y"]]);
  });
});

describe("a server that is stopped under load and started again", () => {
  test("has whole units and no task that nobody knows of, and the engines go on (S1, S2, S7)", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    const own = await startPostgres();
    try {
      await using store = await openPostgresStore({ url: own.url, maxConnections: 3, connectTimeoutMs: 2_000 });
      const reached = new Map<number, number>();
      let isStopping = false;
      const lane = async (number: number): Promise<void> => {
        for (let task: Task | undefined; !isStopping; ) {
          const { unit, next } = stepOf(store, number, task);
          if ((await store.commit([unit]))[0]?.status !== "done") throw new Error("a lane belongs to its only engine");
          task = next;
          reached.set(number, next.upstream.version);
        }
      };
      const lanes = Array.from({ length: 8 }, (_, n) => lane(n + 1));
      await eventually("some steps of all lanes", () => reached.size === 8 && Math.min(...reached.values()) > 10);
      const ended = Promise.allSettled(lanes);
      await own.halt();
      for (const result of await ended) expect(result).toMatchObject({ status: "rejected", reason: DOWN });
      isStopping = true;
      await expect(store.nextDueMs()).rejects.toMatchObject(DOWN);
      await own.start();
      await store.renewLease(30_000);
      const there = await checkLanes(store);
      for (const [number, version] of reached) expect(there.get(number)).toBeGreaterThanOrEqual(version);
      // Those of which nobody knows are free; those that were under way still belong to the engine that knows them.
      const { owned, due } = await store.backlog(NOW_MS);
      expect(owned + due).toBe(8);
      await store.close();
      await using next = await openPostgresStore({ url: own.url, maxConnections: 3 });
      await goOn(next, 4);
      expect([...(await checkLanes(next))]).toEqual([...there].map(([number, versions]) => [number, versions + 4]));
    } finally {
      await own.dispose();
    }
  }, 90_000);
});
