import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildPackage } from "../lib/build-package.ts";
import { complaints, importNames } from "../lib/pack-check.ts";
import { publishedManifest } from "../lib/published-manifest.ts";
import { type Manifest, readWorkspaces, repositoryRoot, type Workspace } from "../lib/workspaces.ts";

const FILES: Record<string, unknown> = {
  "package.json": { license: "Apache-2.0", workspaces: ["packages/*"] },
  LICENSE: "the licence",
  "packages/low/package.json": {
    name: "@fixture/low",
    version: "1.2.3",
    type: "module",
    exports: { ".": "./src/index.ts", "./part": "./src/part/part.ts", "./proto/*": "./proto/*" },
    scripts: { build: "x" },
    devDependencies: { vitest: "1" },
  },
  "packages/low/tsconfig.json": tsconfig(["src", "test"]),
  "packages/low/README.md": "# low",
  "packages/low/src/index.ts": 'export { part } from "./part/part.ts";\nexport type { Part } from "./part/part.ts";\n',
  "packages/low/src/part/part.ts": [
    'import { readFileSync } from "node:fs";',
    'import type { Kind } from "./kind.ts";',
    "export interface Part { readonly kind: Kind; readonly proto: string; readonly worker: string; readonly table: string }",
    'const read = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");',
    'const worker = new URL("./worker.ts", import.meta.url);',
    'export const part: Part = { kind: "a", proto: read("../../proto/a.proto"), worker: worker.href, table: read("./table.sql") };',
  ].join("\n"),
  "packages/low/src/part/kind.ts": 'export type Kind = "a" | "b";\n',
  "packages/low/src/part/worker.ts": "export const done = true;\n",
  "packages/low/src/part/table.sql": "create table t(a);",
  "packages/low/proto/a.proto": 'syntax = "proto3";',
  "packages/low/test/part.test.ts": "export const untouched = 1;\n",
  "packages/high/package.json": {
    name: "@fixture/high",
    version: "2.0.0",
    type: "module",
    bin: { fixture: "./bin/fixture.js" },
    exports: "./src/index.ts",
    dependencies: { "@fixture/low": "*", zod: "^4.0.0" },
  },
  "packages/high/tsconfig.json": tsconfig(["src"]),
  "packages/high/bin/fixture.js": '#!/usr/bin/env node\nimport { high } from "../src/index.ts";\nconsole.log(high.kind);\n',
  "packages/high/src/index.ts": 'import { part, type Part } from "@fixture/low";\nexport const high: Part = part;\n',
};

function tsconfig(include: string[]): unknown {
  return {
    extends: path.join(repositoryRoot, "tsconfig.base.json"),
    compilerOptions: { noEmit: true, typeRoots: [path.join(repositoryRoot, "node_modules", "@types")] },
    include,
  };
}

let root = "";
let workspaces: Workspace[] = [];

function workspace(name: string): Workspace {
  const found = workspaces.find((each) => each.name === name);
  if (found === undefined) throw new Error(`the fixture has no ${name}`);
  return found;
}

function built(name: string, file: string): string {
  return readFileSync(path.join(workspace(name).folder, "dist", file), "utf8");
}

beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), "build-"));
  for (const [file, content] of Object.entries(FILES)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), typeof content === "string" ? content : JSON.stringify(content));
  }
  mkdirSync(path.join(root, "node_modules", "@fixture"), { recursive: true });
  symlinkSync(path.join(repositoryRoot, "node_modules", "typescript"), path.join(root, "node_modules", "typescript"));
  symlinkSync(path.join(root, "packages", "low"), path.join(root, "node_modules", "@fixture", "low"));
  workspaces = readWorkspaces(root);
  for (const name of ["@fixture/low", "@fixture/high"]) buildPackage(workspace(name), { root, workspaces });
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a built package", () => {
  test("has code, declarations, assets, readme and licence, and neither sources nor tests", () => {
    const files = readdirSync(path.join(workspace("@fixture/low").folder, "dist"), { recursive: true, withFileTypes: true });
    const names = files.filter((file) => file.isFile()).map((file) => path.join(file.parentPath, file.name).split("/dist/")[1]);
    expect(names.sort()).toEqual([
      "LICENSE",
      "README.md",
      "package.json",
      "proto/a.proto",
      "src/index.d.ts",
      "src/index.js",
      "src/part/kind.d.ts",
      "src/part/kind.js",
      "src/part/part.d.ts",
      "src/part/part.js",
      "src/part/table.sql",
      "src/part/worker.d.ts",
      "src/part/worker.js",
    ]);
  });

  test("names only built files, also in declarations and in URLs", () => {
    expect(built("@fixture/low", "src/index.d.ts")).toContain('from "./part/part.js"');
    expect(built("@fixture/low", "src/part/part.d.ts")).toContain('from "./kind.js"');
    expect(built("@fixture/low", "src/part/part.js")).toContain('new URL("./worker.js", import.meta.url)');
    expect(built("@fixture/high", "bin/fixture.js")).toContain('from "../src/index.js"');
  });

  test("runs with plain Node and finds its neighbours where the source has them", async () => {
    const entry = pathToFileURL(path.join(workspace("@fixture/low").folder, "dist", "src", "index.js"));
    const { part } = (await import(/* @vite-ignore */ entry.href)) as { part: Record<string, string> };
    expect(part).toMatchObject({ kind: "a", proto: 'syntax = "proto3";', table: "create table t(a);" });
    expect(part.worker).toMatch(/dist\/src\/part\/worker\.js$/);
  });

  test("is compiled against the declarations of other workspaces, without compiling them along", () => {
    expect(built("@fixture/high", "src/index.d.ts")).toContain('from "@fixture/low"');
    expect(readdirSync(path.join(workspace("@fixture/high").folder, "dist")).sort()).toEqual([
      "LICENSE",
      "bin",
      "package.json",
      "src",
    ]);
  });

  test("has commands that can be started", () => {
    expect(statSync(path.join(workspace("@fixture/high").folder, "dist", "bin", "fixture.js")).mode & 0o111).toBe(0o111);
  });

  test("is refused where the compiler finds an error or package.json names a file that is not made", () => {
    const low = workspace("@fixture/low");
    const missing: Workspace = { ...low, manifest: { ...low.manifest, exports: "./src/gone.ts" } };
    expect(() => buildPackage(missing, { root, workspaces })).toThrow("names ./src/gone.d.ts, which the build did not make");
    writeFileSync(path.join(low.folder, "src", "wrong.ts"), "export const wrong: number = 'text';\n");
    expect(() => buildPackage(low, { root, workspaces })).toThrow(/packages\/low does not compile:.*wrong\.ts/s);
    rmSync(path.join(low.folder, "src", "wrong.ts"));
    buildPackage(low, { root, workspaces });
  });
});

describe("the published package.json", () => {
  test("points types first at built files, resolves workspaces and drops what serves the repository", () => {
    expect(publishedManifest(workspace("@fixture/low"), workspaces, "Apache-2.0")).toEqual({
      name: "@fixture/low",
      version: "1.2.3",
      license: "Apache-2.0",
      type: "module",
      engines: { node: ">=24" },
      exports: {
        ".": { types: "./src/index.d.ts", default: "./src/index.js" },
        "./part": { types: "./src/part/part.d.ts", default: "./src/part/part.js" },
        "./proto/*": "./proto/*",
      },
    });
    expect(publishedManifest(workspace("@fixture/high"), workspaces, "Apache-2.0")).toMatchObject({
      bin: { fixture: "./bin/fixture.js" },
      exports: { types: "./src/index.d.ts", default: "./src/index.js" },
      dependencies: { "@fixture/low": "^1.2.3", zod: "^4.0.0" },
    });
  });

  test("puts types before the code, because the first condition that fits is taken", () => {
    const { exports } = publishedManifest(workspace("@fixture/high"), workspaces, "Apache-2.0");
    expect(Object.keys(exports as object)).toEqual(["types", "default"]);
  });
});

describe("the look into a packed package", () => {
  const manifest: Manifest = { name: "p", version: "1.0.0", description: "d", license: "l", exports: "./src/index.js" };
  const files = ["package.json", "README.md", "LICENSE", "src/index.js", "src/index.d.ts"];

  test("is content with code, declarations and papers", () => {
    expect(complaints({ files, manifest })).toEqual([]);
  });

  test.each([
    ["src/index.ts", "a TypeScript source"],
    ["src/a.test.js", "a test"],
    ["test/a.js", "a test"],
    ["tsconfig.tsbuildinfo", "a compiler's cache"],
    ["tsconfig.build.json", "a compiler's configuration"],
    [".npmrc", "a file of the developer's"],
    ["data/log.sqlite", "a file that a run left behind"],
  ])("refuses %s", (file, why) => {
    expect(complaints({ files: [...files, file], manifest })).toEqual([expect.stringContaining(`${file} is ${why}`)]);
  });

  test("misses a readme and a description", () => {
    const { description: _, ...rest } = manifest;
    expect(complaints({ files: files.filter((file) => file !== "README.md"), manifest: rest })).toEqual([
      "README.md is missing",
      "package.json has no description",
    ]);
  });

  test("imports every entry but programs, patterns and data", () => {
    const exports = {
      ".": { default: "./a.js" },
      "./part": "./b.js",
      "./proto/*": "./proto/*",
      "./package.json": "./package.json",
    };
    expect(importNames({ name: "@s/p", manifest: { exports } })).toEqual(["@s/p", "@s/p/part"]);
  });
});
