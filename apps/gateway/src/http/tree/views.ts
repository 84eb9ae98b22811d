import { type NodeDescription, TREE } from "@metanode/core/tree";
import { z } from "zod";
import type { Api, HttpContext } from "../context.ts";
import { answer, problems } from "../responses.ts";
import { order, Target, Under } from "./order.ts";

const MaintenanceView = z
  .object({
    state: z.enum(["draining", "drained", "down", "verifying"]),
    reason: z.string(),
    by: z.string(),
    since: z.string(),
    expires: z.string().optional().describe("When somebody is told that it lasts too long; it does not end by itself."),
  })
  .meta({ id: "Maintenance", description: "Why and since when a node, or a part of it, takes nothing new" });

const NodeView = z
  .object({
    id: z.string(),
    name: z.string(),
    path: z.string(),
    state: z
      .string()
      .describe(
        "As its manager sees it: pending, adopting, managed, maintenance, suspect, unreachable, quarantined, releasing, moving; of the top node free, offered, managed or orphaned.",
      ),
    epoch: z.int().describe("Grows with every adoption of the node."),
    version: z.string(),
    labels: z.record(z.string(), z.string()),
    types: z.array(z.string()).describe("`type@version` of what it handles itself."),
    size: z.int().describe("Nodes below it."),
    facts: z.record(z.string(), z.union([z.string(), z.number()])),
    maintenance: MaintenanceView.optional(),
    lastSeenAt: z.string().optional(),
  })
  .meta({ id: "TreeNode", description: "A node of the tree" });

const TreeQuery = z.strictObject({
  where: z.string().max(4_096).optional().describe("A selector: `region=eu & type=order.price`."),
  depth: z.coerce.number().int().min(0).max(1_000).optional().describe("Levels below the node."),
  under: Under,
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
});

type Maintained = NonNullable<NodeDescription["card"]["maintenance"]>;

function maintenanceView({ state, reason, by, sinceMs, expiresMs }: Maintained): z.infer<typeof MaintenanceView> {
  return {
    state,
    reason,
    by,
    since: new Date(sinceMs).toISOString(),
    ...(expiresMs === undefined ? {} : { expires: new Date(expiresMs).toISOString() }),
  };
}

type NodeView = z.infer<typeof NodeView>;

/** A node as it describes itself; how its manager sees it is the manager's to say. */
function selfView({ card, state, epoch }: NodeDescription): NodeView {
  const { maintenance, below: _below, ...rest } = card;
  return {
    ...rest,
    labels: { ...card.labels },
    types: [...card.types],
    facts: { ...card.facts },
    // What a node calls being owned is what its manager calls managed.
    state: maintenance !== undefined ? "maintenance" : state === "owned" ? "managed" : state,
    epoch,
    ...(maintenance === undefined ? {} : { maintenance: maintenanceView(maintenance) }),
  };
}

function childView({ id, name, path, state, epoch, lastSeenMs, card }: NodeDescription["children"][number]): NodeView {
  return {
    version: card?.version ?? "",
    labels: { ...card?.labels },
    types: [...(card?.types ?? [])],
    facts: { ...card?.facts },
    size: card?.size ?? 0,
    id,
    name,
    path,
    state,
    epoch,
    ...(card?.maintenance === undefined ? {} : { maintenance: maintenanceView(card.maintenance) }),
    lastSeenAt: new Date(lastSeenMs).toISOString(),
  };
}

/** Nodes by path: as their managers see them, and what they say of themselves. */
function gathered(descriptions: readonly NodeDescription[], isFiltered: boolean): NodeView[] {
  const nodes = new Map<string, NodeView>();
  for (const description of descriptions) nodes.set(description.card.path, selfView(description));
  for (const { children } of descriptions) {
    for (const child of children) {
      const own = nodes.get(child.path);
      const seen = childView(child);
      if (own !== undefined) nodes.set(child.path, { ...own, state: seen.state, lastSeenAt: seen.lastSeenAt });
      else if (!isFiltered) nodes.set(child.path, seen);
    }
  }
  return [...nodes.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function viewRoutes(api: Api, context: HttpContext): void {
  treeRoute(api, context);
  nodeRoute(api, context);
}

function treeRoute(api: Api, context: HttpContext): void {
  const schema = {
    operationId: "getTree",
    summary: "The nodes below this one, by path, as they are now",
    tags: ["tree"],
    querystring: TreeQuery,
    response: {
      200: answer(
        "The nodes",
        z.object({
          nodes: z.array(NodeView),
          total: z.int().describe("Nodes that fit, those beyond the limit included."),
          truncated: z.boolean(),
          missing: z.array(z.object({ path: z.string(), status: z.string() })).describe("Nodes that did not answer."),
        }),
      ),
      ...problems("usage.invalid", "message.invalid", "resource.not_found", "tree.moved", "node.unreachable", "call.deadline"),
    },
  };
  api.get("/tree", { schema }, async (request, reply) => {
    const { where, depth, under, limit } = request.query;
    const data = {
      type: TREE.describe,
      policy: "best-effort",
      timeoutMs: 10_000,
      includeMaintenance: true,
      ...(where === undefined ? {} : { where }),
      ...(depth === undefined ? {} : { depth }),
    };
    const events = (await order(context, { type: TREE.all, data, target: under, request, reply })) as Event[];
    const outcomes = events.filter((event) => event.kind === "outcome");
    const found = outcomes.filter(({ status }) => status === "ok").map(({ value }) => value as NodeDescription);
    const nodes = gathered(found, where !== undefined || depth !== undefined);
    const missing = outcomes.filter(({ status }) => status !== "ok").map(({ path, status }) => ({ path, status }));
    return { nodes: nodes.slice(0, limit), total: nodes.length, truncated: nodes.length > limit, missing };
  });
}

interface Event {
  readonly kind: string;
  readonly path: string;
  readonly status: string;
  readonly value?: unknown;
}

function nodeRoute(api: Api, context: HttpContext): void {
  const schema = {
    operationId: "getTreeNode",
    summary: "One node of the tree, with its children",
    tags: ["tree"],
    querystring: z.strictObject({ target: Target.optional().describe("A path or an id. This node without it.") }),
    response: {
      200: answer(
        "The node",
        z.object({
          node: NodeView,
          owner: z.object({ id: z.string(), name: z.string() }).optional(),
          address: z.string().optional().describe("Where other nodes dial it."),
          children: z.array(NodeView),
          members: z.record(z.string(), MaintenanceView).describe("Members of the node that are in maintenance, by id."),
          pid: z.int(),
        }),
      ),
      ...problems("usage.invalid", "message.invalid", "resource.not_found", "tree.moved", "node.unreachable", "call.deadline"),
    },
  };
  api.get("/tree/node", { schema }, async (request, reply) => {
    const { target } = request.query;
    const found = (await order(context, { type: TREE.describe, target, request, reply })) as NodeDescription;
    const members = Object.entries(found.members).map(([id, entry]) => [id, maintenanceView(entry as Maintained)] as const);
    return {
      node: selfView(found),
      ...(found.owner === undefined ? {} : { owner: found.owner }),
      ...(found.address === undefined ? {} : { address: found.address }),
      children: found.children.map(childView),
      members: Object.fromEntries(members),
      pid: found.pid,
    };
  });
}
