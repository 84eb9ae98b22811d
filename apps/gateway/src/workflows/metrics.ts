import type { ModuleHost } from "@metanode/core";
import type { Engine, EngineStats } from "@metanode/nature/internal";

const COUNTERS: readonly (readonly [name: string, help: string, key: keyof EngineStats])[] = [
  ["metanode_workflow_inputs_total", "Instances that came from outside.", "inputs"],
  ["metanode_workflow_instances_total", "Instances that were stored.", "stored"],
  ["metanode_workflow_conversions_total", "Tasks that ended well.", "converted"],
  ["metanode_workflow_retries_total", "Tries of tasks that failed and are repeated.", "retried"],
  ["metanode_workflow_failures_total", "Tasks that were given up.", "failed"],
  ["metanode_workflow_conflicts_total", "Commits that another writer made void.", "conflicts"],
];

/** Adds what an engine counts to the metrics of the node. */
export function exposeMetrics(registry: ModuleHost["metrics"], engine: () => Engine | undefined): void {
  const expose = (head: { name: string; type: "gauge" | "counter"; help: string }, read: () => number): void => {
    const full = { ...head, aggregator: "sum" };
    const get = async (): Promise<object> => ({ ...full, values: [{ labels: {}, value: read() }] });
    registry.registerMetric({ ...full, get, reset: () => undefined } as never);
  };
  for (const [name, help, key] of COUNTERS) expose({ name, type: "counter", help }, () => engine()?.stats[key] ?? 0);
  expose({ name: "metanode_workflow_tasks", type: "gauge", help: "Tasks in the memory of the engine." }, () => {
    const load = engine()?.load;
    return load === undefined ? 0 : load.waiting + load.running + load.parked + load.storing;
  });
}
