import { VirtualClock } from "@metanode/core/testing/clock";
import { describe, expect, test } from "vitest";
import { MemoryProgress } from "../../src/index.ts";
import { Keeper, runInARow } from "./graphs.ts";

const MINUTE_MS = 60_000;
const schedule = (more: object = {}) => ({ action: "cron", with: { schedule: "*/5 * * * *", timezone: "UTC", ...more } });
const at = (time: string, more: object = {}) => ({ at: `2026-01-01T${time}:00.000Z`, ...more });

describe("a schedule", () => {
  test("gives a record when each of its times has come, not before", async () => {
    const clock = new VirtualClock();
    const kept = new Keeper();
    await using _run = await runInARow({ cron: schedule({ data: { report: "daily" } }), keep: kept.node }, { clock });
    await clock.advance(5 * MINUTE_MS - 1);
    expect(kept.records).toEqual([]);
    await clock.advance(1);
    await clock.advance(5 * MINUTE_MS);
    expect(kept.records).toEqual([at("00:05", { data: { report: "daily" } }), at("00:10", { data: { report: "daily" } })]);
  });

  test("follows the clock on the wall when somebody sets it", async () => {
    const clock = new VirtualClock();
    const kept = new Keeper();
    await using _run = await runInARow({ cron: schedule(), keep: kept.node }, { clock });
    await clock.advance(MINUTE_MS);
    clock.stepWall(3 * MINUTE_MS);
    await clock.advance(MINUTE_MS);
    expect(kept.records).toEqual([at("00:05")]);
  });

  test.each([
    { missed: "all", records: [at("00:10"), at("00:15"), at("00:20"), at("00:25")] },
    { missed: "last", records: [at("00:20"), at("00:25")] },
    { missed: "none", records: [at("00:25")] },
  ])("gives $missed of the times that went by while nothing ran", async ({ missed, records }) => {
    const clock = new VirtualClock();
    const progress = new MemoryProgress();
    const kept = new Keeper();
    const cron = schedule({ missed });
    const first = await runInARow({ cron, keep: kept.node }, { clock, progress });
    await clock.advance(6 * MINUTE_MS);
    await first.drain();
    await clock.advance(15 * MINUTE_MS);
    kept.records.length = 0;
    await using _second = await runInARow({ cron, keep: kept.node }, { clock, progress });
    await clock.advance(5 * MINUTE_MS);
    expect(kept.records).toEqual(records);
  });

  test("gives again what was in flight when a run was cut off", async () => {
    const clock = new VirtualClock();
    const progress = new MemoryProgress();
    const { functionAction } = await import("../../src/index.ts");
    const stuck = functionAction(() => new Promise<void>(() => undefined));
    const first = await runInARow({ cron: schedule(), stuck: { does: stuck } }, { clock, progress });
    await clock.advance(5 * MINUTE_MS);
    expect((await first.close()).inFlight).toBe(1);
    const kept = new Keeper();
    await using _second = await runInARow({ cron: schedule(), keep: kept.node }, { clock, progress });
    await clock.advance(0);
    expect(kept.records).toEqual([at("00:05")]);
  });

  test("that is none is refused", async () => {
    const run = runInARow({ cron: { action: "cron", with: { schedule: "every day" } }, keep: new Keeper().node });
    await expect(run).rejects.toMatchObject({ code: "stream.graph" });
  });
});
