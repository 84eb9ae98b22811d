import { z } from "zod";
import type { Api, HttpContext } from "./context.ts";
import { METRICS_TYPE, metricsText } from "./metrics.ts";
import { answer } from "./responses.ts";

const open = { tags: ["probes"], security: [] };

const Readiness = z.object({
  ready: z.boolean(),
  state: z.enum(["starting", "running", "draining", "closed"]),
  modules: z.record(z.string(), z.enum(["ok", "degraded", "failing"])),
});

/** What watchers ask, without a token: nothing in it is a secret, and nothing can be changed by it. */
export function probeRoutes(api: Api, { node, stopping }: HttpContext): void {
  const alive = {
    ...open,
    operationId: "isAlive",
    summary: "Whether the process is alive",
    response: { 200: answer("It is", z.object({ alive: z.boolean() })) },
  };
  api.get("/healthz", { schema: alive }, async () => ({ alive: true }));
  const ready = {
    ...open,
    operationId: "isReady",
    summary: "Whether the node takes messages: it runs, and no module of it is failing",
    response: { 200: answer("It does", Readiness), 503: answer("It does not, or no longer", Readiness) },
  };
  api.get("/readyz", { schema: ready }, async (_request, reply) => {
    const { status, modules } = node.health();
    const state = stopping.aborted && node.state === "running" ? "draining" : node.state;
    const isReady = state === "running" && status !== "failing";
    const view = {
      ready: isReady,
      state,
      modules: Object.fromEntries(Object.entries(modules).map(([name, one]) => [name, one.status])),
    };
    return reply.code(isReady ? 200 : 503).send(view);
  });
  const metrics = {
    ...open,
    operationId: "getMetrics",
    summary: "Metrics of node and process",
    response: { 200: { description: "Prometheus text format", content: { "text/plain": { schema: z.string() } } } },
  };
  api.get("/metrics", { schema: metrics }, async (_request, reply) =>
    reply.type(METRICS_TYPE).send(await metricsText(node.metrics)),
  );
}
