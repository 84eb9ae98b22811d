/**
 * Runs one of the scenarios that a release has to pass, in full length: `npm run scenario -- <1 to 7> [--seconds n] [--seed n]`.
 * `npm test` runs them shortened, under the same numbers (C7-1 to C7-7).
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const SCENARIOS: Readonly<Record<string, { readonly what: string; readonly files: readonly string[] }>> = {
  1: { what: "three nodes with three commands", files: ["apps/cli/test/tree.test.ts"] },
  2: { what: "a tree grows from one to 585 nodes under traffic", files: ["packages/core/test/tree/membership.test.ts"] },
  3: { what: "nodes are released with work under way", files: ["packages/core/test/tree/membership.test.ts"] },
  4: { what: "a subtree moves under traffic", files: ["packages/core/test/tree/membership.test.ts"] },
  5: {
    what: "every node is upgraded, one after the other, the root too, under load",
    files: ["packages/core/test/tree/maintenance.test.ts", "packages/core/test/tree/standby.test.ts"],
  },
  6: { what: "an hour of kills and pauses", files: ["packages/core/test/tree/chaos.test.ts"] },
  7: { what: "strangers at the doors", files: ["packages/core/test/tree/certificates.test.ts"] },
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "3600" }, seed: { type: "string", default: String(Date.now() % 1_000_000) } },
});
const [number = ""] = positionals;
const scenario = SCENARIOS[number];
if (scenario === undefined) {
  process.stderr.write("usage: npm run scenario -- <number> [--seconds n] [--seed n]\n");
  for (const [key, { what }] of Object.entries(SCENARIOS)) process.stderr.write(`  ${key}  ${what}\n`);
  process.exit(2);
}
process.stdout.write(`scenario ${number}: ${scenario.what}${number === "6" ? `, seed ${values.seed}` : ""}\n`);
const env = { ...process.env, METANODE_CHAOS_SECONDS: values.seconds, METANODE_CHAOS_SEED: values.seed };
const { status } = spawnSync("npx", ["vitest", "run", ...scenario.files, "-t", `C7-${number}`], {
  cwd: ROOT,
  stdio: "inherit",
  env,
});
process.exitCode = status ?? 1;
