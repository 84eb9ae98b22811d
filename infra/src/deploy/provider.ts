import type { AgentConfig } from "@metanode/agent/config";
import type { ZodType } from "zod";

/*
 * What every provider promises; `deployConformance` of `@metanode/infra/testing` tries it.
 *
 * P1. What is made carries the names of its topology, group and node, and the digest of what it was made from. Whoever opens the provider
 *     anew finds it again; nothing is remembered elsewhere.
 * P2. `run` by a name that is there ends what runs under it first, and leaves it its data: the node comes back as who it was. By a name
 *     that is not there it begins with no data, whatever was left behind.
 * P3. `destroy` leaves nothing, and again does nothing.
 * P4. Tokens and keys stand in no list of processes and in no log.
 * P5. What can go wrong later is seen by `list`: a node that ended, or that is started again and again, is `ended`.
 */

/** A node as it is to run. */
export interface NodeSpec {
  /** Unique in the topology; lower-case letters, digits and `-`. */
  readonly name: string;
  readonly group: string;
  /** All that its agent is given, its name and its token included. */
  readonly config: AgentConfig & { readonly name: string; readonly token: string };
  /** Changes with whatever the node is made from, but for the token. */
  readonly digest: string;
}

/** A node that was made, as its provider sees it. */
export interface MadeNode {
  readonly name: string;
  readonly group: string;
  readonly digest: string;
  readonly state: "running" | "ended";
  /** Where it is, for people: a host, a pod, a process. */
  readonly place: string;
}

/** Makes nodes run in one kind of place, for one group of a topology. */
export interface DeployProvider {
  /** @throws {MetanodeError} processor.failed, node.unreachable, call.unsupported – a program that it needs is not there */
  run(node: NodeSpec, signal?: AbortSignal): Promise<void>;
  /** All nodes of the topology that it can see, those of other groups among them. */
  list(): Promise<readonly MadeNode[]>;
  /** Ends a node as orderly as it lets itself be ended, and takes away all that was made for it. */
  destroy(name: string): Promise<void>;
  /** The last lines of what a node wrote, the oldest first; none where there is no such node. */
  log(name: string, lines: number): Promise<readonly string[]>;
}

/** For whom a provider works. */
export interface ProviderContext {
  readonly topology: string;
  /** Where relative paths of the topology are meant from. */
  readonly folder: string;
}

/** A way to deploy, by the name that topologies call it. What it needs beyond its options is loaded when it is opened. */
export interface ProviderKind<Options = unknown> {
  /** What may stand under `with`. */
  readonly options: ZodType<Options>;
  open(options: Options, context: ProviderContext): Promise<DeployProvider>;
  /** Where relative paths of processors are meant from; without it they are refused, because nobody could say. */
  codeFolder(options: Options, context: ProviderContext): string | undefined;
}
