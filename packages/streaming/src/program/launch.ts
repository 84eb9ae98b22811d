import type { GraphNode } from "../graph/form.ts";
import type { Launch } from "./child.ts";
import { sandboxOf } from "./sandbox.ts";

/** What a program sees of the environment of its node, besides what its own settings give. */
const PASSED_ENVIRONMENT = ["PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "USER", "LOGNAME"] as const;

/** How to start a command: in its sandbox, with an environment by allow-list. */
export function launchOf(node: GraphNode, words: readonly [string, ...string[]]): Launch {
  const passed: Record<string, string> = {};
  for (const key of PASSED_ENVIRONMENT) {
    const value = process.env[key];
    if (value !== undefined) passed[key] = value;
  }
  return { guards: sandboxOf(node).guards, argv: words, env: { ...passed, ...node.env } };
}
