import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { fromWire, type WireError } from "../../src/errors.ts";
import type { MessageInit } from "../../src/message/message.ts";
import type { ProcessorSpec } from "../../src/processor/options.ts";
import type { CallOptions } from "../../src/router/router.ts";
import {
  type ForAllEvent,
  type ForAllRequest,
  type ForAllResult,
  type NodeDescription,
  TREE,
  type TreeModuleOptions,
} from "../../src/tree/index.ts";
import type { Dialect } from "./dialect.ts";
import type { Offer, Offered } from "./offered-load.ts";

/** A node to be started; with a folder it can be started again as itself. */
export interface NodeSpec extends Omit<TreeModuleOptions, "facts" | "hooks" | "transport"> {
  readonly name: string;
  /** Types that it handles besides the usual ones. */
  readonly types?: readonly string[];
  readonly folder?: string;
  /** Of another release than this one. */
  readonly dialect?: Dialect;
  /** Programs of its own, each in a process. */
  readonly processors?: readonly ProcessorSpec[];
}

export interface Order {
  readonly id: number;
  readonly verb: string;
  readonly name?: string;
  readonly args?: readonly unknown[];
}

const PROGRAM = fileURLToPath(new URL("./host-program.ts", import.meta.url));

/** What a load came to. */
export interface LoadResult {
  readonly answered: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
}

/** An operating system process that hosts nodes. */
export class HostProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #open = new Map<number, PromiseWithResolvers<unknown>>();
  #next = 1;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", ({ id, value, error }: { id: number; value?: unknown; error?: WireError }) => {
      const waiting = this.#open.get(id);
      this.#open.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(fromWire(error));
    });
    child.once("exit", () => {
      for (const { reject } of this.#open.values()) reject(new Error("the process is gone"));
    });
  }

  /** In a network namespace, if one is named. */
  static async start(namespace?: string): Promise<HostProcess> {
    const child = fork(PROGRAM, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
      ...(namespace === undefined ? {} : { execPath: "ip", execArgv: ["netns", "exec", namespace, process.execPath] }),
    });
    await once(child, "message");
    return new HostProcess(child);
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  ask<T>(verb: string, name?: string, ...args: readonly unknown[]): Promise<T> {
    const id = this.#next++;
    const answer = Promise.withResolvers<unknown>();
    this.#open.set(id, answer);
    this.#child.send({ id, verb, name, args });
    return answer.promise as Promise<T>;
  }

  async node(spec: NodeSpec): Promise<RemoteNode> {
    const { id, address } = await this.ask<{ id: string; address: string }>("start", undefined, spec);
    return new RemoteNode(this, spec.name, { id, address });
  }

  /** From now on its memory is watched, until {@link grown}. */
  weigh(): Promise<void> {
    return this.ask("weigh");
  }

  /** The greatest resident memory since, less that before, in megabytes. */
  grown(): Promise<number> {
    return this.ask("grown");
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Kills it at once, as a machine that loses its power. */
  async kill(): Promise<void> {
    if (!this.isAlive) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Processes that serve one test after the other: to start one takes longer than most tests do. */
export class HostPool {
  readonly #idle: HostProcess[] = [];
  #taken: HostProcess[] = [];

  /** Processes without nodes. A test may kill or stop them. */
  async take(count: number): Promise<HostProcess[]> {
    const found = this.#idle.splice(0, count);
    const made = await Promise.all(Array.from({ length: count - found.length }, () => HostProcess.start()));
    this.#taken.push(...found, ...made);
    return [...found, ...made];
  }

  /** After a test: whoever still lives is emptied and kept. */
  async giveBack(): Promise<void> {
    const taken = this.#taken.splice(0);
    await Promise.all(
      taken.map(async (host) => {
        if (!host.isAlive) return;
        host.signal("SIGCONT");
        await host.ask("reset");
        this.#idle.push(host);
      }),
    );
  }

  async end(): Promise<void> {
    await Promise.all([...this.#idle, ...this.#taken].map((host) => host.kill()));
  }
}

/** A node in another process. */
export class RemoteNode {
  readonly host: HostProcess;
  readonly name: string;
  readonly id: string;
  readonly address: string;

  constructor(host: HostProcess, name: string, { id, address }: { id: string; address: string }) {
    this.host = host;
    this.name = name;
    this.id = id;
    this.address = address;
  }

  call<T = unknown>(init: MessageInit, options?: CallOptions): Promise<T> {
    return this.host.ask<T>("call", this.name, init, options);
  }

  /** Sends a message to another node of the tree. */
  send<T = unknown>(target: string, type: string, data?: unknown): Promise<T> {
    return this.call<T>({ type, extensions: { target }, ...(data === undefined ? {} : { data }) });
  }

  async adopt(other: RemoteNode, options: object = {}): Promise<{ path: string; epoch: number }> {
    const token = await other.host.ask<string>("token", other.name, "adopt");
    return this.call({ type: TREE.adopt, data: { token, ...options } });
  }

  async enlist(manager: RemoteNode): Promise<void> {
    await this.host.ask("join", this.name, await manager.host.ask<string>("token", manager.name, "join"));
  }

  release(child: string, options: object = {}): Promise<{ unfinished: number }> {
    return this.call({ type: TREE.release, data: { child, ...options } }, { timeoutMs: 60_000 });
  }

  events(request: ForAllRequest): Promise<ForAllEvent[]> {
    return this.host.ask("stream", this.name, { type: TREE.all, data: request }, { timeoutMs: 60_000 });
  }

  async all(request: ForAllRequest): Promise<ForAllResult> {
    return (await this.events(request)).at(-1) as unknown as ForAllResult;
  }

  /** Calls for a stream of {@link byteItems}; {@link read} reads it, {@link leave} ends it early. */
  open(target: string, items: number): Promise<void> {
    return this.host.ask("open", this.name, { type: "bytes", data: items, extensions: { target } }, { timeoutMs: 600_000 });
  }

  /** Reads so many items more, or to the end; gives how many have been read so far. */
  read(most = Number.POSITIVE_INFINITY): Promise<number> {
    return this.host.ask("read", this.name, most);
  }

  leave(): Promise<void> {
    return this.host.ask("leave", this.name);
  }

  describe(): Promise<NodeDescription> {
    return this.host.ask("describe", this.name);
  }

  /** How often it has handled each type. */
  seen(): Promise<Record<string, number>> {
    return this.host.ask("seen", this.name);
  }

  /** Calls as the offer says, from within its process. */
  offer(init: MessageInit, options: CallOptions, offer: Offer): Promise<Offered> {
    return this.host.ask("offer", this.name, { init, options, offer });
  }

  /** Sends a message so many times a second until {@link unload}. */
  load(init: MessageInit, perSecond: number): Promise<void> {
    return this.host.ask("load", this.name, init, { perSecond });
  }

  unload(): Promise<LoadResult> {
    return this.host.ask("unload", this.name);
  }

  close(): Promise<void> {
    return this.host.ask("close", this.name);
  }
}

/** Adopts a balanced tree of `fanOut ** depth` leaves below a node; the nodes come from the hosts in turn. */
export async function grow(
  root: RemoteNode,
  hosts: readonly HostProcess[],
  { fanOut, depth, spec = {} }: { fanOut: number; depth: number; spec?: Partial<NodeSpec> },
): Promise<RemoteNode[]> {
  const all: RemoteNode[] = [];
  let level = [root];
  for (let d = 0; d < depth; d++) {
    const next: Promise<RemoteNode>[] = [];
    for (const parent of level) {
      for (let n = 0; n < fanOut; n++) {
        const host = hosts[(all.length + next.length) % hosts.length] as HostProcess;
        next.push(
          (async () => {
            const child = await host.node({ name: `${parent.name === root.name ? "n" : parent.name}-${n}`, ...spec });
            await parent.adopt(child);
            return child;
          })(),
        );
      }
    }
    level = await Promise.all(next);
    all.push(...level);
  }
  return all;
}
