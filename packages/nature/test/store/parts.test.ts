import { readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { pendingMigrations, readMigrations } from "../../src/store/migrations.ts";
import { openPostgresStore } from "../../src/store/postgres.ts";
import { roundsOf } from "../../src/store/postgres-commit.ts";
import { SlotGate } from "../../src/store/slot-gate.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { Unit } from "../../src/store/store.ts";
import { TASK_BLOCK, TaskIds } from "../../src/store/task-ids.ts";
import { instanceOf, unitOf } from "../../src/testing/store-conformance-tools.ts";
import { sharedPostgres, testDatabase } from "../postgres/database.ts";
import { testFolder } from "./sqlite-harness.ts";

/** Tables with their columns, `?` behind those that may be null: as Prisma's schema has them. */
function tablesOfSchema(dialect: string): Record<string, string[]> {
  const text = readFileSync(new URL(`../../prisma/${dialect}/schema.prisma`, import.meta.url), "utf8");
  const tables: Record<string, string[]> = {};
  for (const [, body = ""] of text.matchAll(/^model \w+ \{\n(.*?)^\}/gms)) {
    const table = /@@map\("(\w+)"\)/.exec(body)?.[1] ?? "";
    const columns = [...body.matchAll(/^ {2}(\w+) +\w+(\??)(.*)$/gm)];
    tables[table] = columns
      .map(([, name = "", isNull = "", rest = ""]) => (/@map\("(\w+)"\)/.exec(rest)?.[1] ?? name) + isNull)
      .sort();
  }
  return tables;
}

describe("Prisma's schema", () => {
  test("has the tables and columns that the migrations make on SQLite", async () => {
    await using folder = await testFolder();
    await (await openSqliteStore({ folder: folder.path })).close();
    const database = new Database(join(folder.path, "nature.sqlite"));
    const columns = database
      .prepare(
        `SELECT t.name AS "table", c.name || iif(c."notnull" OR c.pk, '', '?') AS "column" FROM sqlite_schema t, pragma_table_info(t.name) c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY 1, 2`,
      )
      .all() as { table: string; column: string }[];
    database.close();
    const tables = Object.groupBy(columns, ({ table }) => table);
    const found = Object.entries(tables).map(([table, rows]) => [table, rows?.map(({ column }) => column).sort()]);
    expect(Object.fromEntries(found)).toEqual(tablesOfSchema("sqlite"));
  });

  test("has the tables and columns that the migrations make on PostgreSQL", async (context) => {
    const server = await sharedPostgres();
    if ("reason" in server) return context.skip(server.reason);
    await using database = await testDatabase(server.url);
    await (await openPostgresStore({ url: database.url, maxConnections: 2 })).close();
    const client = new pg.Client(database.url);
    await client.connect();
    const { rows } = await client.query(
      `SELECT table_name AS "table", column_name || CASE is_nullable WHEN 'YES' THEN '?' ELSE '' END AS "column"
      FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_%'`,
    );
    await client.end();
    const tables = Object.groupBy(rows as { table: string; column: string }[], ({ table }) => table);
    const found = Object.entries(tables).map(([table, columns]) => [table, columns?.map(({ column }) => column).sort()]);
    expect(Object.fromEntries(found)).toEqual(tablesOfSchema("postgresql"));
  });

  test("is the same for both databases but for its name, and for the numbers by which SQLite finds what came of an instance", () => {
    const sqlite = tablesOfSchema("sqlite");
    const own = ["from_ref?", "row"];
    expect(sqlite.instance).toEqual(expect.arrayContaining(own));
    const instance = sqlite.instance?.filter((column) => !own.includes(column));
    expect({ ...sqlite, instance }).toEqual(tablesOfSchema("postgresql"));
  });
});

describe("migrations", () => {
  test("bear the same names in both dialects", () => {
    const names = (dialect: "sqlite" | "postgresql") => readMigrations(dialect).map(({ name }) => name);
    expect(names("sqlite")).toEqual(names("postgresql"));
  });

  test("are applied in their order, those that are not yet", () => {
    const known = ["1_a", "2_b", "3_c"].map((name) => ({ name, sql: "", checksum: name }));
    expect(pendingMigrations(known, [], "x")).toEqual(known);
    expect(pendingMigrations(known, [{ name: "1_a", checksum: "1_a" }], "x").map(({ name }) => name)).toEqual(["2_b", "3_c"]);
  });
});

describe("task ids", () => {
  test("go on in the next block when one is used, which was asked for in time and once", async () => {
    const asked: number[] = [];
    const ids = new TaskIds(0, async () => {
      asked.push(7);
      return 7;
    });
    expect(ids.next()).toBe(1);
    for (let n = 2; n < TASK_BLOCK - 1; n++) ids.next();
    await Promise.resolve();
    expect(asked).toEqual([7]);
    expect([ids.next(), ids.next(), ids.next()]).toEqual([TASK_BLOCK - 1, 7 * TASK_BLOCK, 7 * TASK_BLOCK + 1]);
  });

  test("end with store.unavailable when no block can be had, and go on when one can", async () => {
    let isDown = true;
    const ids = new TaskIds(1, async () => {
      if (isDown) throw new Error("down");
      return 5;
    });
    for (let n = 0; n < TASK_BLOCK; n++) ids.next();
    expect(() => ids.next()).toThrow(expect.objectContaining({ code: "store.unavailable" }));
    isDown = false;
    await new Promise((resolve) => setImmediate(resolve));
    // This one asks.
    expect(() => ids.next()).toThrow(expect.objectContaining({ code: "store.unavailable" }));
    await new Promise((resolve) => setImmediate(resolve));
    expect(ids.next()).toBe(5 * TASK_BLOCK);
  });
});

describe("a batch of units", () => {
  const unit = (...lines: string[]): Unit => unitOf(...lines.map((para) => instanceOf({ para })));
  const places = (units: readonly Unit[]) => roundsOf(units).map((round) => round.places);

  test("is one round when its units touch different lines and tasks", () => {
    expect(places([unit("a"), unit("b", "c"), { taskId: 1, ...unit("d") }, { taskId: 2, ...unit() }])).toEqual([[0, 1, 2, 3]]);
    expect(places([])).toEqual([]);
  });

  test("is parted so that those that meet come one after the other, in their order", () => {
    expect(places([unit("a"), unit("a"), unit("b"), unit("a")])).toEqual([[0, 2], [1], [3]]);
    expect(
      places([
        { taskId: 1, ...unit() },
        { taskId: 1, ...unit("x") },
      ]),
    ).toEqual([[0], [1]]);
    // The second waits for the first; what the second touches waits with it.
    expect(places([unit("a"), unit("a", "b"), unit("b"), unit("c")])).toEqual([[0, 3], [1], [2]]);
  });
});

describe("a gate around a slot", () => {
  test("lets a change wait for what is under way, and what comes meanwhile wait for the change (G1)", async () => {
    const gate = new SlotGate(1);
    const seen: string[] = [];
    const first = Promise.withResolvers<void>();
    const using = gate.use(async (slot) => {
      await first.promise;
      seen.push(`used ${slot}`);
    });
    const changing = gate.change(async (slot) => {
      seen.push(`changing ${slot}`);
      return 2;
    });
    const later = gate.use(async (slot) => void seen.push(`used ${slot}`));
    first.resolve();
    await Promise.all([using, changing, later]);
    expect(seen).toEqual(["used 1", "changing 1", "used 2"]);
  });

  test("changes a slot once for many who found it gone, and stays usable after a change that failed (G2)", async () => {
    const gate = new SlotGate(1);
    const slots = [2, 3, 4];
    await Promise.all(slots.map((slot) => gate.change(async () => slot, 1)));
    expect(gate.slot).toBe(2);
    await expect(gate.change(async () => Promise.reject(new Error("down")))).rejects.toThrow("down");
    expect(await gate.use(async (slot) => slot)).toBe(2);
  });
});
