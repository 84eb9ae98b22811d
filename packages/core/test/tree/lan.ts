/**
 * Hosts with addresses of their own, on one machine: network namespaces of Linux, wired to a switch that is one as well, so nothing of
 * the machine's own network is touched. Not a test.
 */
import { execFileSync } from "node:child_process";
import { HostProcess } from "./cluster.ts";

/** A block for documentation (RFC 5737), so that it cannot be anybody's. */
const BLOCK = "192.0.2";

let made = 0;

function ip(...args: readonly string[]): string {
  return execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** A host: processes of its own, one cable. */
export class LanHost {
  readonly namespace: string;
  readonly address: string;
  readonly #port: { readonly switch: string; readonly name: string };
  readonly #processes: HostProcess[] = [];

  constructor(lan: string, n: number) {
    this.namespace = `${lan}h${n}`;
    this.address = `${BLOCK}.${n}`;
    this.#port = { switch: `${lan}s`, name: `p${n}` };
    ip("netns", "add", this.namespace);
    ip("-n", `${lan}s`, "link", "add", this.#port.name, "type", "veth", "peer", "name", "eth0", "netns", this.namespace);
    ip("-n", `${lan}s`, "link", "set", this.#port.name, "master", "br0", "up");
    ip("-n", this.namespace, "addr", "add", `${this.address}/24`, "dev", "eth0");
    for (const device of ["eth0", "lo"]) ip("-n", this.namespace, "link", "set", device, "up");
  }

  async process(): Promise<HostProcess> {
    const process = await HostProcess.start(this.namespace);
    this.#processes.push(process);
    return process;
  }

  /** Pulls the cable: what is sent is lost, and nobody hears of it. */
  unplug(): void {
    this.#cable("down");
  }

  plug(): void {
    this.#cable("up");
  }

  /** What can be connected to from outside: local addresses of TCP sockets that listen, those of the loopback left out. */
  listeners(): string[] {
    const lines = execFileSync("ip", ["netns", "exec", this.namespace, "cat", "/proc/net/tcp"], { encoding: "utf8" });
    const sockets = lines.trim().split("\n").slice(1);
    const LISTEN = "0A";
    return sockets.flatMap((line) => {
      const [, local = "", , state] = line.trim().split(/\s+/);
      const [hex = "", port = ""] = local.split(":");
      const address = (hex.match(/../g) ?? [])
        .map((byte) => Number.parseInt(byte, 16))
        .reverse()
        .join(".");
      return state === LISTEN && address !== "127.0.0.1" ? [`${address}:${Number.parseInt(port, 16)}`] : [];
    });
  }

  async end(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.kill()));
    ip("netns", "del", this.namespace);
  }

  #cable(state: "up" | "down"): void {
    ip("-n", this.#port.switch, "link", "set", this.#port.name, state);
  }
}

/** Some hosts on one switch. */
export class Lan implements AsyncDisposable {
  readonly hosts: readonly LanHost[];
  readonly #switch: string;

  private constructor(name: string, count: number) {
    this.#switch = `${name}s`;
    ip("netns", "add", this.#switch);
    ip("-n", this.#switch, "link", "add", "br0", "type", "bridge");
    ip("-n", this.#switch, "link", "set", "br0", "up");
    this.hosts = Array.from({ length: count }, (_, n) => new LanHost(name, n + 1));
  }

  static of(count: number): Lan {
    return new Lan(`mn${process.pid}-${made++}`, count);
  }

  /** Why this machine has none, or undefined if it does. */
  static get whyNot(): string | undefined {
    const name = `mn${process.pid}-try`;
    try {
      ip("netns", "add", name);
      ip("-n", name, "link", "add", "br0", "type", "bridge");
      return undefined;
    } catch (error) {
      return `no network namespaces can be made here: ${(error as Error).message.trim().split("\n").at(-1)}`;
    } finally {
      try {
        ip("netns", "del", name);
      } catch {
        // It was not made.
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.end()));
    ip("netns", "del", this.#switch);
  }
}
