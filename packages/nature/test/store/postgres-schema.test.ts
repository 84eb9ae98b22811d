import pg from "pg";
import { describe, expect, test } from "vitest";
import { openPostgresStore } from "../../src/store/postgres.ts";
import { commitStatements } from "../../src/store/postgres-commit.ts";
import { SESSION } from "../../src/store/postgres-connections.ts";
import { lookupStatements } from "../../src/store/postgres-lookups.ts";
import { instanceOf, put } from "../../src/testing/store-conformance-tools.ts";
import { administer, sharedPostgres, testDatabase } from "../postgres/database.ts";

const server = await sharedPostgres();
const skip = "reason" in server ? server.reason : undefined;
const serverUrl = "url" in server ? server.url : "";

async function rows(url: string, text: string): Promise<unknown[][]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query({ text, rowMode: "array" })).rows;
  } finally {
    await client.end();
  }
}

describe("the tables of a store on PostgreSQL", () => {
  test("are made once, when several nodes open the same new database at the same time", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using database = await testDatabase(serverUrl);
    const stores = await Promise.all(
      Array.from({ length: 6 }, () => openPostgresStore({ url: database.url, maxConnections: 2 })),
    );
    try {
      const applied = await rows(database.url, "SELECT migration_name, applied_steps_count FROM _prisma_migrations");
      expect(applied).toEqual([["20261126000000_first", 1]]);
      const results = await Promise.all(stores.map((store, id) => put(store, instanceOf({ id: String(id) }))));
      expect(results.flat().every(({ status }) => status === "done")).toBe(true);
      expect(new Set(stores.map((store) => store.newTaskId())).size).toBe(6);
    } finally {
      await Promise.all(stores.map((store) => store.close()));
    }
  });

  test("compare text by its bytes whatever the collation of their database is (S6)", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    const name = `icu_${process.pid}`;
    await administer(
      serverUrl,
      `CREATE DATABASE ${name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'`,
    );
    const url = new URL(serverUrl);
    url.pathname = `/${name}`;
    try {
      await using store = await openPostgresStore({ url: url.href, maxConnections: 2 });
      const paras = ["a", "B", "ä", "_", "Z", "z", "-"];
      await put(store, ...paras.map((para) => instanceOf({ para })));
      const byBytes = paras.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect((await store.range({ limit: 10 })).map(({ para }) => para)).toEqual(byBytes);
      expect((await store.reads.range({})).items.map(({ para }) => para)).toEqual(byBytes);
      expect((await store.latest(paras.map((para) => instanceOf({ para })))).map((one) => one?.para)).toEqual(paras);
    } finally {
      await administer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
    }
  });

  test("of a newer program, or of another text, are refused and left as they are", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using database = await testDatabase(serverUrl);
    const open = () => openPostgresStore({ url: database.url, maxConnections: 2 });
    await (await open()).close();
    await administer(
      database.url,
      "INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('x', 'y', '29990101000000_more')",
    );
    await expect(open()).rejects.toMatchObject({ code: "store.unusable", retryable: false });
    await administer(database.url, "DELETE FROM _prisma_migrations WHERE id = 'x'; UPDATE _prisma_migrations SET checksum = 'z'");
    await expect(open()).rejects.toMatchObject({ code: "store.unusable", retryable: false });
  });

  test("refuse options that are none before anything is opened", async () => {
    const bad = { code: "config.invalid" };
    await expect(openPostgresStore({ url: "mysql://u:secret@h/d" })).rejects.toMatchObject(bad);
    await expect(openPostgresStore({ url: "mysql://u:secret@h/d" })).rejects.not.toThrow(/secret/);
    await expect(openPostgresStore({ url: "" })).rejects.toMatchObject(bad);
    await expect(openPostgresStore({ url: "postgresql://h/d", maxConnections: 0 })).rejects.toMatchObject(bad);
    await expect(openPostgresStore({ url: "postgresql://h/d", pool: 3 } as never)).rejects.toMatchObject(bad);
  });
});

describe("the statements that a store on PostgreSQL runs all the time", () => {
  test("are planned as lookups by key, also where the tables are new or known to be empty", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using database = await testDatabase(serverUrl);
    await (await openPostgresStore({ url: database.url, maxConnections: 2 })).close();
    const client = new pg.Client(database.url);
    await client.connect();
    try {
      await client.query(SESSION);
      for (const state of ["new", "analyzed"]) {
        if (state === "analyzed") await client.query("ANALYZE");
        for (const statement of [...commitStatements, ...lookupStatements]) {
          const { rows: lines } = await client.query({ text: `EXPLAIN (GENERIC_PLAN) ${statement}`, rowMode: "array" });
          expect(unkeyed(lines.map(([line]) => String(line)))).toEqual([]);
        }
      }
    } finally {
      await client.end();
    }
  });
});

const KEYS = ["instance_pkey", "instance_from", "task_pkey", "task_from", "failed_task_from", "engine_pkey"];

/** Lines of a plan that reach a table otherwise than by its key: a look into an index says on its next line what it looks for. */
function unkeyed(plan: readonly string[]): string[] {
  return plan.filter((line, at) => {
    const index = /Index (?:Only )?Scan (?:Backward )?using (\w+) on|Bitmap Index Scan on (\w+)/.exec(line);
    const name = index?.[1] ?? index?.[2];
    if (name !== undefined) return !KEYS.includes(name) || !/Index Cond: /.test(plan[at + 1] ?? "");
    return /Scan.* on (instance|task|failed_task|engine)\b/.test(line) && !/Bitmap Heap Scan/.test(line);
  });
}
