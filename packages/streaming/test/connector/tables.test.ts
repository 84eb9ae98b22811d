import { connect } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import pg from "pg";
import { describe, expect, inject, test } from "vitest";
import { functionAction, MemoryProgress } from "../../src/index.ts";
import { range } from "../run/counting.ts";
import { runInARow, testFolder, turns } from "./graphs.ts";

/** What the tests need of a database. */
interface TestTable extends AsyncDisposable {
  /** The settings that lead to it. */
  readonly at: object;
  execute(sql: string): Promise<void>;
  rows(sql: string): Promise<unknown[]>;
}

async function sqliteTable(): Promise<TestTable> {
  const folder = await testFolder();
  const path = join(folder.path, "test.db");
  const database = new DatabaseSync(path, { timeout: 5_000 });
  return {
    at: { path },
    execute: async (sql) => database.exec(sql),
    rows: async (sql) =>
      database
        .prepare(sql)
        .all()
        .map((row) => ({ ...row })),
    [Symbol.asyncDispose]: async () => {
      database.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const shared: { url?: string; reason?: string } = JSON.parse(await text(connect(inject("postgresSocket" as never))));
let count = 0;

async function postgresTable(): Promise<TestTable> {
  const name = `connector_${process.pid}_${count++}`;
  const admin = new pg.Client(shared.url);
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  const url = new URL(shared.url ?? "");
  url.pathname = `/${name}`;
  const client = new pg.Client(url.href);
  await client.connect();
  return {
    at: { url: url.href },
    execute: async (sql) => void (await client.query(sql)),
    rows: async (sql) => (await client.query(sql)).rows,
    [Symbol.asyncDispose]: async () => {
      await client.end();
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}

describe.each([
  { action: "sqlite.write", open: sqliteTable, skip: false },
  { action: "postgres.write", open: postgresTable, skip: shared.url === undefined },
])("a table of $action", ({ action, open, skip }) => {
  const numbers = (amount: number) => ({
    action: "generate",
    with: { count: amount, template: { id: "{n}", user: { name: "user {n}" }, tags: ["a", "{n}"] } },
  });
  const columns = { number: "id", name: "user.name", tags: "tags", missing: "nowhere" };
  const create = "CREATE TABLE things (number integer UNIQUE CHECK (number <> 13), name text, tags text, missing text)";
  const reason = `no PostgreSQL here: ${shared.reason}`;

  test("gets a row for each record, by paths into it", async (context) => {
    if (skip) return context.skip(reason);
    await using table = await open();
    await table.execute(create);
    const write = { action, with: { ...table.at, table: "things", columns, maxRecords: 100 } };
    expect((await (await runInARow({ numbers: numbers(13), write })).ended).outcome).toBe("completed");
    const rows = await table.rows("SELECT * FROM things ORDER BY number");
    expect(rows.length).toBe(13);
    expect(rows[7]).toMatchObject({ number: 7, name: "user 7", missing: null });
    expect(JSON.parse(String((rows[7] as { tags: unknown }).tags))).toEqual(["a", 7]);
  });

  test("gets each record once, although it is written again", async (context) => {
    if (skip) return context.skip(reason);
    await using table = await open();
    await table.execute("CREATE TABLE things (number integer)"); // which takes the same again
    const write = { action, with: { ...table.at, table: "things", columns: { number: "" }, maxRecords: 700 } };
    const source = { action: "generate", with: { count: 2_500 } };
    for (let times = 0; times < 2; times++) await (await runInARow({ source, write })).ended;
    const [found] = await table.rows("SELECT count(*) AS n, count(DISTINCT number) AS d FROM things");
    expect(found).toEqual({ n: expect.anything(), d: expect.anything() });
    expect(Object.values(found as object).map(Number)).toEqual([2_500, 2_500]);
  });

  test("loses nothing when a run is cut off, and has nothing twice after the next one", async (context) => {
    if (skip) return context.skip(reason);
    await using table = await open();
    await table.execute("CREATE TABLE things (number integer)");
    const progress = new MemoryProgress();
    const nodes = {
      source: { action: "generate", with: { count: 20_000 } },
      write: { action, with: { ...table.at, table: "things", columns: { number: "" }, maxRecords: 300 } },
    };
    const run = await runInARow(nodes, { progress, commitMs: 1 });
    while ((await progress.load()).sources.size === 0) await turns(1);
    await run.close();
    expect((await (await runInARow(nodes, { progress })).ended).outcome).toBe("completed");
    const [found] = await table.rows("SELECT count(*) AS n, count(DISTINCT number) AS d FROM things");
    expect(Object.values(found as object).map(Number)).toEqual([20_000, 20_000]);
  });

  test("has the last of those that share a key", async (context) => {
    if (skip) return context.skip(reason);
    await using table = await open();
    await table.execute("CREATE TABLE things (name text UNIQUE, number integer)");
    const parity = functionAction((number: number) => ({ name: number % 2 === 0 ? "even" : "odd", number }));
    const write = { action, with: { ...table.at, table: "things", columns: { name: "name", number: "number" }, key: ["name"] } };
    await (await runInARow({ source: { action: "generate", with: { count: 1_000 } }, parity: { does: parity }, write })).ended;
    expect(await table.rows("SELECT name, number FROM things ORDER BY name")).toEqual([
      { name: "even", number: 998 },
      { name: "odd", number: 999 },
    ]);
  });

  test("refuses a row without keeping the others out", async (context) => {
    if (skip) return context.skip(reason);
    await using table = await open();
    await table.execute(create);
    const dead: unknown[] = [];
    const write = { action, with: { ...table.at, table: "things", columns } };
    const onDeadLetter = async ({ id, error }: { id: string; error: unknown }) => void dead.push({ id, error });
    expect((await (await runInARow({ numbers: numbers(20), write }, { onDeadLetter })).ended).outcome).toBe("completed");
    const rows = await table.rows("SELECT number FROM things ORDER BY number");
    expect(rows).toEqual(
      range(20)
        .filter((number) => number !== 13)
        .map((number) => ({ number })),
    );
    expect(dead).toMatchObject([{ id: "numbers:13", error: { code: "stream.record" } }]);
  });

  test("that is not there fails, and says so", async (context) => {
    if (skip) return context.skip(reason);
    await using table = await open();
    const write = {
      action,
      with: { ...table.at, table: "nothing", columns, key: ["number"] },
      attempts: 1,
      onError: "fail" as const,
    };
    const failing = runInARow({ numbers: numbers(1), write }).then(async (run) => {
      const { error } = await run.ended;
      throw (error as Error).cause ?? error;
    });
    await expect(failing).rejects.toMatchObject({ code: "stream.connector", message: expect.stringMatching(/nothing/) });
  });
});
