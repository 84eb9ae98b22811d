import { planGraph } from "./compile.ts";
import type { Graph } from "./form.ts";

/** Words that Mermaid keeps for itself: a node of such a name needs another id. No name has an underscore. */
const RESERVED =
  /^(?:end|graph|flowchart|subgraph|style|class|classdef|click|linkstyle|default|direction|call|href|interpolate)$/i;

/** The graph as Mermaid text, from left to right: sources with round ends, sinks with double walls. */
export function graphMermaid(graph: Graph): string {
  const { sources, sinks } = planGraph(graph);
  const beginning = new Set(sources);
  const ending = new Set(sinks);
  const lines = graph.nodes.map(({ name, action }) => {
    const text = action === undefined || action === name ? name : `${name}<br/>${escaped(action)}`;
    const [open, close] = beginning.has(name) ? ["([", "])"] : ending.has(name) ? ["[[", "]]"] : ["[", "]"];
    return `  ${idOf(name)}${open}"${text}"${close}`;
  });
  const edges = graph.edges.map(([from, to]) => `  ${idOf(from)} --> ${idOf(to)}`);
  return ["flowchart LR", ...lines, ...edges].join("\n");
}

function idOf(name: string): string {
  return RESERVED.test(name) ? `${name}_` : name;
}

/** Nothing of a text is taken for markup. */
function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9 ./:@_-]/gu, (character) => `#${character.codePointAt(0)};`);
}
