import { TREE } from "@metanode/core/tree";
import { z } from "zod";
import { type Api, type HttpContext, withdrawalOf } from "../context.ts";
import { answer, problems } from "../responses.ts";
import { streamAnswer } from "../streams.ts";
import { callerOf, MAX_ORDER_MS, mayOrder, order, Target, Under } from "./order.ts";

const Request = z
  .strictObject({
    type: z.string().min(1).max(256).describe("The type of the message."),
    version: z.string().optional(),
    data: z.unknown().optional(),
    where: z.string().max(4_096).optional().describe("A selector: `region=eu & type=order.price`. Every node without it."),
    policy: z
      .union([z.string(), z.int()])
      .optional()
      .describe('What must come of it: "all", "any", "none", "best-effort", a count, or a percentage such as "90%".'),
    timeoutMs: z.int().min(1).max(MAX_ORDER_MS).optional(),
    depth: z.int().min(0).max(1_000).optional(),
    skipSelf: z.boolean().optional(),
    includeMaintenance: z.boolean().optional(),
    dryRun: z.boolean().optional().describe("Only say who would be asked."),
    reduce: z
      .enum(["count", "sum", "min", "max", "histogram", "numbers"])
      .optional()
      .describe("Reduce at every level of the tree."),
    failFast: z.boolean().optional(),
    batch: z.int().min(1).optional(),
    parallel: z.int().min(1).optional(),
    canary: z.int().min(1).optional(),
    maxFailures: z.int().min(0).optional(),
    operation: z.string().min(1).max(256).optional().describe("Repeated, it does nothing again where it was done."),
    under: Under,
  })
  .meta({ id: "ForAll", description: "A message for every node of a tree" });

const WAYS = [
  "message.invalid",
  "usage.invalid",
  "config.invalid",
  "resource.not_found",
  "tree.moved",
  "node.unreachable",
  "call.deadline",
] as const;

/** Messages for all nodes, and what is done to many at a time. */
export function forAllRoutes(api: Api, context: HttpContext): void {
  runRoutes(api, context);
  maintenanceRoute(api, context);
  auditRoute(api, context);
}

function runRoutes(api: Api, context: HttpContext): void {
  const tags = ["tree"];
  const schema = {
    operationId: "forAllNodes",
    summary: "Send a message to every node that is meant; targets, outcomes and the result as they come",
    tags,
    body: Request,
    response: {
      200: {
        description:
          "`target` events name who is asked, `outcome` events how each ended, the last one (`done`) says the verdict.",
        content: {
          "application/x-ndjson": { schema: z.string().describe("One event per line.") },
          "text/event-stream": { schema: z.string().describe("One event per event. Ends with an event `end`, or `problem`.") },
        },
      },
      ...problems(...WAYS),
    },
  };
  api.post("/tree/all", { schema }, async (request, reply) => {
    const { under, ...data } = request.body;
    mayOrder(data.type, request);
    const extensions = { caller: callerOf(request), ...(under === undefined ? {} : { target: under }) };
    const options = { signal: withdrawalOf(reply), timeoutMs: (data.timeoutMs ?? 30_000) + 1_000 };
    return streamAnswer(context.node.stream({ type: TREE.all, data, extensions }, options), request, reply);
  });
  const controlSchema = {
    operationId: "controlForAll",
    summary: "Pause, resume or withdraw a for-all that runs",
    tags,
    params: z.object({ operation: z.string(), action: z.enum(["pause", "resume", "cancel"]) }),
    body: z.strictObject({ under: Under }).optional(),
    response: {
      200: answer("How far it is", z.object({ run: z.string(), action: z.string(), tally: z.record(z.string(), z.int()) })),
      ...problems(...WAYS),
    },
  };
  api.post("/tree/runs/:operation/:action", { schema: controlSchema }, async (request, reply) => {
    const { operation, action } = request.params;
    const data = { run: operation, action };
    const found = await order(context, { type: TREE.control, data, target: request.body?.under, request, reply });
    return found as { run: string; action: string; tally: Record<string, number> };
  });
}

function maintenanceRoute(api: Api, context: HttpContext): void {
  const body = z.strictObject({
    on: z.boolean().describe("Enter, or leave."),
    node: Target.optional().describe("A path. This node where nothing is named."),
    subtree: Target.optional().describe("A path: it and all nodes below it."),
    host: z.string().optional().describe("The id of a host: all nodes on it."),
    member: z.string().optional().describe("One member of the node, such as a processor, and not the whole of it."),
    reason: z.string().max(1_024).optional(),
    expiresInMs: z
      .int()
      .min(1)
      .max(MAX_ORDER_MS * 24 * 30)
      .optional()
      .describe("After how long somebody is told that it lasts. An hour without it."),
    waitMs: z.int().min(0).max(MAX_ORDER_MS).optional().describe("How long to wait until what was taken before is done."),
    force: z.boolean().optional().describe("Beyond the limit of nodes in maintenance at a time."),
  });
  const schema = {
    operationId: "maintainNode",
    summary: "Let a node, a member of it, a subtree or a host enter or leave maintenance",
    tags: ["tree"],
    body,
    response: {
      200: answer("What became of it", z.record(z.string(), z.unknown())),
      ...problems(...WAYS, "state.conflict", "tree.not_managed"),
    },
  };
  api.post("/tree/maintenance", { schema }, async (request, reply) => {
    const timeoutMs = (request.body.waitMs ?? 0) + 30_000;
    const found = await order(context, { type: TREE.maintain, data: request.body, request, reply }, timeoutMs);
    return found as Record<string, unknown>;
  });
}

function auditRoute(api: Api, context: HttpContext): void {
  const entry = z
    .object({
      operation: z.string(),
      at: z.string(),
      caller: z.string(),
      verb: z.string(),
      target: z.string(),
      ok: z.boolean().optional().describe("Absent while it runs."),
      code: z.string().optional(),
      answer: z.unknown().optional(),
    })
    .meta({ id: "TreeAuditEntry", description: "Something that somebody did to the tree" });
  const schema = {
    operationId: "listTreeAudit",
    summary: "What was done to the tree from a node during the last day, the newest first",
    tags: ["tree"],
    querystring: z.strictObject({ under: Under, limit: z.coerce.number().int().min(1).max(1_000).default(100) }),
    response: { 200: answer("The operations", z.object({ items: z.array(entry) })), ...problems(...WAYS) },
  };
  api.get("/tree/audit", { schema }, async (request, reply) => {
    const { under: target, limit } = request.query;
    const found = (await order(context, { type: TREE.audit, data: { limit }, target, request, reply })) as { atMs: number }[];
    const items = found.map(({ atMs, ...rest }) => ({ ...rest, at: new Date(atMs).toISOString() }));
    return { items: items as z.infer<typeof entry>[] };
  });
}
