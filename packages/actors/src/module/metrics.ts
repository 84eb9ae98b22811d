import type { ModuleHost } from "@metanode/core";
import type { Kernel } from "../kernel/kernel.ts";

/** What the metrics are read from when somebody asks for them. */
export interface MetricSource {
  readonly kernel: () => Kernel | undefined;
  readonly roots: () => readonly {
    readonly name: string;
    readonly isUp: boolean;
    readonly restarts: number;
    readonly waiting: number;
  }[];
  readonly reports: ReadonlyMap<string, number>;
  readonly inFlight: () => number;
}

interface Sample {
  readonly labels: Record<string, string>;
  readonly value: number;
}

type Metric = readonly [name: string, type: "gauge" | "counter", help: string, read: () => Sample[]];

/** Adds the module's metrics to those of the node. */
export function exposeMetrics(registry: ModuleHost["metrics"], source: MetricSource): void {
  const one = (value: number): Sample[] => [{ labels: {}, value }];
  const perRoot = (read: (root: ReturnType<MetricSource["roots"]>[number]) => number) => (): Sample[] =>
    source.roots().map((root) => ({ labels: { actor: root.name }, value: read(root) }));
  const metrics: readonly Metric[] = [
    ["metanode_actor_processes", "gauge", "Processes of the actor kernel.", () => one(source.kernel()?.info().processes ?? 0)],
    ["metanode_actor_metas", "gauge", "Meta-processes of the actor kernel.", () => one(source.kernel()?.metas().length ?? 0)],
    ["metanode_actor_events", "gauge", "Registered events.", () => one(source.kernel()?.info().events.length ?? 0)],
    ["metanode_actor_up", "gauge", "1 while a configured actor runs.", perRoot(({ isUp }) => (isUp ? 1 : 0))],
    ["metanode_actor_restarts_total", "counter", "Restarts of configured actors.", perRoot(({ restarts }) => restarts)],
    ["metanode_actor_mailbox_messages", "gauge", "Mail that waits for a configured actor.", perRoot(({ waiting }) => waiting)],
    [
      "metanode_actor_requests_in_flight",
      "gauge",
      "Messages of the node that actors have not yet answered.",
      () => one(source.inFlight()),
    ],
    [
      "metanode_actor_reports_total",
      "counter",
      "What the kernel told its log, by kind.",
      () => [...source.reports].map(([kind, value]) => ({ labels: { kind }, value })),
    ],
  ];
  for (const [name, type, help, read] of metrics) {
    const head = { name, help, type, aggregator: "sum" };
    registry.registerMetric({ ...head, get: async () => ({ ...head, values: read() }), reset: () => undefined } as never);
  }
}
