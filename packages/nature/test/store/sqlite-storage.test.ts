import { createHash } from "node:crypto";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "libsql";
import { describe, expect, test } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { DONE_NEW, instanceOf, NOW_MS, put, putTask, stored } from "../../src/testing/store-conformance-tools.ts";
import { testFolder } from "./sqlite-harness.ts";

const FILE = "nature.sqlite";
const FULL = { code: "store.unavailable", retryable: true };

async function refusal(folder: string): Promise<Error & { code: string }> {
  const error = await openSqliteStore({ folder }).then(
    (store) => store.close(),
    (thrown: Error & { code: string }) => thrown,
  );
  if (error === undefined) throw new Error("the store opened");
  return error;
}

/** Runs SQL on a closed store. */
function tamper(folder: string, sql: string): void {
  const database = new Database(join(folder, FILE));
  database.exec(sql);
  database.close();
}

describe("a store on SQLite", () => {
  test("makes its folder, for its user alone, whatever characters are in its name", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "deep", "a b#c%20?d");
    await using store = await openSqliteStore({ folder: path });
    await put(store, instanceOf());
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect((await store.reads.recent("B:test/order:1")).items).toHaveLength(1);
  });

  test("refuses options that it does not know or that are out of range", async () => {
    const bad = { code: "config.invalid" };
    await expect(openSqliteStore({ folder: "" })).rejects.toMatchObject(bad);
    await expect(openSqliteStore({ folder: "x", maxFileBytes: -1 })).rejects.toMatchObject(bad);
    await expect(openSqliteStore({ folder: "x", maxBytes: 1 } as never)).rejects.toMatchObject(bad);
  });

  test("can be open once at a time, also within one process; of many that open it at once one has it", async () => {
    await using folder = await testFolder();
    const opened = await Promise.allSettled(Array.from({ length: 5 }, () => openSqliteStore({ folder: folder.path })));
    const winners = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    expect(winners).toHaveLength(1);
    for (const one of opened) if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "node.data_in_use" });
    expect(await refusal(folder.path)).toMatchObject({ code: "node.data_in_use" });
    await winners[0]?.close();
    await (await openSqliteStore({ folder: folder.path })).close();
  });

  test("answers everything after its end with store.unavailable, and ends twice as well as once", async () => {
    await using folder = await testFolder();
    const store = await openSqliteStore({ folder: folder.path });
    await Promise.all([store.close(), store.close()]);
    await expect(put(store, instanceOf())).rejects.toMatchObject({ code: "store.unavailable" });
  });

  test("has finished what was asked of it before its end", async () => {
    await using folder = await testFolder();
    const store = await openSqliteStore({ folder: folder.path });
    const results = Array.from({ length: 50 }, (_, id) => put(store, instanceOf({ id: String(id) })));
    await store.close();
    expect((await Promise.all(results)).flat()).toEqual(results.map(() => DONE_NEW));
  });
});

describe("a database file that cannot be used", () => {
  test("because its tables belong to a newer program is refused, and left as it is", async () => {
    await using folder = await testFolder();
    await (await openSqliteStore({ folder: folder.path })).close();
    const newer = "INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('x', 'y', '29990101000000_more')";
    tamper(folder.path, newer);
    const error = await refusal(folder.path);
    expect(error).toMatchObject({ code: "store.unusable", retryable: false, details: { migration: "29990101000000_more" } });
    expect(error.message).toContain("newer program");
    tamper(folder.path, "DELETE FROM _prisma_migrations WHERE id = 'x'");
    await (await openSqliteStore({ folder: folder.path })).close();
  });

  test("because a migration was applied from another text is refused", async () => {
    await using folder = await testFolder();
    await (await openSqliteStore({ folder: folder.path })).close();
    tamper(folder.path, `UPDATE _prisma_migrations SET checksum = '${createHash("sha256").update("x").digest("hex")}'`);
    expect(await refusal(folder.path)).toMatchObject({ code: "store.unusable", retryable: false });
  });

  test("because it is another program's is refused", async () => {
    await using folder = await testFolder();
    tamper(folder.path, "CREATE TABLE theirs (a)");
    expect(await refusal(folder.path)).toMatchObject({ code: "store.unusable", retryable: false });
  });

  test("because it is no database, or damaged inside, is refused", async () => {
    await using folder = await testFolder();
    const file = join(folder.path, FILE);
    await writeFile(file, "this is not SQLite ".repeat(1_000));
    expect(await refusal(folder.path)).toMatchObject({ code: "store.unusable", retryable: false });
    await using second = await testFolder();
    const store = await openSqliteStore({ folder: second.path });
    await put(store, ...Array.from({ length: 300 }, (_, id) => instanceOf({ id: String(id) })));
    await store.close();
    const bytes = await readFile(join(second.path, FILE));
    bytes.fill(0xaa, 1_024); // all but the header of the first page
    await writeFile(join(second.path, FILE), bytes);
    expect(await refusal(second.path)).toMatchObject({ code: "store.unusable", retryable: false });
  });

  test("because its folder is a file, or it is a folder itself, is refused", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "file");
    await writeFile(path, "");
    expect(await refusal(path)).toMatchObject({ code: "store.unavailable" });
    await mkdir(join(folder.path, FILE));
    expect(await refusal(folder.path)).toMatchObject({ code: "store.unavailable" });
  });
});

describe("a store whose disk is full", () => {
  const large = (id: number) => instanceOf({ meta: "B:test/large:1", id: String(id), content: "x".repeat(60_000), createdMs: 1 });

  test("stores whole units until there is no room, none after, and goes on once there is (S1)", async () => {
    await using folder = await testFolder();
    await using store = await openSqliteStore({ folder: folder.path, maxFileBytes: 2_097_152 });
    const task = await putTask(store, instanceOf());
    let count = 0;
    let refused: Error | undefined;
    while (refused === undefined) {
      await store
        .commit([{ instances: [large(count), large(count + 1)].map((instance) => ({ instance, tasks: [] })) }])
        .then(() => {
          count += 2;
        })
        .catch((thrown: Error) => {
          refused = thrown;
        });
    }
    expect(refused).toMatchObject(FULL);
    expect(refused.message).toContain("make room");
    expect(count).toBeGreaterThan(10);
    const there = await store.range({ meta: "B:test/large:1", limit: 1_000 });
    expect(there).toHaveLength(count);
    // A unit that ends a task is taken back whole.
    const unit = { taskId: task.id, instances: [large(900), large(901)].map((instance) => ({ instance, tasks: [] })) };
    await expect(store.commit([unit])).rejects.toMatchObject(FULL);
    expect(await store.task(task.id)).toMatchObject({ id: task.id });
    expect(await store.removeOld({ meta: "B:test/large:1", createdLtMs: NOW_MS, limit: 10 })).toBe(10);
    expect(await store.commit([unit])).toEqual([{ status: "done", stored: [true, true] }]);
    expect((await stored(store, large(900)))?.content).toHaveLength(60_000);
  });

  test("puts a task back later when it could not at once (S7)", async () => {
    await using folder = await testFolder();
    await using store = await openSqliteStore({ folder: folder.path, maxFileBytes: 1_048_576 });
    const task = await putTask(store, instanceOf());
    let count = 0;
    for (let isFull = false; !isFull; count++) await put(store, large(count)).catch(() => (isFull = true));
    const retry = { taskId: task.id, dueMs: NOW_MS, error: "x".repeat(200_000), counts: true };
    await expect(store.retry([retry])).rejects.toMatchObject(FULL);
    const failing = { taskId: task.id + 1, code: "executor.logic", error: "", failedMs: NOW_MS, counts: false };
    await store.fail([failing]);
    expect(await store.claim(NOW_MS, 10)).toEqual([]);
    expect(await store.removeOld({ meta: "B:test/large:1", createdLtMs: NOW_MS, limit: count })).toBeGreaterThan(5);
    expect((await store.claim(NOW_MS, 10)).map(({ id, attempts }) => [id, attempts])).toEqual([[task.id, 1]]);
  });

  test("leaves so much room as is to be kept free, and says so", async () => {
    await using folder = await testFolder();
    await using store = await openSqliteStore({ folder: folder.path, minFreeBytes: 2 ** 52 });
    const low = { ...FULL, details: { minFreeBytes: 2 ** 52 } };
    await expect(put(store, instanceOf())).rejects.toMatchObject(low);
    await expect(put(store, instanceOf())).rejects.toMatchObject(low);
    expect(await store.range({ limit: 1 })).toEqual([]);
  });
});
