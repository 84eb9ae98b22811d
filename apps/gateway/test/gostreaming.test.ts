import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { JSON_BODY, type TestGateway, testGateway } from "./harness.ts";

let subject: TestGateway;
beforeAll(async () => {
  subject = await testGateway({ streams: { compat: true, compatToken: false } });
});
afterAll(() => subject[Symbol.asyncDispose]());

const ask = (method: string, path: string, body?: FormData | object): Promise<Response> => {
  const isForm = body instanceof FormData;
  return fetch(`${subject.gateway.url}/v1${path}`, {
    method,
    ...(body === undefined
      ? {}
      : isForm
        ? { body }
        : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
};
const refusalOf = async (response: Response): Promise<[number, string]> => [
  response.status,
  ((await response.json()) as { code: string }).code,
];

function upload(name: string, content: string): FormData {
  const form = new FormData();
  form.set("name", name);
  form.set("action", new Blob([content]), name);
  return form;
}

const SOURCE = `#!/usr/bin/env node
let number = 0;
setInterval(() => {
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(4, 0);
  frame.writeUInt32BE(++number, 4);
  process.stdout.write(frame);
}, 5);
`;
const SINK = `#!/usr/bin/env node
process.stdin.on("data", (chunk) => {
  for (let at = 0; at < chunk.length; at += 8) process.stdout.write(Buffer.alloc(4));
});
`;
const scheme = {
  name: "simple",
  dataflow: "gen ; print",
  nodes: [
    { name: "gen", action: "gen", addresses: [{ host: "one", port: 8001 }], args: ["--freq=1"] },
    { name: "print", action: "print", addresses: [{ host: "two", port: 8002 }], conn_whitelist: ["all"] },
  ],
};

describe("the routes of GoStreaming", () => {
  test("take programs, schemes, run and stop them, with its statuses", async () => {
    expect((await ask("POST", "/actions", upload("gen", SOURCE))).status).toBe(204);
    expect((await ask("POST", "/actions", upload("print", SINK))).status).toBe(204);
    expect(await (await ask("GET", "/actions")).json()).toEqual({ actions: ["gen", "print"] });
    expect(await (await ask("GET", "/actions/gen")).text()).toBe(SOURCE);
    expect((await ask("POST", "/schemas", scheme)).status).toBe(204);
    expect(await (await ask("GET", "/schemas")).json()).toEqual({ schemas: [{ name: "simple", status: 0 }] });
    expect(await (await ask("GET", "/schemas/simple")).json()).toMatchObject({ ...scheme, dataflow: "gen; print" });
    expect((await ask("PUT", "/schemas/simple/run")).status).toBe(204);
    expect(await (await ask("GET", "/schemas")).json()).toEqual({ schemas: [{ name: "simple", status: 1 }] });
    await vi.waitFor(async () => {
      const { nodes } = (await subject.json("/graphs/simple/status")) as { nodes: { out: number }[] };
      expect(nodes[0]?.out).toBeGreaterThan(3);
    }, 5_000);
    expect(await refusalOf(await ask("PUT", "/schemas/simple/run"))).toEqual([500, "machine_error"]);
    expect((await ask("PUT", "/schemas/simple/stop")).status).toBe(204);
    expect(await refusalOf(await ask("PUT", "/schemas/simple/stop"))).toEqual([404, "bad_scheme"]);
    expect((await ask("DELETE", "/schemas/simple")).status).toBe(204);
    expect((await ask("DELETE", "/actions/gen")).status).toBe(204);
    expect((await ask("DELETE", "/actions/print")).status).toBe(204);
  });

  test("refuse with its codes", async () => {
    await ask("POST", "/actions", upload("twice", "x"));
    expect(await refusalOf(await ask("POST", "/actions", upload("twice", "x")))).toEqual([409, "name_already_exists"]);
    expect(await refusalOf(await ask("POST", "/actions", upload("../up", "x")))).toEqual([400, "bad_name"]);
    const nameless = new FormData();
    nameless.set("name", "nameless");
    expect(await refusalOf(await ask("POST", "/actions", nameless))).toEqual([400, "bad_action"]);
    expect(await refusalOf(await ask("GET", "/actions/nothing"))).toEqual([404, "name_not_found"]);
    expect(await refusalOf(await ask("DELETE", "/actions/nothing"))).toEqual([404, "name_not_found"]);
    expect(await refusalOf(await ask("GET", "/schemas/nothing"))).toEqual([404, "name_not_found"]);
    expect(await refusalOf(await ask("PUT", "/schemas/nothing/run"))).toEqual([404, "name_not_found"]);
    expect(await refusalOf(await ask("POST", "/schemas", { ...scheme, dataflow: "gen;;print" }))).toEqual([400, "bad_scheme"]);
    for (const body of ["null", "{", '{"name":"x","dataflow":"a","nodes":[null]}']) {
      const response = await fetch(`${subject.gateway.url}/v1/schemas`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json" },
      });
      expect([response.status, await response.json()]).toEqual([
        400,
        { code: expect.stringMatching(/^bad_(unmarshal|scheme)$/), message: expect.any(String) },
      ]);
    }
    // A scheme is taken without its actions; they are missed when it is run.
    expect((await ask("POST", "/schemas", scheme)).status).toBe(204);
    expect(await refusalOf(await ask("POST", "/schemas", scheme))).toEqual([409, "name_already_exists"]);
    expect(await refusalOf(await ask("PUT", "/schemas/simple/run"))).toEqual([400, "bad_name"]);
  });

  test("want the token unless the configuration says otherwise, and are nothing without the switch", async () => {
    await using guarded = await testGateway({ streams: { compat: true } });
    expect((await fetch(`${guarded.gateway.url}/v1/actions`)).status).toBe(401);
    const headers = { authorization: `Bearer ${guarded.gateway.token}` };
    expect((await fetch(`${guarded.gateway.url}/v1/actions`, { headers })).status).toBe(200);
    await using plain = await testGateway();
    expect((await fetch(`${plain.gateway.url}/v1/actions`, { headers })).status).toBe(404);
  });

  test("ask for the same roles as our own, and stand in the audit log under the same names", async () => {
    await using guarded = await testGateway({ streams: { compat: true } });
    const body = JSON.stringify({ name: "ann", role: "operator" });
    const made = await guarded.request("/tokens", { method: "POST", headers: JSON_BODY, body });
    const { token } = (await made.json()) as { token: string };
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${guarded.gateway.url}/v1/schemas/none`, { method: "DELETE", headers })).status).toBe(403);
    expect((await fetch(`${guarded.gateway.url}/v1/schemas/none/stop`, { method: "PUT", headers })).status).toBe(404);
    expect(await guarded.json("/audit?name=ann")).toMatchObject({
      items: [
        { operation: "stopGraph", path: "/v1/schemas/none/stop", status: 404 },
        { operation: "removeGraph", path: "/v1/schemas/none", status: 403, code: "auth.denied" },
      ],
    });
  });
});
