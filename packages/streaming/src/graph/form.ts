import type { Edge } from "../expression/planner.ts";

/** Where a stage would like to run. */
export interface Placement {
  /** Name or address of a machine. */
  readonly host: string;
  /** From 1 to 65535. */
  readonly port: number;
}

/** What becomes of records that fail at a node. */
export interface FailureSettings {
  /** Tries in all, at least 1. @default 3 */
  readonly attempts?: number;
  /** Delay in milliseconds before try n + 1 is `backoffMs[n - 1]`, the last one repeating. @default [100, 500, 2_000, 10_000] */
  readonly backoffMs?: readonly number[];
  /** How long one try may take, in milliseconds; 0 for ever. @default 0 */
  readonly timeoutMs?: number;
  /**
   * After the last try. `dead-letter` keeps the record to be looked at, mended and replayed; `drop` forgets it; `fail` ends
   * the run, which begins again from what was committed; `pause` waits for somebody to resume.
   * @default "dead-letter"
   */
  readonly onError?: "dead-letter" | "drop" | "fail" | "pause";
}

/** How a program's stdin and stdout are cut into records. */
export type CodecName = "frames" | "lines" | "json" | "netstrings" | "metanode";

/** What a program may use. Enforced where the machine can; planning says what it cannot. */
export interface Limits {
  /** Address space of the process, in bytes. */
  readonly memoryBytes?: number;
  /** Processor time, in seconds. */
  readonly cpuSeconds?: number;
  /** Open files. */
  readonly openFiles?: number;
  /** Largest file that it may write, in bytes. */
  readonly fileBytes?: number;
  /** Processes and threads. */
  readonly processes?: number;
}

/** How a node runs a program. */
export interface ProgramSettings {
  /** A command: its words, or one line that is split as a shell does, without a shell. Instead of `action`. */
  readonly command?: string | readonly string[];
  /** @default "lines" for a command, "frames" for an uploaded action */
  readonly codec?: CodecName;
  /**
   * `one`: the k-th output answers the k-th input, an empty one filters it. `any`: any number of outputs, of which nobody
   * knows to which input they belong. @default "one" for frames, else "any"; `metanode` says itself what it answers
   */
  readonly answers?: "one" | "any";
  /**
   * When inputs of a program that answers with `any` are done. `exit`: it runs over a batch at a time, its stdin is closed,
   * and its exit with 0 settles the batch: exact. `quiet`: it lives on, and inputs settle after `quietMs` without output:
   * a guess, for programs that must not be ended. `end`: one run over everything there is, for `sort` and `wc`; nothing is
   * done before the stream ends, and after a failure the graph begins anew. @default "exit"
   */
  readonly settle?: "exit" | "quiet" | "end";
  /** @default 200 */
  readonly quietMs?: number;
  /** Most bytes of one run over a batch. @default 12 MiB */
  readonly runBytes?: number;
  /** Longest time for which one run takes inputs, in milliseconds. @default 1_000 */
  readonly runMs?: number;
  /**
   * How a source's records come again after a failure. `journal`: they are stored in the log first. `rerun`: the program
   * gives the same again, and what was handed over is skipped. `position`: it is told where to go on (codec `metanode`).
   * `none`: not at all. @default "position" for codec `metanode`, else "journal"
   */
  readonly replay?: "journal" | "rerun" | "position" | "none";
  readonly limits?: Limits;
  /**
   * Whether the program may be joined with those that follow it in a row by pipes of the operating system, as a shell does
   * it. Records then pass between them unseen, unless somebody taps the edge. @default true
   */
  readonly fuse?: boolean;
}

/** What a node runs, and with what. Everything is optional: a graph can be drawn before its actions are known. */
export interface NodeSettings extends FailureSettings, ProgramSettings {
  /** The action that it runs, by its reference: a function of the host, a built-in, an uploaded program. @default the node's name */
  readonly action?: string;
  /** Arguments of the action, verbatim. */
  readonly args?: readonly string[];
  /** Settings of a built-in action; which ones, its own page says. */
  readonly with?: Readonly<Record<string, unknown>>;
  /** How many of it work side by side. @default 1 */
  readonly replicas?: number;
  /** With replicas: records that share this path into their value (`user.id`) go to the same one, in order. */
  readonly key?: string;
  /** Calls of an asynchronous function under way at a time. @default 16 */
  readonly concurrency?: number;
  /** Whether the edges into this node keep their records in the log, so that both sides run apart. @default "memory" */
  readonly buffer?: "memory" | "durable";
  /** Environment of the action. A value may be empty. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where it would like to run: the first is where it starts, the others are turned to in their order. */
  readonly placement?: readonly Placement[];
  /**
   * On which nodes of the tree it runs: a selector such as `region=eu & fact.cpus>=4`. The records go there and what it makes of them
   * comes back; if that node is lost, they go to another that fits. @default on the node that runs the graph
   */
  readonly on?: string;
  /** Whom the action may reach over the network: these addresses, or `all`. @default nobody */
  readonly egress?: "all" | readonly string[];
}

/** One stage of a graph. */
export interface GraphNode extends NodeSettings {
  /** A letter and then letters and digits; unique in its graph. */
  readonly name: string;
}

/**
 * The one form of a graph, whichever way it was written. It is canonical: nodes by name, edges by their ends, settings that say
 * nothing left out. The same graph is the same JSON.
 */
export interface Graph {
  /** The version of this form. */
  readonly version: 1;
  readonly name?: string;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly Edge[];
}

/** A graph as one writes it: nodes, and either an expression or a list of edges. */
export interface GraphDocument {
  /** Letters and digits. */
  readonly name?: string;
  /** Without them every name in the expression or the edges is a node. With them any other name is an error. */
  readonly nodes?: readonly GraphNode[];
  /** Says what is expressible; `edges` must be absent then. */
  readonly expression?: string;
  /** Says everything, also the N shape and edges that pass over a node. No cycles. */
  readonly edges?: readonly Edge[];
}

/** A fault of a graph, or a warning. */
export interface GraphIssue {
  readonly kind:
    | "bad-name"
    | "bad-value"
    | "bad-form"
    | "duplicate-node"
    | "unknown-node"
    | "duplicate-edge"
    | "cycle"
    | "unused-node"
    | "unconnected-node"
    | "accidental-source";
  readonly message: string;
  /** The node that it is about. */
  readonly node?: string;
  /** Where in the document: `nodes[2].args[0]`. */
  readonly path?: string;
  /** The nodes of a cycle in the order of its edges; the first stands at the end again. */
  readonly cycle?: readonly string[];
  /** What is most likely meant. */
  readonly suggestion?: string;
}

/** A graph, and what is allowed in it but most likely not meant. */
export interface CompiledGraph {
  readonly graph: Graph;
  readonly warnings: readonly GraphIssue[];
}
