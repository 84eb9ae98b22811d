import { connect } from "node:net";
import { actors } from "@metanode/actors/module";
import { createNode, errorTable, processors, systemClock } from "@metanode/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAccess } from "../src/access/index.ts";
import { createServer } from "../src/http/server.ts";
import { streamsModule } from "../src/streams/module.ts";
import { problemOf, silent, type TestGateway, testGateway } from "./harness.ts";

let subject: TestGateway;
beforeAll(async () => {
  subject = await testGateway({ processors: [] });
});
afterAll(() => subject[Symbol.asyncDispose]());

describe("everything below /api", () => {
  test.each([
    ["/api/v1/node", {}],
    ["/api/v1/openapi.json", {}],
    ["/api/v1/no/such/thing", {}],
    ["/api/nothing", {}],
    ["/%61pi/v1/node", {}],
    ["/api/v1/node", { authorization: "Bearer wrong" }],
    ["/api/v1/node", { authorization: "Basic dXNlcjpwYXNz" }],
    ["/api/v1/node?token=secret", {}],
  ])("is closed without the token: %s %j", async (path, headers) => {
    const response = await fetch(subject.gateway.url + path, { headers });
    expect(response.headers.get("www-authenticate")).toMatch(/^Bearer realm="metanode"/);
    expect(await problemOf(response)).toMatchObject({ httpStatus: 401, code: "auth.unauthenticated", retryable: false });
  });

  test("does not say the token in what it answers", async () => {
    const texts = await Promise.all(
      ["/node", "/openapi.json", "/nothing"].map(async (path) => (await subject.request(path)).text()),
    );
    expect(texts.join("")).not.toContain(subject.gateway.token);
  });
});

describe("an address that does not exist", () => {
  test("is resource.not_found, as a problem that names the request", async () => {
    const response = await subject.request("/nothing/here?x=1");
    const problem = await problemOf(response);
    expect(problem).toMatchObject({
      httpStatus: 404,
      code: "resource.not_found",
      details: { method: "GET", path: "/api/v1/nothing/here" },
    });
    expect(problem.instance).toBe(`urn:uuid:${response.headers.get("x-request-id")}`);
  });

  test("is the same outside of /api, where nobody needs a token", async () => {
    expect(await problemOf(await fetch(`${subject.gateway.url}/nothing`))).toMatchObject({
      httpStatus: 404,
      code: "resource.not_found",
    });
  });

  test("that is no address is usage.invalid", async () => {
    expect(await problemOf(await subject.request("/processors/%E0%A4%A"))).toMatchObject({
      httpStatus: 400,
      code: "usage.invalid",
    });
  });
});

describe("every answer", () => {
  test("forbids sniffing, framing and caching", async () => {
    const { headers } = await subject.request("/node");
    expect(Object.fromEntries(headers)).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "cache-control": "no-store",
    });
  });
});

describe("the table of errors", () => {
  test("is the one of core, and each problem's type leads to its row", async () => {
    const { items } = (await subject.json("/errors")) as { items: { code: string; http: number }[] };
    expect(items.map(({ code, http }) => [code, http])).toEqual([...errorTable()].map(([code, { http }]) => [code, http]));
    const { type } = await problemOf(await subject.request("/errors/no.such_code"));
    const row = await (
      await fetch(subject.gateway.url + type, { headers: { authorization: `Bearer ${subject.gateway.token}` } })
    ).json();
    expect(row).toMatchObject({ code: "resource.not_found", http: 404, exit: 3 });
  });
});

describe("a defect of the platform", () => {
  test("is core.internal with an errorId that the log knows, and nothing of its text or stack gets out", async () => {
    const logged: unknown[] = [];
    await using node = await createNode({ logger: silent });
    const hosted = processors();
    const server = await createServer({
      node,
      processors: hosted,
      actors: actors(),
      streams: streamsModule({ enabled: true, actions: [], compat: false, compatToken: true }),
      clock: systemClock,
      access: openAccess("/nowhere", systemClock, { ownerToken: "t".repeat(16), logger: silent }),
      stopping: new AbortController().signal,
      url: () => "",
    });
    server.addHook("onRequest", async (request) => {
      request.log.error = ((fields: unknown) => logged.push(fields)) as typeof request.log.error;
    });
    server.get("/broken", async () => {
      throw new Error("secret of the inside");
    });
    const response = await server.inject("/broken");
    const problem = response.json() as { details: { errorId: string } };
    expect(problem).toMatchObject({ status: 500, code: "core.internal" });
    expect(response.body).not.toMatch(/secret|\.ts/);
    expect(logged).toMatchObject([{ errorId: problem.details.errorId, err: { message: "secret of the inside" } }]);
    await server.close();
  });
});

/** Sends bytes as they are, and gives what comes back until the connection ends. */
function raw(text: string): Promise<string> {
  const { hostname, port } = new URL(subject.gateway.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk));
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

const problemIn = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")));

describe("bytes that are no HTTP", () => {
  test("end the connection with a problem and leave the gateway serving", async () => {
    const answer = await raw("\u0000\u0001 nonsense\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\ncontent-type: application\/problem\+json\r\n/);
    expect(problemIn(answer)).toMatchObject({ status: 400, code: "message.invalid" });
    expect((await fetch(`${subject.gateway.url}/healthz`)).status).toBe(200);
  });
});

describe("an address", () => {
  test("may be as long as the longest path and selector are, each character in its longest form", async () => {
    const query = new URLSearchParams({ under: "\u{10348}".repeat(1_024), where: "\u{10348}".repeat(4_096) });
    const response = await fetch(`${subject.gateway.url}/api/v1/tree?${query}`, {
      headers: { authorization: `Bearer ${subject.gateway.token}` },
    });
    expect(await problemOf(response)).toMatchObject({ httpStatus: 404, code: "resource.not_found" });
  });

  test("that is longer is message.too_large, as a problem", async () => {
    const answer = await raw(`GET /healthz?${"x".repeat(100_000)} HTTP/1.1\r\nhost: here\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(problemIn(answer)).toMatchObject({ status: 413, code: "message.too_large", retryable: false });
  });
});
