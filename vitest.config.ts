import { join } from "node:path";
import { defineConfig } from "vitest/config";

// Tests start hundreds of programs from source: from the second start on, what these load is compiled already.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "node_modules", ".cache", "compile");

/**
 * Files that take long because what they try does: real browsers, databases and machines that fail, and every command of the docs.
 * `npm run test:long` runs these, `npm test` all others; a path given to `npm test` runs what it names, whichever it is.
 */
const LONG = [
  "apps/cli/test/{docs,tree,workflows}.test.ts",
  "apps/console/test/browser.test.ts",
  "apps/gateway/test/main.test.ts",
  "examples/lockfile-audit/test/{counts,totals}.test.ts",
  "infra/test/{docker,kubernetes,process,ssh}.test.ts",
  "packages/core/test/link/transport-{grpc,nats}.test.ts",
  "packages/core/test/processor/{isolation,kit}.test.ts",
  "packages/core/test/tree/{certificates,hosts,overload,releases,standby,stream}.test.ts",
  "packages/nature/test/nature/databases.test.ts",
  "packages/nature/test/store/{crash,model,postgres}.test.ts",
  "packages/streaming/test/deployment/placed.test.ts",
];
const ALL = ["{packages,apps,examples}/*/test/**/*.test.ts", "{infra,scripts,bench}/test/**/*.test.ts"];

const namesFiles = process.argv.slice(3).some((word) => !word.startsWith("-"));

export default defineConfig(({ mode }) => ({
  test: {
    globalSetup: ["packages/nature/test/postgres/global-setup.ts"],
    include: mode === "long" ? LONG : ALL,
    exclude: ["**/node_modules/**", ...(mode === "long" || mode === "all" || namesFiles ? [] : LONG)],
    // Tests wait for processes more than they work, so no core is left out; by itself Vitest would leave one.
    maxWorkers: "100%",
    // Faults are made on purpose here, with real processes: what a test waits for has a limit of its own, and this is the last one.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // What is waited for comes from other processes; on a busy machine a second is nothing.
    expect: { poll: { timeout: 10_000 } },
  },
}));
