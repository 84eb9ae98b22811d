import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Action, compileGraph, connectors, functionAction, GraphRun, programAction } from "@metanode/streaming";
import type { Sampler } from "../contender.ts";
import { diskFolder, temporaryFolder, track } from "../processes.ts";

/** Records that arrive before something is killed. */
const BEFORE = 300;

/** Samplers of what is killed and comes back. */
export const faultSamplers: Readonly<Record<string, Sampler>> = {
  "recovery.kill9": async () => (await recovery()).fromKillMs,
  "recovery.start": async () => (await recovery()).fromStartMs,
  "program.restart": () => programRestart(),
};

/** The numbers that have arrived, and who waits for one. */
class Arrivals {
  readonly #seen = new Set<number>();
  #highest = -1;
  #wait: { readonly above: number; readonly resolve: (atMs: number) => void } | undefined;

  get highest(): number {
    return this.#highest;
  }

  readonly add = (number: number): void => {
    this.#seen.add(number);
    this.#highest = Math.max(this.#highest, number);
    if (this.#wait !== undefined && number > this.#wait.above) this.#wait.resolve(performance.now());
  };

  /** When the first number above this one arrives. */
  above(number: number): Promise<number> {
    if (this.#highest > number) return Promise.resolve(performance.now());
    return new Promise((resolve) => {
      this.#wait = { above: number, resolve };
    });
  }

  /** @throws {Error} One is missing. */
  proveWhole(): void {
    if (this.#seen.size !== this.#highest + 1) throw new Error(`${this.#seen.size} of ${this.#highest + 1} records arrived`);
  }
}

interface Host {
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

async function recovery(): Promise<{ fromKillMs: number; fromStartMs: number }> {
  const folder = diskFolder("stream-recovery-");
  const arrivals = new Arrivals();
  const hosts: Host[] = [];
  try {
    const first = startHost(folder, arrivals);
    hosts.push(first);
    await arrivals.above(BEFORE);
    const closed = once(first.child, "close");
    const killedMs = performance.now();
    first.child.kill("SIGKILL");
    await closed;
    const { highest } = arrivals;
    const startedMs = performance.now();
    hosts.push(startHost(folder, arrivals));
    const newMs = await arrivals.above(highest);
    arrivals.proveWhole();
    return { fromKillMs: newMs - killedMs, fromStartMs: newMs - startedMs };
  } finally {
    for (const host of hosts) await host.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function startHost(folder: string, arrivals: Arrivals): Host {
  const module = fileURLToPath(new URL("./stream-host.ts", import.meta.url));
  const child = fork(module, [folder], { stdio: ["ignore", 2, 2, "ipc"] });
  child.on("message", (number: number) => arrivals.add(number));
  return { child, stop: track(child).stop };
}

async function programRestart(): Promise<number> {
  const folder = temporaryFolder("stream-");
  const arrivals = new Arrivals();
  const { graph } = compileGraph({
    name: "restart",
    nodes: [
      { name: "numbers", with: { ratePerSecond: 1_000 } },
      { name: "sed", command: ["sed", "-u", "s/^/+/"], answers: "one" },
      { name: "tell" },
    ],
    expression: "numbers; sed; tell",
  });
  const generate = connectors.find(({ name }) => name === "generate");
  const actions = new Map<string, Action>();
  for (const node of graph.nodes) {
    if (node.name === "sed") actions.set(node.name, programAction(node));
    else if (node.name === "tell")
      actions.set(
        node.name,
        functionAction((text: string) => arrivals.add(Number(text))),
      );
    else if (generate !== undefined) actions.set(node.name, generate.make(node, {}));
  }
  const run = await GraphRun.open({ graph, actions, folder });
  try {
    await arrivals.above(BEFORE);
    const { nodes } = run.status();
    const pid = nodes.find(({ name }) => name === "sed")?.details?.pid;
    const given = nodes.find(({ name }) => name === "numbers")?.sequence ?? 0;
    if (typeof pid !== "number") throw new Error("the program does not run");
    const killedMs = performance.now();
    process.kill(pid, "SIGKILL");
    const newMs = await arrivals.above(given - 1);
    arrivals.proveWhole();
    return newMs - killedMs;
  } finally {
    await run.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
