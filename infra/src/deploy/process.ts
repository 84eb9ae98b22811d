import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { coreError } from "@metanode/core/errors";
import type { ProcessOptions } from "./options.ts";
import { markOf, type ProcessMark, runs } from "./process-mark.ts";
import type { DeployProvider, MadeNode, NodeSpec, ProviderContext } from "./provider.ts";
import { lastLines } from "./text.ts";
import { until } from "./until.ts";

/*
 * Nodes as processes of this machine, each in a folder of its own: `made.json`, what it is and which process; `agent.json`, its configuration,
 * for this user alone; `data`; `log`. Nothing starts them again but the next apply.
 */

interface Made {
  readonly group: string;
  readonly digest: string;
  /** Absent from the moment that a start is begun until the process is there. */
  readonly process?: ProcessMark;
}

const LOOK_MS = 20;
/** How long the system may take to end what it was told to kill. */
const KILL_MS = 10_000;

export async function openProcesses(options: ProcessOptions, context: ProviderContext): Promise<DeployProvider> {
  return new Processes(options, context);
}

class Processes implements DeployProvider {
  readonly #folder: string;
  readonly #cwd: string;
  readonly #stopMs: number;

  constructor({ folder, code = ".", stopMs }: ProcessOptions, context: ProviderContext) {
    this.#folder = resolve(context.folder, folder, context.topology);
    this.#cwd = resolve(context.folder, code);
    this.#stopMs = stopMs;
  }

  async run({ name, group, digest, config }: NodeSpec): Promise<void> {
    const folder = join(this.#folder, name);
    const before = await this.#made(name);
    if (before === undefined) await rm(folder, { recursive: true, force: true });
    else await this.#end(before);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const data = join(folder, "data");
    await writeFile(join(folder, "agent.json"), JSON.stringify({ ...config, data }), { mode: 0o600 });
    await this.#write(name, { group, digest });
    const started = await this.#start(folder);
    await this.#write(name, { group, digest, ...(started === undefined ? {} : { process: started }) });
  }

  async list(): Promise<readonly MadeNode[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const found = await Promise.all(names.map(async (name) => [name, await this.#made(name)] as const));
    const nodes = found.flatMap(([name, made]) => (made === undefined ? [] : [{ name, ...made }]));
    return Promise.all(
      nodes.map(async ({ name, group, digest, process }): Promise<MadeNode> => {
        const state = process !== undefined && (await runs(process)) ? "running" : "ended";
        return { name, group, digest, state, place: state === "running" ? `process ${process?.pid}` : join(this.#folder, name) };
      }),
    );
  }

  async destroy(name: string): Promise<void> {
    const made = await this.#made(name);
    if (made !== undefined) await this.#end(made);
    await rm(join(this.#folder, name), { recursive: true, force: true });
    await rmdir(this.#folder).catch(() => undefined); // others are in it, or it never was
  }

  async log(name: string, lines: number): Promise<readonly string[]> {
    const text = await readFile(join(this.#folder, name, "log"), "utf8").catch(() => "");
    return lastLines(text, lines);
  }

  async #made(name: string): Promise<Made | undefined> {
    try {
      return JSON.parse(await readFile(join(this.#folder, name, "made.json"), "utf8")) as Made;
    } catch {
      return undefined; // none, or one that was never begun
    }
  }

  async #write(name: string, made: Made): Promise<void> {
    const file = join(this.#folder, name, "made.json");
    await writeFile(`${file}.new`, JSON.stringify(made), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }

  /** Starts an agent in a group of its own, which outlives this process. Gives nothing where it has ended at once. */
  async #start(folder: string): Promise<ProcessMark | undefined> {
    const log = await open(join(folder, "log"), "a", 0o600);
    try {
      const program = fileURLToPath(import.meta.resolve("@metanode/agent/main"));
      const child = spawn(process.execPath, [program, "--config", join(folder, "agent.json")], {
        cwd: this.#cwd,
        env: environment(),
        detached: true,
        stdio: ["ignore", log.fd, log.fd],
      });
      await once(child, "spawn").catch((cause: Error) => {
        throw coreError("processor.failed", `the agent could not be started in ${this.#cwd}: ${cause.message}`, { cause });
      });
      child.unref();
      return await markOf(child.pid as number);
    } finally {
      await log.close();
    }
  }

  /** Ends a node, and what is left of its group. A number that another process has now is left alone. */
  async #end({ process: mark }: Made): Promise<void> {
    if (mark === undefined || !(await runs(mark))) return;
    signal(mark.pid, "SIGTERM");
    const isGone = async (): Promise<boolean> => !(await runs(mark));
    await until(isGone, { everyMs: LOOK_MS, limitMs: this.#stopMs });
    signal(-mark.pid, "SIGKILL");
    await until(isGone, { everyMs: LOOK_MS, limitMs: KILL_MS });
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it has just ended
  }
}

/** The environment of whoever deploys, without what is meant for its own node. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("METANODE_")));
}
