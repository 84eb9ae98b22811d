import { errorRow } from "@metanode/core";
import { BATCH_TYPE, type CoreErrorCode, PROTOBUF_TYPE, STRUCTURED_TYPE } from "@metanode/core/internal";
import { type FastifyContextConfig, fastify, type RouteOptions } from "fastify";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Role } from "../access/roles.ts";
import type { Api } from "./context.ts";
import { version } from "./manifest.ts";
import { PROBLEM_TYPE } from "./names.ts";
import { answer, problems } from "./responses.ts";
import { ZOD_SCHEMAS } from "./zod-schemas.ts";

/** A CloudEvent in the JSON event format, with the extensions that the platform knows. */
const EVENT = {
  type: "object",
  description: "A CloudEvent 1.0. Attributes that are not listed are kept as extensions.",
  required: ["specversion", "id", "source", "type"],
  properties: {
    specversion: { const: "1.0" },
    id: { type: "string", description: "Unique per source; a durable send with the same id is stored once." },
    source: { type: "string", format: "uri-reference" },
    type: { type: "string", description: "Dispatch goes by this: words joined by dots." },
    subject: { type: "string", description: "The key of ordering and of sharding." },
    time: { type: "string", format: "date-time" },
    datacontenttype: { type: "string" },
    dataschema: { type: "string", format: "uri" },
    data: { description: "The payload; octets travel as data_base64." },
    data_base64: { type: "string", contentEncoding: "base64" },
    traceparent: { type: "string" },
    tracestate: { type: "string" },
    deadline: { type: "string", format: "date-time", description: "The moment after which nobody wants an answer." },
    idempotencykey: { type: "string" },
    typeversion: { type: "string", description: "The version of the type that the sender speaks." },
    hops: { type: "integer", minimum: 0 },
  },
  additionalProperties: true,
};

const BYTES = { type: "string", format: "binary" };
const EVENT_REF = { $ref: "#/components/schemas/CloudEvent" };

/** What the message route reads. Its body is taken as bytes, so no schema of the route can say it. */
const MESSAGE_BODY = {
  required: false,
  content: {
    [STRUCTURED_TYPE]: { schema: EVENT_REF },
    [BATCH_TYPE]: { schema: { type: "array", items: EVENT_REF } },
    [PROTOBUF_TYPE]: { schema: { ...BYTES, description: "io.cloudevents.v1.CloudEvent" } },
    "application/json": { schema: { description: "Binary mode: the payload; attributes are `ce-` headers." } },
    "application/octet-stream": { schema: { ...BYTES, description: "Binary mode: the payload as octets." } },
  },
};

const HEADERS = [
  "ce-specversion",
  "ce-id",
  "ce-source",
  "ce-type",
  "ce-subject",
  "ce-typeversion",
  "Idempotency-Key",
  "traceparent",
];

const PROBLEM = { [PROBLEM_TYPE]: { schema: { $ref: "#/components/schemas/Problem" } } };

/** Headers that routes take without looking at them: those that do stand in their configuration. */
const KEY_HEADER = "Idempotency-Key";
const TAG_HEADER = "If-Match";
const KNOWN_TAG_HEADER = "If-None-Match";
const SOME_HEADERS = {
  [KEY_HEADER]: "The same key for the same request has the same answer for 24 hours, with `idempotency-replayed: true`.",
  [TAG_HEADER]: "Only if what is changed still has this `ETag`, or one of these; otherwise state.precondition.",
  [KNOWN_TAG_HEADER]: "The answer is 304 if it still has this `ETag`.",
};

/** What answers carry where `listen.rateLimit` is set; a refusal says with the last one when to ask again, in seconds. */
const RATE_HEADERS = Object.fromEntries(
  [
    ["RateLimit-Limit", "Requests that a token may make in a second; where `listen.rateLimit` is set."],
    ["RateLimit-Remaining", "Those that it may make at once."],
    ["RateLimit-Reset", "Seconds until it may make more."],
    ["Retry-After", "Seconds."],
  ].map(([name, description]) => [name, { description, schema: { type: "integer" } }]),
);
const RATE_REFERENCES = Object.fromEntries(
  Object.keys(RATE_HEADERS).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
);

interface Described {
  headers?: { type?: string; properties?: object };
  response?: Record<string, object>;
}

interface Operation {
  "x-required-role"?: Role;
  requestBody?: unknown;
  parameters?: Parameter[];
  responses?: Record<string, { description: string }>;
}

interface Parameter {
  readonly name?: string;
}

interface Document {
  paths?: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, unknown>; headers?: Record<string, unknown> };
}

/** Remembers every route that is registered after this, to be described at `/api/v1/openapi.json`. */
export function rememberRoutes(app: Api): readonly RouteOptions[] {
  const routes: RouteOptions[] = [];
  app.addHook("onRoute", (route) => void routes.push(route));
  return routes;
}

/**
 * The document that describes routes. It is made by a server of its own that never listens, when somebody asks: what makes it takes 3 MB
 * and some of the time of a start, for a page that most nodes are never asked for.
 */
async function describe(routes: readonly RouteOptions[]): Promise<object> {
  const { default: fastifySwagger } = await import("@fastify/swagger");
  const app = fastify({ ...ZOD_SCHEMAS, exposeHeadRoutes: false });
  await app.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Metanode",
        version,
        description:
          "Messages, processors, actors, workflows and dead letters of one node. Errors are Problem Details (RFC 9457) with a stable `code`.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      components: {
        securitySchemes: {
          token: { type: "http", scheme: "bearer", description: "From the file `token` in the node's data folder." },
        },
      },
      security: [{ token: [] }],
      tags: ["access", "messages", "node", "processors", "actors", "workflows", "dead letters", "errors", "probes"].map(
        (name) => ({
          name,
        }),
      ),
    },
    transform: (route) => {
      const { schema, url } = jsonSchemaTransform(route);
      return { schema: withHeaders(schema as Described, route.route.config ?? {}) as typeof schema, url };
    },
    transformObject: (found) => withRefusals(withMessageBody(jsonSchemaTransformObject(found) as Document)) as never,
  });
  for (const { method, url, schema, config } of routes) {
    app.route({ method, url, handler: async () => undefined, ...(schema && { schema }), ...(config && { config }) });
  }
  await app.ready();
  return app.swagger();
}

/** The document's own route. */
export function documentRoute(api: Api, routes: readonly RouteOptions[]): void {
  const schema = {
    operationId: "getOpenApi",
    summary: "This document",
    tags: ["node"],
    response: { 200: answer("OpenAPI 3.1", z.looseObject({ openapi: z.string() })), ...problems() },
  };
  let text: Promise<string> | undefined;
  api.get("/openapi.json", { schema }, async (_request, reply) => {
    text ??= describe(routes).then((document) => JSON.stringify(document));
    return reply.type("application/json").send(await text);
  });
}

function withHeaders(schema: Described, { takesKey, takesTag, tagged }: FastifyContextConfig): Described {
  const names = [
    ...(takesKey === true ? [KEY_HEADER] : []),
    ...(takesTag === true ? [TAG_HEADER] : []),
    ...(tagged === undefined ? [] : [KNOWN_TAG_HEADER]),
  ];
  const added = Object.fromEntries(
    names.map((name) => [name, { type: "string", description: SOME_HEADERS[name as keyof typeof SOME_HEADERS] }]),
  );
  const etag = { ETag: { type: "string", description: "Of what is declared; for If-Match." } };
  return {
    ...schema,
    ...(names.length === 0
      ? {}
      : { headers: { type: "object", ...schema.headers, properties: { ...schema.headers?.properties, ...added } } }),
    ...(tagged === undefined
      ? {}
      : {
          response: {
            ...schema.response,
            200: { ...schema.response?.[200], headers: etag },
            304: { description: "It still has that tag.", type: "null" },
          },
        }),
  };
}

/** What is refused before a route sees it: who may not, what cannot be read, and keys and tags that say no. */
function withRefusals(document: Document): Document {
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    if (!path.startsWith("/api")) continue;
    for (const [method, operation] of Object.entries(methods)) {
      const responses = operation.responses ?? {};
      for (const code of refusalsOf(method, operation)) {
        const status = errorRow(code).http;
        const known = responses[status]?.description.split(", ") ?? [];
        const headers = code === "call.resource_exhausted" ? { headers: RATE_REFERENCES } : {};
        const response = { description: [...new Set([...known, code])].join(", "), content: PROBLEM, ...headers };
        responses[status] = response;
      }
    }
  }
  return document;
}

function refusalsOf(method: string, { parameters = [], "x-required-role": role }: Operation): CoreErrorCode[] {
  const takes = (header: string): boolean => parameters.some(({ name }) => name === header);
  const codes: readonly (readonly [isRefused: boolean, codes: readonly CoreErrorCode[]])[] = [
    [role !== undefined, ["call.resource_exhausted", "node.unreachable"]],
    [role === "operator" || role === "admin", ["auth.denied"]],
    [takes(KEY_HEADER), ["state.conflict"]],
    [takes(TAG_HEADER), ["state.precondition"]],
    [parameters.length > 0, ["usage.invalid"]],
    [method !== "get", ["message.invalid", "message.content_type", "message.too_large"]],
  ];
  return codes.flatMap(([isRefused, some]) => (isRefused ? some : []));
}

function withMessageBody(document: Document): Document {
  const post = document.paths?.["/api/v1/messages"]?.post;
  if (post !== undefined) {
    post.requestBody = MESSAGE_BODY;
    post.parameters = [
      ...(post.parameters ?? []),
      ...HEADERS.map((name) => ({ name, in: "header", required: false, schema: { type: "string" } })),
    ];
  }
  const { components } = document;
  const schemas = { ...components?.schemas, CloudEvent: EVENT };
  return { ...document, components: { ...components, schemas, headers: RATE_HEADERS } };
}
