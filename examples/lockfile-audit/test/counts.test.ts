import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import semver from "semver";
import { describe, expect, test } from "vitest";
import { OWN_LOCKFILE } from "../src/flags.ts";
import type { Inspection } from "../src/inspect.ts";
import type { Counts } from "../src/report.ts";
import { fixture, run, temporaryFolder } from "./command.ts";

const files = {
  "this repository": OWN_LOCKFILE,
  "the fixture of version 2": fixture("v2"),
  "the fixture of version 3": fixture("v3"),
};

interface Entry {
  name?: string;
  version?: string;
  link?: boolean;
  license?: unknown;
  integrity?: string;
  inBundle?: boolean;
  hasInstallScript?: boolean;
  engines?: { node?: string } | string[];
}

/** What ten lines of plain JavaScript say of a lockfile. */
function plainCounts(file: string) {
  const all = Object.entries(JSON.parse(readFileSync(file, "utf8")).packages as Record<string, Entry>);
  const packages = all.filter(([path, entry]) => path.includes("node_modules/") && !entry.link);
  const versions = Object.groupBy(packages, ([path, { name }]) => name ?? path.split("node_modules/").at(-1) ?? "");
  const nodeRange = ({ engines = {} }: Entry) => (Array.isArray(engines) ? engines.join().replace("node ", "") : engines.node);
  const count = (test: (entry: Entry) => unknown) => packages.filter(([, entry]) => test(entry)).length;
  return {
    packages: packages.length,
    installScripts: count((one) => one.hasInstallScript),
    missing: count((one) => !one.license),
    sha512: count((one) => /^sha512-\S+$/.test(one.integrity ?? "")),
    sha1: count((one) => /^sha1-\S+$/.test(one.integrity ?? "")),
    several: count((one) => /\s/.test(one.integrity ?? "")),
    none: count((one) => !one.integrity && !one.inBundle),
    enginesExcluded: count((one) => !semver.satisfies(process.version, nodeRange(one) ?? "*")),
    duplicatedNames: Object.values(versions).filter((some) => new Set(some?.map(([, { version }]) => version)).size > 1).length,
    expressions: Object.entries(Object.groupBy(packages, ([, { license }]) => [license ?? null].flat().join(" or "))).map(
      ([expression, some]) => [expression, some?.length],
    ),
  };
}

/** The same of an audit. */
function auditedCounts({ counts, packages }: { counts: Counts; packages: readonly Inspection[] }) {
  const { licenses, integrity } = counts;
  return {
    packages: counts.packages,
    installScripts: counts.installScripts,
    missing: licenses.missing ?? 0,
    sha512: integrity.sha512 ?? 0,
    sha1: integrity.sha1 ?? 0,
    several: integrity.several ?? 0,
    none: integrity.none ?? 0,
    enginesExcluded: counts.enginesExcluded,
    duplicatedNames: counts.duplicatedNames,
    expressions: Object.entries(Object.groupBy(packages, ({ license }) => license.expression ?? "")).map(([expression, some]) => [
      expression,
      some?.length,
    ]),
  };
}

const audits = new Map<string, Promise<{ counts: Counts; packages: Inspection[] }>>();

/** What the command says of a lockfile; asked once per file. */
function auditOf(file: string): Promise<{ counts: Counts; packages: Inspection[] }> {
  const known = audits.get(file) ?? runAudit(file);
  audits.set(file, known);
  return known;
}

async function runAudit(file: string): Promise<{ counts: Counts; packages: Inspection[] }> {
  const { status, stdout, stderr } = await run("--once", "--json", "--port", "0", "--data", temporaryFolder(), file);
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

const INSTALLED = `[.packages | to_entries[] | select((.key | contains("node_modules/")) and (.value.link | not))]`;
const NAMES = `map({ name: (.value.name // (.key | split("node_modules/") | last)), version: .value.version })`;
const jqPrograms = {
  packages: `${INSTALLED} | length`,
  installScripts: `${INSTALLED} | map(select(.value.hasInstallScript)) | length`,
  missing: `${INSTALLED} | map(select(.value.license | not)) | length`,
  sha512: `${INSTALLED} | map(select(.value.integrity // "" | test("^sha512-[^ ]+$"))) | length`,
  sha1: `${INSTALLED} | map(select(.value.integrity // "" | test("^sha1-[^ ]+$"))) | length`,
  none: `${INSTALLED} | map(select((.value.integrity | not) and (.value.inBundle | not))) | length`,
  duplicatedNames: `${INSTALLED} | ${NAMES} | unique | group_by(.name) | map(select(length > 1)) | length`,
} as const;

function hasJq(): boolean {
  try {
    return execFileSync("jq", ["--version"]).length > 0;
  } catch {
    return false;
  }
}

describe.each(Object.entries(files))("the counts for %s", (_name, file) => {
  test("are those of a ten-line script", async () => {
    const audited = auditedCounts(await auditOf(file));
    const plain = plainCounts(file);
    expect(plain.packages).toBeGreaterThan(0);
    expect({ ...audited, expressions: new Map(audited.expressions as []) }).toEqual({
      ...plain,
      expressions: new Map(plain.expressions as []),
    });
  });

  test.skipIf(!hasJq())("are those of jq, where it is installed", async () => {
    const audited = auditedCounts(await auditOf(file));
    for (const [count, program] of Object.entries(jqPrograms)) {
      const said = Number(execFileSync("jq", [program, file], { encoding: "utf8" }));
      expect({ [count]: audited[count as keyof typeof jqPrograms] }).toEqual({ [count]: said });
    }
  });
});

describe("the counts for the fixtures", () => {
  test("are those counted by hand", async () => {
    const [v2, v3] = await Promise.all([auditOf(fixture("v2")), auditOf(fixture("v3"))]);
    expect(v2.counts).toEqual({
      packages: 5,
      links: 0,
      localFolders: 1,
      errors: 0,
      licenses: { missing: 2, permissive: 2, strong_copyleft: 1 },
      installScripts: 1,
      integrity: { sha1: 2, sha512: 3 },
      enginesExcluded: 1,
      duplicatedNames: 1,
    });
    expect(v3.counts).toEqual({
      packages: 13,
      links: 1,
      localFolders: 2,
      errors: 0,
      licenses: { missing: 2, permissive: 6, strong_copyleft: 1, unknown: 1, weak_copyleft: 3 },
      installScripts: 2,
      integrity: { none: 1, not_needed: 1, several: 1, sha1: 2, sha512: 8 },
      enginesExcluded: 1,
      duplicatedNames: 2,
    });
  });
});
