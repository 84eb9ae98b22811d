import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { markOf } from "../src/deploy/process-mark.ts";
import { deployConformance } from "../src/testing/deploy-conformance.ts";
import { type DeployHarness, processesNaming } from "../src/testing/deploy-harness.ts";
import { AGENT, startManager, temporaryFolder, WORKER } from "./harness.ts";
import { NO_SSHD, startSshd } from "./sshd.ts";

async function harness(): Promise<DeployHarness> {
  const folder = await temporaryFolder();
  const sshd = await startSshd(folder.path);
  const manager = await startManager(folder.path);
  const made = join(sshd.home, "made");
  return {
    manager,
    group: ({ worker }) => ({
      provider: "ssh",
      agent: { processors: [{ name: "worker", file: WORKER, env: { WORKER: worker } }] },
      with: { hosts: ["target"], config: sshd.config, folder: "made", command: [...AGENT], service: "none" },
    }),
    restarts: false,
    async kill(node) {
      const [topology = ""] = await readdir(made);
      const [, , , pid] = (await readFile(join(made, topology, node, "made"), "utf8")).split(" ");
      process.kill(Number(pid), "SIGKILL");
      await expect.poll(() => markOf(Number(pid))).toBe(undefined);
    },
    async remains(topology) {
      const folders = await readdir(join(made, topology)).catch(() => []);
      return [...folders, ...(await processesNaming(`${topology}-`))];
    },
    commandLines: async () => [...(await processesNaming("agent")), ...(await processesNaming("ssh"))],
    async dispose() {
      await manager.close();
      await sshd[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe("M-62: nodes on other hosts, over ssh, keep the promises of deployment", () => {
  deployConformance({ name: "ssh to a host without systemd", open: harness, skip: NO_SSHD });
});
