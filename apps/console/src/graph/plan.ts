import { BOX_SIZE } from "./drawn.ts";
import { type Places, ranked } from "./layout.ts";

/** What a graph consists of, as the node has planned it. */
export interface Plan {
  readonly nodes: readonly string[];
  readonly edges: readonly { readonly from: string; readonly to: string }[];
}

/** The stages and edges in the canonical form that the node answers with. */
export function planOf(graph: { nodes?: unknown; edges?: unknown }): Plan {
  const nodes = (graph.nodes as { name: string }[] | undefined) ?? [];
  const edges = (graph.edges as ({ from: string; to: string } | [string, string])[] | undefined) ?? [];
  return {
    nodes: nodes.map(({ name }) => name),
    edges: edges.map((edge) => (Array.isArray(edge) ? { from: edge[0], to: edge[1] } : { from: edge.from, to: edge.to })),
  };
}

export function placesOf({ nodes, edges }: Plan): Places {
  return ranked(
    nodes.map((id) => ({ id, ...BOX_SIZE })),
    edges,
  );
}
