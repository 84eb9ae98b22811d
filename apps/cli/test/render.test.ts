import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatBytes, formatDuration, parseBytes, parseDuration } from "../src/duration.ts";
import { renderTable } from "../src/output/table.ts";
import { displayWidth, oneLine, truncate } from "../src/output/width.ts";

const columns = [
  { title: "NAME", value: (row: readonly [string, number]) => row[0] },
  { title: "COUNT", value: (row: readonly [string, number]) => row[1], align: "right" as const },
  { title: "AGAIN", value: (row: readonly [string, number]) => row[0] },
];

describe("a table", () => {
  test("stands in columns, whatever the width of the letters", () => {
    expect(
      renderTable(
        [
          ["tea", 7],
          ["茶", 1_000],
        ],
        columns,
      ),
    ).toBe(["NAME  COUNT  AGAIN", "tea       7  tea", "茶     1000  茶"].join("\n"));
  });

  test("is never wider than the terminal, as long as numbers and the least of each word fit", () => {
    const rows = fc.array(fc.tuple(fc.string({ unit: "grapheme", maxLength: 60 }), fc.nat({ max: 999_999 })), {
      minLength: 1,
      maxLength: 5,
    });
    fc.assert(
      fc.property(rows, fc.integer({ min: 24, max: 100 }), (given, width) => {
        for (const line of renderTable(given, columns, { columns: width }).split("\n"))
          expect(displayWidth(line)).toBeLessThanOrEqual(width);
      }),
    );
  });

  test("never cuts a number", () => {
    expect(renderTable([["a long name, longer than that", 123_456_789]], columns, { columns: 10 })).toContain("123456789");
  });

  test("has one line per row, whatever stands in the cells", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ unit: "binary" }), fc.nat())), (given) => {
        expect(renderTable(given, columns).split("\n")).toHaveLength(given.length + 1);
      }),
    );
  });

  test("is not cut where there is no terminal", () => {
    const long = "x".repeat(500);
    expect(renderTable([[long, 1]], columns)).toContain(long);
  });
});

describe("a text for a terminal", () => {
  test("is cut to its columns, with a sign that it was", () => {
    expect(truncate("a longer text", 8)).toBe("a longe…");
    expect(truncate("茶茶茶", 4)).toBe("茶…");
    expect(truncate("short", 5)).toBe("short");
  });

  test("holds no control characters and no escape sequences", () => {
    expect(oneLine("a\u001b[31mred\u001b[0m\r\nb\u0007")).toBe("ared b ");
  });
});

describe("durations and sizes", () => {
  test("are read with their units", () => {
    expect([parseDuration("500ms"), parseDuration("5s"), parseDuration("1m30s"), parseDuration("1.5h")]).toEqual([
      500, 5_000, 90_000, 5_400_000,
    ]);
    expect([parseBytes("1024"), parseBytes("512MiB"), parseBytes("1GB")]).toEqual([1_024, 536_870_912, 1_000_000_000]);
  });

  test.each(["", "5", "5 s", "s", "-5s", "5sx", "1e3s"])("are refused as %j", (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: "usage.invalid" }));
  });

  test("are written in the units that people read", () => {
    expect([850, 12_000, 200_000, 3_600_000, 446_400_000].map(formatDuration)).toEqual(["850ms", "12s", "3m 20s", "1h", "5d 4h"]);
    expect([12, 2_048, 88_289_280].map(formatBytes)).toEqual(["12 B", "2.0 KiB", "84.2 MiB"]);
  });
});
