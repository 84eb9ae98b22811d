import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CronTimes } from "../../src/cron/times.ts";

const code = (value: string, text: RegExp) => expect.objectContaining({ code: value, message: expect.stringMatching(text) });
const DAY_MS = 86_400_000;

/** The times of a text from a day on, as ISO texts. */
function times(text: string, since: string, limit: number, zone = "UTC"): string[] {
  const sinceMs = Date.parse(`${since}Z`);
  return new CronTimes(text, zone)
    .between(sinceMs, sinceMs + 1_000 * DAY_MS, limit)
    .map((ms) => new Date(ms).toISOString().slice(0, 16));
}

describe("the times of a cron job", () => {
  test.each([
    ["0 12 * * *", "2026-01-01", ["2026-01-01T12:00", "2026-01-02T12:00"]],
    ["0,30 1-2 * * *", "2026-01-01", ["2026-01-01T01:00", "2026-01-01T01:30", "2026-01-01T02:00", "2026-01-01T02:30"]],
    ["*/20 3 * * *", "2026-01-01", ["2026-01-01T03:00", "2026-01-01T03:20", "2026-01-01T03:40", "2026-01-02T03:00"]],
    ["10-20/5 3 * * *", "2026-01-01", ["2026-01-01T03:10", "2026-01-01T03:15", "2026-01-01T03:20", "2026-01-02T03:10"]],
    ["0 0 L * *", "2026-01-01", ["2026-01-31T00:00", "2026-02-28T00:00", "2026-03-31T00:00"]],
    ["0 0 L 2 *", "2027-01-01", ["2027-02-28T00:00", "2028-02-29T00:00"]],
    ["0 0 * * 5#2", "2026-01-01", ["2026-01-09T00:00", "2026-02-13T00:00", "2026-03-13T00:00"]],
    ["0 0 * * 1L", "2026-01-01", ["2026-01-26T00:00", "2026-02-23T00:00", "2026-03-30T00:00"]],
    ["0 0 * * 7", "2026-01-01", ["2026-01-04T00:00", "2026-01-11T00:00"]],
    ["0 0 * * 6-7", "2026-01-01", ["2026-01-03T00:00", "2026-01-04T00:00", "2026-01-10T00:00"]],
    ["0 0 1 */4 *", "2026-01-02", ["2026-05-01T00:00", "2026-09-01T00:00", "2027-01-01T00:00"]],
    ["5  0 1\t2,3 *", "2026-01-01", ["2026-02-01T00:05", "2026-03-01T00:05", "2027-02-01T00:05"]],
  ])("%s are what they say (113)", (text, since, expected) => {
    expect(times(text, since, expected.length)).toEqual(expected);
  });

  test("with a day and a weekday come on either (113)", () => {
    const expected = ["2026-01-02T00:00", "2026-01-09T00:00", "2026-01-13T00:00", "2026-01-16T00:00"];
    expect(times("0 0 13 * 5", "2026-01-01", 4)).toEqual(expected);
  });

  test.each([
    ["@hourly", ["2026-01-01T00:01", "2026-01-01T01:01"]],
    ["@daily", ["2026-01-01T03:10", "2026-01-02T03:10"]],
    ["@weekly", ["2026-01-05T05:30", "2026-01-12T05:30"]],
    ["@monthly", ["2026-01-01T04:20", "2026-02-01T04:20"]],
  ])("%s are off the hour (113)", (text, expected) => {
    expect(times(text, "2026-01-01", 2)).toEqual(expected);
  });

  test.each([
    ["* * * * 0", /0 as its weekday, expected 1 to 7/],
    ["* * * * 8", /8 as its weekday/],
    ["* * * * 5#6", /"5#6" as its weekday/],
    ["* * * * 0L", /"0L" as its weekday/],
    ["* * * * */2", /the step \*\/2 as its weekday, which takes none/],
    ["* * * * MON", /"MON" as its weekday/],
    ["* * * 1-6/2 *", /the range 1-6\/2 as its month, which takes no range with a step/],
    ["* * * 13 *", /13 as its month/],
    ["* * 0 * *", /0 as its day/],
    ["* * 32 * *", /32 as its day/],
    ["* * 1-L * *", /"1-L" as its day/],
    ["* * LW * *", /"LW" as its day/],
    ["* 24 * * *", /24 as its hour, expected 0 to 23/],
    ["60 * * * *", /60 as its minute/],
    ["1,* * * * *", /\* beside others as its minute, where it stands alone/],
    ["*/0 * * * *", /a step of 0 as its minute, expected 1 to 60/],
    ["*/61 * * * *", /a step of 61/],
    ["30-10 * * * *", /the range 30-10 as its minute, which goes backwards/],
    ["5/5 * * * *", /"5\/5" as its minute/],
    ["1,,2 * * * *", /"" as its minute/],
    ["-1 * * * *", /"-1" as its minute/],
    ["? * * * *", /"\?" as its minute/],
    ["* * * *", /has 4 parts, expected minute, hour, day, month and weekday/],
    ["0 * * * * *", /has 6 parts/],
    ["@yearly", /has 1 parts.*@hourly, @daily/],
    ["", /has 1 parts/],
  ])("%j are refused, and the message says why (113)", (text, message) => {
    expect(() => new CronTimes(text, "UTC")).toThrow(code("actor.cron_spec", message));
  });

  test("in a zone that does not exist are refused, and without one are those of the machine", () => {
    expect(() => new CronTimes("* * * * *", "Europe/Atlantis")).toThrow(code("actor.cron_spec", /Europe\/Atlantis/));
    expect(new CronTimes("* * * * *").timeZone).toBe(Intl.DateTimeFormat().resolvedOptions().timeZone);
  });

  test("that never come are none", () => {
    expect(new CronTimes("0 0 30 2 *", "UTC").next(0)).toBeUndefined();
  });
});

describe("when the clocks go forward", () => {
  test("a time that is left out comes right after the gap, once", () => {
    const expected = ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"];
    expect(times("30 2 * * *", "2026-03-28", 3, "Europe/Berlin")).toEqual(expected);
    expect(times("0,30 2,3 29 3 *", "2026-03-28", 3, "Europe/Berlin")).toEqual([
      "2026-03-29T01:00",
      "2026-03-29T01:30",
      "2027-03-29T00:00",
    ]);
  });

  test("a job with a star or a step leaves out what does not come", () => {
    expect(times("*/30 * * * *", "2026-03-29T00:00", 4, "Europe/Berlin")).toEqual([
      "2026-03-29T00:00",
      "2026-03-29T00:30",
      "2026-03-29T01:00",
      "2026-03-29T01:30",
    ]);
    expect(times("30 */2 * * *", "2026-03-29T00:00", 2, "Europe/Berlin")).toEqual(["2026-03-29T02:30", "2026-03-29T04:30"]);
  });
});

describe("when the clocks go back", () => {
  test("a time that comes twice is that of its first coming", () => {
    const expected = ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"];
    expect(times("30 2 * * *", "2026-10-24", 3, "Europe/Berlin")).toEqual(expected);
  });

  test("a job with a star or a step has both comings", () => {
    const expected = ["2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30", "2026-10-25T02:00"];
    expect(times("*/30 * * * *", "2026-10-25T00:00", 5, "Europe/Berlin")).toEqual(expected);
  });
});

/** One part of a random text, with what it matches, by our own reading. */
interface RandomPart {
  readonly text: string;
  readonly matches: (value: number, day: Day) => boolean;
}

interface Day {
  readonly day: number;
  readonly lastDay: number;
}

const plain = (min: number, max: number, hasRangeStep: boolean) => {
  const one = fc.integer({ min, max }).map((n): RandomPart => ({ text: `${n}`, matches: (value) => value === n }));
  const range = fc
    .tuple(fc.integer({ min, max }), fc.integer({ min, max }), fc.integer({ min: 1, max: 7 }))
    .map(([a, b, step]): RandomPart => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      const by = hasRangeStep ? step : 1;
      const isIn = (value: number) => value >= from && value <= to && (value - from) % by === 0;
      return { text: by === 1 ? `${from}-${to}` : `${from}-${to}/${by}`, matches: isIn };
    });
  return fc.oneof(one, range);
};

const step = (min: number, max: number) =>
  fc
    .integer({ min: 1, max: Math.min(15, max - min + 1) })
    .map((n): RandomPart => ({ text: `*/${n}`, matches: (value) => (value - min) % n === 0 }));

const star: RandomPart = { text: "*", matches: () => true };

/** A star, `starWeight` times as often as a list of what `item` gives. */
const part = (item: fc.Arbitrary<RandomPart>, starWeight: number) =>
  fc.oneof(
    { weight: starWeight, arbitrary: fc.constant(star) },
    {
      weight: 1,
      arbitrary: fc.array(item, { minLength: 1, maxLength: 3 }).map(
        (items): RandomPart => ({
          text: items.map(({ text }) => text).join(","),
          matches: (value, day) => items.some(({ matches }) => matches(value, day)),
        }),
      ),
    },
  );

const last: RandomPart = { text: "L", matches: (_value, { day, lastDay }) => day === lastDay };
const weekdays = fc.oneof(
  plain(1, 7, false),
  fc
    .integer({ min: 1, max: 7 })
    .map((d): RandomPart => ({ text: `${d}L`, matches: (v, { day, lastDay }) => v === d && day > lastDay - 7 })),
  fc
    .tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 5 }))
    .map(([d, n]): RandomPart => ({ text: `${d}#${n}`, matches: (v, { day }) => v === d && Math.ceil(day / 7) === n })),
);

// Minutes and hours given outright are what a change of the clocks treats on their own: half of all are.
const texts = fc.tuple(
  part(
    fc.oneof({ weight: 3, arbitrary: plain(0, 59, false) }, { weight: 1, arbitrary: fc.oneof(plain(0, 59, true), step(0, 59)) }),
    0,
  ),
  fc.oneof(
    { weight: 3, arbitrary: part(plain(0, 3, false), 0) },
    { weight: 1, arbitrary: part(fc.oneof(plain(0, 23, true), step(0, 23)), 1) },
  ),
  part(fc.oneof(plain(1, 31, true), step(1, 31), fc.constant(last)), 2),
  part(fc.oneof(plain(1, 12, false), step(1, 12)), 4),
  part(weekdays, 2),
);

/** Zones, and moments near to which their clocks change, some of them by other than an hour or at midnight. */
const places = fc.constantFrom(
  ["UTC", "2026-02-28T12:00Z"],
  ["Europe/Berlin", "2026-03-29T01:00Z"],
  ["Europe/Berlin", "2026-10-25T01:00Z"],
  ["America/New_York", "2026-03-08T07:00Z"],
  ["America/New_York", "2026-11-01T06:00Z"],
  ["Australia/Lord_Howe", "2026-04-04T15:00Z"],
  ["Australia/Lord_Howe", "2026-10-03T15:30Z"],
  ["Africa/Cairo", "2026-04-23T22:00Z"],
  ["Africa/Cairo", "2026-10-29T21:00Z"],
  ["America/Santiago", "2026-09-06T04:00Z"],
  ["Asia/Kathmandu", "2027-12-31T18:15Z"],
);

interface Local {
  readonly minute: number;
  readonly hour: number;
  readonly day: number;
  readonly month: number;
  readonly weekday: number;
  readonly lastDay: number;
  /** Minutes since the epoch, as if the clock on the wall were in UTC. */
  readonly wall: number;
}

/** What a clock on the wall shows, by the calendar of `Intl`. */
function wallClock(zone: string): (ms: number) => number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
  });
  return (ms) => {
    const [month = 0, day = 0, year = 0, hour = 0, minute = 0] = format.format(ms).match(/\d+/g)?.map(Number) ?? [];
    return Date.UTC(year, month - 1, day, hour, minute) / 60_000;
  };
}

function fieldsOf(wall: number): Local {
  const date = new Date(wall * 60_000);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return {
    minute: date.getUTCMinutes(),
    hour: date.getUTCHours(),
    day: date.getUTCDate(),
    month: month + 1,
    weekday: date.getUTCDay() || 7,
    lastDay: new Date(Date.UTC(year, month + 1, 0)).getUTCDate(),
    wall,
  };
}

describe("any times in any zone", () => {
  test("are those of a reader that looks at every minute (113)", () => {
    fc.assert(
      fc.property(texts, places, fc.integer({ min: -1_400, max: 60 }), (parts, [zone, moment], offset) => {
        const [minute, hour, day, month, weekday] = parts;
        const matches = (at: Local): boolean => {
          if (!minute.matches(at.minute, at) || !hour.matches(at.hour, at) || !month.matches(at.month, at)) return false;
          if (day.text === "*" || weekday.text === "*") return day.matches(at.day, at) && weekday.matches(at.weekday, at);
          return day.matches(at.day, at) || weekday.matches(at.weekday, at);
        };
        const isOutright = [minute, hour].every(({ text }) => !/[*/]/.test(text));
        const text = parts.map((given) => given.text).join(" ");
        const sinceMs = Date.parse(moment as string) + offset * 60_000;
        const untilMs = sinceMs + 1.5 * DAY_MS;
        const clock = wallClock(zone as string);

        const expected: number[] = [];
        // From some hours before, so that a first coming is known of.
        const seen = new Set<number>();
        const fromMs = sinceMs - 4 * 3_600_000;
        let before = clock(fromMs - 60_000);
        for (let ms = fromMs; ms < untilMs; ms += 60_000) {
          const wall = clock(ms);
          const left: Local[] = [];
          for (let gone = before + 1; gone < wall; gone++) left.push(fieldsOf(gone));
          const isRepeated = isOutright && seen.has(wall);
          const isDue = (matches(fieldsOf(wall)) && !isRepeated) || (isOutright && left.some(matches));
          if (isDue && ms >= sinceMs) expected.push(ms);
          seen.add(wall);
          before = wall;
        }
        const found = new CronTimes(text, zone).between(sinceMs, untilMs, 10_000);
        expect(found.map((ms) => new Date(ms).toISOString())).toEqual(expected.map((ms) => new Date(ms).toISOString()));
      }),
      { numRuns: 120 },
    );
  }, 60_000);
});
