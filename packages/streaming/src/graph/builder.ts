import { streamError } from "../errors.ts";
import type { Edge, PlanOptions } from "../expression/planner.ts";
import { compileGraph } from "./compile.ts";
import type { CompiledGraph, GraphIssue, GraphNode, NodeSettings } from "./form.ts";
import { issuesError } from "./issues.ts";

declare const takes: unique symbol;
declare const gives: unique symbol;
declare const nothing: unique symbol;

/** What a sink gives: no record ever, so that no stage can follow it. */
export interface Nothing {
  readonly [nothing]: true;
}

/**
 * A part of a graph that takes records of type `In` and gives records of type `Out`: one stage, several side by side, or
 * several in a row. A source takes `never`; a sink gives {@link Nothing}.
 */
export interface Flow<in In, out Out> {
  readonly [takes]?: (record: In) => void;
  readonly [gives]?: () => Out;
  /**
   * Feeds every record of this part to the next one, each node at its end to each node at the beginning of the next. May be
   * called again: each next part gets every record. Returns both as one part.
   */
  to<Next>(next: [Extract<Out, Nothing>] extends [never] ? Flow<Out, Next> : never): Flow<In, Next>;
}

/** What any flow is assignable to. */
type AnyFlow = Flow<never, unknown>;
type OutOf<F> = F extends Flow<never, infer Out> ? Out : never;
type Takes<F> = F extends Flow<infer In, unknown> ? (record: In) => void : never;
/** What all of the flows can take: each of them gets a copy of every record. */
type InOfAll<F> = Takes<F> extends (record: infer In) => void ? In : never;

/** Makes the nodes of one graph. */
export interface GraphBuilder {
  /** A stage that begins: it takes nothing from other stages. @throws {MetanodeError} stream.graph – the name is taken. */
  source<Out>(name: string, settings?: NodeSettings): Flow<never, Out>;
  /** A stage in between. @throws {MetanodeError} stream.graph – the name is taken. */
  stage<In, Out>(name: string, settings?: NodeSettings): Flow<In, Out>;
  /** A stage that ends: what it takes goes no further inside the graph. @throws {MetanodeError} stream.graph – the name is taken. */
  sink<In>(name: string, settings?: NodeSettings): Flow<In, Nothing>;
  /** A stage whose place says what it is. @throws {MetanodeError} stream.graph – the name is taken. */
  node<In, Out>(name: string, settings?: NodeSettings): Flow<In, Out>;
  /**
   * The graph of all stages made so far and of all that was joined.
   * @throws {MetanodeError} stream.graph – a stage or sink gets no records, a source or stage gives them to nobody, the edges
   * close a cycle, two parts were joined twice, or a name or setting is wrong; `details.issues` lists every fault.
   */
  build(options?: PlanOptions): CompiledGraph;
}

/** Builds a graph in TypeScript: what stages take and give is checked by the compiler where they are joined. */
export function createGraphBuilder(name?: string): GraphBuilder {
  return new Builder(name);
}

/** Several parts side by side: each gets every record, and what they give is merged in the order of arrival. */
export function parallel<const Flows extends readonly [AnyFlow, ...AnyFlow[]]>(
  ...flows: Flows
): Flow<InOfAll<Flows[number]>, OutOf<Flows[number]>> {
  const parts = flows.map(partOf);
  const [{ builder }] = parts as [Part, ...Part[]];
  for (const part of parts) builder.mustOwn(part);
  const joined = new Part(builder, { ins: parts.flatMap(({ ins }) => ins), outs: parts.flatMap(({ outs }) => outs) });
  return flowOf(joined);
}

/** What a flow is at run time: names of nodes. Its types are the compiler's alone. */
class Part {
  readonly builder: Builder;
  readonly ins: readonly string[];
  readonly outs: readonly string[];

  constructor(builder: Builder, { ins, outs }: { ins: readonly string[]; outs: readonly string[] }) {
    this.builder = builder;
    this.ins = ins;
    this.outs = outs;
  }

  to(next: unknown): Part {
    const part = partOf(next);
    this.builder.mustOwn(part);
    for (const from of this.outs) for (const to of part.ins) this.builder.edges.push([from, to]);
    return new Part(this.builder, { ins: this.ins, outs: part.outs });
  }
}

function flowOf<In, Out>(part: Part): Flow<In, Out> {
  return part as unknown as Flow<In, Out>;
}

function partOf(flow: unknown): Part {
  if (flow instanceof Part) return flow;
  throw streamError(
    "stream.graph",
    "this is no part of a graph: take what `source`, `stage`, `sink`, `to` and `parallel` return",
  );
}

type Role = "source" | "stage" | "sink" | "node";

class Builder implements GraphBuilder {
  readonly edges: Edge[] = [];
  readonly #name: string | undefined;
  readonly #nodes = new Map<string, { readonly node: GraphNode; readonly role: Role }>();

  constructor(name: string | undefined) {
    this.#name = name;
  }

  source<Out>(name: string, settings?: NodeSettings): Flow<never, Out> {
    return flowOf(this.#add(name, "source", settings));
  }

  stage<In, Out>(name: string, settings?: NodeSettings): Flow<In, Out> {
    return flowOf(this.#add(name, "stage", settings));
  }

  sink<In>(name: string, settings?: NodeSettings): Flow<In, Nothing> {
    return flowOf(this.#add(name, "sink", settings));
  }

  node<In, Out>(name: string, settings?: NodeSettings): Flow<In, Out> {
    return flowOf(this.#add(name, "node", settings));
  }

  build(options?: PlanOptions): CompiledGraph {
    const loose = this.#looseEnds();
    if (loose.length > 0) throw issuesError("stream.graph", loose);
    const nodes = [...this.#nodes.values()].map(({ node }) => node);
    return compileGraph({ ...(this.#name === undefined ? {} : { name: this.#name }), nodes, edges: this.edges }, options);
  }

  /** A part of another graph cannot be joined with one of this. */
  mustOwn({ builder, ins }: Part): void {
    if (builder === this) return;
    throw streamError("stream.graph", `${ins.join(", ")} belongs to another graph; make all stages with one builder`);
  }

  #add(name: string, role: Role, settings: NodeSettings = {}): Part {
    if (this.#nodes.has(name)) {
      throw streamError("stream.graph", `a stage called ${name} exists already; give this one a name of its own`);
    }
    this.#nodes.set(name, { node: { ...settings, name }, role });
    return new Part(this, { ins: [name], outs: [name] });
  }

  #looseEnds(): GraphIssue[] {
    const fed = new Set(this.edges.map(([, to]) => to));
    const feeding = new Set(this.edges.map(([from]) => from));
    return [...this.#nodes].flatMap(([node, { role }]): GraphIssue[] => [
      ...(role === "source" || role === "node" || fed.has(node)
        ? []
        : [{ kind: "unconnected-node" as const, node, message: `${role} ${node} gets no records; join something to it` }]),
      ...(role === "sink" || role === "node" || feeding.has(node)
        ? []
        : [
            {
              kind: "unconnected-node" as const,
              node,
              message: `${role} ${node} gives its records to nobody; join it to something`,
            },
          ]),
    ]);
  }
}
