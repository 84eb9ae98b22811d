import type { MetaNode } from "@metanode/core";
import { Counter, Gauge, Histogram, Registry } from "@metanode/core/internal/metrics";
import type { FastifyInstance } from "fastify";
import type { Gauge as PromGauge, Registry as PromRegistry } from "prom-client";
import { version } from "./manifest.ts";

/** Media type of the Prometheus text format. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** Upper bounds of the latency histogram, in seconds. */
const LATENCY_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];

/** Process metrics under their usual names, which ready-made dashboards know. One process has them once. */
let processMetrics: PromRegistry | undefined;

/** Everything that is measured, in the Prometheus text format. */
export async function metricsText(nodeMetrics: MetaNode["metrics"]): Promise<string> {
  if (processMetrics === undefined) {
    // The collectors are loaded for the first who asks.
    const { collectDefaultMetrics } = await import("prom-client");
    if (processMetrics === undefined) {
      const register = new Registry();
      collectDefaultMetrics({ register });
      processMetrics = register;
    }
  }
  return `${await nodeMetrics.metrics()}\n${await processMetrics.metrics()}`;
}

/** Adds what the gateway itself measures to the node's metrics. */
export function measure(app: FastifyInstance, node: MetaNode): void {
  const registers = [node.metrics];
  const requests = new Counter({
    name: "metanode_http_requests_total",
    help: "HTTP requests answered, by method, route and status.",
    labelNames: ["method", "route", "status"],
    registers,
  });
  const duration = new Histogram({
    name: "metanode_http_request_duration_seconds",
    help: "From request to the end of its answer, by method and route.",
    labelNames: ["method", "route"],
    buckets: LATENCY_BOUNDS,
    registers,
  });
  app.addHook("onResponse", async (request, reply) => {
    // Never the address itself: whoever asks for what does not exist could make as many series as they like.
    const labels = { method: request.method, route: request.routeOptions.url ?? "(none)" };
    requests.inc({ ...labels, status: reply.statusCode });
    duration.observe(labels, reply.elapsedTime / 1_000);
  });
  gauge(
    node,
    "metanode_build_info",
    "Always 1; the labels tell the version.",
    (one) => one.set({ version, runtime: process.version }, 1),
    ["version", "runtime"],
  );
  gauge(node, "metanode_ready", "1 while the node runs.", (one) => one.set(node.state === "running" ? 1 : 0));
  gauge(node, "metanode_dead_letters", "Messages that were given up on.", async (one) => one.set(await node.deadLetters.count()));
  gauge(
    node,
    "metanode_backlog_messages",
    "Durable messages accepted and not yet handled, by type.",
    async (one) => {
      one.reset();
      for (const [type, count] of Object.entries(await node.backlog())) one.set({ type }, count);
    },
    ["type"],
  );
}

function gauge(
  node: MetaNode,
  name: string,
  help: string,
  read: (gauge: PromGauge) => void | Promise<void>,
  labelNames: string[] = [],
): void {
  new Gauge({
    name,
    help,
    labelNames,
    registers: [node.metrics],
    collect() {
      return read(this as PromGauge);
    },
  });
}
