import type { ModuleHost } from "@metanode/core";
import type { Streams } from "../deployment/streams.ts";
import type { RunStatus } from "../run/status.ts";

interface Sample {
  readonly labels: Record<string, string>;
  readonly value: number;
}

type Read = (graph: string, status: RunStatus) => Sample[];

const perNode =
  (read: (node: RunStatus["nodes"][number]) => number | undefined): Read =>
  (graph, { nodes }) =>
    nodes.flatMap((node) => {
      const value = read(node);
      return value === undefined ? [] : [{ labels: { graph, stage: node.name }, value }];
    });

const perEdge =
  (read: (edge: RunStatus["edges"][number]) => number): Read =>
  (graph, { edges }) =>
    edges.map((edge) => ({ labels: { graph, from: edge.from, to: edge.to }, value: read(edge) }));

const counters = ["filtered", "errors", "retries", "dropped", "deadLetters", "restarts", "duplicates", "late"] as const;

const METRICS: readonly (readonly [name: string, type: "gauge" | "counter", help: string, read: Read])[] = [
  ["metanode_stream_out_records_total", "counter", "Records that a stage gave on.", perNode(({ out }) => out)],
  [
    "metanode_stream_waiting_records",
    "gauge",
    "Records that a stage has and is not done with.",
    perNode(({ waiting }) => waiting),
  ],
  [
    "metanode_stream_in_flight_records",
    "gauge",
    "Records of a source that are not through.",
    perNode(({ inFlight }) => inFlight),
  ],
  ["metanode_stream_in_flight_bytes", "gauge", "Bytes of a source that are not through.", perNode((node) => node.inFlightBytes)],
  [
    "metanode_stream_oldest_unsettled_seconds",
    "gauge",
    "Age of the oldest record of a source that is not through.",
    perNode(({ oldestAgeMs }) => (oldestAgeMs === undefined ? undefined : oldestAgeMs / 1_000)),
  ],
  ["metanode_stream_edge_records_total", "counter", "Records that passed an edge.", perEdge(({ records }) => records)],
  ["metanode_stream_edge_bytes_total", "counter", "Bytes that passed an edge.", perEdge(({ bytes }) => bytes)],
  [
    "metanode_stream_edge_refusals_total",
    "counter",
    "How often a stage had no room for its upstream.",
    perEdge((edge) => edge.refusals),
  ],
  [
    "metanode_stream_events_total",
    "counter",
    "What happened to records at a stage, by kind.",
    (graph, { nodes }) =>
      nodes.flatMap((node) =>
        counters.flatMap((kind) => {
          const value = node.counts[kind];
          return value === undefined ? [] : [{ labels: { graph, stage: node.name, kind }, value }];
        }),
      ),
  ],
  [
    "metanode_stream_epoch",
    "gauge",
    "Which run of a graph this is.",
    (graph, { epoch }) => [{ labels: { graph }, value: epoch }],
  ],
];

/** Adds the metrics of running graphs to those of the node: read from their counters when somebody asks. */
export function exposeMetrics(registry: ModuleHost["metrics"], streams: () => Streams | undefined): void {
  for (const [name, type, help, read] of METRICS) {
    const head = { name, help, type, aggregator: "sum" };
    const get = async () => ({ ...head, values: samples(streams(), read) });
    registry.registerMetric({ ...head, get, reset: () => undefined } as never);
  }
}

function samples(streams: Streams | undefined, read: Read): Sample[] {
  return (streams?.list() ?? []).flatMap(({ name }) => {
    const status = streams?.status(name);
    return status === undefined ? [] : read(name, status);
  });
}
