import { VirtualClock } from "@metanode/core/testing/clock";
import { describe, expect, test } from "vitest";
import { functionAction, MemoryProgress } from "../../src/index.ts";
import { range } from "../run/counting.ts";
import { actionOf, Keeper, runInARow, turns } from "./graphs.ts";

describe("generate", () => {
  test("counts from 0 and ends after as many as it was told", async () => {
    const kept = new Keeper();
    const run = await runInARow({ numbers: { action: "generate", with: { count: 2_000 } }, keep: kept.node });
    expect((await run.ended).outcome).toBe("completed");
    expect(kept.records).toEqual(range(2_000));
  });

  test("without an end leaves everybody else their turn, and can be stopped", async () => {
    const run = await runInARow({ numbers: { action: "generate" }, sink: { does: functionAction(() => undefined) } });
    await turns(5);
    expect((await run.drain()).outcome).toBe("stopped");
  });

  test("fills a template with the number", async () => {
    const kept = new Keeper();
    const template = { id: "{n}", text: "order {n}", tags: ["{n}", 7] };
    await (await runInARow({ numbers: { action: "generate", with: { count: 2, template } }, keep: kept.node })).ended;
    expect(kept.records).toEqual([
      { id: 0, text: "order 0", tags: [0, 7] },
      { id: 1, text: "order 1", tags: [1, 7] },
    ]);
  });

  test("keeps its pace on the clock of the graph", async () => {
    const clock = new VirtualClock();
    const kept = new Keeper();
    const numbers = { action: "generate", with: { ratePerSecond: 4 } };
    await using _run = await runInARow({ numbers, keep: kept.node }, { clock });
    await clock.advance(240);
    expect(kept.records).toEqual([]);
    await clock.advance(10);
    expect(kept.records).toEqual([0]);
    await clock.advance(1_000);
    expect(kept.records).toEqual([0, 1, 2, 3, 4]);
  });

  test("goes on where it was stopped", async () => {
    const progress = new MemoryProgress();
    const clock = new VirtualClock();
    const kept = new Keeper();
    const numbers = { action: "generate", with: { count: 10, intervalMs: 100 } };
    const first = await runInARow({ numbers, keep: kept.node }, { clock, progress });
    await clock.advance(450);
    await first.drain();
    const second = await runInARow({ numbers, keep: kept.node }, { clock, progress });
    await clock.advance(600);
    expect((await second.ended).outcome).toBe("completed");
    expect(kept.records).toEqual(range(10));
    expect(new Set(kept.ids).size).toBe(10);
  });

  test("refuses settings that it does not know, by path", () => {
    expect(() => actionOf({ name: "numbers", action: "generate", with: { cuont: 3 } })).toThrow(/with.*node numbers/);
    expect(() => actionOf({ name: "numbers", action: "generate", with: { count: -1 } })).toThrow(/with\.count \(node numbers\)/);
  });
});
