import { describe, expect, test } from "vitest";
import { runChaos } from "./chaos.ts";

/** Of the short form; the full one, `npm run chaos`, draws another each time and prints it. */
const SEED = 20_261_120;

describe("random kill -9 of processors under a stream of durable messages", () => {
  test("every accepted message is handled, none is lost, duplicates carry the same id, other types see no error", async () => {
    const report = await runChaos({ kills: 12, perSecond: 500, seed: SEED, betweenKillsMs: 300, settleMs: 20_000 });
    const { accepted, duplicates: _duplicates, others, durationMs: _durationMs, ...rest } = report;
    expect(rest).toEqual({ seed: SEED, kills: 12, lost: 0, strangers: 0, deadLetters: 0, repeatedAttempts: 0, otherErrors: [] });
    expect(accepted).toBeGreaterThan(100);
    expect(others).toBeGreaterThan(0);
  });
});
