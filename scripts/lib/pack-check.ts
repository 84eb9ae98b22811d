import { execFileSync, type SpawnSyncReturns, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { bins } from "./build-package.ts";
import { isSource } from "./published-manifest.ts";
import { type ExportTarget, type Manifest, publishedSubpaths, readManifest, type Workspace } from "./workspaces.ts";

/** One packed package. */
export interface Packed {
  readonly name: string;
  readonly workspace: Workspace;
  readonly manifest: Manifest;
  /** Absolute path of the tarball. */
  readonly tarball: string;
  readonly files: readonly string[];
  readonly packedBytes: number;
  readonly unpackedBytes: number;
}

/** A folder of its own in the machine's folder for temporary files, removed when the block is left. */
export function temporaryFolder(): { readonly folder: string } & Disposable {
  const folder = mkdtempSync(path.join(tmpdir(), "metanode-packages-"));
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Packs the `dist/` of a workspace into `folder`. @throws {Error} It is not built. */
export function pack(workspace: Workspace, folder: string): Packed {
  const dist = path.join(workspace.folder, "dist");
  if (!existsSync(path.join(dist, "package.json"))) {
    throw new Error(`${workspace.location}/dist does not exist; run "npm run build" first`);
  }
  const output = npm(["pack", "--json", "--ignore-scripts", "--pack-destination", folder], dist);
  const answer: unknown = JSON.parse(output);
  // npm 10 and 11 answer with a list, npm 12 with an object by name.
  const [first] = Object.values(answer as Record<string, PackAnswer>);
  if (first === undefined) throw new Error(`npm pack said nothing about ${workspace.name}`);
  return {
    name: workspace.name,
    workspace,
    manifest: readManifest(dist),
    tarball: path.join(folder, first.filename),
    files: first.files.map((file) => file.path),
    packedBytes: first.size,
    unpackedBytes: first.unpackedSize,
  };
}

interface PackAnswer {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [/(?:^|\/)(?:test|tests|__tests__)\/|\.test\./, "a test"],
  [/\.tsbuildinfo$/, "a compiler's cache"],
  [/(?:^|\/)tsconfig[^/]*\.json$/, "a compiler's configuration"],
  [/(?:^|\/)node_modules\//, "an installed dependency"],
  [/(?:^|\/)\.(?:env|npmrc|git|turbo)/, "a file of the developer's"],
  [/\.(?:sqlite|db|log|tgz)$/, "a file that a run left behind"],
];

const REQUIRED = ["package.json", "README.md", "LICENSE"];

/** What is wrong with the list of files and with the manifest of a packed package, one line each. */
export function complaints(packed: Pick<Packed, "files" | "manifest">): string[] {
  const { files, manifest } = packed;
  const found = files.flatMap((file) => {
    if (isSource(file)) return [`${file} is a TypeScript source, expected only what it is built to`];
    const hit = FORBIDDEN.find(([pattern]) => pattern.test(file));
    return hit === undefined ? [] : [`${file} is ${hit[1]}, which does not belong into the package`];
  });
  for (const file of REQUIRED) if (!files.includes(file)) found.push(`${file} is missing`);
  for (const field of ["name", "version", "description", "license", "exports"]) {
    if (manifest[field] === undefined && !(field === "exports" && manifest.bin !== undefined)) {
      found.push(`package.json has no ${field}`);
    }
  }
  return found;
}

/**
 * Installs into an empty folder: the tarballs, what their users have to have beside them (optional peers too, because some
 * entry imports them), and the compiler's Node types. All but the tarballs comes from the registry.
 */
export function install(packed: readonly Packed[], folder: string, nodeTypes: string): void {
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  const tarballs = packed.map(({ tarball }) => tarball);
  const peers = Object.entries(
    Object.assign({}, ...packed.map(({ manifest }) => manifest.peerDependencies)) as Record<string, string>,
  )
    .filter(([name]) => !packed.some((each) => each.name === name))
    .map(([name, range]) => `${name}@${range}`);
  npm(["install", "--no-audit", "--no-fund", "--prefer-offline", ...tarballs, ...peers, `@types/node@${nodeTypes}`], folder);
}

/** The subpath of a package that is a program to be started, not a module to be imported: importing it would start it. */
const PROGRAM = "./main";

/** The names under which a package can be imported as a module. Programs, patterns and JSON files are left out. */
export function importNames({ name, manifest }: Pick<Packed, "name" | "manifest">): string[] {
  return [...publishedSubpaths(manifest)]
    .filter(([subpath, target]) => subpath !== PROGRAM && !subpath.includes("*") && !isData(target))
    .map(([subpath]) => name + subpath.slice(1));
}

function isData(target: ExportTarget): boolean {
  return typeof target === "string" && target.endsWith(".json");
}

/** Imports `name` with plain Node from `folder`; what Node said if it failed. */
export function importFailure(name: string, folder: string): string | undefined {
  const file = path.join(folder, "import.mjs");
  writeFileSync(
    file,
    `const m = await import(${JSON.stringify(name)}); if (Object.keys(m).length === 0) throw new Error("it exports nothing")`,
  );
  return failure(spawnSync(process.execPath, [file], { ...PLAIN, cwd: folder }));
}

/** Type-checks a consumer that imports all `names`; only what concerns our packages or the consumer itself counts. */
export function typeFailure(names: readonly string[], folder: string, compiler: string): string | undefined {
  const lines = names.map((name, index) => `import * as m${index} from ${JSON.stringify(name)};`);
  const uses = names.map((_, index) => `m${index}`).join(", ");
  writeFileSync(path.join(folder, "consumer.ts"), `${lines.join("\n")}\nexport const all: readonly object[] = [${uses}];\n`);
  const options = { strict: true, noEmit: true, target: "es2024", module: "nodenext", types: ["node"], skipLibCheck: false };
  const lib = ["es2024", "esnext.disposable"];
  const config = { compilerOptions: { ...options, lib }, files: ["consumer.ts"] };
  writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(config));
  const result = spawnSync(process.execPath, [compiler, "-p", folder, "--pretty", "false"], { ...PLAIN, cwd: folder });
  const errors = result.stdout.split("\n").filter((line) => /error TS/.test(line));
  if (errors.length === 0) return failure(result);
  const ours = errors.filter((line) => !isForeign(line));
  return ours.length === 0 ? undefined : ours.join("\n");
}

/**
 * Runs `test/packed.mjs` of a workspace, where it has one, with plain Node inside the consumer: for what a package does
 * that importing alone does not show, such as starting a worker from a file.
 */
export function useFailure(workspace: Workspace, folder: string): string | undefined {
  const program = path.join(workspace.folder, "test", "packed.mjs");
  if (!existsSync(program)) return undefined;
  const copy = path.join(folder, `${path.basename(workspace.folder)}-packed.mjs`);
  cpSync(program, copy);
  return failure(spawnSync(process.execPath, [copy], { ...PLAIN, cwd: folder }));
}

/** Starts each command of a package, and the program that it publishes, with `--help`; the first failure. */
export function startFailure({ name, manifest }: Packed, folder: string): string | undefined {
  const commands = Object.keys(bins(manifest)).map((command) => [path.join(folder, "node_modules", ".bin", command)]);
  const program = publishedSubpaths(manifest).get(PROGRAM);
  const file = typeof program === "object" && program !== null ? program.default : program;
  if (typeof file === "string") commands.push([process.execPath, path.join(folder, "node_modules", name, file)]);
  for (const [start = "", ...args] of commands) {
    const said = helpFailure(spawnSync(start, [...args, "--help"], { ...PLAIN, cwd: folder }));
    if (said !== undefined) return `${path.basename(args[0] ?? start)} --help: ${said}`;
  }
  return undefined;
}

function helpFailure(result: SpawnSyncReturns<string>): string | undefined {
  return failure(result) ?? (result.stdout.trim() === "" ? "printed nothing on stdout" : undefined);
}

const PLAIN = { encoding: "utf8", timeout: 60_000 } as const;

/** Errors inside the declarations of others are theirs. */
function isForeign(diagnostic: string): boolean {
  return /node_modules\/(?!@metanode\/)/.test(diagnostic);
}

function failure(result: { status: number | null; stderr: string; error?: Error }): string | undefined {
  if (result.status === 0) return undefined;
  return result.error?.message ?? (result.stderr.trim() || `exit status ${result.status}`);
}

function npm(args: readonly string[], cwd: string): string {
  // An npm script hands its own settings down as npm_*; they belong to the repository and not to the empty folder.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?:package|lifecycle|config_local)/.test(name)),
  );
  return execFileSync("npm", args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 64 << 20 });
}
