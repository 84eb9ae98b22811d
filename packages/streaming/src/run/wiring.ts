import type { Graph } from "../graph/form.ts";
import { EdgeOutlet, RoomWaiters, RunningEdge } from "../stage/outlets.ts";
import type { Action, Stage } from "../stage/stage.ts";
import { RunNode } from "./run-node.ts";

/** The nodes of a graph with their edges, before anything runs on them. */
export interface Wiring {
  /** By name, each after all that feed it. */
  readonly nodes: ReadonlyMap<string, RunNode>;
  readonly edges: readonly RunningEdge[];
  readonly waiters: RoomWaiters;
}

/** Lays the edges of a graph. `actions` holds what each node runs. */
export function wireGraph(graph: Graph, actions: ReadonlyMap<string, Action>): Wiring {
  const waiters = new RoomWaiters();
  const nodes = new Map<string, RunNode>();
  const stageOf = (name: string) => (): Stage => nodes.get(name)?.stage as Stage;
  const edges = graph.edges.map(([from, to]) => new RunningEdge({ from, to, target: stageOf(to) }));
  const named = new Map(graph.nodes.map((node) => [node.name, node] as const));
  const leavingOf = Map.groupBy(edges, ({ from }) => from);
  const comingOf = Map.groupBy(edges, ({ to }) => to);
  for (const name of topologicalOrder(graph)) {
    const node = named.get(name);
    const action = actions.get(name);
    if (node === undefined || action === undefined) continue;
    const leaving = leavingOf.get(name) ?? [];
    const upstreams = (comingOf.get(name) ?? []).map(({ from }) => from);
    nodes.set(name, new RunNode({ node, action, edges: leaving, outlet: new EdgeOutlet(leaving, waiters), upstreams }));
  }
  return { nodes, edges, waiters };
}

/** Each node after all that feed it. */
function topologicalOrder(graph: Graph): string[] {
  const missing = new Map(graph.nodes.map(({ name }) => [name, 0]));
  for (const [, to] of graph.edges) missing.set(to, (missing.get(to) ?? 0) + 1);
  const order = [...missing].filter(([, count]) => count === 0).map(([name]) => name);
  const next = Map.groupBy(graph.edges, ([from]) => from);
  for (const name of order) {
    for (const [, to] of next.get(name) ?? []) {
      const left = (missing.get(to) ?? 0) - 1;
      missing.set(to, left);
      if (left === 0) order.push(to);
    }
  }
  return order;
}
