import { similar } from "../expression/check.ts";
import { type Edge, successorsOf } from "../expression/planner.ts";
import type { GraphIssue } from "./form.ts";

/** Cycles that are told of; more help nobody. */
const MAX_CYCLES = 10;
/** Similar names are looked for this often. */
const MAX_SUGGESTIONS = 20;

/** What is wrong with a list of edges between these nodes, and what is only strange. */
export function analyseEdges(
  names: readonly string[],
  edges: readonly Edge[],
): { readonly errors: readonly GraphIssue[]; readonly warnings: readonly GraphIssue[] } {
  const errors = [...unknownEnds(names, edges), ...repeated(edges), ...cyclesOf(names, edges)];
  const connected = new Set(edges.flat());
  const alone = names.filter((name) => !connected.has(name));
  const warnings = alone.map(
    (node): GraphIssue => ({ kind: "unconnected-node", node, message: `no edge leads to node ${node}, and none from it` }),
  );
  return { errors, warnings: names.length === 1 ? [] : warnings };
}

function unknownEnds(names: readonly string[], edges: readonly Edge[]): GraphIssue[] {
  const known = new Set(names);
  const issues = new Map<string, GraphIssue>();
  edges.forEach((edge, index) => {
    edge.forEach((node, end) => {
      if (known.has(node) || issues.has(node)) return;
      const suggestion = issues.size < MAX_SUGGESTIONS ? similar(node, names) : undefined;
      const hint = suggestion === undefined ? "list it among the nodes" : `did you mean ${suggestion}?`;
      issues.set(node, {
        kind: "unknown-node",
        node,
        path: `edges[${index}][${end}]`,
        message: `no node is called ${node}; ${hint}`,
        ...(suggestion === undefined ? {} : { suggestion }),
      });
    });
  });
  return [...issues.values()];
}

function repeated(edges: readonly Edge[]): GraphIssue[] {
  const seen = new Set<string>();
  return edges.flatMap(([from, to], index): GraphIssue[] => {
    const key = `${from} ${to}`;
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    const message = `the edge from ${from} to ${to} is there already: a record crosses it once`;
    return [{ kind: "duplicate-edge", node: from, path: `edges[${index}]`, message }];
  });
}

/** Cycles, each with its path; none is told twice. Depth first without recursion. */
function cyclesOf(names: readonly string[], edges: readonly Edge[]): GraphIssue[] {
  const successors = successorsOf(edges);
  const issues: GraphIssue[] = [];
  const done = new Set<string>();
  const placeOf = new Map<string, number>(); // of the nodes on the way
  const way: { readonly name: string; next: number }[] = [];
  const enter = (name: string): void => {
    placeOf.set(name, way.length);
    way.push({ name, next: 0 });
  };
  for (const start of new Set([...names, ...successors.keys()])) {
    if (!done.has(start)) enter(start);
    for (let top = way.at(-1); top !== undefined; top = way.at(-1)) {
      const to = successors.get(top.name)?.[top.next++];
      if (to === undefined) {
        done.add(top.name);
        placeOf.delete(top.name);
        way.pop();
      } else if (placeOf.has(to)) issues.push(cycleIssue([...way.slice(placeOf.get(to)).map(({ name }) => name), to]));
      else if (!done.has(to)) enter(to);
      if (issues.length === MAX_CYCLES) return issues;
    }
  }
  return issues;
}

function cycleIssue(cycle: readonly string[]): GraphIssue {
  const path = cycle.length <= 12 ? cycle.join(" → ") : `${cycle.slice(0, 11).join(" → ")} → … → ${cycle.at(-1)}`;
  return {
    kind: "cycle",
    ...(cycle[0] === undefined ? {} : { node: cycle[0] }),
    message: `the edges close a cycle: ${path}; a record would never leave it`,
    cycle,
  };
}
