import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { MetaNode } from "@metanode/core";
import type { TopologyInput, TopologyOptions } from "../deploy/topology.ts";

/** A provider under test, and what it deploys to. */
export interface DeployHarness {
  /** A real node, with the tree, that what is deployed can dial. */
  readonly manager: MetaNode;
  /**
   * A group as the provider takes it, without name, replicas and labels. Its nodes handle the message `deploy.work`: they answer
   * `{ node, n, worker }` after `data.ms` milliseconds: a text that no other process of a processor has, `data.n`, and the environment variable
   * `WORKER` of the processor, which is what is given here.
   */
  group(settings: { readonly worker: string }): Omit<TopologyInput["groups"][number], "name">;
  /** Where the provider keeps nothing, or what belongs to this test alone. */
  readonly options?: TopologyOptions;
  /** Kills a node at once, as a machine that loses its power: nothing of it gets to say anything. */
  kill(node: string): Promise<void>;
  /** Whether something starts a killed node again by itself; else the next `apply` does. */
  readonly restarts: boolean;
  /** What there is of a topology: processes, folders, containers, objects, each as a line. Asked of the place, not of the provider. */
  remains(topology: string): Promise<readonly string[]>;
  /** The command lines of all processes that may be the provider's or its nodes'. */
  commandLines(): Promise<readonly string[]>;
  dispose(): Promise<void>;
}

/** Command lines of processes of this machine that hold a text. */
export async function processesNaming(text: string): Promise<string[]> {
  const lines = process.platform === "linux" ? await linesOfProc() : await linesOfPs();
  return lines.filter((line) => line !== "" && line.includes(text));
}

async function linesOfProc(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return Promise.all(
    pids.map((pid) =>
      readFile(`/proc/${pid}/cmdline`, "utf8").then(
        (line) => line.replaceAll("\0", " ").trim(),
        () => "", // it has just ended
      ),
    ),
  );
}

async function linesOfPs(): Promise<string[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-ww", "-o", "pid=,args="]);
  return stdout.split("\n").filter((line) => Number.parseInt(line, 10) !== process.pid);
}
