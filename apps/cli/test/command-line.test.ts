import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import "@metanode/actors/errors";
import "@metanode/streaming/errors";
import { errorTable } from "@metanode/core/errors";
import "@metanode/nature/errors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { CommandSpec } from "../src/command.ts";
import { commandTable } from "../src/commands/index.ts";
import { type Outcome, run, start, temporaryFolder } from "./helpers.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => folder[Symbol.dispose]());

function metanode(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return run(args, { cwd: folder.path, env });
}

const specs: readonly CommandSpec[] = commandTable.groups.flatMap(({ commands }) => commands);
const usageOf = ({ path, arguments: args = [] }: CommandSpec): string => [path, ...args.map(({ usage }) => usage)].join(" ");

describe("the help", () => {
  test("is what metanode says on its own, with every first word in it", async () => {
    const { status, stdout, stderr } = await metanode([]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const { path } of specs) expect(stdout).toMatch(new RegExp(`^  ${path.split(" ")[0]} `, "m"));
    expect((await metanode(["--help"])).stdout).toBe(stdout);
    expect(stdout).not.toContain("__complete");
  });

  test.each(specs.map((spec) => [spec.path, spec] as const))(
    "of %s shows its usage, every option and an example",
    async (path, spec) => {
      const { status, stdout, stderr } = await metanode([...path.split(" "), "--help"]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      for (const { flags } of spec.options ?? []) expect(stdout).toContain(flags);
      for (const { usage } of spec.arguments ?? []) expect(stdout).toContain(usage);
      for (const { line } of spec.examples) expect(stdout).toContain(`metanode ${line}`);
    },
  );

  test("of a family lists its commands", async () => {
    const { stdout } = await metanode(["processor", "--help"]);
    expect(stdout).toMatch(/^ {2}replace <name> \[command\.\.\.\] /m);
  });

  test("is what the README says", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const rows = [...readme.matchAll(/^\| `metanode (.+?)` \| (.+) \|$/gm)].map(([, usage, summary]) => `${usage} – ${summary}`);
    expect(rows).toEqual(specs.map((spec) => `${usageOf(spec)} – ${spec.summary}`));
  });
});

describe("the table of commands", () => {
  test("has no option that takes a value in one command and none in another, which completion could not tell apart", () => {
    const takesValue = new Map<string, boolean>();
    for (const { flags } of [...commandTable.globalOptions, ...specs.flatMap(({ options = [] }) => options)]) {
      const [, name = ""] = /--([\w-]+)/.exec(flags) ?? [];
      expect([name, takesValue.get(name) ?? flags.includes("<")]).toEqual([name, flags.includes("<")]);
      takesValue.set(name, flags.includes("<"));
    }
  });
});

describe("wrong usage", () => {
  test.each([
    ["an unknown command", ["statu"], 'unknown command "statu"; did you mean `metanode status`?'],
    ["an unknown command of a family", ["processor", "lst"], "did you mean `metanode processor ls`?"],
    ["a family without a command", ["context"], "metanode context needs a command: ls, use, set, show, rm"],
    ["an unknown option", ["status", "--wacth"], "unknown option '--wacth' (Did you mean --watch?)"],
    ["an unknown form of output", ["status", "-o", "xml"], "Allowed choices are table, json, yaml"],
    ["an argument too many", ["version", "now"], "too many arguments"],
    ["an option without its value", ["call", "a.b", "--timeout"], "argument missing"],
    ["an unknown shell", ["completion", "tcsh"], "Allowed choices are bash, zsh, fish"],
  ])("ends with status 2 and one line for %s", async (_what, args, expected) => {
    const { status, stdout, stderr } = await metanode(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^error usage\.invalid: .+\n$/);
    expect(stderr).toContain(expected);
  });

  test("is a problem object where JSON or YAML is asked for", async () => {
    const expected = { code: "usage.invalid", status: 400, retryable: false, detail: expect.stringContaining("statu") };
    expect(JSON.parse((await metanode(["statu", "-o", "json"])).stderr)).toMatchObject(expected);
    expect(parse((await metanode(["--output=yaml", "statu"])).stderr)).toMatchObject(expected);
  });
});

describe("metanode explain and version", () => {
  test("say what a code means", async () => {
    const { status, stdout } = await metanode(["explain", "node.unreachable"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^exit +6 \(unreachable\)$/m);
    expect(JSON.parse((await metanode(["explain", "node.unreachable", "-o", "json"])).stdout)).toMatchObject({
      exit: 6,
      http: 503,
    });
  });

  test("know every code of the table, and the nearest for a misspelt one", async () => {
    const all: { code: string }[] = JSON.parse((await metanode(["explain", "-o", "json"])).stdout);
    expect(all.map(({ code }) => code)).toEqual([...errorTable().keys()]);
    const misspelt = await metanode(["explain", "procesor.down"]);
    expect(misspelt.status).toBe(3);
    expect(misspelt.stderr).toContain("did you mean processor.down?");
  });

  test("say which version runs", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect((await metanode(["--version"])).stdout).toBe(`${version}\n`);
    expect(JSON.parse((await metanode(["version", "-o", "json"])).stdout)).toMatchObject({
      version,
      node: process.versions.node,
    });
  });
});

describe("a reader that goes away", () => {
  test("ends the command quietly", async () => {
    const child = start(["explain", "-o", "json"], { cwd: folder.path });
    let talk = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      talk += chunk;
    });
    child.stdout?.destroy();
    const [status] = await once(child, "close");
    expect({ status, talk }).toEqual({ status: 141, talk: "" });
  });
});

describe("an older Node", () => {
  const old = spawnSync(
    "sh",
    [
      "-c",
      'for d in $(echo "$PATH" | tr : " "); do [ -x "$d/node" ] && "$d/node" -p "parseInt(process.versions.node) < 24 && process.execPath"; done',
    ],
    {
      encoding: "utf8",
    },
  )
    .stdout.split("\n")
    .find((line) => line.startsWith("/"));

  test.skipIf(old === undefined)(
    "hands over to the pinned one, with arguments, input and status (skipped where no older Node is in PATH)",
    () => {
      const bin = new URL("../bin/metanode.js", import.meta.url).pathname;
      const answer = execFileSync(old ?? "", [bin, "version", "-o", "json"], { encoding: "utf8", cwd: folder.path });
      expect(JSON.parse(answer)).toMatchObject({ node: process.versions.node });
      expect(spawnSync(old ?? "", [bin, "statu"], { cwd: folder.path }).status).toBe(2);
    },
  );

  test.skipIf(old === undefined)("says what is needed where there is none (skipped where no older Node is in PATH)", () => {
    const alone = join(folder.path, "metanode.mjs");
    writeFileSync(alone, readFileSync(new URL("../bin/metanode.js", import.meta.url)));
    const { status, stderr } = spawnSync(old ?? "", [alone, "version"], { cwd: folder.path, encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error config\.invalid: metanode needs Node 24 or later, and this is v\d+.*\n$/);
  });
});
