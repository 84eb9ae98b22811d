import type { Edge } from "../expression/planner.ts";

/** Where a stage would like to run. */
export interface Placement {
  /** Name or address of a machine. */
  readonly host: string;
  /** From 1 to 65535. */
  readonly port: number;
}

/** What a node runs, and with what. Everything is optional: a graph can be drawn before its actions are known. */
export interface NodeSettings {
  /** The action that it runs, by its reference. */
  readonly action?: string;
  /** Arguments of the action, verbatim. */
  readonly args?: readonly string[];
  /** Environment of the action. A value may be empty. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where it would like to run: the first is where it starts, the others are turned to in their order. */
  readonly placement?: readonly Placement[];
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
