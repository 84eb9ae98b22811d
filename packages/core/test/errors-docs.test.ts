import { readFileSync } from "node:fs";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { codeOf, errorTable } from "../src/errors.ts";

interface DocumentedRow {
  readonly http: number;
  readonly grpc: string;
  readonly exit: number;
  readonly retryable: boolean;
  readonly meaning: string;
  readonly remedy: string;
}

/** The rows of docs/errors.md, in order. */
function documentedRows(): [code: string, row: DocumentedRow][] {
  const text = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
  return text.split("\n").flatMap((line): [string, DocumentedRow][] => {
    const match = /^\| `([^`]+)` \|(.*)\|$/.exec(line);
    if (match === null) return [];
    const [http = "", grpc = "", exit = "", retry = "", meaning = "", remedy = "", ...more] = (match[2] ?? "")
      .split("|")
      .map((cell) => cell.trim());
    if (more.length > 0 || !["yes", "no"].includes(retry)) throw new Error(`not a row of the table of errors: ${line}`);
    const row = { http: Number(http), grpc, exit: Number(exit), retryable: retry === "yes", meaning, remedy };
    return [[match[1] ?? "", row]];
  });
}

/** Other packages look after the areas of their own. */
const areaOf = (code: string): string => code.slice(0, code.indexOf("."));
const areas = new Set([...errorTable().keys()].map(areaOf));
const documented = documentedRows().filter(([code]) => areas.has(areaOf(code)));

describe("docs/errors.md", () => {
  test("has one row for each code, and no code that does not exist", () => {
    expect(documented.map(([code]) => code).sort()).toEqual([...errorTable().keys()].sort());
  });

  test.each([...errorTable()])("says of %s what the table in the code says", (code, row) => {
    const found = documented.find(([name]) => name === code)?.[1];
    expect(found).toEqual({
      http: row.http,
      grpc: `${row.grpc} ${status[row.grpc]}`,
      exit: row.exit,
      retryable: row.retryable,
      meaning: row.meaning,
      remedy: expect.stringMatching(/^[A-Z].*\.$/),
    });
  });
});

describe("the table of errors", () => {
  test.each([...errorTable()])("gives %s a status that each face knows", (code, row) => {
    expect(codeOf({ code })).toBe(code);
    expect(row.http).toBeGreaterThanOrEqual(400);
    expect(row.http).toBeLessThan(600);
    expect(status[row.grpc]).toBeTypeOf("string");
    expect(row.exit).toBeGreaterThanOrEqual(1);
    expect(row.exit).toBeLessThanOrEqual(9);
  });

  test("says the same about a retry as gRPC's UNAVAILABLE, which clients retry by themselves", () => {
    const unavailable = [...errorTable()].filter(([, row]) => row.grpc === status.UNAVAILABLE);
    expect(unavailable.filter(([, row]) => !row.retryable)).toEqual([]);
  });
});
