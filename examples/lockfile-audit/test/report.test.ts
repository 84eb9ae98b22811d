import { describe, expect, test } from "vitest";
import type { Audit } from "../src/audit.ts";
import { findDuplicates, inspectPackage } from "../src/inspect.ts";
import { parseLockfile } from "../src/lockfile.ts";
import { renderText } from "../src/report.ts";

/** What an audit would find, without a node. */
function auditOf(packages: Record<string, object>): Audit {
  const lockfile = parseLockfile(JSON.stringify({ lockfileVersion: 3, packages }), "package-lock.json");
  const node = "v26.10.0";
  const inspections = lockfile.packages.map(({ path, name, entry }) =>
    inspectPackage({ path, name, node, entry: entry as object }),
  );
  const findings = inspections.flatMap((one) => one.findings);
  return { lockfile, node, inspections, duplicates: findDuplicates(inspections), findings, resent: 0 };
}

const rowsOf = (audit: Audit): string[] => renderText(audit).split("\n\n")[0]?.split("\n").slice(2) ?? [];
const sound = { license: "MIT", inBundle: true };

describe("the table of findings", () => {
  test("has one row for all packages where the lockfile has no licences at all", () => {
    const audit = auditOf({
      "node_modules/a": { version: "1.0.0", inBundle: true, hasInstallScript: true },
      "node_modules/b": { version: "1.0.0", inBundle: true },
    });
    expect(rowsOf(audit)).toEqual([
      expect.stringMatching(/^license +all 2 +licence missing from the lockfile; /),
      expect.stringMatching(/^install script +a +1\.0\.0 /),
    ]);
  });

  test("has a row for each package where only some have no licence", () => {
    const audit = auditOf({
      "node_modules/a": { inBundle: true },
      "node_modules/b": { inBundle: true },
      "node_modules/c": sound,
    });
    expect(rowsOf(audit)).toEqual([expect.stringMatching(/^license +a /), expect.stringMatching(/^license +b /)]);
  });

  test("has one row for a package that is installed in several places", () => {
    const script = { ...sound, version: "1.0.0", hasInstallScript: true };
    expect(rowsOf(auditOf({ "node_modules/a": script, "node_modules/b/node_modules/a": script }))).toEqual([
      expect.stringMatching(/^install script +a +1\.0\.0 +runs a script when it is installed \(in 2 places\)$/),
    ]);
  });

  test("is sorted by kind, then name, then version", () => {
    const script = (version: string, more: object = {}) => ({ ...sound, version, hasInstallScript: true, ...more });
    const audit = auditOf({
      "node_modules/b": script("10.0.0"),
      "node_modules/c/node_modules/b": script("9.0.0"),
      "node_modules/a": script("1.0.0", { license: "GPL-3.0-only" }),
    });
    expect(rowsOf(audit).map((row) => row.split(/ {2,}/).slice(0, 3))).toEqual([
      ["license", "a", "1.0.0"],
      ["install script", "a", "1.0.0"],
      ["install script", "b", "9.0.0"],
      ["install script", "b", "10.0.0"],
    ]);
  });
});
