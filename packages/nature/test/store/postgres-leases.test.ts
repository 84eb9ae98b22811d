import pg from "pg";
import { describe, expect, test } from "vitest";
import { openPostgresStore } from "../../src/store/postgres.ts";
import { DONE_NEW, eventually, instanceOf, taskOf } from "../../src/testing/store-conformance-tools.ts";
import { sharedPostgres, testDatabase } from "../postgres/database.ts";

const server = await sharedPostgres();
const skip = "reason" in server ? server.reason : undefined;
const serverUrl = "url" in server ? server.url : "";

/** A connection beside the stores, to hold them up at a chosen moment. */
class Beside implements AsyncDisposable {
  readonly #client: pg.Client;

  constructor(client: pg.Client) {
    this.#client = client;
  }

  static async on(url: string): Promise<Beside> {
    const client = new pg.Client(url);
    await client.connect();
    return new Beside(client);
  }

  async run(text: string): Promise<unknown[][]> {
    return (await this.#client.query({ text, rowMode: "array" })).rows;
  }

  /** Statements that wait for a lock. */
  async waiting(): Promise<number> {
    const text = "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    return (await this.run(text))[0]?.[0] as number;
  }

  /** Tasks that belong to an engine that is not there: nobody would ever do them. */
  async orphans(): Promise<number> {
    const text = "SELECT count(*)::int FROM task WHERE owner IS NOT NULL AND owner NOT IN (SELECT slot FROM engine)";
    return (await this.run(text))[0]?.[0] as number;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }
}

describe("an engine whose tasks are being freed while it commits", () => {
  test("waits for the end of that, and stores its task under a new lease, not the dead one (S5)", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using database = await testDatabase(serverUrl);
    await using store = await openPostgresStore({ url: database.url, maxConnections: 2 });
    await using freeing = await Beside.on(database.url);
    await using watching = await Beside.on(database.url);
    await freeing.run("BEGIN; DELETE FROM engine");
    const instance = instanceOf();
    let isDone = false;
    const committed = store.commit([{ instances: [{ instance, tasks: [taskOf(store, instance)] }] }]).finally(() => {
      isDone = true;
    });
    await eventually("the commit to wait, or to be done", async () => isDone || (await watching.waiting()) === 1);
    await freeing.run("UPDATE task SET owner = NULL; COMMIT");
    expect(await committed).toEqual([DONE_NEW]);
    expect(await watching.orphans()).toBe(0);
    expect((await store.renewLease(30_000)).fenced).toBe(true);
    expect(await store.backlog(0)).toMatchObject({ owned: 1 });
  });

  test("claims nothing under the dead lease either (S5)", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using database = await testDatabase(serverUrl);
    await using store = await openPostgresStore({ url: database.url, maxConnections: 2 });
    const instance = instanceOf();
    const task = taskOf(store, instance, { mine: false });
    await store.commit([{ instances: [{ instance, tasks: [task] }] }]);
    await using freeing = await Beside.on(database.url);
    await using watching = await Beside.on(database.url);
    await freeing.run("BEGIN; DELETE FROM engine");
    let isDone = false;
    const claimed = store.claim(task.dueMs, 10).finally(() => {
      isDone = true;
    });
    await eventually("the claim to wait, or to be done", async () => isDone || (await watching.waiting()) === 1);
    await freeing.run("COMMIT");
    expect(await claimed).toHaveLength(1);
    expect(await watching.orphans()).toBe(0);
  });

  test("has what it stored just before freed with the rest: whoever frees waits for its commit (S5)", async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using database = await testDatabase(serverUrl);
    await using store = await openPostgresStore({ url: database.url, maxConnections: 2 });
    await using other = await openPostgresStore({ url: database.url, maxConnections: 2 });
    await using holding = await Beside.on(database.url);
    await using watching = await Beside.on(database.url);
    await store.renewLease(1);
    // Another writer of the same key holds the commit up in its middle.
    await holding.run(
      `BEGIN; INSERT INTO instance VALUES ('B:test/order:1', '00000000000000000001', '', 0, '', '{}', '{}', '[]', NULL, 1)`,
    );
    const instance = instanceOf();
    const committed = store.commit([{ instances: [{ instance, tasks: [taskOf(store, instance)] }] }]);
    await eventually("the commit to wait", async () => (await watching.waiting()) === 1);
    const renewed = other.renewLease(30_000);
    await eventually("the other to wait for it", async () => (await watching.waiting()) === 2);
    await holding.run("ROLLBACK");
    expect(await committed).toEqual([DONE_NEW]);
    expect(await renewed).toEqual({ freed: 1, fenced: false });
    expect(await watching.orphans()).toBe(0);
  });
});
