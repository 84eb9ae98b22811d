import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const run = promisify(execFile);
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

describe("the program in the README", () => {
  test("prints what it says, for a user who installed the package and nothing else", async () => {
    const [, code = ""] = /^```ts\n([\s\S]*?)^```$/m.exec(readFileSync(here("../README.md"), "utf8")) ?? [];
    const folder = await mkdtemp(join(tmpdir(), "metanode-readme-"));
    try {
      await mkdir(join(folder, "node_modules/@metanode"), { recursive: true });
      await symlink(here(".."), join(folder, "node_modules/@metanode/nature"));
      await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
      await writeFile(join(folder, "program.ts"), code);
      const { stdout, stderr } = await run(process.execPath, [join(folder, "program.ts")]);
      const promised = [...code.matchAll(/\/\/ expect: (.*)$/gm)].map(([, line]) => line);
      expect(promised).toHaveLength(3);
      expect(stdout.split("\n").slice(0, -1)).toEqual(promised);
      expect(stderr).toBe("");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
