import type { GraphNode } from "../graph/form.ts";
import type { EdgeOutlet, RunningEdge } from "../stage/outlets.ts";
import type { Action, Stage, StageCounter } from "../stage/stage.ts";

/** One node of a running graph: the stage that works there now, and what has been counted over all stages it had. */
export class RunNode {
  readonly node: GraphNode;
  readonly outlet: EdgeOutlet;
  readonly edges: readonly RunningEdge[];
  readonly upstreams: readonly string[];
  readonly counts = new Map<StageCounter, number>();
  action: Action;
  /** Absent at a source. */
  stage: Stage | undefined;
  /** Records taken in all. */
  taken = 0;
  readonly #open: Set<string>;

  constructor({ node, action, edges, outlet, upstreams }: RunNodeOptions) {
    this.node = node;
    this.action = action;
    this.edges = edges;
    this.outlet = outlet;
    this.upstreams = upstreams;
    this.#open = new Set(upstreams);
  }

  get isSource(): boolean {
    return this.upstreams.length === 0;
  }

  /** The upstreams that will give nothing more. */
  get ended(): string[] {
    return this.upstreams.filter((name) => !this.#open.has(name));
  }

  count(what: StageCounter, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  /** An upstream will give nothing more. Returns whether that was the last one. */
  upstreamEnded(name: string): boolean {
    this.#open.delete(name);
    return this.#open.size === 0;
  }
}

export interface RunNodeOptions {
  readonly node: GraphNode;
  readonly action: Action;
  readonly edges: readonly RunningEdge[];
  readonly outlet: EdgeOutlet;
  readonly upstreams: readonly string[];
}
