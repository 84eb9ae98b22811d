import fc from "fast-check";
import { DateTime } from "luxon";
import { describe, expect, test } from "vitest";
import { timeRange, timeRangeSettings, windowAround } from "../../src/builtin/time-range.ts";
import { instance, request } from "../fixtures/things.ts";

/** The window around a moment, as local text. */
function windowOf(settings: object, at: string): string {
  const { zone } = settings as { zone?: string };
  const local = (ms: number): string =>
    DateTime.fromMillis(ms, { zone: zone === undefined ? "UTC" : zone.startsWith("+") ? `UTC${zone}` : zone }).toFormat(
      "MM-dd HH:mm:ss",
    );
  const atMs = DateTime.fromISO(at, { setZone: true }).toMillis();
  const { beginMs, endMs } = windowAround(timeRangeSettings(JSON.stringify(settings)), atMs);
  expect(beginMs).toBeLessThanOrEqual(atMs);
  expect(endMs).toBeGreaterThan(atMs);
  return `${local(beginMs)} - ${local(endMs)}`;
}

describe("time_range at 2020-05-01 18:36:23.123 +08:00 (§15)", () => {
  test.each([
    ["s", 0, "05-01 18:36:23 - 05-01 18:36:24"],
    ["s", 1, "05-01 18:36:23 - 05-01 18:36:24"],
    ["s", 15, "05-01 18:36:15 - 05-01 18:36:30"],
    ["m", 1, "05-01 18:36:00 - 05-01 18:37:00"],
    ["m", 10, "05-01 18:30:00 - 05-01 18:40:00"],
    ["h", 1, "05-01 18:00:00 - 05-01 19:00:00"],
    ["h", 4, "05-01 16:00:00 - 05-01 20:00:00"],
    ["d", 1, "05-01 00:00:00 - 05-02 00:00:00"],
    ["d", 3, "04-29 00:00:00 - 05-02 00:00:00"],
    ["w", 0, "04-27 00:00:00 - 05-04 00:00:00"],
    ["w", 6, "04-26 00:00:00 - 05-03 00:00:00"],
    ["w", -7, "04-27 00:00:00 - 05-04 00:00:00"],
    ["w", -1, "04-26 00:00:00 - 05-03 00:00:00"],
    ["w", 4, "05-01 00:00:00 - 05-08 00:00:00"],
    ["M", 0, "05-01 00:00:00 - 06-01 00:00:00"],
    ["M", 1, "04-02 00:00:00 - 05-02 00:00:00"],
    ["M", -1, "04-30 00:00:00 - 05-31 00:00:00"],
    ["M", -20, "04-11 00:00:00 - 05-12 00:00:00"],
    ["M", 19, "04-20 00:00:00 - 05-20 00:00:00"],
    ["y", 0, "01-01 00:00:00 - 01-01 00:00:00"],
    ["y", 199, "07-19 00:00:00 - 07-18 00:00:00"],
    ["y", -1, "12-31 00:00:00 - 12-31 00:00:00"],
  ])("with unit %s and value %d is %s", (unit, value, expected) => {
    expect(windowOf({ unit, value, zone: "+08:00" }, "2020-05-01T18:36:23.123+08:00")).toBe(expected);
  });

  test.each([
    { unit: "w", value: 7 },
    { unit: "w", value: -8 },
    { unit: "M", value: 20 },
    { unit: "M", value: -21 },
    { unit: "y", value: 200 },
    { unit: "y", value: -201 },
    { unit: "s", value: -1 },
    { unit: "d", value: 32_768 },
    { unit: "D" },
    { unit: "s", value: 1.5 },
    { zone: "Mars/Olympus" },
    { zone: "+25:00" },
    { on_para: "yes" },
    { on_para: true, time_part: -1 },
    { untit: "s" },
  ])("refuses %o", (settings) => {
    expect(() => timeRangeSettings(JSON.stringify(settings))).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });
});

describe("time_range on a calendar (D-30)", () => {
  const berlin = "Europe/Berlin";
  test.each<[string, object, string, string]>([
    [
      "gives the local day also between local midnight and that of UTC",
      { unit: "d", zone: "+08:00" },
      "2020-05-01T01:00:00+08:00",
      "05-01 00:00:00 - 05-02 00:00:00",
    ],
    [
      "gives a day of 23 hours when clocks go forward",
      { unit: "d", zone: berlin },
      "2024-03-31T12:00:00+02:00",
      "03-31 00:00:00 - 04-01 00:00:00",
    ],
    [
      "gives hours on the zone's clock",
      { unit: "h", value: 4, zone: "Asia/Kolkata" },
      "2024-06-01T18:36:00+05:30",
      "06-01 16:00:00 - 06-01 20:00:00",
    ],
    ["knows leap years", { unit: "y", value: 60 }, "2024-03-01T00:00:00Z", "03-01 00:00:00 - 03-02 00:00:00"],
    ["knows leap months", { unit: "M", value: -1 }, "2024-02-29T00:00:00Z", "02-29 00:00:00 - 03-31 00:00:00"],
    [
      "begins a day where there is no midnight with its first moment",
      { unit: "d", zone: "America/Sao_Paulo" },
      "2018-11-04T12:00:00-02:00",
      "11-04 01:00:00 - 11-05 00:00:00",
    ],
  ])("%s", (_what, settings, at, expected) => {
    expect(windowOf(settings, at)).toBe(expected);
  });

  test("gives one window of two hours for the hour that comes twice when clocks go back", () => {
    const settings = timeRangeSettings(JSON.stringify({ unit: "h", zone: berlin }));
    const beginMs = Date.UTC(2024, 9, 27, 0);
    const expected = { beginMs, endMs: beginMs + 7_200_000 };
    expect(windowAround(settings, Date.UTC(2024, 9, 27, 0, 30))).toEqual(expected);
    expect(windowAround(settings, Date.UTC(2024, 9, 27, 1, 30))).toEqual(expected);
  });
});

describe("a day that a zone leaps over", () => {
  test("is part of no window, and the windows on both sides meet at the leap", () => {
    // Samoa went from the end of 29 December 2011 to 31 December, at 10:00 UTC.
    const leapMs = Date.UTC(2011, 11, 30, 10);
    const settings = timeRangeSettings(JSON.stringify({ unit: "h", value: 7, zone: "Pacific/Apia" }));
    const after = windowAround(settings, leapMs);
    expect(after.beginMs).toBe(leapMs);
    expect(windowAround(settings, leapMs - 1).endMs).toBe(leapMs);
    expect(windowAround(settings, after.endMs).beginMs).toBe(after.endMs);
  });
});

const moment = fc.integer({ min: Date.UTC(1971, 0), max: Date.UTC(2036, 0) });
const SIZES_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

describe("any window of time", () => {
  test("in UTC is what plain arithmetic says", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(10 ** 13), max: 10 ** 13 }),
        fc.constantFrom("s", "m", "h", "d"),
        fc.nat(32_767),
        (atMs, unit, value) => {
          const sizeMs = SIZES_MS[unit] * Math.max(1, value);
          const beginMs = atMs - (((atMs % sizeMs) + sizeMs) % sizeMs);
          const settings = timeRangeSettings(JSON.stringify({ unit, value }));
          expect(windowAround(settings, atMs)).toEqual({ beginMs, endMs: beginMs + sizeMs });
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("in UTC begins on the day of week, month or year that is asked for, with a day that JavaScript's own calendar knows", () => {
    fc.assert(
      fc.property(
        moment,
        fc.integer({ min: -7, max: 6 }),
        fc.integer({ min: -20, max: 19 }),
        fc.integer({ min: -200, max: 199 }),
        (atMs, w, M, y) => {
          const begin = (unit: string, value: number): Date =>
            new Date(windowAround(timeRangeSettings(JSON.stringify({ unit, value })), atMs).beginMs);
          expect((begin("w", w).getUTCDay() + 6) % 7).toBe((w + 7) % 7);
          const month = new Date(begin("M", M).getTime() - M * SIZES_MS.d);
          expect(month.getUTCDate()).toBe(1);
          const year = new Date(begin("y", y).getTime() - y * SIZES_MS.d);
          expect([year.getUTCMonth(), year.getUTCDate()]).toEqual([0, 1]);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("of any unit, value and zone holds its moment, and the next one begins where it ends", () => {
    const zones = fc.constantFrom(
      "UTC",
      "+05:45",
      "Europe/Berlin",
      "America/Sao_Paulo",
      "Australia/Lord_Howe",
      "Asia/Kolkata",
      "Africa/Casablanca",
      "Pacific/Apia",
      "America/New_York",
    );
    const kinds = fc.oneof(
      fc.tuple(fc.constantFrom("s", "m", "h", "d"), fc.nat(100)),
      fc.tuple(fc.constant("w"), fc.integer({ min: -7, max: 6 })),
      fc.tuple(fc.constant("M"), fc.integer({ min: -20, max: 19 })),
      fc.tuple(fc.constant("y"), fc.integer({ min: -200, max: 199 })),
    );
    fc.assert(
      fc.property(moment, kinds, zones, (atMs, [unit, value], zone) => {
        const settings = timeRangeSettings(JSON.stringify({ unit, value, zone }));
        const { beginMs, endMs } = windowAround(settings, atMs);
        expect(beginMs).toBeLessThanOrEqual(atMs);
        expect(endMs).toBeGreaterThan(atMs);
        expect(windowAround(settings, beginMs)).toEqual({ beginMs, endMs });
        expect(windowAround(settings, endMs - 1)).toEqual({ beginMs, endMs });
        expect(windowAround(settings, endMs).beginMs).toBe(endMs);
        expect(windowAround(settings, beginMs - 1).endMs).toBe(beginMs);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("time_range", () => {
  const at = (from: Partial<Parameters<typeof instance>[0]>, settings: object) =>
    timeRange(request({ from: instance({ meta: "B:a:1", ...from }), settings: JSON.stringify(settings) }));

  test("makes one empty instance with begin and end in milliseconds as its para (D-17)", () => {
    expect(at({ createdMs: 1_588_329_383_123 }, {})).toEqual({
      type: "instances",
      instances: [{ para: "1588329383000/1588329384000" }],
    });
  });

  test("takes the time from a part of the para where it is asked to", () => {
    const settings = { unit: "m", on_para: true, time_part: 1 };
    expect(at({ para: "x/60000/y" }, settings)).toEqual({ type: "instances", instances: [{ para: "60000/120000" }] });
    for (const para of ["x", "x/", "x/y", "x/1e3"]) {
      expect(() => at({ para }, settings)).toThrow(expect.objectContaining({ code: "instance.invalid" }));
    }
    expect(() => at({ para: "x/9999999999999999" }, settings)).toThrow(expect.objectContaining({ code: "instance.invalid" }));
  });
});
