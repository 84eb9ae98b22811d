import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const readme = readFileSync(here("../README.md"), "utf8");

/** The programs that the README prints: those that say what they print. */
const programs = [...readme.matchAll(/^## (.+)$|^```ts\n([\s\S]*?)^```$/gm)]
  .reduce<{ title: string; code: string }[]>((found, [, title, code = ""]) => {
    if (title !== undefined) found.push({ title, code: "" });
    else {
      const section = found.at(-1);
      if (section && code.includes("// expect: ")) section.code = code;
    }
    return found;
  }, [])
  .filter(({ code }) => code !== "");

/** The builder with the two calls that it says do not compile, each of which must be an error then. */
function refused(builder: string): string {
  const [, first = "", second = ""] = /^\/\/ (.+) and (.+) do not compile\.$/m.exec(builder) ?? [];
  return `${builder}// @ts-expect-error: nothing follows a sink\n${first};\n// @ts-expect-error: texts are no orders\n${second};\n`;
}

/** A folder of a user who installed the package, and nothing else. */
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "metanode-readme-"));
  await mkdir(join(folder, "node_modules/@metanode"), { recursive: true });
  await symlink(here(".."), join(folder, "node_modules/@metanode/streaming"));
  const nodeTypes = createRequire(import.meta.url).resolve("@types/node/package.json");
  await symlink(dirname(dirname(nodeTypes)), join(folder, "node_modules/@types"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  const tsconfig = { extends: here("../../../tsconfig.base.json"), compilerOptions: { noEmit: true }, include: ["*.ts"] };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
  for (const [index, { code }] of programs.entries()) await writeFile(join(folder, `program-${index}.ts`), code);
  await writeFile(join(folder, "refused.ts"), refused(programs[2]?.code ?? ""));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the programs in the README", () => {
  test("type-check as they are printed, and not with what they say is wrong", async () => {
    const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
    const { stdout } = await run(process.execPath, [tsc, "-p", folder]).catch((failed) => failed as { stdout: string });
    expect(stdout).toBe("");
  });

  test("are the three ways to write a graph, and two to run one", () => {
    expect(programs.map(({ title }) => title)).toEqual([
      "An expression",
      "An edge list",
      "A typed builder",
      "Running a graph of functions",
      "Any program is a stage",
    ]);
  });

  test.each(programs.map(({ title, code }, index) => ({ title, code, index })))(
    "$title prints what it says",
    async ({ code, index }) => {
      const { stdout, stderr } = await run(process.execPath, [join(folder, `program-${index}.ts`)]);
      const promised = [...code.matchAll(/\/\/ expect: (.*)$/gm)].map(([, line]) => line);
      expect(stdout.split("\n").slice(0, -1)).toEqual(promised);
      expect(stderr).toBe("");
    },
  );
});
