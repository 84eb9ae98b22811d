import type { ModuleHost } from "@metanode/core";
import { LATENCY_CLASSES_MS, type RelationMeasures } from "../engine/measures.ts";
import type { Nature } from "../nature/index.ts";
import type { Backlog } from "../store/admin.ts";

/** What the metrics are read from when somebody asks for them. */
export interface MetricSource {
  readonly nature: () => Nature | undefined;
  readonly nowMs: () => number;
  /** What is waiting, as far as it is known now; undefined = the database is away. */
  readonly backlog: () => Promise<Backlog | undefined>;
}

interface Sample {
  readonly labels: Record<string, string | number>;
  readonly value: number;
  readonly metricName?: string;
}

interface Metric {
  readonly name: string;
  readonly type: "gauge" | "counter" | "histogram";
  readonly help: string;
  readonly read: () => Sample[] | Promise<Sample[]>;
}

/** Adds the module's metrics to those of the node. */
export function exposeMetrics(registry: ModuleHost["metrics"], source: MetricSource): void {
  for (const { name, type, help, read } of [...counters(source), ...waiting(source)]) {
    const head = { name, help, type, aggregator: "sum" };
    registry.registerMetric({ ...head, get: async () => ({ ...head, values: await read() }), reset: () => undefined } as never);
  }
}

function counters({ nature }: MetricSource): Metric[] {
  const one = (value: number | undefined): Sample[] => [{ labels: {}, value: value ?? 0 }];
  const perRelation = (read: (relation: RelationMeasures) => number) => (): Sample[] =>
    (nature()?.engine.relationMeasures() ?? []).map((relation) => ({
      labels: { from: relation.from, to: relation.to },
      value: read(relation),
    }));
  const counter = (name: string, help: string, read: () => Sample[]): Metric => ({ name, type: "counter", help, read });
  return [
    counter("metanode_nature_inputs_total", "Instances taken from outside.", () => one(nature()?.engine.stats.inputs)),
    counter("metanode_nature_stored_total", "Instances stored.", () => one(nature()?.engine.stats.stored)),
    counter("metanode_nature_dropped_total", "Missions that could not be made.", () => one(nature()?.engine.stats.dropped)),
    counter(
      "metanode_nature_converted_total",
      "Tasks that ended well, by relation.",
      perRelation(({ converted }) => converted),
    ),
    counter(
      "metanode_nature_retried_total",
      "Tries that failed and are repeated, by relation.",
      perRelation(({ retried }) => retried),
    ),
    counter(
      "metanode_nature_failed_total",
      "Tasks that were given up, by relation.",
      perRelation(({ failed }) => failed),
    ),
    counter(
      "metanode_nature_conflicts_total",
      "Commits that another writer made void, by relation.",
      perRelation(({ conflicts }) => conflicts),
    ),
    {
      name: "metanode_nature_task_seconds",
      type: "histogram",
      help: "From the moment at which a task was due to its end, by relation.",
      read: () => (nature()?.engine.relationMeasures() ?? []).flatMap(histogram),
    },
  ];
}

/** The classes of a histogram, each with all that was faster. */
function histogram({ from, to, latency }: RelationMeasures): Sample[] {
  const name = "metanode_nature_task_seconds";
  const labels = { from, to };
  let count = 0;
  const classes = LATENCY_CLASSES_MS.map((ms, at): Sample => {
    count += latency.counts[at] ?? 0;
    return { metricName: `${name}_bucket`, labels: { ...labels, le: ms / 1_000 }, value: count };
  });
  return [
    ...classes,
    { metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: latency.count },
    { metricName: `${name}_sum`, labels, value: latency.sumMs / 1_000 },
    { metricName: `${name}_count`, labels, value: latency.count },
  ];
}

function waiting({ nature, nowMs, backlog }: MetricSource): Metric[] {
  return [
    {
      name: "metanode_nature_tasks",
      type: "gauge",
      help: "Unfinished tasks of the store, by where they are.",
      read: async () => {
        const now = await backlog();
        if (now === undefined) return [];
        return (["owned", "due", "delayed", "failed"] as const).map((state) => ({ labels: { state }, value: now[state] }));
      },
    },
    {
      name: "metanode_nature_oldest_due_seconds",
      type: "gauge",
      help: "How long the longest waiting task has been due.",
      read: async () => {
        const oldestMs = (await backlog())?.oldestDueMs;
        return [{ labels: {}, value: oldestMs === undefined ? 0 : Math.max(0, nowMs() - oldestMs) / 1_000 }];
      },
    },
    {
      name: "metanode_nature_tasks_in_memory",
      type: "gauge",
      help: "Tasks of this engine, by what they do.",
      read: () => Object.entries(nature()?.engine.load ?? {}).map(([state, value]) => ({ labels: { state }, value })),
    },
    {
      name: "metanode_nature_store_up",
      type: "gauge",
      help: "1 while the database is there.",
      read: () => [{ labels: {}, value: nature()?.engine.awaySinceMs === undefined ? 1 : 0 }],
    },
  ];
}
