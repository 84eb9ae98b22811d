import { coreError } from "@metanode/core";
import { TREE } from "@metanode/core/tree";
import { z } from "zod";
import type { Api, HttpContext } from "../context.ts";
import { answer, nothing, problems } from "../responses.ts";
import { MAX_ORDER_MS, order, Target, Under } from "./order.ts";

const TokenText = z.string().min(1).max(4_096);
const Name = z.string().min(1).max(128);
const Answer = z.record(z.string(), z.unknown());
const WAYS = [
  "message.invalid",
  "usage.invalid",
  "config.invalid",
  "resource.not_found",
  "tree.moved",
  "node.unreachable",
  "call.deadline",
] as const;
const CHANGES = [...WAYS, "tree.not_managed", "tree.stale_epoch", "state.conflict"] as const;
const ADOPTIONS = [
  ...CHANGES,
  "tree.already_managed",
  "tree.cycle",
  "auth.unauthenticated",
  "protocol.version",
  "call.unsupported",
] as const;

/** Who belongs to the tree, and where. */
export function membershipRoutes(api: Api, context: HttpContext): void {
  tokenRoutes(api, context);
  adoptionRoutes(api, context);
  changeRoutes(api, context);
  standbyRoutes(api, context);
}

function tokenRoutes(api: Api, context: HttpContext): void {
  const tags = ["tree"];
  const body = z.strictObject({
    purpose: z
      .enum(["join", "adopt"])
      .default("join")
      .describe("join: the bearer becomes a child. adopt: the bearer becomes the manager."),
    ttlMs: z
      .int()
      .min(1_000)
      .max(MAX_ORDER_MS * 24 * 30)
      .optional()
      .describe("How long it can be used. An hour without it."),
    uses: z.int().min(1).max(100_000).optional().describe("Nodes that may use it. One without it."),
    under: Under,
  });
  const made = z.object({ id: z.string(), text: z.string().describe("The token; it is shown once."), expiresAt: z.string() });
  const makeSchema = {
    operationId: "createNodeToken",
    summary: "Make a token with which another node can come",
    tags,
    body,
    response: { 201: answer("The token", made), ...problems(...WAYS, "node.port_in_use") },
  };
  api.post("/tree/tokens", { schema: makeSchema }, async (request, reply) => {
    const { under: target, ...data } = request.body;
    const found = (await order(context, { type: TREE.token, data, target, request, reply })) as {
      id: string;
      text: string;
      expiresMs: number;
    };
    return reply.code(201).send({ id: found.id, text: found.text, expiresAt: new Date(found.expiresMs).toISOString() });
  });
  const view = z.object({
    id: z.string(),
    purpose: z.enum(["join", "adopt"]),
    expiresAt: z.string(),
    uses: z.int(),
    usedBy: z.array(z.string()).describe("Ids of the nodes that have used it."),
  });
  const listSchema = {
    operationId: "listNodeTokens",
    summary: "The tokens of a node that can still be used, without their secrets",
    tags,
    querystring: z.strictObject({ under: Under }),
    response: { 200: answer("The tokens", z.object({ items: z.array(view) })), ...problems(...WAYS) },
  };
  api.get("/tree/tokens", { schema: listSchema }, async (request, reply) => {
    const found = await order(context, { type: TREE.tokens, target: request.query.under, request, reply });
    const items = (found as { expiresMs: number }[]).map(({ expiresMs, ...rest }) => ({
      ...rest,
      expiresAt: new Date(expiresMs).toISOString(),
    }));
    return { items: items as z.infer<typeof view>[] };
  });
  const revokeSchema = {
    operationId: "revokeNodeToken",
    summary: "Make a token useless; nodes that have come with it stay",
    tags,
    params: z.object({ id: z.string() }),
    querystring: z.strictObject({ under: Under }),
    response: { 204: nothing("It is gone."), ...problems(...WAYS) },
  };
  api.delete("/tree/tokens/:id", { schema: revokeSchema }, async (request, reply) => {
    await order(context, { type: TREE.revoke, data: { id: request.params.id }, target: request.query.under, request, reply });
    return reply.code(204).send();
  });
}

function adoptionRoutes(api: Api, context: HttpContext): void {
  const tags = ["tree"];
  const child = z
    .object({ id: z.string(), name: z.string(), path: z.string(), state: z.string(), epoch: z.int() })
    .meta({ id: "AdoptedNode", description: "A node that was adopted" });
  const adoptSchema = {
    operationId: "adoptNode",
    summary: "Adopt the node that made a token of purpose adopt",
    tags,
    body: z.strictObject({
      token: TokenText,
      as: Name.optional().describe("Its name here; its own without it."),
      force: z.boolean().optional().describe("Take it from a manager that has not let it go."),
      under: Under,
    }),
    response: { 200: answer("The node", child), ...problems(...ADOPTIONS) },
  };
  api.post("/tree/adopt", { schema: adoptSchema }, async (request, reply) => {
    const { under: target, ...data } = request.body;
    return (await order(context, { type: TREE.adopt, data, target, request, reply })) as z.infer<typeof child>;
  });
  const approveSchema = {
    operationId: "approveNode",
    summary: "Adopt a node that waits for approval, or end the quarantine of one",
    tags,
    body: z.strictObject({
      node: Target.describe("Its path, or its name or id with `under`."),
      as: Name.optional(),
      under: Under,
    }),
    response: { 200: answer("The node", child), ...problems(...ADOPTIONS) },
  };
  api.post("/tree/approve", { schema: approveSchema }, async (request, reply) => {
    const { node, as, under } = request.body;
    const { target, name } = placeOf(node, under);
    return (await order(context, { type: TREE.approve, data: { child: name, as }, target, request, reply })) as z.infer<
      typeof child
    >;
  });
  const joinSchema = {
    operationId: "joinTree",
    summary: "Ask another node to manage this one: with its token at once, else when somebody approves there",
    tags,
    body: z.strictObject({
      token: TokenText.optional(),
      address: z.string().max(512).optional().describe("host:port, without a token."),
    }),
    response: { 202: answer("It asks", z.object({ state: z.string() })), ...problems(...ADOPTIONS) },
  };
  api.post("/tree/join", { schema: joinSchema }, async (request, reply) => {
    const answered = await order(context, { type: TREE.join, data: request.body, request, reply });
    return reply.code(202).send(answered as { state: string });
  });
}

function changeRoutes(api: Api, context: HttpContext): void {
  const tags = ["tree"];
  const released = z.object({
    id: z.string(),
    name: z.string(),
    epoch: z.int(),
    unfinished: z.int().describe("Calls that were not answered."),
  });
  const releaseSchema = {
    operationId: "releaseNode",
    summary: "Let a node go; it goes on alone, with all that is below it",
    tags,
    body: z.strictObject({
      node: Target.describe("Its path, or its name or id with `under`."),
      drainMs: z
        .int()
        .min(0)
        .max(MAX_ORDER_MS)
        .optional()
        .describe("How long to wait for what is under way. Ten seconds without it."),
      force: z.boolean().optional().describe("Also if it has not finished, or cannot be reached."),
      under: Under,
    }),
    response: { 200: answer("What became of it", released), ...problems(...CHANGES) },
  };
  api.post("/tree/release", { schema: releaseSchema }, async (request, reply) => {
    const { node, under, drainMs, force } = request.body;
    const { target, name } = placeOf(node, under);
    const timeoutMs = (drainMs ?? 10_000) + 30_000;
    const data = { child: name, drainMs, force };
    return (await order(context, { type: TREE.release, data, target, request, reply }, timeoutMs)) as z.infer<typeof released>;
  });
  const moveSchema = {
    operationId: "moveNode",
    summary: "Put a node, with all that is below it, under another node of the tree",
    tags,
    body: z.strictObject({ node: Target.describe("Its path."), to: Target.describe("The path of its new manager.") }),
    response: { 200: answer("What became of it", released), ...problems(...ADOPTIONS) },
  };
  api.post("/tree/move", { schema: moveSchema }, async (request, reply) => {
    return (await order(context, { type: TREE.move, data: request.body, request, reply })) as z.infer<typeof released>;
  });
  const membersSchema = {
    operationId: "reconcileNodes",
    summary: "Make the children of a node those that are named: adopt who is missing, release who is too many",
    tags,
    body: z.strictObject({
      desired: z.array(z.strictObject({ name: Name, token: TokenText.optional() })).max(10_000),
      drainMs: z.int().min(0).max(MAX_ORDER_MS).optional(),
      under: Under,
    }),
    response: { 200: answer("What became of each", Answer), ...problems(...CHANGES) },
  };
  api.post("/tree/members", { schema: membersSchema }, async (request, reply) => {
    const { under: target, ...data } = request.body;
    return (await order(context, { type: TREE.members, data, target, request, reply }, MAX_ORDER_MS)) as z.infer<typeof Answer>;
  });
  const labelSchema = {
    operationId: "labelNode",
    summary: "Set or take away labels of a node",
    tags,
    body: z.strictObject({
      node: Target.optional(),
      set: z.record(z.string(), z.string()).optional(),
      remove: z.array(z.string()).optional(),
    }),
    response: { 200: answer("Its labels", z.record(z.string(), z.string())), ...problems(...WAYS) },
  };
  api.post("/tree/labels", { schema: labelSchema }, async (request, reply) => {
    const { node: target, ...data } = request.body;
    return (await order(context, { type: TREE.labels, data, target, request, reply })) as Record<string, string>;
  });
}

/** Who takes the place of a node when it is lost. */
function standbyRoutes(api: Api, context: HttpContext): void {
  const tags = ["tree"];
  const view = z
    .object({
      name: z.string().optional().describe("The child that is to take the node's place; absent if nobody is."),
      id: z.string().optional().describe("Absent as long as it has not been told."),
      isReady: z.boolean().describe("It knows the children as they are, and they know it."),
      isFenced: z.boolean().describe("It has taken the node's place, which hands on to it whom it still has."),
      manager: z
        .object({ id: z.string(), name: z.string(), isTaken: z.boolean().describe("The node has taken its place.") })
        .optional()
        .describe("The manager that the node itself stands by for."),
    })
    .meta({ id: "Standby", description: "Who takes the place of a node when it is lost" });
  const showSchema = {
    operationId: "getStandby",
    summary: "Who takes the place of a node when it is lost",
    tags,
    querystring: z.strictObject({ under: Under }),
    response: { 200: answer("The standby", view), ...problems(...WAYS) },
  };
  api.get("/tree/standby", { schema: showSchema }, async (request, reply) => {
    return (await order(context, { type: TREE.standby, target: request.query.under, request, reply })) as z.infer<typeof view>;
  });
  const nameSchema = {
    operationId: "nameStandby",
    summary: "Let a child take the place of its manager when that is lost, or nobody; or let it take the place now",
    tags,
    body: z.strictObject({
      node: Target.optional().describe("The child's path, or its name or id with `under`; without it, nobody."),
      under: Under,
      handOver: z
        .boolean()
        .optional()
        .describe("The child that stands by takes the place now, and answers when all are there. Without `node`."),
    }),
    response: { 200: answer("The standby", view), ...problems(...CHANGES, "call.unsupported", "usage.invalid") },
  };
  api.post("/tree/standby", { schema: nameSchema }, async (request, reply) => {
    const { node, under, handOver } = request.body;
    if (handOver === true && node !== undefined)
      throw coreError("usage.invalid", "body.node and body.handOver exclude each other: name the child first, then hand over");
    const { target, name } = node === undefined ? { target: under, name: undefined } : placeOf(node, under);
    const data = handOver === true ? { handOver } : name === undefined ? { none: true } : { child: name };
    return (await order(context, { type: TREE.standby, data, target, request, reply })) as z.infer<typeof view>;
  });
}

/** A child, by its path or under a node: who manages it, and its name there. */
function placeOf(node: string, under: string | undefined): { target: string | undefined; name: string } {
  if (under !== undefined || !node.startsWith("/")) return { target: under, name: node };
  const at = node.lastIndexOf("/");
  return { target: at > 0 ? node.slice(0, at) : undefined, name: node.slice(at + 1) };
}
