import { coreError } from "@metanode/core/errors";
import { type CommandResult, runCommand } from "./command.ts";
import { Lanes } from "./lanes.ts";
import type { SshOptions } from "./options.ts";
import type { DeployProvider, MadeNode, NodeSpec, ProviderContext } from "./provider.ts";
import { SshScripts } from "./ssh-script.ts";
import { lastLines } from "./text.ts";

/** With which ssh says that it did not come to the host, or was not let in. @source ssh(1) */
const NO_CONNECTION = 255;

/** An sshd turns away who comes while more than ten are at its door (MaxStartups). @source sshd_config(5) */
const lanes = new Lanes(4);

export async function openSsh(options: SshOptions, { topology }: ProviderContext): Promise<DeployProvider> {
  return new Ssh(options, topology);
}

/** Nodes on other hosts, over the ssh client of the system: its configuration, its agent and its known hosts count. It never asks. */
class Ssh implements DeployProvider {
  readonly #options: SshOptions;
  readonly #scripts: SshScripts;
  /** Where each node is, as far as is known. */
  readonly #places = new Map<string, string>();

  constructor(options: SshOptions, topology: string) {
    this.#options = options;
    this.#scripts = new SshScripts(options, topology);
  }

  async run(node: NodeSpec, signal?: AbortSignal): Promise<void> {
    if (this.#places.size === 0) await this.list();
    const host = this.#places.get(node.name) ?? this.#emptiest();
    this.#places.set(node.name, host);
    await this.#on(host, this.#scripts.run(node), signal);
  }

  async list(): Promise<readonly MadeNode[]> {
    const lists = await Promise.all(
      this.#options.hosts.map(async (host) => {
        const { stdout } = await this.#on(host, this.#scripts.list());
        return lastLines(stdout, Number.POSITIVE_INFINITY).map((line): MadeNode => {
          const [name = "", group = "", digest = "", state] = line.split("\t");
          return { name, group, digest, state: state === "running" ? state : "ended", place: host };
        });
      }),
    );
    const nodes = lists.flat();
    for (const { name, place } of nodes) this.#places.set(name, place);
    return nodes;
  }

  async destroy(name: string): Promise<void> {
    const host = this.#places.get(name);
    const hosts = host === undefined ? this.#options.hosts : [host];
    await Promise.all(hosts.map((one) => this.#on(one, this.#scripts.destroy(name))));
    this.#places.delete(name);
  }

  async log(name: string, lines: number): Promise<readonly string[]> {
    const host = this.#places.get(name);
    if (host === undefined) return [];
    return lastLines((await this.#on(host, this.#scripts.log(name, lines))).stdout, lines);
  }

  /** The host with the fewest nodes, the first of several. */
  #emptiest(): string {
    const counts = new Map(this.#options.hosts.map((host) => [host, 0]));
    for (const host of this.#places.values()) counts.set(host, (counts.get(host) ?? 0) + 1);
    const [first] = this.#options.hosts.toSorted((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0));
    return first as string;
  }

  /** Runs a script on a host. @throws {MetanodeError} node.unreachable, processor.failed, call.unsupported – there is no ssh */
  async #on(host: string, script: string, signal?: AbortSignal): Promise<CommandResult> {
    const { port, identity, config, connectMs } = this.#options;
    const args = [
      ...(config === undefined ? [] : ["-F", config]),
      ...["-T", "-o", "BatchMode=yes", "-o", `ConnectTimeout=${Math.ceil(connectMs / 1_000)}`],
      ...["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"],
      ...(port === undefined ? [] : ["-p", String(port)]),
      ...(identity === undefined ? [] : ["-i", identity]),
      // Whatever its login shell is, it hands over to one that is known.
      ...["--", host, "exec sh -s"],
    ];
    const result = await lanes.run(host, () => runCommand({ program: "ssh", args, stdin: script, signal }));
    const said = lastLines(result.stderr, 3).join(" | ");
    if (result.status === NO_CONNECTION) throw coreError("node.unreachable", `ssh does not come to ${host}: ${said}`);
    if (result.status !== 0) throw coreError("processor.failed", `the script on ${host} ended with ${result.status}: ${said}`);
    return result;
  }
}
