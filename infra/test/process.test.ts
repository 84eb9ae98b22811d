import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openProcesses } from "../src/deploy/process.ts";
import { markOf } from "../src/deploy/process-mark.ts";
import { deployConformance } from "../src/testing/deploy-conformance.ts";
import { type DeployHarness, processesNaming } from "../src/testing/deploy-harness.ts";
import { startManager, temporaryFolder, WORKER } from "./harness.ts";

async function harness(): Promise<DeployHarness> {
  const folder = await temporaryFolder();
  const manager = await startManager(folder.path);
  const made = join(folder.path, "made");
  return {
    manager,
    options: { folder: folder.path },
    group: ({ worker }) => ({
      provider: "process",
      agent: { processors: [{ name: "worker", file: WORKER, env: { WORKER: worker } }] },
      with: { folder: "made" },
    }),
    restarts: false,
    async kill(node) {
      const [topology = ""] = await readdir(made);
      const { process: mark } = JSON.parse(await readFile(join(made, topology, node, "made.json"), "utf8"));
      process.kill(mark.pid, "SIGKILL");
      await expect.poll(() => markOf(mark.pid)).toBe(undefined);
    },
    async remains(topology) {
      const folders = await readdir(join(made, topology)).catch(() => []);
      return [...folders, ...(await processesNaming(`${topology}-`))];
    },
    commandLines: () => processesNaming("agent"),
    async dispose() {
      await manager.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe("M-62: nodes as processes of this machine keep the promises of deployment", () => {
  deployConformance({ name: "processes", open: harness });
});

describe("a process of this machine", () => {
  test("that has the number of a node which is gone is left alone", async () => {
    await using folder = await temporaryFolder();
    const foreign = spawn("sleep", ["60"]);
    const ended = once(foreign, "exit");
    const processes = await openProcesses({ folder: "made", stopMs: 100 }, { topology: "shop", folder: folder.path });
    const config = { name: "shop-eu-0", token: "mnt1.none", listen: "nowhere" };
    await processes.run({ name: "shop-eu-0", group: "eu", digest: "1", config });
    const file = join(folder.path, "made/shop/shop-eu-0/made.json");
    const made = JSON.parse(await readFile(file, "utf8"));
    await expect.poll(async () => (await processes.list())[0]?.state).toBe("ended");
    await writeFile(file, JSON.stringify({ ...made, process: { pid: foreign.pid, started: "another" } }));
    expect((await processes.list())[0]?.state).toBe("ended");
    await processes.destroy("shop-eu-0");
    expect(foreign.exitCode).toBe(null);
    expect(process.kill(foreign.pid as number, 0)).toBe(true);
    foreign.kill("SIGKILL");
    await ended;
  });
});
