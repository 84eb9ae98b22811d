import { globSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { unlisted } from "./boundary-table.ts";
import { type ModuleReference, readReferences } from "./imports.ts";
import { type Manifest, readManifest, readWorkspaces, type Workspace } from "./workspaces.ts";

/** One module with what it names. */
export interface ModuleFile {
  readonly home: Workspace;
  /** Path from the folder of its package, with forward slashes. */
  readonly path: string;
  /** Path from the repository's root, with forward slashes. */
  readonly repositoryPath: string;
  /** Goes into the published package: `src/` and `bin/`. */
  readonly shipped: boolean;
  readonly references: readonly ModuleReference[];
}

/** Everything that the rules look at. */
export interface Repository {
  readonly root: string;
  readonly rootManifest: Manifest;
  /** Without `bench` and `scripts`, which are no workspaces. */
  readonly workspaces: readonly Workspace[];
  readonly files: readonly ModuleFile[];
}

const MODULES = "**/*.{ts,tsx,mts,js,mjs}";
const SKIPPED = /(?:^|\/)(?:node_modules|dist|site|generated|coverage|\.[^/]+)(?:\/|$)/;

/** Reads every module of the workspaces, of `bench` and of `scripts`. */
export function readRepository(root: string): Repository {
  const rootManifest = readManifest(root);
  const workspaces = readWorkspaces(root);
  const others = unlisted.map((location) => readUnlisted(root, location)).filter((home) => home !== undefined);
  const files = [...workspaces, ...others].flatMap((home) => readModules(home));
  return { root, rootManifest, workspaces, files };
}

function readUnlisted(root: string, location: string): Workspace | undefined {
  const folder = path.join(root, location);
  const found = globSync("package.json", { cwd: folder }).length > 0;
  if (!found && globSync(MODULES, { cwd: folder }).length === 0) return undefined;
  const manifest = found ? readManifest(folder) : {};
  return { location, folder, name: manifest.name ?? location, manifest };
}

function readModules(home: Workspace): ModuleFile[] {
  return globSync(MODULES, { cwd: home.folder, exclude: (name) => SKIPPED.test(String(name).split(path.sep).join("/")) })
    .map((file) => file.split(path.sep).join("/"))
    .filter((file) => !SKIPPED.test(file))
    .sort()
    .map((file) => ({
      home,
      path: file,
      repositoryPath: `${home.location}/${file}`,
      shipped: /^(?:src|bin)\//.test(file),
      references: readReferences(readFileSync(path.join(home.folder, file), "utf8")),
    }));
}

/** Whether a specifier is a path, rather than the name of a package. */
export function isRelative(specifier: string): boolean {
  return specifier.startsWith(".") || specifier.startsWith("/");
}

/** The path, from the package's folder, of what a relative specifier in `file` names; begins with `../` outside of it. */
export function resolveRelative(file: ModuleFile, specifier: string): string {
  return path.posix.normalize(path.posix.join(path.posix.dirname(file.path), specifier));
}

/** `@scope/name/sub/path` as the package's name and its subpath as `exports` spells it. */
export function splitSpecifier(specifier: string): { name: string; subpath: string } {
  const parts = specifier.split("/");
  const count = specifier.startsWith("@") ? 2 : 1;
  const rest = parts.slice(count).join("/");
  return { name: parts.slice(0, count).join("/"), subpath: rest === "" ? "." : `./${rest}` };
}
