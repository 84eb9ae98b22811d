import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { coreError } from "@metanode/core/errors";
import { type CommandResult, runCommand } from "./command.ts";
import type { DockerOptions } from "./options.ts";
import type { DeployProvider, MadeNode, NodeSpec, ProviderContext } from "./provider.ts";
import { lastLines } from "./text.ts";

/** Labels of what is made. */
const LABEL = { topology: "metanode.topology", group: "metanode.group", digest: "metanode.digest" } as const;

const CONFIG_FILE = "/etc/metanode-agent.json";
const DATA_FOLDER = "/var/lib/metanode";

/** What of `docker inspect` is read; docker and podman agree on it. */
interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly RestartCount?: number;
  readonly State: { readonly Running?: boolean; readonly Restarting?: boolean; readonly StartedAt?: string };
  readonly Config: { readonly Labels?: Readonly<Record<string, string>> | null };
}

export async function openDocker(options: DockerOptions, { topology }: ProviderContext): Promise<DeployProvider> {
  return new Docker(options, topology);
}

/** Arguments that make the container of a node. Its configuration, with the token, is copied into it before it starts. */
export function createArguments(
  { name, group, digest }: Omit<NodeSpec, "config">,
  topology: string,
  options: DockerOptions,
): string[] {
  const { image, command, network, volumes, flags, restart } = options;
  const labels = { [LABEL.topology]: topology, [LABEL.group]: group, [LABEL.digest]: digest };
  const [program = "", ...args] = command;
  return [
    ...["create", "--name", name, "--hostname", name, "--restart", restart],
    ...Object.entries(labels).flatMap(([label, value]) => ["--label", `${label}=${value}`]),
    ...["--volume", `${name}:${DATA_FOLDER}`],
    ...volumes.flatMap((volume) => ["--volume", volume]),
    ...(network === undefined ? [] : ["--network", network]),
    ...flags,
    ...["--entrypoint", program, image, ...args, "--config", CONFIG_FILE, "--data", DATA_FOLDER],
  ];
}

/** Starts, each soon after the one before, from which on a container is taken for one that will not stay. */
const CRASH_LOOP_STARTS = 3;
/** The time after which docker itself takes a container for one that stays. @source https://docs.docker.com/reference/cli/docker/container/run/#restart */
const STAYS_MS = 10_000;

/** One that is started again and again runs whenever it is looked at in between. */
function isUp({ RestartCount = 0, State: { Running, Restarting, StartedAt = "" } }: Inspected): boolean {
  const isYoung = Math.abs(Date.now() - Date.parse(StartedAt)) < STAYS_MS;
  return Running === true && Restarting !== true && !(isYoung && RestartCount >= CRASH_LOOP_STARTS);
}

/** Nodes as containers, through the command of an engine. A container is made anew for a new configuration; its volume stays. */
class Docker implements DeployProvider {
  readonly #options: DockerOptions;
  readonly #topology: string;

  constructor(options: DockerOptions, topology: string) {
    this.#options = options;
    this.#topology = topology;
  }

  async run(node: NodeSpec, signal?: AbortSignal): Promise<void> {
    const { name, config } = node;
    if (await this.#isThere(name)) await this.#end(name);
    else {
      await this.#engine(["volume", "rm", "--force", name]);
      await this.#engine(["volume", "create", "--label", `${LABEL.topology}=${this.#topology}`, name], signal);
    }
    const folder = await mkdtemp(join(tmpdir(), "metanode-"));
    try {
      const file = join(folder, "agent.json");
      await writeFile(file, JSON.stringify(config), { mode: 0o600 });
      await this.#engine(createArguments(node, this.#topology, this.#options), signal);
      // Readable for whoever the image makes its user; on this side the folder is for this user alone.
      await chmod(file, 0o444);
      await this.#engine(["cp", file, `${name}:${CONFIG_FILE}`], signal);
      await this.#engine(["start", name], signal);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async list(): Promise<readonly MadeNode[]> {
    const filter = `label=${LABEL.topology}=${this.#topology}`;
    const { stdout } = await this.#engine(["ps", "--all", "--quiet", "--no-trunc", "--filter", filter]);
    const ids = lastLines(stdout, Number.POSITIVE_INFINITY);
    if (ids.length === 0) return [];
    // One that is taken away meanwhile makes it fail, and says the others all the same.
    const inspected = await this.#try(["inspect", "--type", "container", ...ids]);
    return (JSON.parse(inspected.stdout || "[]") as Inspected[]).map((container): MadeNode => {
      const { Id, Name, Config } = container;
      return {
        name: Name.replace(/^\//, ""),
        group: Config.Labels?.[LABEL.group] ?? "",
        digest: Config.Labels?.[LABEL.digest] ?? "",
        state: isUp(container) ? "running" : "ended",
        place: `container ${Id.slice(0, 12)}`,
      };
    });
  }

  async destroy(name: string): Promise<void> {
    if (await this.#isThere(name)) await this.#end(name);
    await this.#engine(["volume", "rm", "--force", name]);
  }

  async log(name: string, lines: number): Promise<readonly string[]> {
    const { stdout, stderr } = await this.#try(["logs", "--tail", String(lines), name]);
    return [...lastLines(stdout, lines), ...lastLines(stderr, lines)].slice(-lines);
  }

  async #end(name: string): Promise<void> {
    await this.#try(["stop", "-t", String(Math.ceil(this.#options.stopMs / 1_000)), name]);
    await this.#engine(["rm", "--force", name]);
  }

  async #isThere(name: string): Promise<boolean> {
    return (await this.#try(["container", "inspect", "--format", "{{.Id}}", name])).status === 0;
  }

  #try(args: readonly string[], signal?: AbortSignal): Promise<CommandResult> {
    return runCommand({ program: this.#options.program, args, signal });
  }

  /** @throws {MetanodeError} processor.failed – the engine refused; call.unsupported – it is not there */
  async #engine(args: readonly string[], signal?: AbortSignal): Promise<CommandResult> {
    const result = await this.#try(args, signal);
    if (result.status === 0) return result;
    const { program } = this.#options;
    const said = lastLines(result.stderr, 3).join(" | ");
    throw coreError("processor.failed", `${program} ${args[0]} ended with ${result.status}: ${said}`);
  }
}
