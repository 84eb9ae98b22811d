import { createHash } from "node:crypto";
import type { Edge } from "../expression/planner.ts";
import type { Graph, GraphNode } from "./form.ts";

/** Puts a graph into its canonical form. */
export function canonicalGraph(parts: {
  readonly name?: string | undefined;
  readonly nodes: Iterable<GraphNode>;
  readonly edges: readonly Edge[];
}): Graph {
  return {
    version: 1,
    ...(parts.name === undefined ? {} : { name: parts.name }),
    nodes: [...parts.nodes].map(canonicalNode).sort((one, other) => compare(one.name, other.name)),
    edges: parts.edges
      .map(([from, to]): Edge => [from, to])
      .sort((one, other) => compare(one[0], other[0]) || compare(one[1], other[1])),
  };
}

/** Order of texts by UTF-16 units: the same on every machine, unlike an order by language. */
export function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function canonicalNode({ name, action, args = [], env = {}, placement = [], egress = [], ...others }: GraphNode): GraphNode {
  const variables = Object.entries(env).sort(([one], [other]) => compare(one, other));
  const settings = Object.entries(others).filter(([, value]) => value !== undefined);
  return {
    name,
    ...(action === undefined ? {} : { action }),
    ...(args.length === 0 ? {} : { args: [...args] }),
    ...(variables.length === 0 ? {} : { env: Object.fromEntries(variables) }),
    ...(placement.length === 0 ? {} : { placement: placement.map(({ host, port }) => ({ host, port })) }),
    ...(egress.length === 0 ? {} : { egress: egress === "all" ? egress : [...egress] }),
    ...Object.fromEntries(settings.sort(([one], [other]) => compare(one, other))),
  };
}

/** Canonical JSON: no spaces, the keys of every object by UTF-16 units. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([one], [other]) => compare(one, other));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(",")}}`;
}

/** The address of a graph by its content: `sha256:` and 64 hexadecimal digits, of its canonical JSON. */
export function graphHash(graph: Graph): string {
  const { name, nodes, edges } = graph;
  const text = canonicalJson(canonicalGraph({ name, nodes, edges }));
  return `sha256:${createHash("sha256").update(text, "utf8").digest("hex")}`;
}
