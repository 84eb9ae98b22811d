import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { markOf } from "../src/deploy/process-mark.ts";
import { deployConformance } from "../src/testing/deploy-conformance.ts";
import { type DeployHarness, processesNaming } from "../src/testing/deploy-harness.ts";
import { AGENT, startManager, temporaryFolder, WORKER } from "./harness.ts";
import { NO_SSHD, startSshd } from "./sshd.ts";
import { NO_SYSTEMD, startUserSystemd } from "./user-systemd.ts";

/** A host of this test's own: an sshd, and a systemd for whoever comes in, or none. */
async function harness(service: "none" | "user"): Promise<DeployHarness> {
  const folder = await temporaryFolder();
  const home = join(folder.path, "home");
  await mkdir(home);
  const systemd = service === "user" ? await startUserSystemd(folder.path, home) : undefined;
  const sshd = await startSshd(folder.path, { ...systemd?.env, HOME: home });
  const manager = await startManager(folder.path);
  const made = join(home, "made");
  const units = join(home, ".config/systemd/user");
  const pidOf = async (node: string): Promise<number> => {
    const [topology = ""] = await readdir(made);
    const [, , , pid] = (await readFile(join(made, topology, node, "made"), "utf8")).split(" ");
    if (pid !== undefined) return Number(pid);
    const args = ["--user", "show", "--property=MainPID", "--value", `metanode-${node}.service`];
    return Number(execFileSync("systemctl", args, { env: { ...process.env, ...systemd?.env }, encoding: "utf8" }));
  };
  return {
    manager,
    group: ({ worker }) => ({
      provider: "ssh",
      agent: { processors: [{ name: "worker", file: WORKER, env: { WORKER: worker } }] },
      with: { hosts: ["target"], config: sshd.config, folder: "made", command: [...AGENT], service },
    }),
    restarts: service === "user",
    async kill(node) {
      const pid = await pidOf(node);
      process.kill(pid, "SIGKILL");
      await expect.poll(() => markOf(pid)).toBe(undefined);
    },
    async remains(topology) {
      const folders = await readdir(join(made, topology)).catch(() => []);
      const files = (await readdir(units, { recursive: true }).catch(() => [])).filter((file) => file.includes(topology));
      return [...folders, ...files, ...(await processesNaming(`${topology}-`))];
    },
    commandLines: async () => [...(await processesNaming("agent")), ...(await processesNaming("ssh"))],
    async dispose() {
      await manager.close();
      await sshd[Symbol.asyncDispose]();
      await systemd?.[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe("M-62: nodes on other hosts, over ssh, keep the promises of deployment", () => {
  deployConformance({ name: "ssh to a host without systemd", open: () => harness("none"), skip: NO_SSHD });
  deployConformance({ name: "ssh to a host with systemd", open: () => harness("user"), skip: NO_SSHD ?? NO_SYSTEMD });
});
