import { createHash } from "node:crypto";
import { coreError, errorRow } from "@metanode/core";
import { asMetanodeError } from "@metanode/core/internal";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from "fastify";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What an answer's tag stands for: what was declared, without how it does at the moment. Such answers have a tag. */
    // biome-ignore lint/suspicious/noExplicitAny: each route knows its own answer
    tagged?: (view: any) => unknown;
    /** Whether it takes an `Idempotency-Key`. */
    takesKey?: boolean;
    /** Whether it takes `If-Match`. */
    takesTag?: boolean;
  }
  interface FastifyRequest {
    /** Tags that no other request may change anything by while this one does. */
    held: readonly string[] | undefined;
  }
}

interface Tagged {
  readonly handler: RouteHandlerMethod;
  readonly tagged: (view: unknown) => unknown;
}

const CHANGING: ReadonlySet<unknown> = new Set(["PUT", "PATCH", "DELETE"]);

/*
 * T1. A change with If-Match is made only while what it changes has that tag.
 * T2. Of two such changes with the same tag one is made, also when they come at the same time.
 * T3. If-Match is never ignored: where nothing has a tag it is refused.
 */

/**
 * Gives answers of a scope the tag that their route says they have, and checks `If-Match` on the changes at the same
 * addresses. The tag stands for what was declared: how a thing does at the moment is in the answer, and not in its tag.
 */
export function tagAnswers(scope: FastifyInstance): void {
  const byUrl = new Map<string, Tagged>();
  const held = new Set<string>();
  scope.decorateRequest("held", undefined);
  const check = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const wanted = request.headers["if-match"];
    if (wanted === undefined) return;
    const found = byUrl.get(request.routeOptions.url ?? "");
    if (found === undefined) {
      throw coreError("usage.invalid", "nothing here has a tag; leave out If-Match", { details: { path: "/headers/if-match" } });
    }
    const tags = wanted.split(",").map((one) => one.trim());
    // Held before the look at what is there: that takes its time, and what it saw may be over by then.
    const mine = tags.filter((one) => one !== "*");
    if (mine.some((one) => held.has(one))) throw mismatch(wanted, "it is being changed");
    for (const one of mine) held.add(one);
    request.held = mine;
    const tag = await currentTag(found, request, reply);
    if (tag === undefined) throw mismatch(wanted, "it is not there");
    if (!tags.includes("*") && !tags.includes(tag)) throw mismatch(wanted, `its tag is ${tag} now`, tag);
  };
  scope.addHook("onRoute", (route) => {
    const { tagged } = route.config ?? {};
    if (route.method === "GET" && tagged !== undefined) {
      byUrl.set(route.url, { handler: route.handler, tagged });
      route.preSerialization = async (_request: FastifyRequest, reply: FastifyReply, view: unknown) => {
        if (reply.statusCode === 200) reply.header("etag", tagOf(tagged(view)));
        return view;
      };
    }
    if (!CHANGING.has(route.method)) return;
    route.config = { ...route.config, takesTag: byUrl.has(route.url) };
    route.preHandler = [check];
    route.onSend = async (request: FastifyRequest) => {
      for (const one of request.held ?? []) held.delete(one);
    };
  });
}

async function currentTag(
  { handler, tagged }: Tagged,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<string | undefined> {
  try {
    return tagOf(tagged(await handler.call(request.server, request, reply)));
  } catch (error) {
    if (errorRow(asMetanodeError(error).code).http === 404) return undefined;
    throw error;
  }
}

function mismatch(wanted: string, now: string, tag?: string): Error {
  return coreError("state.conflict", `If-Match is ${wanted}, and ${now}; read it again, then decide`, {
    retryable: false,
    details: { wanted, ...(tag === undefined ? {} : { tag }) },
  });
}

function tagOf(declared: unknown): string {
  return `"${createHash("sha256").update(JSON.stringify(declared)).digest("base64url").slice(0, 22)}"`;
}
