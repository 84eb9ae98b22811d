import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Drawing, jsonOf } from "./fuzz/arbitrary.ts";
import { documentOf, fuzzedGateway, isEndless, type OpenApi, type Operation, type Parameter } from "./fuzz/subject.ts";
import { JSON_BODY, problemOf, type TestGateway } from "./harness.ts";

/** Of each operation; `npm run fuzz:api` draws more, and by other means. */
const EXAMPLES = Number(process.env.FUZZ_EXAMPLES ?? 12);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** What takes longer is no answer: every wait that can be asked for is asked to be shorter. */
const LONGEST_MS = 8_000;

interface Drawn {
  readonly path: string;
  readonly init: RequestInit;
}

interface Named {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

let subject: TestGateway;
let document: OpenApi;
let ajv: Ajv2020;
beforeAll(async () => {
  subject = await fuzzedGateway();
  document = await documentOf(subject);
  ajv = new Ajv2020({ strict: false, logger: false });
  formats.default(ajv as never);
  ajv.addSchema(document as object, "api");
});
afterAll(() => subject[Symbol.asyncDispose]());

/** Every operation; what takes things away comes last. */
function operations(): Named[] {
  const order = ["get", "put", "post", "patch", "delete"];
  const rank = ({ method, path }: Named): number => (/\/(kill|exit)$/.test(path) ? 4 : order.indexOf(method));
  return Object.entries(document.paths)
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ method, path, operation })))
    .filter(({ path, operation }) => path.startsWith("/api/v1") && !isEndless(operation))
    .sort((a, b) => rank(a) - rank(b));
}

/** Requests of one operation. */
function requests({ method, path, operation }: Named): fc.Arbitrary<Drawn> {
  const drawing = new Drawing(document);
  const { parameters = [], requestBody } = operation;
  const drawn = fc.record(Object.fromEntries(parameters.map((one) => [`${one.in} ${one.name}`, drawnFor(drawing, one)])));
  const types = Object.entries(requestBody?.content ?? {});
  const body =
    types.length === 0
      ? fc.constant(undefined)
      : fc.oneof(...types.map(([type, { schema }]) => drawing.of(schema).map((value) => ({ type, value }))));
  return fc.tuple(drawn, body).map(([values, content]) => {
    const of = (place: string): [string, unknown][] =>
      Object.entries(values)
        .filter(([name, value]) => name.startsWith(`${place} `) && value !== undefined)
        .map(([name, value]) => [name.slice(place.length + 1), value]);
    const filled = of("path").reduce((text, [name, value]) => text.replace(`{${name}}`, () => segmentOf(value)), path);
    const query = of("query").flatMap(([name, value]) => [value].flat().map((one) => `${name}=${segmentOf(one)}`));
    const headers = Object.fromEntries(of("header").map(([name, value]) => [name, headerOf(value)]));
    return {
      path: `${filled.slice("/api/v1".length)}${query.length === 0 ? "" : `?${query.join("&")}`}`,
      init: {
        method: method.toUpperCase(),
        headers: { ...headers, ...(content === undefined ? {} : { "content-type": content.type }) },
        ...(content === undefined ? {} : { body: jsonOf(content.value) }),
      },
    };
  });
}

function drawnFor(drawing: Drawing, { name, in: place, schema, required = false }: Parameter): fc.Arbitrary<unknown> {
  // Names of paths are told by the document.
  const value = place === "path" ? drawing.of(schema) : drawing.named(name.replace(/^ce-/, ""), schema);
  return required ? value : fc.option(value, { nil: undefined, freq: 1 });
}

/** A part of a path or a query: never one that makes it another path. */
function segmentOf(value: unknown): string {
  const text = (typeof value === "string" ? value : jsonOf(value)).slice(0, 6_000);
  return text === "" || /^\.+$/.test(text) ? "_" : encodeURIComponent(text.toWellFormed());
}

function headerOf(value: unknown): string {
  return String(value).replaceAll(/[^\x20-\x7e]/g, "?");
}

/** Why an answer is none that the document names; undefined where it is one. */
async function faultOf({ method, path, operation }: Named, response: Response): Promise<string | undefined> {
  const { status } = response;
  const bytes = await response.text();
  const documented = operation.responses[String(status)];
  if (documented === undefined) return `status ${status} is not documented: ${bytes.slice(0, 300)}`;
  const type = response.headers.get("content-type")?.split(";")[0];
  if (type === undefined) return bytes === "" ? undefined : "a body without a type";
  if (documented.content?.[type] === undefined) return `${status} as ${type} is not documented`;
  if (!type.endsWith("json") || type.endsWith("ndjson")) return undefined; // a line is a value, not the whole
  const value = JSON.parse(bytes) as { code?: string };
  if (status >= 400 && !documented.description.split(", ").includes(value.code ?? ""))
    return `${value.code} (${status}) is not documented`;
  if (status >= 400 && value.code === "core.internal") return `a defect: ${bytes}`;
  const pointer = ["paths", path, method, "responses", String(status), "content", type, "schema"];
  const written = pointer.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/");
  const check = ajv.getSchema(`api#/${written}`);
  if (check === undefined) return `no schema for ${status}`;
  return check(value) ? undefined : `does not fit its schema: ${ajv.errorsText(check.errors)}: ${bytes.slice(0, 300)}`;
}

describe("what is drawn at random from the OpenAPI document", () => {
  test("is answered as it says, and meets no defect", async () => {
    const faults = new Set<string>();
    let count = 0;
    for (const named of operations()) {
      for (const { path, init } of fc.sample(requests(named), { seed: SEED, numRuns: EXAMPLES })) {
        count++;
        const fault = await subject
          .request(path, { ...init, signal: AbortSignal.timeout(LONGEST_MS) })
          .then((response) => faultOf(named, response))
          .catch((error: Error) => `no answer: ${error.message}`);
        if (fault === undefined) continue;
        faults.add(
          `${named.operation.operationId}: ${fault.slice(0, 500)}\n  ${init.method} ${path.slice(0, 200)} ${String(init.body).slice(0, 300)}`,
        );
      }
    }
    expect([...faults]).toEqual([]);
    expect(count).toBeGreaterThan(900);
  });
});

/** A request whose method Fastify knows and no client library does. */
async function query(path: string): Promise<{ status: number | undefined; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request(
    `${subject.gateway.url}${path}`,
    { method: "QUERY", headers: { authorization: `Bearer ${subject.gateway.token}` } },
    resolve,
  )
    .once("error", reject)
    .end();
  const response = await promise;
  return { status: response.statusCode, body: await text(response) };
}

describe("what fuzzing has found", () => {
  test("is no defect: a QUERY without a content type", async () => {
    const { status, body } = await query("/api/v1/node");
    expect([status, JSON.parse(body).code]).toEqual([415, "message.content_type"]);
  });

  test("is no defect: a callback about something that is no number", async () => {
    for (const task of ["1e400", "{}", "[]", "null", "-1", '"x"']) {
      const body = `{"task_id":${task},"result":{"type":"None"}}`;
      expect(await problemOf(await subject.request("/callbacks", { method: "POST", headers: JSON_BODY, body }))).toMatchObject({
        code: "task.unknown",
      });
    }
  });

  test("is documented: bodies that no route sees, parameters that cannot be read, and the document itself", () => {
    const { paths } = document;
    expect(paths["/api/v1/graphs/{name}/pause"]?.post?.responses).toMatchObject({
      400: { description: expect.stringContaining("message.invalid") },
      413: { description: "message.too_large" },
      415: { description: "message.content_type" },
    });
    expect(paths["/api/v1/processors/{name}"]?.get?.responses["400"]?.description).toBe("usage.invalid");
    expect(paths["/api/v1/openapi.json"]?.get?.responses["200"]).toBeDefined();
  });

  test("is documented: an answer of a call that is no list", () => {
    const answers = document.paths["/api/v1/messages"]?.post?.responses["200"]?.content?.["application/json"]?.schema;
    expect(answers?.anyOf).toMatchObject([{ type: "array" }, { description: "The answer as it is." }]);
  });
});
