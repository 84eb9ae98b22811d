import type { Graph as Dagre } from "@dagrejs/dagre";

/** A box to place, in pixels. */
export interface Box {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

/** A line from box to box. */
export interface Line {
  readonly from: string;
  readonly to: string;
}

/** Where a box's upper left corner comes. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

export type Places = ReadonlyMap<string, Place>;

/** Between boxes of one rank, and between ranks. */
const GAP = 28;
const RANK_GAP = 72;
/** dagre takes 150 ms for 100 boxes and half a minute for 1,000; beyond this many, elkjs does it in a worker. */
const DAGRE_LIMIT = 150;

/** Places boxes so that lines go from left to right. */
export async function placed(boxes: readonly Box[], lines: readonly Line[]): Promise<Places> {
  const known = new Set(boxes.map(({ id }) => id));
  const inside = lines.filter(({ from, to }) => known.has(from) && known.has(to) && from !== to);
  return boxes.length <= DAGRE_LIMIT ? placedByDagre(boxes, inside) : placedByElk(boxes, inside);
}

async function placedByDagre(boxes: readonly Box[], lines: readonly Line[]): Promise<Places> {
  const { Graph, layout } = await import("@dagrejs/dagre");
  const graph: Dagre = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: GAP, ranksep: RANK_GAP });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height } of boxes) graph.setNode(id, { width, height });
  lines.forEach(({ from, to }, index) => {
    graph.setEdge(from, to, {}, String(index));
  });
  layout(graph);
  return new Map(
    boxes.map(({ id, width, height }) => {
      const { x = 0, y = 0 } = graph.node(id) as { x?: number; y?: number };
      return [id, { x: x - width / 2, y: y - height / 2 }];
    }),
  );
}

async function placedByElk(boxes: readonly Box[], lines: readonly Line[]): Promise<Places> {
  const [{ default: Elk }, { default: workerUrl }] = await Promise.all([
    import("elkjs/lib/elk-api.js"),
    import("elkjs/lib/elk-worker.min.js?url"),
  ]);
  const elk = new Elk({ workerUrl });
  try {
    const done = await elk.layout({
      id: "all",
      layoutOptions: {
        "elk.algorithm": "layered",
        "elk.direction": "RIGHT",
        "elk.spacing.nodeNode": String(GAP),
        "elk.layered.spacing.nodeNodeBetweenLayers": String(RANK_GAP),
      },
      children: boxes.map(({ id, width, height }) => ({ id, width, height })),
      edges: lines.map(({ from, to }, index) => ({ id: String(index), sources: [from], targets: [to] })),
    });
    return new Map((done.children ?? []).map(({ id, x = 0, y = 0 }) => [id, { x, y }]));
  } finally {
    elk.terminateWorker();
  }
}

/**
 * Places the stages of a graph without a library: by the longest way from a source, and in a rank by the middle of what
 * feeds a stage. Graphs of streams have no circles, so this ends; it takes time in proportion to stages and edges.
 */
export function ranked(boxes: readonly Box[], lines: readonly Line[]): Places {
  const rank = ranksOf(boxes, lines);
  const columns: Box[][] = [];
  for (const box of boxes) {
    const column = rank.get(box.id) ?? 0;
    columns[column] = [...(columns[column] ?? []), box];
  }
  const middle = new Map<string, number>();
  const places = new Map<string, Place>();
  const feeders = Map.groupBy(lines, ({ to }) => to);
  const heights = columns.map((column) => column.reduce((sum, { height }) => sum + height + GAP, -GAP));
  const tallest = Math.max(0, ...heights);
  let x = 0;
  columns.forEach((column, index) => {
    const wish = ({ id }: Box): number => {
      const from = (feeders.get(id) ?? []).map((line) => middle.get(line.from) ?? 0);
      return from.length === 0 ? 0 : from.reduce((sum, one) => sum + one, 0) / from.length;
    };
    const order = column.map((box, at) => ({ box, at, wish: wish(box) })).sort((a, b) => a.wish - b.wish || a.at - b.at);
    let y = (tallest - (heights[index] ?? 0)) / 2;
    for (const { box } of order) {
      places.set(box.id, { x, y });
      middle.set(box.id, y + box.height / 2);
      y += box.height + GAP;
    }
    x += Math.max(...column.map(({ width }) => width)) + RANK_GAP;
  });
  return places;
}

function ranksOf(boxes: readonly Box[], lines: readonly Line[]): Map<string, number> {
  const waiting = new Map(boxes.map(({ id }) => [id, 0]));
  for (const { to } of lines) waiting.set(to, (waiting.get(to) ?? 0) + 1);
  const next = Map.groupBy(lines, ({ from }) => from);
  const rank = new Map<string, number>();
  const ready = boxes.filter(({ id }) => waiting.get(id) === 0).map(({ id }) => id);
  for (let index = 0; index < ready.length; index++) {
    const id = ready[index] as string;
    const own = rank.get(id) ?? 0;
    rank.set(id, own);
    for (const { to } of next.get(id) ?? []) {
      rank.set(to, Math.max(rank.get(to) ?? 0, own + 1));
      const left = (waiting.get(to) ?? 1) - 1;
      waiting.set(to, left);
      if (left === 0) ready.push(to);
    }
  }
  return rank;
}
