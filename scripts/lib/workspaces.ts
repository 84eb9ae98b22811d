import { existsSync, globSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of this repository. */
export const repositoryRoot: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");

/** The value of an `exports` field or of one of its conditions. */
export type ExportTarget = string | null | { readonly [condition: string]: ExportTarget };

/** What of a package.json is read here; other fields are kept as they are. */
export interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly private?: boolean;
  readonly workspaces?: readonly string[];
  readonly scripts?: Readonly<Record<string, string>>;
  readonly exports?: ExportTarget;
  readonly bin?: string | Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** One package of the repository. */
export interface Workspace {
  /** Path from the repository's root, with forward slashes: `packages/core`. */
  readonly location: string;
  /** Absolute path. */
  readonly folder: string;
  readonly name: string;
  readonly manifest: Manifest;
}

/** Reads a package.json. */
export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as Manifest;
}

/** The workspaces that the root package.json names, sorted by location. Folders without a package.json are none. */
export function readWorkspaces(root: string): Workspace[] {
  const patterns = readManifest(root).workspaces ?? [];
  const locations = patterns.flatMap((pattern) => globSync(pattern, { cwd: root }));
  return [...new Set(locations.map((location) => location.split(path.sep).join("/")))]
    .filter((location) => existsSync(path.join(root, location, "package.json")))
    .sort()
    .map((location) => {
      const folder = path.join(root, location);
      const manifest = readManifest(folder);
      return { location, folder, name: manifest.name ?? location, manifest };
    });
}

/** Whether a workspace goes to the npm registry. */
export function isPublishable(workspace: Workspace): boolean {
  return workspace.manifest.private !== true;
}

/** The subpaths that a package publishes (`.`, `./testing`, `./proto/*`) with their targets. */
export function publishedSubpaths(manifest: Manifest): Map<string, ExportTarget> {
  const { exports: field } = manifest;
  if (field === undefined || field === null) return new Map();
  if (typeof field === "string") return new Map([[".", field]]);
  const keys = Object.keys(field);
  return keys.every((key) => key.startsWith(".")) ? new Map(Object.entries(field)) : new Map([[".", field]]);
}
