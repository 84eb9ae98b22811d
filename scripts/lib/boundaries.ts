import { isBuiltin } from "node:module";
import { isRelative, type ModuleFile, type Repository, resolveRelative, splitSpecifier } from "./boundary-files.ts";
import {
  costlyBuiltins,
  covers,
  internalSubpath,
  outsiders,
  packageTable,
  requiredScripts,
  roomTable,
  tools,
  topRooms,
  unlisted,
} from "./boundary-table.ts";
import { findCycles } from "./cycles.ts";
import type { ModuleReference } from "./imports.ts";
import { isPublishable, publishedSubpaths, type Workspace } from "./workspaces.ts";

/** The names of the rules, as they are printed. */
export type Rule =
  | "package-direction"
  | "room-direction"
  | "unknown-place"
  | "import-cycle"
  | "undeclared-dependency"
  | "unpublished-subpath"
  | "internal-subpath"
  | "leaves-package"
  | "workspace-scripts"
  | "costly-builtin";

/** One breach of a rule. */
export interface Violation {
  /** Path from the repository's root. */
  readonly file: string;
  /** Begins at 1. */
  readonly line: number;
  readonly rule: Rule;
  /** What was found and what is allowed. */
  readonly text: string;
}

/** Every breach of the import rules, sorted by file and line. */
export function findViolations(repository: Repository): Violation[] {
  const found = [
    ...repository.workspaces.flatMap(checkWorkspace),
    ...repository.files.flatMap((file) => file.references.flatMap((reference) => checkReference(repository, file, reference))),
    ...checkCycles(repository),
  ];
  return found.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

function checkWorkspace(workspace: Workspace): Violation[] {
  const found: Violation[] = [];
  const manifest = `${workspace.location}/package.json`;
  if (allowedLocations(workspace.location) === undefined) {
    const text = `${workspace.location} has no row in the package table; add one to scripts/lib/boundary-table.ts`;
    found.push({ file: manifest, line: 1, rule: "unknown-place", text });
  }
  const wanted = [...requiredScripts.all, ...(isPublishable(workspace) ? requiredScripts.publishable : [])];
  for (const script of wanted) {
    if (workspace.manifest.scripts?.[script] !== undefined) continue;
    const text = `the package has no "${script}" script, so turbo passes over it; CONTRIBUTING.md shows what to put there`;
    found.push({ file: manifest, line: 1, rule: "workspace-scripts", text });
  }
  return found;
}

function checkReference(repository: Repository, file: ModuleFile, reference: ModuleReference): Violation[] {
  const { specifier, line, kind, typeOnly } = reference;
  const at = (rule: Rule, text: string): Violation => ({ file: file.repositoryPath, line, rule, text });
  const instead = costlyBuiltins[specifier];
  const isOurs = file.shipped && !outsiders.some((pattern) => covers(pattern, file.home.location));
  if (instead !== undefined && isOurs && !typeOnly && kind !== "url") return [at("costly-builtin", instead)];
  if (kind === "url" || isBuiltin(specifier) || specifier.startsWith("#") || specifier.includes(":")) return [];
  if (isRelative(specifier)) return checkRelative(file, specifier, at);
  const { name, subpath } = splitSpecifier(specifier);
  const target = repository.workspaces.find((workspace) => workspace.name === name);
  const found: Violation[] = [];
  if (target === undefined) {
    if (!dependencyNames(repository, file).has(name)) found.push(at("undeclared-dependency", undeclared(file, name)));
    return found;
  }
  if (target.location !== file.home.location) found.push(...checkDirection(repository, file, target, at));
  else if (file.shipped) {
    found.push(at("leaves-package", `${name} imports itself by its name; import the file by a relative path`));
  }
  found.push(...checkSubpath(file, target, subpath, at));
  return found;
}

type At = (rule: Rule, text: string) => Violation;

function checkDirection(repository: Repository, file: ModuleFile, target: Workspace, at: At): Violation[] {
  const found: Violation[] = [];
  const allowed = allowedLocations(file.home.location) ?? [];
  if (!allowed.some((pattern) => covers(pattern, target.location))) {
    const list = allowed.length === 0 ? "no other package" : allowed.join(", ");
    found.push(at("package-direction", `${file.home.location} may not import ${target.location}; it may import ${list}`));
  }
  if (!unlisted.includes(file.home.location) && !dependencyNames(repository, file).has(target.name)) {
    found.push(at("undeclared-dependency", undeclared(file, target.name)));
  }
  return found;
}

function checkSubpath(file: ModuleFile, target: Workspace, subpath: string, at: At): Violation[] {
  const isInternal = subpath === internalSubpath || subpath.startsWith(`${internalSubpath}/`);
  if (isInternal && outsiders.some((pattern) => covers(pattern, file.home.location))) {
    const text = `${target.name}/internal is for packages and apps; ${file.home.location} may import only what users may`;
    return [at("internal-subpath", text)];
  }
  const published = [...publishedSubpaths(target.manifest).keys()];
  if (published.some((key) => key === subpath || (key.endsWith("*") && subpath.startsWith(key.slice(0, -1))))) return [];
  const list = published.length === 0 ? "nothing" : published.join(", ");
  return [at("unpublished-subpath", `${target.name} does not publish ${subpath}; its exports are ${list}`)];
}

function checkRelative(file: ModuleFile, specifier: string, at: At): Violation[] {
  if (tools.includes(file.home.location)) return [];
  const target = resolveRelative(file, specifier);
  if (target.startsWith("../") || target.startsWith("/")) {
    return [at("leaves-package", `${specifier} is outside of ${file.home.location}; import another package by its name`)];
  }
  if (!file.path.startsWith("src/") || !/\.[mc]?[jt]sx?$/.test(target)) return [];
  if (!target.startsWith("src/")) {
    return [at("leaves-package", `${specifier} is outside of src/, so it is not in the published package`)];
  }
  return checkRooms(file, target, at);
}

function checkRooms(file: ModuleFile, target: string, at: At): Violation[] {
  const rooms = roomTable[file.home.location];
  if (rooms === undefined) return [];
  const [from, to] = [roomOf(file.path), roomOf(target)];
  if (from === to || from === "testing") return [];
  if (topRooms.has(from)) {
    return to === "testing" ? [at("room-direction", `${from} may not import testing, which is for tests only`)] : [];
  }
  const allowed = rooms[from];
  if (allowed === undefined) {
    return [at("unknown-place", `src/${from} has no row in the room table; add one to scripts/lib/boundary-table.ts`)];
  }
  if (allowed.includes(to)) return [];
  const list = allowed.length === 0 ? "no other room" : allowed.join(", ");
  return [at("room-direction", `${from} may not import ${to}; it stands on ${list}`)];
}

/** `src/log/sqlite.ts` is in room `log`, and so is `src/log.ts`. */
function roomOf(file: string): string {
  return (file.split("/")[1] ?? "").replace(/\.[^/]*$/, "");
}

function checkCycles(repository: Repository): Violation[] {
  const edges = new Map<string, { to: string; line: number }[]>();
  for (const file of repository.files) {
    const targets = file.references
      .filter(({ kind, specifier }) => kind !== "url" && isRelative(specifier))
      .map(({ specifier, line }) => ({ to: `${file.home.location}/${resolveRelative(file, specifier)}`, line }));
    edges.set(file.repositoryPath, targets);
  }
  return findCycles(edges).map((cycle) => {
    const [first, second] = cycle;
    const line = edges.get(first ?? "")?.find(({ to }) => to === (second ?? first))?.line ?? 1;
    const text = `the modules import each other in a circle: ${[...cycle, first].join(" -> ")}`;
    return { file: first ?? "", line, rule: "import-cycle", text };
  });
}

function allowedLocations(location: string): readonly string[] | undefined {
  const key = Object.keys(packageTable).find((pattern) => covers(pattern, location));
  return key === undefined ? undefined : packageTable[key];
}

function dependencyNames(repository: Repository, file: ModuleFile): Set<string> {
  const { dependencies, peerDependencies, optionalDependencies, devDependencies } = file.home.manifest;
  const names = new Set(Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies }));
  if (file.shipped) return names;
  for (const name of Object.keys({ ...devDependencies, ...repository.rootManifest.devDependencies })) names.add(name);
  return names;
}

function undeclared(file: ModuleFile, name: string): string {
  const field = file.shipped ? "dependencies" : "dependencies or devDependencies";
  return `${name} is not among the ${field} of ${file.home.location}/package.json; add it there`;
}
