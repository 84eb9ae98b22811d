import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SshOptions } from "../src/deploy/options.ts";
import { SshScripts } from "../src/deploy/ssh-script.ts";
import { shellQuoted } from "../src/deploy/text.ts";
import { temporaryFolder } from "./harness.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let home: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  home = join(folder.path, `it's "$HOME"`);
  mkdirSync(home);
});
afterEach(() => folder[Symbol.asyncDispose]());

/** What a host does with a script: its shell reads it from standard input. */
function run(script: string): string {
  const { status, stdout, stderr } = spawnSync("sh", ["-s"], {
    input: script,
    encoding: "utf8",
    env: { PATH: process.env.PATH, HOME: home },
  });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
}

const ODD = ["a b", "it's", "$HOME", "`id`", "$(id)", "*", '"', "\\", "-n", "a\nb", "END_OF_CONFIGURATION"];

describe("a script for a host", () => {
  test("hands every word of a command on as it is, whatever a shell would make of it, also from a home with an odd name", async () => {
    const command = ["sh", "-c", 'for one in "$@"; do printf "%s\\0" "$one"; done > words; exec sleep 600', "sh", ...ODD];
    const scripts = new SshScripts(SshOptions.parse({ hosts: ["h"], command, service: "none", stopMs: 2_000 }), "shop");
    const config = { name: "shop-eu-0", token: "mnt1.it's", labels: { odd: "$(id) 'x'" } };
    run(scripts.run({ name: "shop-eu-0", group: "eu", digest: "0123", config }));
    const node = join(home, ".metanode-deploy/shop/shop-eu-0");
    await expect
      .poll(() => existsSync(join(node, "words")) && readFileSync(join(node, "words"), "utf8").split("\0"))
      .toEqual([...ODD, "--config", join(node, "agent.json"), ""]);
    expect(JSON.parse(readFileSync(join(node, "agent.json"), "utf8"))).toEqual({ ...config, data: "data" });
    expect(statSync(join(node, "agent.json")).mode & 0o077).toBe(0);
    expect(run(scripts.list())).toBe("shop-eu-0\teu\t0123\trunning\n");
    run(scripts.destroy("shop-eu-0"));
    expect(existsSync(join(home, ".metanode-deploy/shop"))).toBe(false);
    expect(run(scripts.list())).toBe("");
  });

  test("is read by a shell as it was written", () => {
    for (const word of ODD) {
      expect(spawnSync("sh", ["-c", `printf %s ${shellQuoted(word)}`], { encoding: "utf8" }).stdout).toBe(word);
    }
  });
});
