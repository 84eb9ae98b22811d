import type { Audit } from "./audit.ts";
import { FINDING_KINDS, type Finding, words } from "./finding.ts";
import type { StateCounts } from "./ledger.ts";
import { compareNames, compareVersions } from "./order.ts";

/** The counts of an audit. Every one can be checked against the lockfile with a line of `jq`. */
export interface Counts {
  /** All that were audited, those that ended in an error included. */
  readonly packages: number;
  readonly links: number;
  readonly localFolders: number;
  readonly errors: number;
  /** By kind; kinds that do not occur are left out, here and below. */
  readonly licenses: Readonly<Record<string, number>>;
  readonly installScripts: number;
  readonly integrity: Readonly<Record<string, number>>;
  /** Packages whose engines exclude this Node. */
  readonly enginesExcluded: number;
  /** Names that occur in several versions. */
  readonly duplicatedNames: number;
}

/** Counts what an audit found. */
export function countsOf({ lockfile, inspections, duplicates, findings }: Audit): Counts {
  return {
    packages: lockfile.packages.length,
    links: lockfile.links,
    localFolders: lockfile.localFolders,
    errors: findings.filter(({ kind }) => kind === "error").length,
    licenses: tally(inspections.map(({ license }) => license.kind)),
    installScripts: inspections.filter(({ hasInstallScript }) => hasInstallScript).length,
    integrity: tally(inspections.map(({ integrity }) => integrity)),
    enginesExcluded: inspections.filter(({ engines }) => engines.excludesNode).length,
    duplicatedNames: duplicates.length,
  };
}

/** The whole audit as one JSON object, for programs. Ends with a line feed. @param states – where the packages stand, if that is known */
export function renderJson(audit: Audit, states?: StateCounts): string {
  const { lockfile, node, findings, duplicates, inspections } = audit;
  const { file, lockfileVersion } = lockfile;
  const packages = inspections.map(({ findings: _findings, ...facts }) => facts);
  const workflow = states ?? null;
  const counts = countsOf(audit);
  return `${JSON.stringify({ file, lockfileVersion, node, counts, workflow, findings, duplicates, packages }, null, 2)}\n`;
}

/** The findings as a table and the counts below it, for people. Ends with a line feed. @param states – as for {@link renderJson} */
export function renderText(audit: Audit, states?: StateCounts): string {
  const rows = hasNoLicenses(audit)
    ? [noLicensesRow(audit), ...rowsOf(audit.findings.filter(isNotLicense))]
    : rowsOf(audit.findings);
  const table = rows.length === 0 ? "nothing found\n" : renderTable(["finding", "package", "version", "what"], rows);
  return `${table}\n${renderSummary(audit, states)}`;
}

/** Many lockfiles have no licences at all; a row for each package would hide all that there is to see. */
function hasNoLicenses({ inspections }: Audit): boolean {
  return inspections.length > 1 && inspections.every(({ license }) => license.kind === "missing");
}

function noLicensesRow({ inspections }: Audit): string[] {
  return [
    "license",
    `all ${inspections.length}`,
    "",
    "licence missing from the lockfile; a newer npm writes licences into new ones",
  ];
}

function isNotLicense({ kind }: Finding): boolean {
  return kind !== "license";
}

/** A package that is installed in several places is one row. */
function rowsOf(findings: readonly Finding[]): string[][] {
  const places = new Map<string, { finding: Finding; count: number }>();
  for (const finding of findings) {
    const key = JSON.stringify([finding.kind, finding.name, finding.version, finding.text]);
    const known = places.get(key);
    if (known) known.count++;
    else places.set(key, { finding, count: 1 });
  }
  return [...places.values()]
    .sort((a, b) => compareFindings(a.finding, b.finding))
    .map(({ finding: { kind, name, version, text }, count }) => [
      words(kind),
      name,
      version,
      count === 1 ? text : `${text} (in ${count} places)`,
    ]);
}

function compareFindings(a: Finding, b: Finding): number {
  return (
    FINDING_KINDS.indexOf(a.kind) - FINDING_KINDS.indexOf(b.kind) ||
    compareNames(a.name, b.name) ||
    compareVersions(a.version, b.version)
  );
}

/** Columns as wide as their widest cell; the last one runs free. */
function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, head.map((title) => "-".repeat(title.length)), ...rows].map((row) => row.map(printable));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return `${cells.map((row) => line(row).trimEnd()).join("\n")}\n`;
}

function renderSummary(audit: Audit, states?: StateCounts): string {
  const { lockfile, node, resent } = audit;
  const counts = countsOf(audit);
  const lines = [
    ["lockfile", `${lockfile.file} (version ${lockfile.lockfileVersion})`],
    ["packages", `${counts.packages}${besides(counts)}`],
    ["licences", list(counts.licenses)],
    ["install scripts", String(counts.installScripts)],
    ["integrity", list(counts.integrity)],
    ["engines", `${counts.enginesExcluded} exclude Node ${node}`],
    ["duplicates", `${counts.duplicatedNames} names in several versions`],
    ...(states === undefined ? [] : [["workflow", list(states)]]),
    ...(counts.errors > 0 ? [["errors", `${counts.errors} packages could not be inspected`]] : []),
    ...(resent > 0 ? [["sent again", `${resent} messages, because a process was lost or busy`]] : []),
  ];
  return lines.map(([title = "", text = ""]) => `${title.padEnd(16)}${printable(text)}\n`).join("");
}

function besides({ links, localFolders }: Counts): string {
  return links + localFolders === 0 ? "" : ` (and, not audited: ${localFolders} folders of the project, ${links} links to them)`;
}

function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values.toSorted()) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

function list(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return parts.length === 0 ? "none" : parts.map(([kind, count]) => `${count} ${words(kind)}`).join(", ");
}

/** A lockfile is somebody else's text: what could steer a terminal is shown as `?`. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}
