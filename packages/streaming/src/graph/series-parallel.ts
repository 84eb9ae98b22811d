import { type Edge, successorsOf } from "../expression/planner.ts";
import { type ExpressionTree, type GroupTree, postOrder, printExpression } from "../expression/tree.ts";
import { compare } from "./canonical.ts";
import type { Graph } from "./form.ts";

/**
 * Expressions describe exactly the minimal vertex series-parallel graphs. Such a graph, turned inside out (each complete
 * bunch of edges becomes a point, each node an arc between the bunch that it ends and the bunch that it begins), shrinks
 * to one arc when arcs side by side and arcs in a row are replaced by one again and again, in any order; no other does.
 * @source J. Valdes, R. E. Tarjan, E. L. Lawler, "The Recognition of Series Parallel Digraphs", SIAM J. Comput. 11 (1982).
 */

/** Points of the graph turned inside out: before all sources, behind all sinks, then one per bunch of edges. */
const START = 0;
const END = 1;

/** The shortest way to say a graph: an expression, when there is one. */
export function graphExpression(graph: Graph): string | undefined {
  const tree = graphTree(graph);
  return tree === undefined ? undefined : printExpression(tree);
}

/** The tree of a graph; `undefined` when no expression describes it: an N shape, an edge that passes over a node, no node at all. */
export function graphTree({ nodes, edges }: Graph): ExpressionTree | undefined {
  const arcs = insideOut(
    nodes.map(({ name }) => name),
    edges,
  );
  if (arcs === undefined) return undefined;
  const binary = shrink(arcs);
  return binary === undefined ? undefined : tidy(binary);
}

interface Arc {
  readonly from: number;
  readonly to: number;
  readonly tree: ExpressionTree;
}

/** The arcs, or nothing when the edges do not fall into complete bunches: every node of one set to every node of another. */
function insideOut(names: readonly string[], edges: readonly Edge[]): Arc[] | undefined {
  const successors = successorsOf(edges);
  const begins = new Map<string, number>(); // the bunch that ends at a node
  const ends = new Map<string, number>(); // the bunch that begins at a node
  const sizes: number[] = []; // how many nodes a bunch ends at
  for (const [from, tos] of successors) {
    const known = begins.get(tos[0] ?? "");
    const bunch = known ?? sizes.push(tos.length) + END;
    if (sizes[bunch - END - 1] !== tos.length) return undefined;
    ends.set(from, bunch);
    for (const to of tos) {
      if (begins.get(to) !== known) return undefined;
      begins.set(to, bunch);
    }
  }
  return names.map((name) => ({
    from: begins.get(name) ?? START,
    to: ends.get(name) ?? END,
    tree: { type: "node", name, start: 0, end: 0 },
  }));
}

/** Replaces arcs side by side and arcs in a row until one is left, if that can be. */
function shrink(arcs: readonly Arc[]): ExpressionTree | undefined {
  const outOf = new Map<number, Map<number, ExpressionTree>>();
  const into = new Map<number, Set<number>>();
  const ready: number[] = [];
  const add = ({ from, to, tree }: Arc): void => {
    const row = outOf.get(from) ?? new Map<number, ExpressionTree>();
    outOf.set(from, row);
    const beside = row.get(to);
    row.set(to, beside === undefined ? tree : pair("par", beside, tree));
    const column = into.get(to) ?? new Set<number>();
    into.set(to, column.add(from));
    ready.push(from, to);
  };
  for (const arc of arcs) add(arc);
  for (let point = ready.pop(); point !== undefined; point = ready.pop()) {
    const [before, behind] = [into.get(point), outOf.get(point)];
    if (point === START || point === END || before?.size !== 1 || behind?.size !== 1) continue;
    const [from = START] = before;
    const [[to, second] = [END, undefined]] = behind;
    const first = outOf.get(from)?.get(point);
    if (first === undefined || second === undefined) continue;
    outOf.get(from)?.delete(point);
    into.get(to)?.delete(point);
    outOf.delete(point);
    into.delete(point);
    add({ from, to, tree: pair("seq", first, second) });
  }
  const left = [...outOf.values()].reduce((sum, row) => sum + row.size, 0);
  return left === 1 ? outOf.get(START)?.get(END) : undefined;
}

function pair(type: "seq" | "par", first: ExpressionTree, second: ExpressionTree): GroupTree {
  return { type, children: [first, second], bracketed: false, start: 0, end: 0 };
}

/** Makes groups of pairs, and sorts what stands side by side by its first name, so that a graph has one expression. */
function tidy(binary: ExpressionTree): ExpressionTree {
  const done: { tree: ExpressionTree; least: string }[] = [];
  for (const subtree of postOrder(flattened(binary))) {
    if (subtree.type === "node") {
      done.push({ tree: subtree, least: subtree.name });
      continue;
    }
    const children = done.splice(-subtree.children.length);
    if (subtree.type === "par") children.sort((one, other) => compare(one.least, other.least));
    const least = children.reduce(
      (found, child) => (compare(child.least, found) < 0 ? child.least : found),
      children[0]?.least ?? "",
    );
    done.push({ tree: { ...subtree, children: children.map(({ tree }) => tree) }, least });
  }
  return done[0]?.tree ?? binary;
}

/** Pairs of one type inside each other as one group, in linear time. */
function flattened(binary: ExpressionTree): ExpressionTree {
  if (binary.type === "node") return binary;
  interface Open {
    readonly type: GroupTree["type"];
    readonly children: ExpressionTree[];
    readonly work: ExpressionTree[];
  }
  const openOf = ({ type, children }: GroupTree): Open => ({ type, children: [], work: [...children].reverse() });
  const opens: Open[] = [openOf(binary)];
  let whole: ExpressionTree = binary;
  for (let open = opens.at(-1); open !== undefined; open = opens.at(-1)) {
    const item = open.work.pop();
    if (item === undefined) {
      opens.pop();
      whole = { type: open.type, children: open.children, bracketed: false, start: 0, end: 0 };
      opens.at(-1)?.children.push(whole);
    } else if (item.type === "node") open.children.push(item);
    else if (item.type === open.type) open.work.push(...[...item.children].reverse());
    else opens.push(openOf(item));
  }
  return whole;
}
