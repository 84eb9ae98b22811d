import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoffOf, resolveEngineOptions } from "../src/engine/options.ts";

describe("the wait before a further try", () => {
  test("doubles from the first one: 10, 20, 40, 80, 160 (§15)", () => {
    const options = resolveEngineOptions({ backoffMs: 10_000, jitter: 0 });
    expect([1, 2, 3, 4, 5].map((attempts) => backoffOf(options, attempts) / 1_000)).toEqual([10, 20, 40, 80, 160]);
  });

  test("adds up to five and a quarter minutes with the defaults", () => {
    const options = resolveEngineOptions({ jitter: 0 });
    const waits = [1, 2, 3, 4, 5, 6].map((attempts) => backoffOf(options, attempts));
    expect(waits.reduce((a, b) => a + b)).toBe(315_000);
  });

  test("differs from that by no more than the jitter says, and is never longer than an hour with it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempts, jitter, chance) => {
          const options = resolveEngineOptions({ jitter, random: () => chance });
          const plain = backoffOf(resolveEngineOptions({ jitter: 0 }), attempts);
          expect(plain).toBeLessThanOrEqual(3_600_000);
          expect(Math.abs(backoffOf(options, attempts) - plain)).toBeLessThanOrEqual((plain * jitter) / 2 + 1);
        },
      ),
    );
  });

  test("is as long as it is set to be when that is more than an hour", () => {
    expect(backoffOf(resolveEngineOptions({ backoffMs: 7_200_000, jitter: 0 }), 9)).toBe(7_200_000);
  });
});

describe("the options of an engine", () => {
  test.each([
    { concurency: 3 },
    { concurrency: 0 },
    { backoffMs: -1 },
    { jitter: 1.5 },
    { jitter: Number.NaN },
    { leaseMs: 1.5 },
  ])("refuse %o before anything is opened", (options) => {
    expect(() => resolveEngineOptions(options)).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });
});
