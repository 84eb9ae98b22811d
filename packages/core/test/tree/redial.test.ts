import { expect, test } from "vitest";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { DEFAULT_TIMES, type TreeMeans } from "../../src/tree/means.ts";
import { Redial } from "../../src/tree/redial.ts";

function redialOf(attempt: () => Promise<boolean>): { redial: Redial; clock: VirtualClock } {
  const clock = new VirtualClock();
  const means = { clock, random: () => 1, times: DEFAULT_TIMES } as unknown as TreeMeans;
  return { redial: new Redial(means, attempt), clock };
}

test("tries again until it is done, after pauses that double up to ten times the first", async () => {
  const attemptsMs: number[] = [];
  const { redial, clock } = redialOf(async () => attemptsMs.push(clock.now()) === 8);
  const beginMs = clock.now();
  redial.start();
  await clock.advance(60_000);
  expect(attemptsMs.map((ms) => ms - beginMs)).toEqual([0, 200, 600, 1_400, 3_000, 5_000, 7_000, 9_000]);
  expect(redial.isRunning).toBe(false);
});

test("what an attempt brought home is fetched again if it was lost before the attempt had ended", async () => {
  const ends: PromiseWithResolvers<boolean>[] = [];
  const { redial, clock } = redialOf(() => {
    const end = Promise.withResolvers<boolean>();
    ends.push(end);
    return end.promise;
  });
  redial.start();
  redial.stop(); // the link stands
  redial.start(); // and is lost
  ends[0]?.resolve(true);
  await clock.advance(60_000);
  expect(ends).toHaveLength(2);
  ends[1]?.resolve(true);
  await clock.advance(60_000);
  expect(ends).toHaveLength(2);
  expect(redial.isRunning).toBe(false);
});

test("begins no attempt after it was stopped", async () => {
  let attempts = 0;
  const { redial, clock } = redialOf(async () => {
    attempts++;
    return false;
  });
  redial.start();
  await clock.advance(0);
  redial.stop();
  await clock.advance(60_000);
  expect(attempts).toBe(1);
});
