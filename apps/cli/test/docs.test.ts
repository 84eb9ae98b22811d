import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { blocksOf, isAsSaid, stepsOf } from "./docs-page.ts";
import { runPage } from "./docs-run.ts";
import { temporaryFolder } from "./helpers.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const TSC = join(ROOT, "node_modules/typescript/bin/tsc");
const pages = ["README.md", ...globSync("docs/**/*.md", { cwd: ROOT }).sort()];
const text = (page: string): string => readFileSync(join(ROOT, page), "utf8");

/** Pages that people follow step by step: without a command they would not be that. */
const isToFollow = (page: string): boolean =>
  /^docs\/(how-to\/.+|tutorial|processors|actors|workflows|streams|tree|operations)\.md$/.test(page);

describe("the commands in the documentation", () => {
  const withCommands = pages.filter((page) => isToFollow(page) || blocksOf(text(page)).some(({ language }) => language === "sh"));

  const counted: string[] = [];
  afterAll(() => void process.stdout.write(`${counted.sort().join("\n")}\n`));

  test.concurrent.for(withCommands)("%s says what is seen", { timeout: 60_000 }, async (page, { expect: expectHere }) => {
    const blocks = blocksOf(text(page)).filter(({ language }) => language === "sh");
    const { ran, faults } = await runPage(stepsOf(blocksOf(text(page))));
    const left = blocks.filter(({ notRun }) => notRun !== undefined).length;
    counted.push(`${page}: ${ran} commands ran, ${left === 0 ? "no block" : `${left} of ${blocks.length} blocks`} left out`);
    expectHere(faults.join("\n"), page).toBe("");
    expectHere(ran, `commands of ${page} that a test can run`).toBeGreaterThan(0);
  });
});

describe("the programs in the documentation", () => {
  test("are accepted by the type checker as strictly as the repository's own", { timeout: 60_000 }, async () => {
    using folder = temporaryFolder();
    symlinkSync(join(ROOT, "node_modules"), join(folder.path, "node_modules"));
    writeFileSync(join(folder.path, "package.json"), JSON.stringify({ type: "module" }));
    for (const page of pages) {
      for (const step of stepsOf(blocksOf(text(page)))) {
        if (step.kind !== "file" || !step.name.endsWith(".ts")) continue;
        const file = join(folder.path, page.replaceAll("/", "-"), step.name);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, step.text);
      }
    }
    const config = { extends: join(ROOT, "tsconfig.base.json"), compilerOptions: { noEmit: true, types: ["node"] } };
    writeFileSync(join(folder.path, "tsconfig.json"), JSON.stringify(config));
    const { stdout } = spawnSync(process.execPath, [TSC, "-p", folder.path, "--pretty", "false"], { encoding: "utf8" });
    expect(stdout).toBe("");
  });
});

describe("the links in the documentation", () => {
  test.for(pages)("of %s lead to files and headings that are there", (page) => {
    for (const [, path = "", anchor] of text(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)) {
      const target = path === "" ? page : join(dirname(page), path);
      const found = globSync(target, { cwd: ROOT });
      expect(found, `${page} links to ${path}`).toHaveLength(1);
      if (anchor !== undefined) expect(anchorsOf(text(target)), `${page} links to ${path}#${anchor}`).toContain(anchor);
    }
  });
});

function anchorsOf(markdown: string): readonly string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

describe("how outputs are compared", () => {
  test("an ellipsis stands for anything in its line, and alone for any lines", () => {
    expect(isAsSaid("id 17 stored\na\nb\nend\n", "id … stored\n…\nend\n")).toBe(true);
    expect(isAsSaid("end\n", "…\nend\n")).toBe(true);
    expect(isAsSaid("id 17\nstored\n", "id … stored\n")).toBe(false);
    expect(isAsSaid("one\ntwo\n", "one\n")).toBe(false);
    expect(isAsSaid("NAME    STATE\n", "NAME  STATE\n")).toBe(true);
  });

  test("a command ends where the shell says so, and its comment may name another status", () => {
    const [step] = stepsOf(blocksOf("```sh\ncat <<'E'\na\nE\nfalse # no; exit 1\necho a \\\n  b\n```\n"));
    expect(step).toMatchObject({ commands: [{ text: "cat <<'E'\na\nE\n", status: 0 }, { status: 1 }, { status: 0 }] });
  });

  test("what is marked is not run", () => {
    expect(stepsOf(blocksOf("<!-- not run: it takes minutes -->\n\n```sh\nnpm ci\n```\n"))).toEqual([]);
  });
});

describe("the tests that docs/guarantees.md names", () => {
  const named = [...text("docs/guarantees.md").matchAll(/`([\w./-]+\.test\.ts)`: “([^”]+)”/g)];

  test("are there for every promise", () => {
    const rows = [...text("docs/guarantees.md").matchAll(/^\| (?!about|---)(.+) \|$/gm)];
    expect(rows.length).toBeGreaterThan(15);
    for (const [row] of rows) expect(row).toMatch(/\.test\.ts`: “/);
  });

  test.for(named)("%s", ([, path = "", title = ""]) => {
    // In a source, quotes of the title may be escaped, and the title may stand in a line of its own.
    const source = readFileSync(join(ROOT, path), "utf8").replaceAll("\\", "");
    expect(
      [`("${title}"`, `  "${title}",\n`].some((form) => source.includes(form)),
      title,
    ).toBe(true);
  });
});

describe("the metrics that docs/operations.md names", () => {
  const source = globSync(["packages/*/src/**/*.ts", "apps/*/src/**/*.ts"], { cwd: ROOT }).map(text).join("\n");

  test.for([...new Set(text("docs/operations.md").match(/\bmetanode_[a-z_]+/g))])("%s is measured", (name) => {
    expect(source.includes(`"${name}"`)).toBe(true);
  });
});
