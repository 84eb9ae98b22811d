import { availableParallelism } from "node:os";
import { relative } from "node:path";
import { describe, expect, test } from "vitest";
import { OWN_LOCKFILE, parseFlags } from "../src/flags.ts";

describe("the command line", () => {
  test("audits this repository's lockfile on the usual port, with a process per processor, where nothing is said", () => {
    expect(parseFlags([])).toEqual({
      lockfile: relative(process.cwd(), OWN_LOCKFILE),
      data: ".metanode",
      port: undefined,
      totalsPort: 0,
      processes: Math.min(64, Math.max(2, availableParallelism())),
      reviewed: [],
      isOnce: false,
      isJson: false,
      isHelp: false,
    });
  });

  test("takes the lockfile and the flags in any order", () => {
    const flags = parseFlags([
      "--once",
      "shop/package-lock.json",
      "--port=0",
      "--data",
      "x",
      "--processes",
      "3",
      "--totals-port",
      "8081",
      "--json",
      "--reviewed=tool@1.0.0",
      "--reviewed",
      "@tea/cup@0.4.1",
    ]);
    expect(flags).toEqual({
      lockfile: "shop/package-lock.json",
      data: "x",
      port: 0,
      totalsPort: 8081,
      processes: 3,
      reviewed: ["tool@1.0.0", "@tea/cup@0.4.1"],
      isOnce: true,
      isJson: true,
      isHelp: false,
    });
  });

  test.each([
    ["'--nonsense'", ["--nonsense"]],
    ['--port is "99999", expected a whole number from 0 to 65535', ["--port", "99999"]],
    ['--port is ""', ["--port", ""]],
    ['--port is "1e3"', ["--port", "1e3"]],
    ['--totals-port is "x", expected a whole number from 0 to 65535', ["--totals-port", "x"]],
    ['--processes is "0", expected a whole number from 1 to 64', ["--processes", "0"]],
    ['--reviewed is "@tea/cup", expected name@version', ["--reviewed", "@tea/cup"]],
    ['--reviewed is "tool@", expected name@version', ["--reviewed", "tool@"]],
    ["'--data <value>' argument missing", ["--data"]],
    ["found 2 lockfiles (a.json, b.json), expected one", ["a.json", "b.json"]],
  ])("is refused with usage.invalid, which says %s", (text, args) => {
    const refusal = expect.objectContaining({ code: "usage.invalid", message: expect.stringContaining(text) });
    expect(() => parseFlags(args)).toThrow(refusal);
  });
});
