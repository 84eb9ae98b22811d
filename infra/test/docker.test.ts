import { afterAll, describe, expect, test } from "vitest";
import { createArguments } from "../src/deploy/docker.ts";
import { DockerOptions } from "../src/deploy/options.ts";
import { deployConformance } from "../src/testing/deploy-conformance.ts";
import { type DeployHarness, processesNaming } from "../src/testing/deploy-harness.ts";
import { findEngine, output, REPOSITORY, runNode } from "./engine.ts";
import { AGENT, startManager, temporaryFolder, WORKER } from "./harness.ts";

const engine = findEngine();
afterAll(() => {
  if (typeof engine !== "string") engine[Symbol.dispose]();
});

async function harness(): Promise<DeployHarness> {
  if (typeof engine === "string") throw new Error(engine);
  const { program, image } = engine;
  const folder = await temporaryFolder();
  const manager = await startManager(folder.path);
  return {
    manager,
    group: ({ worker }) => ({
      provider: "docker",
      agent: { processors: [{ name: "worker", file: WORKER, env: { WORKER: worker } }] },
      with: { program, image, command: [...AGENT], network: "host", volumes: [`${REPOSITORY}:${REPOSITORY}:ro`] },
    }),
    restarts: true,
    async kill(node) {
      // From outside: what the engine is asked to kill it does not start again.
      const pid = Number(output(program, "inspect", "--format", "{{.State.Pid}}", node));
      // As root, whoever runs the tests.
      runNode(engine, ["--pid", "host", "--privileged"], `process.kill(${pid}, "SIGKILL")`);
    },
    async remains(topology) {
      const label = `label=metanode.topology=${topology}`;
      const containers = output(program, "ps", "--all", "--filter", label, "--format", "{{.Names}}");
      const volumes = output(program, "volume", "ls", "--filter", label, "--format", "{{.Name}}");
      return [...`${containers}${volumes}`.split("\n").filter((line) => line !== ""), ...(await processesNaming(`${topology}-`))];
    },
    commandLines: async () => [...(await processesNaming("agent")), ...(await processesNaming(program))],
    async dispose() {
      await manager.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe("M-62: nodes as containers keep the promises of deployment", () => {
  deployConformance({
    name: "docker or podman",
    open: harness,
    timeoutMs: 120_000,
    ...(typeof engine === "string" ? { skip: engine } : {}),
  });
});

describe("the arguments for docker", () => {
  test("make a container with the names of what it is, a volume of its own, and its program as it is", () => {
    const options = DockerOptions.parse({ image: "shop:1", network: "front", volumes: ["/srv:/srv:ro"], flags: ["--memory=1g"] });
    const args = createArguments({ name: "shop-eu-0", group: "eu", digest: "0123" }, "shop", options);
    expect(args.join(" ")).toBe(
      "create --name shop-eu-0 --hostname shop-eu-0 --restart unless-stopped " +
        "--label metanode.topology=shop --label metanode.group=eu --label metanode.digest=0123 " +
        "--volume shop-eu-0:/var/lib/metanode --volume /srv:/srv:ro --network front --memory=1g " +
        "--entrypoint metanode shop:1 agent --config /etc/metanode-agent.json --data /var/lib/metanode",
    );
  });

  test("never begin with what could be taken for a flag", () => {
    for (const given of [{ image: "-it" }, { image: "a", network: "--privileged" }, { image: "a", volumes: ["-v"] }]) {
      expect(DockerOptions.safeParse(given).success).toBe(false);
    }
  });
});
