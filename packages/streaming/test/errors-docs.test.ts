import { readFileSync } from "node:fs";
import { errorTable } from "@metanode/core/errors";
import { describe, expect, test } from "vitest";
import "../src/errors.ts";

/** The rows of docs/errors.md whose code is one of streaming. */
const documented = new Map(
  readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8")
    .split("\n")
    .flatMap((line): [string, string[]][] => {
      const match = /^\| `(stream\.[^`]+)` \|(.*)\|$/.exec(line);
      return match === null ? [] : [[match[1] ?? "", (match[2] ?? "").split("|").map((cell) => cell.trim())]];
    }),
);
const ours = [...errorTable()].filter(([code]) => code.startsWith("stream."));

describe("docs/errors.md", () => {
  test("has one row for each code of streaming, and none that does not exist", () => {
    expect([...documented.keys()].sort()).toEqual(ours.map(([code]) => code).sort());
  });

  test.each(ours)("says of %s what the table in the code says", (code, row) => {
    const [http, grpc, exit, retry, meaning, remedy] = documented.get(code) ?? [];
    expect([http, grpc?.split(" ")[0], exit, retry, meaning]).toEqual([
      String(row.http),
      String(row.grpc),
      String(row.exit),
      row.retryable ? "yes" : "no",
      row.meaning,
    ]);
    expect(remedy).toMatch(/^[A-Z].*\.$/);
  });
});
