import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run, startNode, type TestNode } from "./helpers.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
const isThere = (shell: string): boolean => spawnSync(shell, ["-c", "true"]).status === 0;

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
  for (const shell of SHELLS) writeFileSync(join(node.folder, shell), (await node.metanode(["completion", shell])).stdout);
  mkdirSync(join(node.folder, "bin"));
  symlinkSync(fileURLToPath(new URL("../bin/metanode.js", import.meta.url)), join(node.folder, "bin", "metanode"));
});
afterAll(() => node[Symbol.asyncDispose]());

const environment = (): NodeJS.ProcessEnv => ({
  PATH: `${join(node.folder, "bin")}:${join(process.execPath, "..")}:${process.env.PATH}`,
  HOME: node.folder,
});

/** What bash offers after a line, which ends where the cursor stands. */
function offered(line: string): string[] {
  const script = `source ./bash; COMP_LINE=$1; COMP_POINT=\${#1}; _metanode; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", script, "bash", line], {
    cwd: node.folder,
    env: environment(),
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return stdout.split("\n").filter((word) => word !== "");
}

describe("a completion script", () => {
  test.each(SHELLS)("for %s is one that the shell can parse (skipped where the shell is missing)", (shell) => {
    if (!isThere(shell)) return;
    const { status, stderr } = spawnSync(shell, ["-n", shell], { cwd: node.folder, encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });
});

describe.skipIf(!isThere("bash"))("completion in bash (skipped where bash is missing)", () => {
  test("offers commands, the commands of a family, and the words of an option", () => {
    expect(offered("metanode st")).toEqual(["status", "standby", "stream"]);
    expect(offered("metanode action ")).toEqual(["ls", "upload", "get", "rm"]);
    expect(offered("metanode processor re")).toEqual(["replace", "remove", "restart"]);
    expect(offered("metanode status --output ")).toEqual(["table", "json", "yaml"]);
    expect(offered("metanode -o json completion ")).toEqual(["bash", "zsh", "fish"]);
  });

  test("offers the options of the command, and the global ones", () => {
    expect(offered("metanode status --w")).toEqual(["--watch"]);
    expect(offered("metanode status --no")).toEqual(["--no-color"]);
    expect(offered("metanode call --stream --time")).toEqual(["--timeout"]);
  });

  test("offers the names that the node knows", () => {
    expect(offered("metanode processor get ")).toEqual(["text"]);
    expect(offered("metanode call text.u")).toEqual(["text.upper"]);
    expect(offered(`metanode --data ${node.folder}/.metanode call text.ech`)).toEqual(["text.echo"]);
    expect(offered("metanode explain auth.")).toEqual(["auth.unauthenticated", "auth.denied"]);
  });

  test("offers nothing where no node runs, and says nothing", () => {
    expect(offered("metanode --data nowhere call ")).toEqual([]);
  });
});

describe.skipIf(!isThere("fish"))("completion in fish (skipped where fish is missing)", () => {
  test("offers commands, options and names", () => {
    const fish = (line: string): string[] => {
      const { stdout } = spawnSync("fish", ["--no-config", "-c", "source ./fish; complete -C $argv[1]", line], {
        cwd: node.folder,
        env: environment(),
        encoding: "utf8",
      });
      return stdout.split("\n").flatMap((word) => (word === "" ? [] : [word.split("\t")[0] ?? ""]));
    };
    expect(fish("metanode st")).toEqual(["status", "stream"]);
    expect(fish("metanode processor res")).toEqual(["restart"]);
    expect(fish("metanode call text.u")).toEqual(["text.upper"]);
    expect(fish("metanode status --wat")).toEqual(["--watch"]);
  });
});

describe("the names for a completion", () => {
  test("are none, without an error, when the node does not answer in time", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const outcome = await run(["__complete", "type", "--url", url], { cwd: node.folder });
    silent.close();
    expect(outcome).toMatchObject({ status: 0, stdout: "", stderr: "" });
  });
});
