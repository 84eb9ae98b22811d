import { createGraphBuilder, type Flow, type GraphBuilder, type Nothing } from "../graph/builder.ts";
import type { CompiledGraph, NodeSettings } from "../graph/form.ts";
import { GraphRun } from "../run/graph-run.ts";
import type { GraphRunOptions } from "../run/options.ts";
import type { StageFunction } from "../stage/answer.ts";
import type { Action } from "../stage/stage.ts";
import { functionAction, iterableAction } from "./function-action.ts";

/**
 * A graph of functions and iterables that runs in this process; any node can be another action as well.
 *
 * ```ts
 * const flow = createFlow("sums");
 * flow.source("numbers", () => [1, 2, 3]).to(flow.stage("double", (n: number) => n * 2)).to(flow.sink("print", (n: number) => console.log(n)));
 * const { outcome } = await (await flow.run()).ended;
 * ```
 */
export interface FlowBuilder {
  /** Begins with what `make` makes; see {@link iterableAction}. */
  source<Out>(name: string, make: () => Iterable<Out> | AsyncIterable<Out>, settings?: NodeSettings): Flow<never, Out>;
  /** Works on each record; see {@link StageFunction}. */
  stage<In, Out>(name: string, call: StageFunction<In, Out>, settings?: NodeSettings): Flow<In, Out>;
  /** Ends with each record: what it returns goes nowhere. */
  sink<In>(name: string, call: StageFunction<In, unknown>, settings?: NodeSettings): Flow<In, Nothing>;
  /** A node with an action that is no function: a program, a connector, an operator. */
  node<In, Out>(name: string, action: Action, settings?: NodeSettings): Flow<In, Out>;
  /** The graph, to be looked at or drawn. @throws {MetanodeError} stream.graph */
  build(): CompiledGraph;
  /** Opens a run. @throws {MetanodeError} stream.graph, stream.action_unknown, or what an action throws */
  run(options?: Partial<Omit<GraphRunOptions, "graph" | "actions">>): Promise<GraphRun>;
}

/** Begins a graph of functions. */
export function createFlow(name?: string): FlowBuilder {
  return new FunctionFlow(name);
}

class FunctionFlow implements FlowBuilder {
  readonly #builder: GraphBuilder;
  readonly #actions = new Map<string, Action>();

  constructor(name: string | undefined) {
    this.#builder = createGraphBuilder(name);
  }

  source<Out>(name: string, make: () => Iterable<Out> | AsyncIterable<Out>, settings?: NodeSettings): Flow<never, Out> {
    return this.#with(name, iterableAction(make), this.#builder.source<Out>(name, settings));
  }

  stage<In, Out>(name: string, call: StageFunction<In, Out>, settings?: NodeSettings): Flow<In, Out> {
    return this.#with(name, functionAction(call), this.#builder.stage<In, Out>(name, settings));
  }

  sink<In>(name: string, call: StageFunction<In, unknown>, settings?: NodeSettings): Flow<In, Nothing> {
    return this.#with(name, functionAction(call), this.#builder.sink<In>(name, settings));
  }

  node<In, Out>(name: string, action: Action, settings?: NodeSettings): Flow<In, Out> {
    return this.#with(name, action, this.#builder.node<In, Out>(name, settings));
  }

  build(): CompiledGraph {
    return this.#builder.build();
  }

  run(options: Partial<Omit<GraphRunOptions, "graph" | "actions">> = {}): Promise<GraphRun> {
    const { graph } = this.build();
    return GraphRun.open({ folder: ".", ...options, graph, actions: this.#actions });
  }

  #with<F>(name: string, action: Action, flow: F): F {
    this.#actions.set(name, action);
    return flow;
  }
}
