import { actors } from "@metanode/actors/module";
import { createNode, processors, systemClock } from "@metanode/core";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAccess } from "../src/access/index.ts";
import { createServer } from "../src/http/server.ts";
import { streamsModule } from "../src/streams/module.ts";
import { silent, type TestGateway, testGateway } from "./harness.ts";

interface Operation {
  operationId?: string;
  summary?: string;
  tags?: string[];
  parameters?: { name: string; in: string; schema?: unknown }[];
  requestBody?: { content: Record<string, unknown> };
  responses: Record<string, { description: string; content?: Record<string, { schema?: unknown }> }>;
  security?: unknown[];
}
interface Document {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
}

let subject: TestGateway;
let document: Document;
beforeAll(async () => {
  subject = await testGateway({ processors: [] });
  document = (await subject.json("/openapi.json")) as Document;
});
afterAll(() => subject[Symbol.asyncDispose]());

const operations = (): [name: string, path: string, operation: Operation][] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      path,
      operation,
    ]),
  );

/** Every route, in order. A new one belongs here, and that is the moment to think about its name. */
const ROUTES = [
  "DELETE /api/v1/actions/{name}",
  "DELETE /api/v1/dead-letters/{id}",
  "DELETE /api/v1/graphs/{name}",
  "DELETE /api/v1/metas/{meta}",
  "DELETE /api/v1/processors/{name}",
  "DELETE /api/v1/relations/{from}/{to}",
  "DELETE /api/v1/tasks/failed/{id}",
  "DELETE /api/v1/tokens/{name}",
  "DELETE /api/v1/tree/tokens/{id}",
  "GET /api/v1/actions",
  "GET /api/v1/actions/{name}",
  "GET /api/v1/actors",
  "GET /api/v1/actors/applications",
  "GET /api/v1/actors/applications/{name}",
  "GET /api/v1/actors/events",
  "GET /api/v1/actors/kernel",
  "GET /api/v1/actors/meta",
  "GET /api/v1/actors/meta/{actor}",
  "GET /api/v1/actors/meta/{actor}/inspect",
  "GET /api/v1/actors/tree",
  "GET /api/v1/actors/{actor}",
  "GET /api/v1/actors/{actor}/inspect",
  "GET /api/v1/audit",
  "GET /api/v1/dead-letters",
  "GET /api/v1/dead-letters/{id}",
  "GET /api/v1/errors",
  "GET /api/v1/errors/{code}",
  "GET /api/v1/events",
  "GET /api/v1/graphs",
  "GET /api/v1/graphs/{name}",
  "GET /api/v1/graphs/{name}/history",
  "GET /api/v1/graphs/{name}/live",
  "GET /api/v1/graphs/{name}/stages/{stage}/logs",
  "GET /api/v1/graphs/{name}/status",
  "GET /api/v1/graphs/{name}/taps/{edge}",
  "GET /api/v1/instances",
  "GET /api/v1/instances/{key}",
  "GET /api/v1/instances/{key}/downstream",
  "GET /api/v1/instances/{key}/upstream",
  "GET /api/v1/instances/{key}/versions",
  "GET /api/v1/messages/feed",
  "GET /api/v1/metas",
  "GET /api/v1/metas/{meta}",
  "GET /api/v1/node",
  "GET /api/v1/openapi.json",
  "GET /api/v1/processors",
  "GET /api/v1/processors/{name}",
  "GET /api/v1/processors/{name}/logs",
  "GET /api/v1/relations",
  "GET /api/v1/relations/{from}/{to}",
  "GET /api/v1/stats",
  "GET /api/v1/tasks",
  "GET /api/v1/tasks/failed",
  "GET /api/v1/tasks/failed/{id}",
  "GET /api/v1/tasks/{id}",
  "GET /api/v1/tokens",
  "GET /api/v1/traces/{traceId}",
  "GET /api/v1/tree",
  "GET /api/v1/tree/audit",
  "GET /api/v1/tree/node",
  "GET /api/v1/tree/standby",
  "GET /api/v1/tree/tokens",
  "GET /api/v1/types",
  "GET /api/v1/whoami",
  "GET /api/v1/workflows/stats",
  "GET /healthz",
  "GET /metrics",
  "GET /readyz",
  "PATCH /api/v1/dead-letters/{id}",
  "POST /api/v1/actors/applications/{name}/start",
  "POST /api/v1/actors/applications/{name}/stop",
  "POST /api/v1/actors/meta/{actor}/call",
  "POST /api/v1/actors/meta/{actor}/exit",
  "POST /api/v1/actors/meta/{actor}/send",
  "POST /api/v1/actors/{actor}/call",
  "POST /api/v1/actors/{actor}/exit",
  "POST /api/v1/actors/{actor}/kill",
  "POST /api/v1/actors/{actor}/send",
  "POST /api/v1/callbacks",
  "POST /api/v1/dead-letters/{id}/replay",
  "POST /api/v1/dead-letters:replay",
  "POST /api/v1/graphs/check",
  "POST /api/v1/graphs/{name}/pause",
  "POST /api/v1/graphs/{name}/resume",
  "POST /api/v1/graphs/{name}/rollback",
  "POST /api/v1/graphs/{name}/run",
  "POST /api/v1/graphs/{name}/stages/{stage}/upgrade",
  "POST /api/v1/graphs/{name}/stop",
  "POST /api/v1/instances",
  "POST /api/v1/instances:batch",
  "POST /api/v1/messages",
  "POST /api/v1/metas",
  "POST /api/v1/metas/{meta}/disable",
  "POST /api/v1/metas/{meta}/enable",
  "POST /api/v1/processors",
  "POST /api/v1/processors/{name}/restart",
  "POST /api/v1/processors/{name}/scale",
  "POST /api/v1/relations",
  "POST /api/v1/relations/{from}/{to}/disable",
  "POST /api/v1/relations/{from}/{to}/enable",
  "POST /api/v1/tasks/failed/{id}/replay",
  "POST /api/v1/tokens",
  "POST /api/v1/tree/adopt",
  "POST /api/v1/tree/all",
  "POST /api/v1/tree/approve",
  "POST /api/v1/tree/join",
  "POST /api/v1/tree/labels",
  "POST /api/v1/tree/maintenance",
  "POST /api/v1/tree/members",
  "POST /api/v1/tree/move",
  "POST /api/v1/tree/release",
  "POST /api/v1/tree/runs/{operation}/{action}",
  "POST /api/v1/tree/standby",
  "POST /api/v1/tree/tokens",
  "POST /api/v1/workflows/apply",
  "POST /api/v1/workflows/check",
  "POST /api/v1/workflows/plan",
  "PUT /api/v1/actions/{name}",
  "PUT /api/v1/graphs/{name}",
  "PUT /api/v1/metas/{meta}",
  "PUT /api/v1/processors/{name}",
  "PUT /api/v1/relations/{from}/{to}",
];

describe("the OpenAPI document", () => {
  test("is of version 3.1", () => {
    expect(document).toMatchObject({ openapi: "3.1.0", info: { title: "Metanode" } });
  });

  test("describes every route there is, and no other", async () => {
    expect(
      operations()
        .map(([name]) => name)
        .toSorted(),
    ).toEqual(ROUTES);
    expect(await registeredRoutes()).toEqual(ROUTES);
  });

  test("is valid by the schema of OpenAPI 3.1", async () => {
    expect(await new Validator().validate(structuredClone({ ...document }))).toMatchObject({ valid: true });
  });

  test("gives each a name of its own, a summary and a tag", () => {
    const all = operations().map(([, , operation]) => operation);
    expect(new Set(all.map(({ operationId }) => operationId)).size).toBe(ROUTES.length);
    for (const { operationId, summary, tags } of all) {
      expect([operationId, summary, tags]).toEqual([
        expect.stringMatching(/^[a-z][A-Za-z]+$/),
        expect.stringMatching(/.{10}/),
        [expect.any(String)],
      ]);
    }
  });

  test("gives each answer a description, and each problem its media type and codes", () => {
    for (const [name, path, { responses }] of operations()) {
      for (const [status, response] of Object.entries(responses)) {
        expect(response.description, `${name} ${status}`).toMatch(/.{4}/);
        if (Number(status) < 400 || !path.startsWith("/api")) continue;
        expect(response.content, `${name} ${status}`).toEqual({
          "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
        });
        expect(response.description).toMatch(/^[a-z]+\.[a-z_]+(, [a-z]+\.[a-z_]+)*$/);
      }
      if (path.startsWith("/api")) expect(Object.keys(responses), name).toEqual(expect.arrayContaining(["401", "500", "503"]));
    }
  });

  test("names every parameter of a path", () => {
    for (const [name, path, { parameters = [] }] of operations()) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      expect(
        parameters.filter((one) => one.in === "path").map((one) => one.name),
        name,
      ).toEqual(inPath);
    }
  });

  test("asks for a token everywhere below /api but for callbacks, which show a credential, and nowhere else", () => {
    for (const [name, path, { security }] of operations()) {
      expect(security, name).toEqual(path.startsWith("/api") && path !== "/api/v1/callbacks" ? undefined : []);
    }
    expect(document).toMatchObject({
      security: [{ token: [] }],
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    });
  });

  test("knows the content types of CloudEvents", () => {
    const post = document.paths["/api/v1/messages"]?.post;
    expect(Object.keys(post?.requestBody?.content ?? {})).toEqual([
      "application/cloudevents+json",
      "application/cloudevents-batch+json",
      "application/cloudevents+protobuf",
      "application/json",
      "application/octet-stream",
    ]);
    expect(Object.keys(post?.responses["200"]?.content ?? {})).toEqual([
      "application/json",
      "application/octet-stream",
      "application/x-ndjson",
      "text/event-stream",
    ]);
  });

  test("refers to nothing that it does not hold", () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(
      ([, name = ""]) => name,
    );
    expect(references.length).toBeGreaterThan(0);
    for (const name of references) expect(Object.keys(document.components.schemas)).toContain(name);
  });
});

/** What Fastify itself was given, spelt as in OpenAPI. */
async function registeredRoutes(): Promise<string[]> {
  await using node = await createNode({ logger: silent });
  const context = {
    node,
    processors: processors(),
    actors: actors(),
    streams: streamsModule({ enabled: true, actions: [], compat: false, compatToken: true }),
    clock: systemClock,
    access: openAccess("/nowhere", systemClock, { ownerToken: "t".repeat(16), logger: silent }),
    stopping: new AbortController().signal,
    url: () => "",
  };
  const found: string[] = [];
  await using server = await createServer(context, ({ method, url, schema }) => {
    // The console's files are no part of the API.
    if ((schema as { hide?: boolean } | undefined)?.hide === true) return;
    found.push(
      `${method} ${url
        .replaceAll("::", ":#")
        .replace(/(?<=\/):(\w+)/g, "{$1}")
        .replace(":#", ":")}`,
    );
  });
  await server.ready();
  return found.toSorted();
}
