import type { ExportTarget, Manifest, Workspace } from "./workspaces.ts";

/** The oldest Node that published packages run on. */
export const PUBLISHED_NODE = ">=24";

/** Fields that mean something in the repository only. */
const DROPPED = new Set(["private", "files", "scripts", "devDependencies", "workspaces", "allowScripts", "exports", "bin"]);

/**
 * The package.json of the published package: targets name the built files, dependencies on other workspaces their
 * version, and what serves only the repository is gone. The package's own object is not changed.
 */
export function publishedManifest(workspace: Workspace, all: readonly Workspace[], license: string): Manifest {
  const { manifest } = workspace;
  const kept = Object.fromEntries(Object.entries(manifest).filter(([field]) => !DROPPED.has(field)));
  const published: Record<string, unknown> = { license, ...kept, engines: { node: PUBLISHED_NODE } };
  if (manifest.exports !== undefined) published.exports = builtTarget(manifest.exports);
  if (manifest.bin !== undefined) published.bin = builtBin(manifest.bin);
  for (const field of ["dependencies", "peerDependencies", "optionalDependencies"] as const) {
    const given = manifest[field];
    if (given !== undefined) published[field] = resolvedVersions(given, all);
  }
  return inOrder(published);
}

/** The name of what a source file is built to; any other file keeps its name. */
export function builtName(file: string): string {
  return isSource(file) ? file.replace(/\.(m?)tsx?$/, ".$1js") : file;
}

/** Whether a file is TypeScript that is compiled, so neither a declaration nor another kind of file. */
export function isSource(file: string): boolean {
  return /\.m?tsx?$/.test(file) && !/\.d\.m?ts$/.test(file);
}

function builtTarget(target: ExportTarget): ExportTarget {
  if (target === null) return null;
  if (typeof target !== "string") {
    return Object.fromEntries(Object.entries(target).map(([key, value]) => [key, builtTarget(value)]));
  }
  if (!isSource(target)) return target;
  return { types: target.replace(/\.(m?)tsx?$/, ".d.$1ts"), default: builtName(target) };
}

function builtBin(bin: NonNullable<Manifest["bin"]>): NonNullable<Manifest["bin"]> {
  if (typeof bin === "string") return builtName(bin);
  return Object.fromEntries(Object.entries(bin).map(([name, file]) => [name, builtName(file)]));
}

function resolvedVersions(given: Readonly<Record<string, string>>, all: readonly Workspace[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).map(([name, range]) => {
      const version = all.find((workspace) => workspace.name === name)?.manifest.version;
      return [name, version === undefined ? range : `^${version}`];
    }),
  );
}

const ORDER =
  "name version description keywords license author homepage repository bugs type engines sideEffects bin exports".split(" ");

function inOrder(fields: Readonly<Record<string, unknown>>): Manifest {
  const names = [...ORDER.filter((name) => name in fields), ...Object.keys(fields).filter((name) => !ORDER.includes(name))];
  return Object.fromEntries(names.map((name) => [name, fields[name]]));
}
