import { randomUUID } from "node:crypto";
import { coreError, errorRow } from "@metanode/core";
import "@metanode/nature/errors"; // its codes, for the table of errors
import "@metanode/streaming/errors"; // and these
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
  type RouteOptions,
} from "fastify";
import { accessRoutes } from "./access.ts";
import { actorRoutes } from "./actors.ts";
import { createGuard, type Guard } from "./auth.ts";
import { answerClientError, MAX_HEADER_BYTES } from "./client-error.ts";
import { consoleRoutes } from "./console.ts";
import type { Api, HttpContext } from "./context.ts";
import { deadLetterRoutes } from "./dead-letters.ts";
import { errorRoutes } from "./errors.ts";
import { graphRoutes } from "./graphs/index.ts";
import { replayAnswers } from "./idempotency.ts";
import { journalRoutes } from "./journal.ts";
import { logRoutes } from "./logs.ts";
import { messageRoutes } from "./messages.ts";
import { measure } from "./metrics.ts";
import { PROBLEM_TYPE } from "./names.ts";
import { nodeRoutes } from "./node.ts";
import { documentRoute, rememberRoutes } from "./openapi.ts";
import { probeRoutes } from "./probes.ts";
import { instanceOf, toKnownError, toProblem } from "./problem.ts";
import { processorRoutes } from "./processors.ts";
import { limitRates } from "./rate-limit.ts";
import { tagAnswers } from "./tags.ts";
import { treeRoutes } from "./tree/index.ts";
import { callbackRoute } from "./workflows/callbacks.ts";
import { workflowRoutes } from "./workflows/index.ts";
import { ZOD_SCHEMAS } from "./zod-schemas.ts";

/** Attributes and JSON around a payload. */
const ENVELOPE_BYTES = 64 * 1024;
/** Longest name, id or key in an address. */
const MAX_PARAM_CHARS = 4_096;

/** The HTTP face of a node, not yet listening. `onRoute` is told of every route that it gets. */
export async function createServer(context: HttpContext, onRoute?: (route: RouteOptions) => void): Promise<Api> {
  const { node, stopping, rateLimit = 0 } = context;
  const app = fastify({
    loggerInstance: node.logger.child({ module: "http" }) as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    // Octets grow by a third in base64.
    bodyLimit: Math.ceil((node.maxMessageBytes * 4) / 3) + ENVELOPE_BYTES,
    routerOptions: { maxParamLength: MAX_PARAM_CHARS },
    exposeHeadRoutes: false,
    return503OnClosing: false, // the hook below answers, in our own form
    ...ZOD_SCHEMAS,
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => answerError(error, request, reply),
  }) as unknown as Api;
  app.removeContentTypeParser("text/plain"); // nothing here is text
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply));
  app.setNotFoundHandler(notFound);
  app.addHook("onRequest", async (request, reply) => secure(request, reply));
  app.addHook("onSend", async (_request, reply) => {
    if (stopping.aborted) reply.header("connection", "close");
  });
  if (onRoute !== undefined) app.addHook("onRoute", onRoute);
  measure(app as unknown as FastifyInstance, node);
  const routes = rememberRoutes(app);
  await app.register(async (open) => probeRoutes(open as Api, context));
  await app.register(async (open) => consoleRoutes(open as Api));
  const guard = createGuard(context.access, () => context.clock.now());
  app.decorateRequest("identity", undefined);
  await app.register(async (api) => apiRoutes(api as Api, context, { guard, routes }), { prefix: "/api/v1" });
  // Executors have no token: what they answer with carries a credential of its own.
  await app.register(async (open) => callbackRoute(whileOpen(open as Api, context), context), { prefix: "/api/v1" });
  if (context.nature !== undefined && context.natureFace?.compat === true) {
    const { natureRoutes } = await import("./workflows/nature.ts");
    await app.register(async (open) => {
      await limitRates(open, rateLimit, context.clock);
      await natureRoutes(whileOpen(open as Api, context), context, guard);
    });
  }
  if (context.streamsFace?.compat === true) {
    const { goStreamingRoutes } = await import("./graphs/gostreaming.ts");
    const routes = async (open: FastifyInstance): Promise<void> => {
      await limitRates(open, rateLimit, context.clock);
      await goStreamingRoutes(whileOpen(open as unknown as Api, context), context, guard);
    };
    await app.register(routes as never, { prefix: "/v1" });
  }
  // What stands below /api and does not exist is nobody's business either who has no token.
  await app.register(
    async (api) => {
      api.addHook("onRequest", guard.check);
      api.setNotFoundHandler(notFound);
    },
    { prefix: "/api" },
  );
  return app;
}

/** What the routes of the API need besides their context. */
interface Face {
  readonly guard: Guard;
  readonly routes: readonly RouteOptions[];
}

/** Everything of `/api/v1`: with a token, and only while the gateway is not stopping. */
async function apiRoutes(api: Api, context: HttpContext, { guard, routes }: Face): Promise<void> {
  guard.protect(api as unknown as FastifyInstance);
  whileOpen(api, context);
  replayAnswers(api as unknown as FastifyInstance, context.access.replays);
  tagAnswers(api as unknown as FastifyInstance);
  await limitRates(api as unknown as FastifyInstance, context.rateLimit ?? 0, context.clock);
  accessRoutes(api, context);
  nodeRoutes(api, context);
  processorRoutes(api, context);
  actorRoutes(api, context);
  workflowRoutes(api, context);
  graphRoutes(api, context);
  treeRoutes(api, context);
  logRoutes(api, context);
  journalRoutes(api, context);
  deadLetterRoutes(api, context);
  errorRoutes(api);
  documentRoute(api, routes);
  await api.register(async (scope) => messageRoutes(scope as Api, context));
}

/** Refuses whatever comes after the gateway began to stop. */
function whileOpen(api: Api, { node, stopping }: HttpContext): Api {
  api.addHook("onRequest", async () => {
    if (!stopping.aborted) return;
    throw coreError("node.closed", `node ${node.name} is stopping; send to another, or again after its restart`, {
      retryAfterMs: 1_000,
    });
  });
  return api;
}

function secure(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers({
    "x-request-id": request.id,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
  });
}

async function notFound(request: FastifyRequest): Promise<never> {
  const path = request.url.split("?", 1)[0] ?? "";
  throw coreError(
    "resource.not_found",
    `there is nothing at ${request.method} ${path}; GET /api/v1/openapi.json lists what there is`,
    {
      details: { method: request.method, path },
    },
  );
}

/** Any thrown value as Problem Details. */
function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = toKnownError(error, (errorId, cause) =>
    request.log.error({ err: cause, errorId, requestId: request.id }, "a request met a defect"),
  );
  const problem = toProblem(known, instanceOf(request.id));
  reply.header("x-error-code", known.code);
  if (known.retryAfterMs !== undefined) reply.header("retry-after", String(Math.max(1, Math.ceil(known.retryAfterMs / 1_000))));
  return reply.code(errorRow(known.code).http).type(PROBLEM_TYPE).send(JSON.stringify(problem));
}
