import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { isRelative } from "./boundary-files.ts";
import { rewriteReferences } from "./imports.ts";
import { builtName, isSource, publishedManifest } from "./published-manifest.ts";
import { type ExportTarget, type Manifest, publishedSubpaths, readManifest, type Workspace } from "./workspaces.ts";

/** What is published besides `src/`, where a package has it and its `files` field does not say otherwise. */
const DEFAULT_FILES = ["bin", "proto"];

/** What a build needs to know. */
export interface BuildOptions {
  /** The repository's folder, absolute. */
  readonly root: string;
  readonly workspaces: readonly Workspace[];
}

/**
 * Makes `dist/` of a workspace: a complete package, as it is packed. The tree keeps its shape (`dist/src`, `dist/proto`), so
 * that files find their neighbours as they do in the source.
 * @throws {Error} The compiler refused it, or a workspace that it needs is not built.
 */
export function buildPackage(workspace: Workspace, options: BuildOptions): void {
  const dist = path.join(workspace.folder, "dist");
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist);
  compile(workspace, dist, options);
  copyFiles(workspace, dist, options.root);
  for (const file of globSync("{src,bin}/**/*.{js,mjs,d.ts,d.mts}", { cwd: dist })) pointAtBuiltFiles(path.join(dist, file));
  const license = String(readManifest(options.root).license);
  const manifest = publishedManifest(workspace, options.workspaces, license);
  writeFileSync(path.join(dist, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const file of targets(manifest)) checkTarget(dist, file, workspace);
  for (const file of Object.values(bins(manifest))) chmodSync(path.join(dist, file), 0o755);
}

/** The commands of a package: name and file. */
export function bins(manifest: Manifest): Record<string, string> {
  const { bin, name } = manifest;
  if (bin === undefined) return {};
  return typeof bin === "string" ? { [(name ?? "").split("/").at(-1) ?? ""]: bin } : { ...bin };
}

function compile(workspace: Workspace, dist: string, options: BuildOptions): void {
  const config = path.join(dist, "tsconfig.build.json");
  const include = ["src", "bin"].map((folder) => `../${folder}`);
  const compilerOptions = {
    noEmit: false,
    rootDir: "..",
    outDir: ".",
    declaration: true,
    sourceMap: false,
    stripInternal: true,
    noEmitOnError: true,
    paths: declarationPaths(workspace, options.workspaces),
  };
  writeFileSync(config, JSON.stringify({ extends: "../tsconfig.json", compilerOptions, include, exclude: ["."] }));
  const compiler = path.join(options.root, "node_modules", "typescript", "bin", "tsc");
  const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", config], { encoding: "utf8" });
  rmSync(config);
  if (status !== 0) throw new Error(`${workspace.location} does not compile:\n${stdout}`);
}

/**
 * Where the compiler finds other workspaces: at their built declarations. Their sources, which `exports` names inside the
 * repository, would be compiled along.
 */
function declarationPaths(workspace: Workspace, all: readonly Workspace[]): Record<string, string[]> {
  const paths: Record<string, string[]> = {};
  const needed = { ...workspace.manifest.dependencies, ...workspace.manifest.peerDependencies };
  for (const other of all.filter(({ name }) => name in needed)) {
    const dist = path.join(other.folder, "dist");
    if (!existsSync(path.join(dist, "package.json"))) {
      throw new Error(`${workspace.location} needs ${other.name}, which is not built; run "npm run build" in the root folder`);
    }
    for (const [subpath, target] of publishedSubpaths(readManifest(dist))) {
      const declaration = declarationOf(target);
      if (declaration !== undefined) paths[other.name + subpath.slice(1)] = [path.join(dist, declaration)];
    }
  }
  return paths;
}

function declarationOf(target: ExportTarget): string | undefined {
  if (target === null || typeof target === "string") return undefined;
  const { types } = target;
  return typeof types === "string" ? types : undefined;
}

function copyFiles(workspace: Workspace, dist: string, root: string): void {
  const { files } = workspace.manifest;
  const listed = Array.isArray(files) ? files.map(String) : DEFAULT_FILES;
  const isAsset = (file: string): boolean => !isSource(file);
  for (const entry of new Set(["src", "README.md", "CHANGELOG.md", ...listed])) {
    const from = path.join(workspace.folder, entry);
    if (existsSync(from)) cpSync(from, path.join(dist, entry), { recursive: true, filter: isAsset });
  }
  const license = path.join(workspace.folder, "LICENSE");
  cpSync(existsSync(license) ? license : path.join(root, "LICENSE"), path.join(dist, "LICENSE"));
}

/** The compiler rewrites imports in JavaScript only; declarations, hand-written commands and URLs of files are left to us. */
function pointAtBuiltFiles(file: string): void {
  const text = readFileSync(file, "utf8");
  const rewritten = rewriteReferences(text, ({ specifier, kind }) => {
    if (!isRelative(specifier) || !isSource(specifier)) return undefined;
    const built = builtName(specifier);
    const exists = existsSync(path.resolve(path.dirname(file), built));
    return kind !== "url" || exists ? built : undefined;
  });
  if (rewritten !== text) writeFileSync(file, rewritten);
}

function targets(manifest: Manifest): string[] {
  const inside = (target: ExportTarget): string[] => {
    if (target === null) return [];
    return typeof target === "string" ? [target] : Object.values(target).flatMap(inside);
  };
  return [...[...publishedSubpaths(manifest).values()].flatMap(inside), ...Object.values(bins(manifest))];
}

function checkTarget(dist: string, file: string, workspace: Workspace): void {
  const exists = file.includes("*")
    ? globSync(file.replace("*", "**"), { cwd: dist }).length > 0
    : existsSync(path.join(dist, file));
  if (!exists) throw new Error(`package.json of ${workspace.location} names ${file}, which the build did not make`);
}
