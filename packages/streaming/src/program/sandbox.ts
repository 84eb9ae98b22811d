import { spawnSync } from "node:child_process";
import type { GraphNode, Limits } from "../graph/form.ts";

/** What stands in front of a program to hold it, and what was asked for and cannot be had here. */
export interface Sandbox {
  /** Programs that start the program; each replaces itself by the next, so it stays one process. */
  readonly guards: readonly string[];
  /** For people: what is not enforced, and why. */
  readonly missing: readonly string[];
}

/** Where each limit goes, in the words of util-linux's prlimit. */
const LIMITS: Readonly<Record<keyof Limits, string>> = {
  memoryBytes: "as",
  cpuSeconds: "cpu",
  openFiles: "nofile",
  fileBytes: "fsize",
  processes: "nproc",
};

/**
 * A network of its own has nobody in it. Root may have one as it is, others together with a namespace of users, where the
 * system allows that.
 */
const NETWORKS = [
  ["unshare", "--net", "--"],
  ["unshare", "--user", "--map-current-user", "--net", "--"],
] as const;
/** Makes the kernel end the program when its node dies, however that happens and whatever the program does. */
const DEATH = ["setpriv", "--pdeathsig", "KILL", "--"] as const;

/**
 * The sandbox of a node's program, as far as this machine has what it takes: no network unless `egress` allows it, limits,
 * and its end with that of the node. Without Linux and util-linux there is none of it.
 */
export function sandboxOf({ name, egress, limits = {} }: GraphNode): Sandbox {
  const missing: string[] = [];
  const network = egress === undefined ? NETWORKS.find(works) : undefined;
  if (egress === undefined && network === undefined) {
    missing.push(`${name}: its program can reach the network: this machine gives no namespace of networks`);
  } else if (Array.isArray(egress)) {
    missing.push(`${name}: its program can reach every address: single addresses cannot be enforced without a firewall`);
  }
  const asked = Object.entries(limits).map(([limit, value]) => `--${LIMITS[limit as keyof Limits]}=${value}`);
  const canLimit = asked.length > 0 && works(["prlimit", "--nofile=64", "--"]);
  if (asked.length > 0 && !canLimit) missing.push(`${name}: its limits are not enforced: this machine has no prlimit`);
  return {
    // The death signal is forgotten where a process changes its credentials, so it comes behind the namespaces.
    guards: [...(network ?? []), ...(works(DEATH) ? DEATH : []), ...(canLimit ? ["prlimit", ...asked, "--"] : [])],
    missing,
  };
}

const known = new Map<string, boolean>();

/** Whether a guard can start something here; tried once. */
function works(guard: readonly string[]): boolean {
  const name = guard.join(" ");
  const found = known.get(name) ?? tried(guard);
  known.set(name, found);
  return found;
}

function tried([program = "", ...args]: readonly string[]): boolean {
  return process.platform === "linux" && spawnSync(program, [...args, "true"], { stdio: "ignore" }).status === 0;
}
