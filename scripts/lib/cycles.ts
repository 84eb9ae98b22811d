/**
 * One shortest cycle of each knot of modules that import each other, each beginning with its first name in the order of
 * the alphabet. A knot of several cycles shows one at a time: breaking it brings out the next.
 */
export function findCycles(edges: ReadonlyMap<string, readonly { readonly to: string }[]>): string[][] {
  const cycles: string[][] = [];
  const explained = new Set<string>();
  for (const start of [...edges.keys()].sort()) {
    if (explained.has(start)) continue;
    const cycle = shortestCycle(edges, start);
    if (cycle === undefined) continue;
    cycles.push(cycle);
    for (const name of cycle) explained.add(name);
  }
  return cycles;
}

/** Breadth first from `start` back to `start`. */
function shortestCycle(edges: ReadonlyMap<string, readonly { readonly to: string }[]>, start: string): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const name of queue) {
    for (const { to } of edges.get(name) ?? []) {
      if (to === start) return pathTo(cameFrom, start, name);
      if (cameFrom.has(to) || !edges.has(to)) continue;
      cameFrom.set(to, name);
      queue.push(to);
    }
  }
  return undefined;
}

function pathTo(cameFrom: ReadonlyMap<string, string>, start: string, end: string): string[] {
  const path = [end];
  for (let name = end; name !== start; ) {
    name = cameFrom.get(name) ?? start;
    path.unshift(name);
  }
  return path;
}
