import { readFileSync } from "node:fs";
import { errorTable } from "@metanode/core/errors";
import { describe, expect, test } from "vitest";
import "../src/errors.ts";

/** The areas that the codes of workflows stand in. */
const AREA = /^(meta|relation|instance|task|executor|store)\./;

/** The rows of docs/errors.md whose code is one of workflows, in order. */
const documented = new Map(
  readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8")
    .split("\n")
    .flatMap((line): [string, string[]][] => {
      const [, code = "", cells = ""] = /^\| `([^`]+)` \|(.*)\|$/.exec(line) ?? [];
      return AREA.test(code) ? [[code, cells.split("|").map((cell) => cell.trim())]] : [];
    }),
);
const ours = [...errorTable()].filter(([code]) => AREA.test(code));

describe("docs/errors.md", () => {
  test("has one row for each code of workflows, in the order of the code, and none that does not exist", () => {
    expect([...documented.keys()]).toEqual(ours.map(([code]) => code));
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
