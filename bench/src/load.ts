import { setTimeout as delay } from "node:timers/promises";

/** Does one piece of work and settles when it is done. */
export type Work = () => unknown;

/** Pieces of work per second with `count` of them under way at any time, over about `durationMs`. */
export async function throughput(count: number, durationMs: number, work: Work): Promise<number> {
  const startMs = performance.now();
  const endMs = startMs + durationMs;
  let done = 0;
  const lane = async (): Promise<void> => {
    do {
      await work();
      done += 1;
    } while (performance.now() < endMs);
  };
  await Promise.all(Array.from({ length: count }, lane));
  return done / ((performance.now() - startMs) / 1_000);
}

/** The median time of one piece of work, in microseconds, one at a time over about `durationMs`. */
export async function medianLatencyUs(durationMs: number, work: Work): Promise<number> {
  // Timers and the garbage of the sample before are let go first.
  await delay(10);
  const timesMs: number[] = [];
  const endMs = performance.now() + durationMs;
  for (let startMs = performance.now(); startMs < endMs; ) {
    await work();
    const doneMs = performance.now();
    timesMs.push(doneMs - startMs);
    startMs = doneMs;
  }
  return median(timesMs) * 1_000;
}

/** The middle value, or the mean of the two in the middle. @throws {RangeError} There is no value. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("no values to take the median of");
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}
