import { intWithin, rejectUnknownKeys } from "@metanode/core/internal/options";
import { streamError } from "../errors.ts";
import type { ExpressionTree, GroupTree } from "./tree.ts";

/** An edge: every record that the first node puts out goes to the second. */
export type Edge = readonly [from: string, to: string];

/** What a graph comes to: who feeds whom, and in which order nodes are started. */
export interface Wiring {
  /** Nodes without an edge into them. */
  readonly sources: readonly string[];
  /** Nodes without an edge out of them. */
  readonly sinks: readonly string[];
  readonly edges: readonly Edge[];
  /** Every node once, each after all that it feeds: sinks first. The way back is the order to stop in. */
  readonly startOrder: readonly string[];
}

/** Bounds of a plan. */
export interface PlanOptions {
  /** Most edges; `(a || b); (c || d)` has four. @default 1_000_000 */
  readonly maxEdges?: number;
}

const DEFAULT_MAX_EDGES = 1_000_000;

/** The limit of edges that is asked for. @throws {MetanodeError} config.invalid – it is no whole number of 1 or more, or an option is unknown. */
export function maxEdgesOf(options: PlanOptions): number {
  rejectUnknownKeys("options", options, ["maxEdges", "names"]);
  return intWithin("options.maxEdges", options.maxEdges ?? DEFAULT_MAX_EDGES, 1);
}

/** Names in order, joined without copying: lists grow by nesting, and copying at each level would be quadratic. */
type Rope = string | readonly Rope[];

/** A group whose children are being planned: what the ones so far begin and end with. */
interface Frame {
  readonly group: GroupTree;
  next: number;
  readonly ins: Rope[];
  outs: Rope;
}

/**
 * Plans a tree: `;` joins each end of one step with each beginning of the next, `||` and `+` only put side by side. Sources and
 * sinks are in the order of the text; the edges between two steps come right after those inside of the second.
 * @throws {MetanodeError} stream.too_large – more than `maxEdges` edges.
 */
export function planTree(tree: ExpressionTree, options: PlanOptions = {}): Wiring {
  const maxEdges = maxEdgesOf(options);
  const edges: Edge[] = [];
  const frames: Frame[] = [];
  let whole: { ins: Rope; outs: Rope } | undefined;
  let current: ExpressionTree | undefined = tree;
  while (current !== undefined) {
    if (current.type !== "node") {
      frames.push({ group: current, next: 1, ins: [], outs: [] });
      current = current.children[0];
      continue;
    }
    let done: { ins: Rope; outs: Rope } = { ins: current.name, outs: current.name };
    current = undefined;
    for (let frame = frames.at(-1); frame !== undefined && current === undefined; frame = frames.at(-1)) {
      if (frame.group.type === "seq" && frame.next > 1) connect(frame.outs, done.ins, { edges, maxEdges });
      if (frame.group.type !== "seq" || frame.next === 1) frame.ins.push(done.ins);
      if (frame.group.type === "seq") frame.outs = done.outs;
      else (frame.outs as Rope[]).push(done.outs);
      current = frame.group.children[frame.next++];
      if (current !== undefined) continue;
      done = frame;
      frames.pop();
    }
    whole = done;
  }
  const sources = namesOf(whole?.ins ?? []);
  return { sources, sinks: namesOf(whole?.outs ?? []), edges, startOrder: startOrderOf(sources, edges) };
}

function connect(outs: Rope, ins: Rope, { edges, maxEdges }: { edges: Edge[]; maxEdges: number }): void {
  const froms = namesOf(outs);
  const tos = namesOf(ins);
  if (edges.length + froms.length * tos.length > maxEdges) {
    throw streamError(
      "stream.too_large",
      `the graph has more than ${maxEdges} edges: ${froms.length} nodes would feed ${tos.length} each; put a node between them`,
      { details: { maxEdges } },
    );
  }
  for (const from of froms) for (const to of tos) edges.push([from, to]);
}

function namesOf(rope: Rope): string[] {
  const names: string[] = [];
  const work: Rope[] = [rope];
  for (let item = work.pop(); item !== undefined; item = work.pop()) {
    if (typeof item === "string") names.push(item);
    else for (let index = item.length - 1; index >= 0; index--) work.push(item[index] as Rope);
  }
  return names;
}

/** Who each node feeds, in the order of the edges. */
export function successorsOf(edges: readonly Edge[]): Map<string, string[]> {
  const successors = new Map<string, string[]>();
  for (const [from, to] of edges) {
    const list = successors.get(from);
    if (list === undefined) successors.set(from, [to]);
    else list.push(to);
  }
  return successors;
}

/** Depth first from the sources, last pushed first visited, each node after all that it feeds. The edges have no cycle. */
export function startOrderOf(sources: readonly string[], edges: readonly Edge[]): string[] {
  const successors = successorsOf(edges);
  const order: string[] = [];
  const seen = new Set<string>();
  const work: { readonly name: string; readonly isLeaving: boolean }[] = sources.map((name) => ({ name, isLeaving: false }));
  for (let item = work.pop(); item !== undefined; item = work.pop()) {
    const { name, isLeaving } = item;
    if (isLeaving) order.push(name);
    else if (!seen.has(name)) {
      seen.add(name);
      work.push({ name, isLeaving: true });
      for (const next of successors.get(name) ?? []) if (!seen.has(next)) work.push({ name: next, isLeaving: false });
    }
  }
  return order;
}
