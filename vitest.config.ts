import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: ["packages/nature/test/postgres/global-setup.ts"],
    include: ["{packages,apps,examples,infra}/*/test/**/*.test.ts", "{scripts,bench}/test/**/*.test.ts"],
    // Tests wait for processes more than they work, so no core is left out; by itself Vitest would leave one.
    maxWorkers: "100%",
    // Faults are made on purpose here, with real processes: what a test waits for has a limit of its own, and this is the last one.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // What is waited for comes from other processes; on a busy machine a second is nothing.
    expect: { poll: { timeout: 10_000 } },
  },
});
