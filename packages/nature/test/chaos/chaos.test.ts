import { describe, expect, test } from "vitest";
import { sharedPostgres, testDatabase } from "../postgres/database.ts";
import { runChaos } from "./chaos.ts";

/** Of the short form; the full one, `npm run chaos -- nature`, draws another each time and prints it. */
const SEED = 20_261_126;

describe("random kill -9 of two engines on one PostgreSQL under a stream of orders", () => {
  test("every order's flow is done once, and accounts have neither gaps nor forks, and the right totals", async (context) => {
    const server = await sharedPostgres();
    if ("reason" in server) return context.skip(server.reason);
    await using database = await testDatabase(server.url);
    const report = await runChaos({ databaseUrl: database.url, kills: 3, perSecond: 100, seed: SEED, settleMs: 60_000 });
    const { accepted, versions, resent: _resent, repeated: _repeated, durationMs: _durationMs, ...rest } = report;
    expect(rest).toEqual({
      ...{ seed: SEED, kills: 3, lost: 0, doubled: 0, strangers: 0, gaps: 0, forks: 0, wrongTotals: 0, left: 0, failed: 0 },
    });
    expect(accepted).toBeGreaterThan(20);
    expect(versions).toBe(accepted);
  }, 120_000);
});
