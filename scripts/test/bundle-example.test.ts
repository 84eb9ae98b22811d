import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isFresh } from "../../examples/lockfile-audit/bin/fresh.js";
import { repositoryRoot } from "../lib/workspaces.ts";

const example = path.join(repositoryRoot, "examples", "lockfile-audit");
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bundle-example-"));
  const made = node(path.join(repositoryRoot, "scripts", "bundle-example.ts"), path.join(folder, "dist"));
  expect(made).toMatchObject({ status: 0, stderr: "" });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function node(file: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [file, ...args], { encoding: "utf8", cwd: folder });
}

describe("the bundle that npm start runs", () => {
  test("audits as the source does, with its own processes, actors, workflow and graph", () => {
    const lockfile = path.join(repositoryRoot, "examples", "lockfile-audit", "test", "fixtures", "v3.package-lock.json");
    const audit = (main: string, data: string) => node(main, "--once", "--json", "--data", path.join(folder, data), lockfile);
    const bundled = audit(path.join(folder, "dist", "main.js"), "bundled");
    const fromSource = audit(path.join(example, "src", "main.ts"), "source");
    expect(bundled.status).toBe(0);
    expect(JSON.parse(bundled.stdout)).toEqual(JSON.parse(fromSource.stdout));
    const said = (text: string) => text.replace(/127\.0\.0\.1:\d+/g, "here");
    expect(said(bundled.stderr)).toBe(said(fromSource.stderr));
  });

  test("is made of the sources that it names, which are as they were", () => {
    expect(isFresh(path.join(folder, "dist"), repositoryRoot)).toBe(true);
  });
});

describe("a bundle is fresh", () => {
  const root = () => path.join(folder, "project");
  const source = () => path.join(root(), "a.ts");
  const setUp = (sources: object | string): void => {
    mkdirSync(root(), { recursive: true });
    writeFileSync(source(), "four");
    utimesSync(source(), 1_000.75, 1_000.75);
    writeFileSync(path.join(root(), "sources.json"), typeof sources === "string" ? sources : JSON.stringify(sources));
  };
  const cases: [string, object | string, boolean][] = [
    ["while every source has its size and time", { "a.ts": [4, 1_000] }, true],
    ["no more once one has another size", { "a.ts": [5, 1_000] }, false],
    ["no more once one was written at another time", { "a.ts": [4, 999] }, false],
    ["no more once one is gone", { "a.ts": [4, 1_000], "b.ts": [4, 1_000] }, false],
    ["never if its list cannot be read", "{", false],
  ];
  test.each(cases)("%s", (_title, sources, expected) => {
    setUp(sources);
    expect(isFresh(root(), root())).toBe(expected);
  });

  test("never if there is none", () => {
    expect(isFresh(path.join(folder, "absent"), root())).toBe(false);
  });
});
