import { Readable } from "node:stream";
import { coreError } from "@metanode/core";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from "fastify";
import { NOBODY } from "../access/audit.ts";
import type { Access } from "../access/index.ts";
import { type Identity, isChange, isEnough, type Role, roleFor } from "../access/roles.ts";
import { REPLAYED } from "./idempotency.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks; undefined before that is known, and where nobody has to say. */
    identity: Identity | undefined;
  }
  interface FastifyContextConfig {
    /** Who may; set for every route that asks for a token. */
    role?: Role;
    /** Its id in the OpenAPI document. */
    operationId?: string;
  }
}

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** Wrong tokens that one address may show in a minute before it has to wait. */
const MAX_WRONG = 20;
/** Addresses that are watched at a time; beyond that the count begins anew. */
const MAX_ADDRESSES = 10_000;
const WINDOW_MS = 60_000;
/** Characters of a reason that are kept. */
const MAX_REASON = 500;

/** What checks every request, and what writes down every change. */
export interface Guard {
  /** @throws {MetanodeError} auth.unauthenticated, auth.denied; call.resource_exhausted – too many wrong tokens */
  readonly check: Hook;
  /** Has the changes of a scope written down, and its answers that go on end with the token that they were asked for with. */
  readonly watch: (scope: FastifyInstance) => void;
  /** Makes the routes of a scope ask for a token and the role they need, say so in their documentation, and be watched. */
  readonly protect: (scope: FastifyInstance) => void;
}

/** Tokens, roles and the audit log for the routes of a server. */
export function createGuard({ identify, audit, answers }: Access, now: () => number): Guard {
  const wrong = new WrongTokens(now);
  const check: Hook = async (request, reply) => {
    const found = /^Bearer +([^\s]+) *$/i.exec(request.headers.authorization ?? "")?.[1];
    request.identity = found === undefined ? undefined : await identify(found);
    const needed = request.routeOptions.config.role ?? roleFor(request.method, undefined);
    if (request.identity === undefined) {
      if (found !== undefined) wrong.count(request.ip);
      throw unknown(found, reply);
    }
    if (isEnough(request.identity.role, needed)) return;
    const { name, role } = request.identity;
    throw coreError(
      "auth.denied",
      `this needs the role ${needed}, and the token of ${name} has ${role}; ask an admin of the node for another`,
      {
        details: { needed, role },
      },
    );
  };
  const record = (request: FastifyRequest, reply: FastifyReply): void => {
    const { operationId } = request.routeOptions.config;
    if (operationId === undefined || !isChange(request.method, operationId) || reply.hasHeader(REPLAYED)) return;
    const { name, role } = request.identity ?? { name: NOBODY, role: "none" };
    audit.add({
      atMs: now(),
      name,
      role,
      operation: operationId,
      method: request.method,
      path: request.url.slice(0, 2_000),
      status: reply.statusCode,
      code: reply.statusCode < 400 ? undefined : String(reply.getHeader("x-error-code") ?? "") || undefined,
      reason: reasonOf(request),
      requestId: request.id,
    });
  };
  const watch = (scope: FastifyInstance): void => {
    // What was done is known here, also where nobody waits for the answer any more; later it would be missed then.
    scope.addHook("onSend", (request, reply, payload, done) => {
      record(request, reply);
      if (payload instanceof Readable && request.identity !== undefined) {
        reply.raw.once(
          "close",
          answers.hold(request.identity, () => reply.raw.destroy()),
        );
      }
      done(null, payload);
    });
  };
  return {
    check,
    watch,
    protect: (scope) => {
      scope.addHook("onRoute", setRole);
      scope.addHook("onRequest", check);
      watch(scope);
    },
  };
}

function setRole(route: RouteOptions): void {
  const schema = route.schema as { operationId?: string; "x-required-role"?: Role } | undefined;
  const operationId = schema?.operationId;
  const role = route.config?.role ?? roleFor(String(route.method), operationId);
  route.config = { ...route.config, role, ...(operationId === undefined ? {} : { operationId }) };
  if (schema !== undefined) schema["x-required-role"] = role;
}

function unknown(found: string | undefined, reply: FastifyReply): Error {
  reply.header(
    "www-authenticate",
    found === undefined ? 'Bearer realm="metanode"' : 'Bearer realm="metanode", error="invalid_token"',
  );
  const what =
    found === undefined
      ? "the request carries no bearer token"
      : "the bearer token is none of this node, or it has expired or was revoked";
  return coreError(
    "auth.unauthenticated",
    `${what}; send \`Authorization: Bearer <token>\` with the token from the node's data folder, or one that an admin has made`,
  );
}

function reasonOf({ headers }: FastifyRequest): string | undefined {
  const given = headers["x-reason"];
  if (typeof given !== "string" || given === "") return undefined;
  return given.replace(/[^\x20-\x7e\u00a0-\u{10ffff}]/gu, " ").slice(0, MAX_REASON);
}

/** Who guesses tokens is slowed down: each address may be wrong so many times in a minute. */
class WrongTokens {
  readonly #now: () => number;
  readonly #counts = new Map<string, { count: number; untilMs: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @throws {MetanodeError} call.resource_exhausted */
  count(address: string): void {
    const nowMs = this.#now();
    if (this.#counts.size >= MAX_ADDRESSES) this.#counts.clear();
    const before = this.#counts.get(address);
    const entry = before === undefined || before.untilMs <= nowMs ? { count: 0, untilMs: nowMs + WINDOW_MS } : before;
    entry.count++;
    this.#counts.set(address, entry);
    if (entry.count <= MAX_WRONG) return;
    throw coreError(
      "call.resource_exhausted",
      `${address} has shown ${entry.count} wrong tokens within a minute; wait, and use the right one`,
      {
        retryAfterMs: entry.untilMs - nowMs,
      },
    );
  }
}
