import { fileURLToPath } from "node:url";
import { coreError } from "@metanode/core/errors";
import { Exit } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { runChild } from "./child.ts";

/** `metanode up` */
export async function run(invocation: Invocation): Promise<void> {
  const program = gatewayProgram();
  const args = gatewayFlags(invocation);
  invocation.output.detail(`starting ${program} ${args.join(" ")}`);
  const status = await runChild([program, ...args]);
  if (status !== 0) throw new Exit(status);
}

function gatewayProgram(): string {
  try {
    return fileURLToPath(import.meta.resolve("@metanode/gateway/main"));
  } catch (cause) {
    throw coreError(
      "config.invalid",
      "the package @metanode/gateway, which runs the node, is not installed; npm install @metanode/gateway",
      { cause },
    );
  }
}

/** The gateway knows the same flags; what was not given is not passed on. */
function gatewayFlags(invocation: Invocation): string[] {
  const given: [string, string | number | undefined][] = [
    ["--config", invocation.text("config")],
    ["--data", invocation.flags.data],
    ["--host", invocation.text("host")],
    ["--port", invocation.number("port")],
    ["--name", invocation.text("name")],
    ["--log-level", invocation.text("logLevel")],
  ];
  const flags = given.flatMap(([flag, value]) => (value === undefined ? [] : [flag, String(value)]));
  return invocation.has("printConfig") ? [...flags, "--print-config"] : flags;
}
