import { fileURLToPath } from "node:url";
import { coreError } from "@metanode/core/errors";
import { Exit } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { runChild } from "./child.ts";

/** `metanode agent` */
export async function run(invocation: Invocation): Promise<void> {
  const status = await runChild([agentProgram(), ...flagsOf(invocation)]);
  if (status !== 0) throw new Exit(status);
}

function agentProgram(): string {
  try {
    return fileURLToPath(import.meta.resolve("@metanode/agent/main"));
  } catch (cause) {
    throw coreError(
      "config.invalid",
      "the package @metanode/agent, which runs the node, is not installed; npm install @metanode/agent",
      { cause },
    );
  }
}

/** The agent's program knows the same flags. The token goes by the environment, where no list of processes shows it. */
function flagsOf(invocation: Invocation): string[] {
  const token = invocation.text("withToken") ?? invocation.flags.token;
  if (token !== undefined) process.env.METANODE_AGENT_TOKEN = token;
  const given: [string, string | undefined][] = [
    ["--join", invocation.text("join")],
    ["--config", invocation.text("config")],
    ["--data", invocation.flags.data],
    ["--name", invocation.text("name")],
    ["--version", invocation.text("runs")],
    ["--listen", invocation.text("listen")],
    ["--advertise", invocation.text("advertise")],
    ["--nats", invocation.text("nats")],
  ];
  const labels = Object.entries(invocation.pairs("label") ?? {}).flatMap(([name, value]) => ["--label", `${name}=${value}`]);
  return [...given.flatMap(([flag, value]) => (value === undefined ? [] : [flag, value])), ...labels];
}
