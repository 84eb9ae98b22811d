import { describe, expect, test } from "vitest";
import type { Store } from "../../src/store/full-store.ts";
import { openPostgresStore } from "../../src/store/postgres.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { eventually } from "../../src/testing/store-conformance-tools.ts";
import { sharedPostgres, testDatabase } from "../postgres/database.ts";
import { runFixture } from "./child.ts";
import { checkLanes, goOn } from "./lanes.ts";
import { testFolder } from "./sqlite-harness.ts";

const LANES = 12;
const server = await sharedPostgres();

/** Runs children until each has said so many lines, kills it, and gives the highest acknowledged version of each lane. */
async function killed(place: string, rounds: readonly number[], leaseMs?: number): Promise<Map<number, number>> {
  const acknowledged = new Map<number, number>();
  for (const lines of rounds) {
    const child = runFixture("lanes-until-killed", place, String(LANES), ...(leaseMs === undefined ? [] : [String(leaseMs)]));
    await child.said(lines);
    await child.kill();
    for (const line of child.lines) {
      const [lane = 0, version = 0] = line.split(" ").map(Number);
      acknowledged.set(lane, Math.max(version, acknowledged.get(lane) ?? 0));
    }
  }
  return acknowledged;
}

/** Counts after a crash, then goes on and counts again. */
async function expectWhole(store: Store, acknowledged: ReadonlyMap<number, number>): Promise<void> {
  const lanes = await checkLanes(store);
  expect(acknowledged.size).toBe(LANES);
  for (const [lane, version] of acknowledged) expect(lanes.get(lane)).toBeGreaterThanOrEqual(version);
  await goOn(store, 5);
  const after = await checkLanes(store);
  expect([...after]).toEqual([...lanes].map(([lane, versions]) => [lane, versions + 5]));
}

describe("a process that is killed while it commits", () => {
  test("leaves whole units on SQLite: all that was acknowledged, and of nothing a part (S1, S2)", async () => {
    await using folder = await testFolder();
    const acknowledged = await killed(folder.path, [150, 400, 650]);
    await using store = await openSqliteStore({ folder: folder.path });
    await expectWhole(store, acknowledged);
  });

  test("leaves whole units on PostgreSQL, and its tasks to whoever sees its lease run out (S1, S2, S5)", async (context) => {
    if ("reason" in server) return context.skip(server.reason);
    await using database = await testDatabase(server.url);
    await using store = await openPostgresStore({ url: database.url, maxConnections: 3 });
    const acknowledged = await killed(database.url, [300], 1_000);
    await eventually("the lease of the dead to run out", async () => (await store.renewLease(30_000)).freed > 0);
    await expectWhole(store, acknowledged);
  });
});

describe("two engines of which one is killed again and again", () => {
  test("take over from each other, and every step of every lane is done once (S3, S5)", async (context) => {
    if ("reason" in server) return context.skip(server.reason);
    await using database = await testDatabase(server.url);
    await using survivor = await openPostgresStore({ url: database.url, maxConnections: 3 });
    const acknowledged = new Map<number, number>();
    for (let round = 0; round < 4; round++) {
      for (const [lane, version] of await killed(database.url, [60], 300)) acknowledged.set(lane, version);
      // While the dead one's lease runs, nobody can touch its lanes; then they are free.
      await eventually("the lease of the dead to run out", async () => (await survivor.renewLease(30_000)).freed > 0);
      await goOn(survivor, 3);
      const lanes = await checkLanes(survivor);
      for (const [lane, version] of acknowledged) expect(lanes.get(lane)).toBeGreaterThanOrEqual(version + 3);
    }
  });
});

describe("a process that leaves its store open", () => {
  test("keeps others out with node.data_in_use, and no longer once it was killed", async () => {
    await using folder = await testFolder();
    const child = runFixture("lanes-until-killed", folder.path, "1");
    await child.said(1);
    await expect(openSqliteStore({ folder: folder.path })).rejects.toMatchObject({ code: "node.data_in_use" });
    await child.kill();
    await using store = await openSqliteStore({ folder: folder.path });
    expect((await checkLanes(store)).size).toBe(1);
  });

  test("ends when it has nothing else to do, without having loaded Prisma", async () => {
    await using folder = await testFolder();
    const child = runFixture("hold-open", folder.path);
    expect(await child.ended).toBe(0);
    expect(child.lines).toEqual(["stored 1", "loaded "]);
    await using store = await openSqliteStore({ folder: folder.path });
    expect(await store.range({ limit: 10 })).toHaveLength(1);
  });
});
