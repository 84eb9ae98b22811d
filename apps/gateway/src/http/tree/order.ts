import { coreError } from "@metanode/core";
import { isOfPlatform } from "@metanode/core/internal";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { type HttpContext, withdrawalOf } from "../context.ts";

/** A node: its path in the tree, or its id. */
export const Target = z.string().min(1).max(1_024);
export const Under = z
  .string()
  .min(1)
  .max(1_024)
  .optional()
  .describe("The node that does it: a path or an id. This one without it.");
/** Longest time that an order may take, in milliseconds. */
export const MAX_ORDER_MS = 3_600_000;

/** Who asks, in the words of rules and of the audit: `admin:anna`. */
export function callerOf(request: FastifyRequest): string {
  const { identity } = request;
  return identity === undefined ? "unknown" : `${identity.role}:${identity.name}`;
}

/** Whoever may send messages may send these; of the second, the rules of the host say what they may do. */
const FOR_OPERATORS = /^metanode\.(node\.(ping|describe)|host\..+)$/;

/** Orders that have routes of their own are for admins where they come as messages. @throws {MetanodeError} auth.denied */
export function mayOrder(type: string, request: FastifyRequest): void {
  if (!isOfPlatform(type) || request.identity?.role === "admin" || FOR_OPERATORS.test(type)) return;
  throw coreError("auth.denied", `messages of type ${type} are for admins; use the routes below /api/v1/tree instead`);
}

/** Sends a message of the platform to a node of the tree, on behalf of whoever asks. */
export function order(
  { node }: HttpContext,
  {
    type,
    data,
    target,
    request,
    reply,
  }: { type: string; data?: unknown; target?: string | undefined; request: FastifyRequest; reply: FastifyReply },
  timeoutMs?: number,
): Promise<unknown> {
  const extensions = { caller: callerOf(request), ...(target === undefined ? {} : { target }) };
  const traceparent = request.headers.traceparent;
  return node.call(
    { type, extensions, ...(data === undefined ? {} : { data }), ...(typeof traceparent === "string" ? { traceparent } : {}) },
    { signal: withdrawalOf(reply), ...(timeoutMs === undefined ? {} : { timeoutMs }) },
  );
}
