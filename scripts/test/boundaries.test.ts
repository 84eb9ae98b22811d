import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { findViolations } from "../lib/boundaries.ts";
import { readRepository } from "../lib/boundary-files.ts";
import { findCycles } from "../lib/cycles.ts";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const SCRIPTS = { build: "b", types: "t" };

/** A small repository that keeps every rule, with `files` added or replaced. */
function repositoryWith(files: Record<string, unknown> = {}): string {
  const root = mkdtempSync(path.join(tmpdir(), "boundaries-"));
  folders.push(root);
  const all: Record<string, unknown> = {
    "package.json": { workspaces: ["packages/*", "apps/*", "examples/*"], devDependencies: { vitest: "1" } },
    "packages/core/package.json": {
      name: "@metanode/core",
      scripts: SCRIPTS,
      exports: { ".": "./src/index.ts", "./internal": "./src/internal.ts", "./testing": "./src/testing/index.ts" },
      dependencies: { zod: "1" },
    },
    "packages/core/src/index.ts": 'export { log } from "./log/log.ts";',
    "packages/core/src/errors.ts": "export const error = 1;",
    "packages/core/src/log/log.ts": 'import { z } from "zod";\nimport type { error } from "../errors.ts";\nexport const log = z;',
    "packages/core/src/testing/index.ts": 'export { log } from "../log/log.ts";',
    "packages/core/test/log.test.ts": 'import { test } from "vitest";\nimport { log } from "@metanode/core";',
    "packages/actors/package.json": {
      name: "@metanode/actors",
      scripts: SCRIPTS,
      exports: "./src/index.ts",
      dependencies: { "@metanode/core": "1" },
    },
    "packages/actors/src/index.ts": 'export { log } from "@metanode/core/internal";',
    "examples/demo/package.json": { private: true, scripts: SCRIPTS, dependencies: { "@metanode/core": "1" } },
    "examples/demo/src/main.ts": 'import { log } from "@metanode/core";',
    ...files,
  };
  for (const [file, content] of Object.entries(all)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), typeof content === "string" ? content : JSON.stringify(content));
  }
  return root;
}

function violations(files: Record<string, unknown>): string[] {
  return findViolations(readRepository(repositoryWith(files))).map(({ file, line, rule }) => `${file}:${line} ${rule}`);
}

describe("the import rules", () => {
  test("are content with a repository that keeps them", () => {
    expect(violations({})).toEqual([]);
  });

  test("refuse an import of a package that stands beside or above", () => {
    const file = 'import "node:fs";\nimport type { A } from "@metanode/actors";';
    const manifest = {
      name: "@metanode/core",
      scripts: SCRIPTS,
      exports: { ".": "./src/index.ts", "./internal": "./src/internal.ts" },
      dependencies: { "@metanode/actors": "1", zod: "1" },
    };
    expect(violations({ "packages/core/src/log/log.ts": file, "packages/core/package.json": manifest })).toEqual([
      "packages/core/src/log/log.ts:2 package-direction",
    ]);
  });

  test("refuse an import of a room that does not stand below", () => {
    expect(violations({ "packages/core/src/message/m.ts": '\n\nexport * from "../log/log.ts";' })).toEqual([
      "packages/core/src/message/m.ts:3 room-direction",
    ]);
  });

  test("let nothing but testing stand on testing", () => {
    const source = 'export { log } from "./testing/index.ts";';
    expect(violations({ "packages/core/src/index.ts": source, "packages/core/src/clock.ts": source })).toEqual([
      "packages/core/src/clock.ts:1 room-direction",
      "packages/core/src/index.ts:1 room-direction",
    ]);
  });

  test("want a row for a new room and for a new package", () => {
    const found = violations({
      "packages/core/src/attic/old.ts": 'import "../errors.ts";',
      "packages/more/package.json": { name: "@metanode/more", scripts: SCRIPTS },
    });
    expect(found).toEqual(["packages/core/src/attic/old.ts:1 unknown-place", "packages/more/package.json:1 unknown-place"]);
  });

  test("refuse a value from a module of Node that brings more along than is used, where it ships; a type is free", () => {
    const found = violations({
      "packages/actors/src/log/a.ts": 'import { request } from "node:http";',
      "packages/actors/src/log/b.ts": 'import type { IncomingMessage } from "node:http";',
      "packages/actors/test/c.ts": 'import { createServer } from "node:http";',
      "examples/demo/src/d.ts": 'import { createServer } from "node:http";',
    });
    expect(found).toEqual(["packages/actors/src/log/a.ts:1 costly-builtin"]);
  });

  test("refuse modules of a package that import each other in a circle, also by types alone", () => {
    const found = violations({
      "packages/actors/src/log/a.ts": 'import "node:os";\nimport type { B } from "./b.ts";',
      "packages/actors/src/log/b.ts": 'export { c } from "./c.ts";',
      "packages/actors/src/log/c.ts": 'const a = () => import("./a.ts");',
    });
    expect(found).toEqual(["packages/actors/src/log/a.ts:2 import-cycle"]);
  });

  test("refuse a dependency that the package does not name, and a test's dependency in what is published", () => {
    const source = 'import "pino";\nimport { test } from "vitest";';
    expect(violations({ "packages/core/src/errors.ts": source, "packages/core/test/a.test.ts": source })).toEqual([
      "packages/core/src/errors.ts:1 undeclared-dependency",
      "packages/core/src/errors.ts:2 undeclared-dependency",
      "packages/core/test/a.test.ts:1 undeclared-dependency",
    ]);
  });

  test("refuse a subpath that the other package does not publish", () => {
    expect(violations({ "packages/actors/src/index.ts": 'import "@metanode/core/src/errors.ts";' })).toEqual([
      "packages/actors/src/index.ts:1 unpublished-subpath",
    ]);
  });

  test("keep examples and benchmarks out of what is internal", () => {
    const source = 'import "@metanode/core";\nimport "@metanode/core/internal";\nimport "@metanode/core/internal/options";';
    expect(violations({ "examples/demo/src/main.ts": source, "bench/src/ours/log.ts": source })).toEqual([
      "bench/src/ours/log.ts:2 internal-subpath",
      "bench/src/ours/log.ts:3 internal-subpath",
      "examples/demo/src/main.ts:2 internal-subpath",
      "examples/demo/src/main.ts:3 internal-subpath",
    ]);
  });

  test("refuse a path that leaves the package, or leaves what of it is published", () => {
    const found = violations({
      "packages/actors/src/index.ts":
        'import "../../core/src/errors.ts";\nimport "../test/helper.ts";\nimport "@metanode/actors";',
    });
    expect(found).toEqual([
      "packages/actors/src/index.ts:1 leaves-package",
      "packages/actors/src/index.ts:2 leaves-package",
      "packages/actors/src/index.ts:3 leaves-package",
    ]);
  });

  test("let the repository's own scripts name any file of a package", () => {
    const source = 'import "../packages/core/test/log.test.ts";\nimport "@metanode/core";\nimport "pino";';
    expect(violations({ "scripts/soak.ts": source })).toEqual(["scripts/soak.ts:3 undeclared-dependency"]);
  });

  test("want the scripts that turbo runs", () => {
    const found = violations({ "examples/demo/package.json": { private: true }, "packages/actors/package.json": { name: "x" } });
    expect(found.filter((line) => line.endsWith("workspace-scripts"))).toEqual([
      "examples/demo/package.json:1 workspace-scripts",
      "packages/actors/package.json:1 workspace-scripts",
      "packages/actors/package.json:1 workspace-scripts",
    ]);
  });
});

describe("the command", () => {
  const script = fileURLToPath(new URL("../check-boundaries.ts", import.meta.url));

  test("prints file, line, rule and what is allowed, and fails", () => {
    const root = repositoryWith({ "packages/core/src/message/m.ts": 'import "../log/log.ts";' });
    const { status, stdout } = spawnSync(process.execPath, [script, root], { encoding: "utf8" });
    expect(stdout).toBe(
      "packages/core/src/message/m.ts:1: [room-direction] message may not import log; it stands on errors, clock, options\n",
    );
    expect(status).toBe(1);
  });

  test("prints nothing on stdout when all is well", () => {
    const { status, stdout } = spawnSync(process.execPath, [script, repositoryWith()], { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  });
});

describe("looking for cycles", () => {
  test("shows a shortest one for each knot, and nothing for a diamond", () => {
    const edges = new Map(
      Object.entries({ a: ["b", "c"], b: ["d"], c: ["d"], d: [], e: ["f"], f: ["g", "e"], g: ["e"], h: ["h"] }).map(
        ([from, targets]) => [from, targets.map((to) => ({ to }))] as const,
      ),
    );
    expect(findCycles(edges)).toEqual([["e", "f"], ["g", "e", "f"], ["h"]]);
  });
});
