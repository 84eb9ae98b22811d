// Each by itself: the whole of semver is 47 files for every process to load.
import satisfies from "semver/functions/satisfies.js";
import validRange from "semver/ranges/valid.js";
import { type Finding, words } from "./finding.ts";
import { judgeLicense, type LicenseVerdict } from "./license.ts";
import { compareNames, compareVersions } from "./order.ts";

/** The fields of a lockfile entry that are looked at; the types are those that npm has written over the years. */
export interface PackageEntry {
  readonly version?: string | undefined;
  readonly resolved?: string | boolean | undefined;
  readonly integrity?: string | undefined;
  readonly license?: unknown;
  readonly hasInstallScript?: boolean | undefined;
  readonly inBundle?: boolean | undefined;
  readonly engines?: unknown;
}

/** What one `lockfile.inspect` message asks about. */
export interface InspectRequest {
  readonly path: string;
  readonly name: string;
  /** The version of Node that the engines are held against, for example `v26.10.0`. */
  readonly node: string;
  readonly entry: PackageEntry;
}

/** `several`: hashes of more than one algorithm. `not_needed`: shipped inside another package, whose hash covers it. */
export type IntegrityKind = (typeof INTEGRITY_KINDS)[number];

export const INTEGRITY_KINDS = [
  "sha512",
  "sha384",
  "sha256",
  "sha1",
  "md5",
  "several",
  "malformed",
  "none",
  "not_needed",
] as const;

/** What is known of one package. */
export interface Inspection {
  readonly path: string;
  readonly name: string;
  readonly version: string;
  readonly license: LicenseVerdict;
  readonly hasInstallScript: boolean;
  readonly integrity: IntegrityKind;
  readonly engines: {
    /** The range of Node that the package asks for; null where it asks for none. */
    readonly node: string | null;
    readonly excludesNode: boolean;
  };
  readonly findings: readonly Finding[];
}

/** A name that the lockfile holds in several versions. */
export interface Duplicate {
  readonly name: string;
  /** Oldest first. */
  readonly versions: readonly string[];
}

/** Length of a hash in bytes, by algorithm. */
const HASH_BYTES: Readonly<Record<string, number>> = { sha512: 64, sha384: 48, sha256: 32, sha1: 20, md5: 16 };

/** Characters of a licence, range or hash that a finding shows. */
const SHOWN_LENGTH = 100;

/** Inspects one package by its lockfile entry alone. Pure. */
export function inspectPackage({ path, name, node, entry }: InspectRequest): Inspection {
  const license = judgeLicense(entry.license);
  const hasInstallScript = entry.hasInstallScript === true;
  const integrity = integrityOf(entry);
  const range = nodeRange(entry.engines);
  const engines = { node: range, excludesNode: range !== null && !admits(range, node) };
  const version = entry.version ?? "";
  const findings: Finding[] = [];
  const found = (kind: Finding["kind"], text: string | undefined): void => {
    if (text !== undefined) findings.push({ kind, name, version, path, text });
  };
  found("license", licenseText(license));
  found("install_script", hasInstallScript ? "runs a script when it is installed" : undefined);
  found("integrity", integrityText(integrity, entry));
  found("engines", engines.excludesNode ? enginesText(engines.node ?? "", node) : undefined);
  return { path, name, version, license, hasInstallScript, integrity, engines, findings };
}

/** The names that occur in several versions, sorted; needs the whole, or all occurrences of each name. Pure. */
export function findDuplicates(packages: readonly { name: string; version: string }[]): Duplicate[] {
  const versions = new Map<string, Set<string>>();
  for (const { name, version } of packages) {
    const known = versions.get(name);
    if (known) known.add(version);
    else versions.set(name, new Set([version]));
  }
  return [...versions]
    .filter(([, { size }]) => size > 1)
    .map(([name, found]) => ({ name, versions: [...found].sort(compareVersions) }))
    .sort((a, b) => compareNames(a.name, b.name));
}

/** What kind of hash pins the content of a package, by the Subresource Integrity string of its entry. */
export function integrityOf({ integrity, inBundle }: PackageEntry): IntegrityKind {
  const hashes = integrity?.split(/\s+/).filter((hash) => hash !== "") ?? [];
  if (hashes.length === 0) return inBundle === true ? "not_needed" : "none";
  const algorithms = new Set(hashes.map(algorithmOf));
  if (algorithms.has("malformed")) return "malformed";
  const [first = "malformed"] = algorithms;
  return algorithms.size > 1 ? "several" : first;
}

function algorithmOf(hash: string): IntegrityKind {
  const [, algorithm = "", digest = ""] = /^([a-z0-9]+)-([A-Za-z0-9+/]+={0,2})(\?.*)?$/.exec(hash) ?? [];
  const isWhole = HASH_BYTES[algorithm] === Buffer.from(digest, "base64").length;
  return isWhole ? (algorithm as IntegrityKind) : "malformed";
}

/** The range of Node in an `engines` field. Packages of npm's first years have a list such as `["node >=0.6.0"]`. */
function nodeRange(engines: unknown): string | null {
  if (Array.isArray(engines)) {
    const lines = engines.filter((line) => typeof line === "string");
    const line = lines.map((text) => /^\s*node\b\s*(.*)$/.exec(text)?.[1]).find((range) => range !== undefined);
    return line ?? null;
  }
  const range = typeof engines === "object" && engines !== null && "node" in engines ? engines.node : null;
  return typeof range === "string" ? range : null;
}

/** As npm judges it: a pre-release of Node counts as the release it leads to. A range that cannot be read admits none. */
function admits(range: string, node: string): boolean {
  return satisfies(node, range, { includePrerelease: true });
}

function licenseText({ kind, expression, isValid }: LicenseVerdict): string | undefined {
  if (kind === "missing") return "licence missing from the lockfile";
  if (!isValid) return `licence ${JSON.stringify(short(expression ?? ""))} is no SPDX expression (${words(kind)})`;
  return kind === "permissive" ? undefined : `licence ${short(expression ?? "")} is ${words(kind)}`;
}

function integrityText(kind: IntegrityKind, { resolved, integrity }: PackageEntry): string | undefined {
  switch (kind) {
    case "none":
      return noIntegrityText(typeof resolved === "string" ? resolved : "");
    case "sha1":
    case "md5":
      return `only a ${kind} hash, which can be forged`;
    case "malformed":
      return `integrity ${JSON.stringify(short(integrity ?? ""))} is no hash`;
    default:
      return undefined;
  }
}

function noIntegrityText(resolved: string): string {
  const commit = /^git.*#([0-9a-f]{40}|[0-9a-f]{64})$/.exec(resolved)?.[1];
  return commit === undefined ? "no integrity hash" : `no integrity hash; from git, commit ${commit.slice(0, 12)}`;
}

function enginesText(range: string, node: string): string {
  const isRange = validRange(range) !== null;
  return isRange
    ? `engines ask for Node ${short(range)}, this is ${node}`
    : `engines ask for ${JSON.stringify(short(range))}, which is no range`;
}

/** Enough to know it by; a lockfile may hold megabytes where a word should be. */
function short(text: string): string {
  return text.length <= SHOWN_LENGTH ? text : `${text.slice(0, SHOWN_LENGTH)}…`;
}
