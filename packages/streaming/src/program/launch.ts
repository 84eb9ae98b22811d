import { spawnSync } from "node:child_process";
import type { GraphNode } from "../graph/form.ts";
import type { Launch } from "./child.ts";

/** What a program sees of the environment of its node, besides what its own settings give. */
const PASSED_ENVIRONMENT = ["PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "USER", "LOGNAME"] as const;

/** How to start a command: its guards, and its environment by allow-list. */
export function launchOf({ env = {} }: GraphNode, words: readonly [string, ...string[]]): Launch {
  const passed: Record<string, string> = {};
  for (const key of PASSED_ENVIRONMENT) {
    const value = process.env[key];
    if (value !== undefined) passed[key] = value;
  }
  const [program, ...args] = [...deathGuard(), ...words] as [string, ...string[]];
  return { argv: [program, ...args], env: { ...passed, ...env } };
}

let guard: readonly string[] | undefined;

/**
 * A program in front of another, which makes the kernel end that one when its node dies, however that happens. Linux with
 * util-linux has it; elsewhere a program notices that its stdin was closed.
 */
function deathGuard(): readonly string[] {
  if (guard === undefined) {
    const words = ["setpriv", "--pdeathsig", "KILL", "--"];
    const isThere =
      process.platform === "linux" && spawnSync("setpriv", [...words.slice(1), "true"], { stdio: "ignore" }).status === 0;
    guard = isThere ? words : [];
  }
  return guard;
}
