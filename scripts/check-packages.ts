/**
 * Proves that what is published works: packs every built package, installs the tarballs into an empty folder, imports
 * each entry with plain Node, type-checks a consumer, uses what importing alone does not show, and starts each command.
 * A table of sizes goes to stdout, the rest to stderr; exit status 1 if anything is wrong.
 */
import { mkdirSync } from "node:fs";
import * as path from "node:path";
import {
  complaints,
  importFailure,
  importNames,
  install,
  type Packed,
  pack,
  startFailure,
  temporaryFolder,
  typeFailure,
  useFailure,
} from "./lib/pack-check.ts";
import { isPublishable, readManifest, readWorkspaces, repositoryRoot } from "./lib/workspaces.ts";

function check(packages: readonly Packed[], folder: string): string[] {
  const found = packages.flatMap((packed) => complaints(packed).map((text) => `${packed.name}: ${text}`));
  const consumer = path.join(folder, "consumer");
  mkdirSync(consumer);
  console.error(`installing ${packages.length} packages into an empty folder`);
  const modules = path.join(repositoryRoot, "node_modules");
  install(packages, consumer, String(readManifest(path.join(modules, "@types", "node")).version));
  const names = packages.flatMap(importNames);
  for (const name of names) {
    console.error(`importing ${name}`);
    const said = importFailure(name, consumer);
    if (said !== undefined) found.push(`importing ${name} fails: ${said}`);
  }
  console.error("type-checking a consumer");
  const said = typeFailure(names, consumer, path.join(modules, "typescript", "bin", "tsc"));
  if (said !== undefined) found.push(`a consumer does not type-check:\n${said}`);
  for (const packed of packages) {
    console.error(`using ${packed.name}`);
    const unusable = useFailure(packed.workspace, consumer);
    if (unusable !== undefined) found.push(`${packed.name}: test/packed.mjs fails: ${unusable}`);
    const failed = startFailure(packed, consumer);
    if (failed !== undefined) found.push(`${packed.name}: ${failed}`);
  }
  return found;
}

function main(): void {
  using temporary = temporaryFolder();
  const packages = readWorkspaces(repositoryRoot)
    .filter(isPublishable)
    .map((workspace) => pack(workspace, temporary.folder));
  const problems = check(packages, temporary.folder);
  for (const { name, files, packedBytes, unpackedBytes } of packages) {
    const [packed, unpacked] = [packedBytes, unpackedBytes].map((bytes) => `${(bytes / 1_000).toFixed(1)} kB`);
    console.log(`${name}: ${packed} packed, ${unpacked} unpacked, ${files.length} files`);
  }
  for (const problem of problems) console.error(`error: ${problem}`);
  console.error(
    problems.length === 0 ? "ok: every package installs, imports, type-checks and starts" : `${problems.length} problems`,
  );
  if (problems.length > 0) process.exitCode = 1;
}

try {
  main();
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
