import type { RouteInfo } from "@metanode/core/internal";
import { isOfPlatform } from "@metanode/core/internal";
import { z } from "zod";
import type { Api, HttpContext } from "./context.ts";
import { version } from "./manifest.ts";
import { answer, problems } from "./responses.ts";

const Health = z.object({
  status: z.enum(["ok", "degraded", "failing"]),
  modules: z.record(z.string(), z.object({ status: z.enum(["ok", "degraded", "failing"]), reasons: z.array(z.string()) })),
});

const NodeView = z.object({
  name: z.string(),
  nodeId: z.string().describe("Stays the same as long as the data folder lives."),
  version: z.string(),
  state: z.enum(["starting", "running", "draining", "closed"]),
  startedAt: z.string(),
  url: z.string(),
  health: Health,
  backlog: z.record(z.string(), z.int()).describe("Durable messages accepted and not yet handled, by type."),
  deadLetters: z.int(),
});

const TypeView = z.object({
  type: z.string(),
  version: z.string(),
  description: z.string(),
  member: z.string().describe("Who answers."),
  streaming: z.boolean(),
  ordered: z.boolean(),
  inputSchema: z.unknown().optional().describe("JSON Schema (2020-12) of the payload."),
  outputSchema: z.unknown().optional(),
});

const StatsView = z.object({
  type: z.string(),
  count: z.int().describe("Dispatches ended since the start of the node."),
  failures: z.record(z.string(), z.int()).describe("Of these, the failed ones, by code."),
  inFlight: z.int(),
  meanMs: z.number(),
});

/** What the node is, what it handles and how much it has handled. */
export function nodeRoutes(api: Api, context: HttpContext): void {
  const { node } = context;
  const tags = ["node"];
  const describeNode = {
    operationId: "getNode",
    summary: "The node: name, version, state, health, backlog",
    tags,
    response: { 200: answer("The node", NodeView), ...problems() },
  };
  api.get("/node", { schema: describeNode }, async () => {
    const { status, modules } = node.health();
    return {
      name: node.name,
      nodeId: node.nodeId,
      version,
      state: node.state,
      startedAt: new Date(node.startedAtMs).toISOString(),
      url: context.url(),
      health: {
        status,
        modules: Object.fromEntries(Object.entries(modules).map(([name, one]) => [name, { ...one, reasons: [...one.reasons] }])),
      },
      backlog: await node.backlog(),
      deadLetters: await node.deadLetters.count(),
    };
  });
  typeRoutes(api, context);
}

function ordinary(routes: RouteInfo[]): RouteInfo[] {
  return routes.filter(({ type }) => !isOfPlatform(type));
}

function typeRoutes(api: Api, { node }: HttpContext): void {
  const tags = ["node"];
  const types = z.object({ items: z.array(TypeView) });
  const describeTypes = {
    operationId: "listTypes",
    summary: "Every message type that this node handles, with versions and schemas",
    tags,
    response: { 200: answer("By type, then version", types), ...problems() },
  };
  api.get("/types", { schema: describeTypes }, async () => ({
    // Orders to nodes have routes of their own.
    items: ordinary(node.router.routes()).map(({ memberId, ...route }) => ({
      type: route.type,
      version: route.version,
      description: route.description,
      member: memberId,
      streaming: route.streaming,
      ordered: route.ordered,
      ...(route.inputSchema === undefined ? {} : { inputSchema: route.inputSchema }),
      ...(route.outputSchema === undefined ? {} : { outputSchema: route.outputSchema }),
    })),
  }));
  const stats = z.object({ items: z.array(StatsView) });
  const describeStats = {
    operationId: "listStats",
    summary: "Counters by message type, since the start of the node",
    tags,
    response: { 200: answer("By type", stats), ...problems() },
  };
  api.get("/stats", { schema: describeStats }, async () => ({
    items: node.stats().map((one) => ({ ...one, failures: { ...one.failures } })),
  }));
}
