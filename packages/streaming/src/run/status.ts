import type { Origin } from "../delivery/origin.ts";
import type { StageCounter } from "../stage/stage.ts";
import type { RunNode } from "./run-node.ts";
import type { Wiring } from "./wiring.ts";

export type RunState = "running" | "paused" | "draining" | "completed" | "stopped" | "failed";

/** How a node of a running graph does. Counts are totals since the run was opened. */
export interface NodeStatus {
  readonly name: string;
  readonly role: "source" | "stage" | "sink";
  /** Records given on. */
  readonly out: number;
  /** Records taken and not done with. */
  readonly waiting: number;
  readonly hasRoom: boolean;
  readonly counts: Readonly<Partial<Record<StageCounter, number>>>;
  /** Only of sources: records and bytes handed over and not yet through, and the age of the oldest in milliseconds. */
  readonly inFlight?: number;
  readonly inFlightBytes?: number;
  readonly oldestAgeMs?: number;
  /** Records a source has handed over since the very beginning of the graph. */
  readonly sequence?: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface EdgeStatus {
  readonly from: string;
  readonly to: string;
  readonly records: number;
  readonly bytes: number;
  /** How often the upstream found no room here. */
  readonly refusals: number;
}

export interface RunStatus {
  readonly state: RunState;
  /** Why it is paused or failed. */
  readonly reason?: string;
  readonly epoch: number;
  readonly nodes: readonly NodeStatus[];
  readonly edges: readonly EdgeStatus[];
}

/** What the nodes and edges have to tell. */
export function statusOf(wiring: Wiring, origins: ReadonlyMap<string, Origin>): Pick<RunStatus, "nodes" | "edges"> {
  return {
    nodes: [...wiring.nodes.values()].map((node) => nodeStatus(node, origins.get(node.node.name))),
    edges: wiring.edges.map(({ from, to, records, bytes, refusals }) => ({ from, to, records, bytes, refusals })),
  };
}

function nodeStatus(node: RunNode, origin: Origin | undefined): NodeStatus {
  const details = node.stage?.describe?.();
  return {
    name: node.node.name,
    role: node.isSource ? "source" : node.edges.length === 0 ? "sink" : "stage",
    out: node.outlet.records,
    waiting: node.stage?.waiting ?? 0,
    hasRoom: node.stage?.hasRoom() ?? true,
    counts: Object.fromEntries(node.counts),
    ...(origin === undefined
      ? {}
      : {
          inFlight: origin.records,
          inFlightBytes: origin.bytes,
          oldestAgeMs: Math.round(origin.oldestAgeMs),
          sequence: origin.sequence,
        }),
    ...(details === undefined ? {} : { details }),
  };
}
