import { createHash } from "node:crypto";
import { coreError, errorRow } from "@metanode/core";
import { asMetanodeError } from "@metanode/core/internal";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod, RouteOptions } from "fastify";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What an answer's tag stands for: what was declared, without how it does at the moment. Such answers have a tag. */
    // biome-ignore lint/suspicious/noExplicitAny: each route knows its own answer
    tagged?: (view: any) => unknown;
    /** Whether it takes an `Idempotency-Key`. */
    takesKey?: boolean;
    /** Whether it takes `If-Match`. */
    takesTag?: boolean;
    /** Whether its handler looks at the tag itself, by {@link requireMatch}, so that nothing comes between look and change. */
    checksTag?: boolean;
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

type Asking = Pick<FastifyRequest, "headers" | "method">;

const CHANGING: ReadonlySet<unknown> = new Set(["PUT", "PATCH", "DELETE"]);

/*
 * T1. A change with If-Match is made only while what it changes has that tag.
 * T2. Of two such changes with the same tag one is made, also when they come at the same time.
 * T3. If-Match is never ignored by PUT, PATCH and DELETE: where nothing has a tag it is refused.
 * T4. Nothing comes between the look at the tag and the change of metas, relations and graphs. A change of a processor or of a
 *     dead letter that names no tag can come between; and so it can while the removal of a graph waits for the graph's end.
 */

/**
 * Gives answers of a scope the tag that their route says they have, answers 304 to whoever has that already, and checks
 * `If-Match` on the changes at the same addresses, and on POSTs below them. The tag stands for what was declared: how a thing
 * does at the moment is in the answer, and not in its tag.
 */
export function tagAnswers(scope: FastifyInstance): void {
  const byUrl = new Map<string, Tagged>();
  const held = new Set<string>();
  scope.decorateRequest("held", undefined);
  const checkOf =
    (found: Tagged | undefined) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      if (!isConditional(request)) return;
      const wanted = request.headers["if-match"];
      if (found === undefined) {
        if (wanted === undefined) return;
        throw coreError("usage.invalid", "nothing here has a tag; leave out If-Match", {
          details: { path: "/headers/if-match" },
        });
      }
      // Held before the look at what is there: that takes its time, and what it saw may be over by then.
      const mine = tagsOf(wanted ?? "").filter((one) => one !== "*");
      if (mine.some((one) => held.has(one))) throw mismatch(request, "if-match", "it is being changed");
      for (const one of mine) held.add(one);
      request.held = mine;
      const view = await present(request, () => found.handler.call(request.server, request, reply));
      compare(request, view === undefined ? undefined : tagOf(found.tagged(view)));
    };
  const release = async (request: FastifyRequest): Promise<void> => {
    for (const one of request.held ?? []) held.delete(one);
  };
  scope.addHook("onRoute", (route) => {
    const { tagged, checksTag } = route.config ?? {};
    if (route.method === "GET" && tagged !== undefined) {
      byUrl.set(route.url, { handler: route.handler, tagged });
      giveTag(route, tagged);
    }
    const found = route.method === "POST" ? above(route.url, byUrl) : byUrl.get(route.url);
    if (!CHANGING.has(route.method) && (route.method !== "POST" || found === undefined)) return;
    route.config = { ...route.config, takesTag: found !== undefined };
    if (checksTag === true) return;
    route.preHandler = [checkOf(found)];
    route.onSend = [...[route.onSend ?? []].flat(), release] as never;
  });
}

function giveTag(route: RouteOptions, tagged: Tagged["tagged"]): void {
  route.preSerialization = async (_request: FastifyRequest, reply: FastifyReply, view: unknown) => {
    if (reply.statusCode === 200) reply.header("etag", tagOf(tagged(view)));
    return view;
  };
  route.onSend = async (request: FastifyRequest, reply: FastifyReply, payload: unknown) => {
    const known = request.headers["if-none-match"];
    const tag = reply.getHeader("etag");
    if (known === undefined || typeof tag !== "string" || !isNamed(known, tag)) return payload;
    reply.code(304).removeHeader("content-type");
    return null;
  };
}

/** What has a tag at the address above that of an action. */
function above(url: string, byUrl: ReadonlyMap<string, Tagged>): Tagged | undefined {
  const end = url.lastIndexOf("/");
  return end <= 0 ? undefined : (byUrl.get(url.slice(0, end)) ?? above(url.slice(0, end), byUrl));
}

/** Whether a change is meant for one state of its resource only. */
export function isConditional({ headers }: Asking): boolean {
  return headers["if-match"] !== undefined || headers["if-none-match"] !== undefined;
}

/**
 * Lets a change pass only if what it is about is as its headers say, without waiting for anything. `look` gives the view as it
 * is now, and throws if there is none.
 * @throws {MetanodeError} state.precondition
 */
export function requireMatch<V>(request: Asking, tagged: (view: V) => unknown, look: () => V): void {
  if (!isConditional(request)) return;
  try {
    compare(request, tagOf(tagged(look())));
  } catch (error) {
    if (!isCreating(request, error)) throw error;
    compare(request, undefined);
  }
}

async function present(request: Asking, look: () => unknown): Promise<unknown> {
  try {
    return await look();
  } catch (error) {
    if (isCreating(request, error)) return undefined;
    throw error;
  }
}

/** Only a PUT may be about what is not there; every other change says so, whatever tag it names. */
function isCreating({ method }: Asking, error: unknown): boolean {
  return method === "PUT" && errorRow(asMetanodeError(error).code).http === 404;
}

function compare(request: Asking, tag: string | undefined): void {
  const { "if-match": wanted, "if-none-match": unwanted } = request.headers;
  const now = tag === undefined ? "it is not there" : `its tag is ${tag} now`;
  if (wanted !== undefined && (tag === undefined || !tagsOf(wanted).some((one) => one === "*" || one === tag))) {
    throw mismatch(request, "if-match", now, tag);
  }
  if (unwanted !== undefined && tag !== undefined && isNamed(unwanted, tag)) throw mismatch(request, "if-none-match", now, tag);
}

/** Whether a list of tags names one, be it as a weak one. */
function isNamed(list: string, tag: string): boolean {
  return tagsOf(list).some((one) => one === "*" || one.replace(/^W\//, "") === tag);
}

function tagsOf(list: string): string[] {
  return list.split(",").map((one) => one.trim());
}

function mismatch({ headers }: Asking, header: "if-match" | "if-none-match", now: string, found?: string): Error {
  return coreError("state.precondition", `${header} is ${headers[header]}, and ${now}; read it again, then decide`, {
    details: { header, wanted: headers[header], ...(found === undefined ? {} : { found }) },
  });
}

function tagOf(declared: unknown): string {
  return `"${createHash("sha256").update(JSON.stringify(declared, sorted)).digest("base64url").slice(0, 22)}"`;
}

/** The same value has the same tag, whatever the order of its keys. */
function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
