import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { createCredentials } from "../../src/executor/credentials.ts";
import type {
  AfterFilter,
  BeforeFilter,
  Converter,
  ConvertRequest,
  ConvertResult,
  FilterRequest,
  Output,
} from "../../src/executor/executor.ts";
import { createHttpExecutors, type HttpExecutorOptions } from "../../src/executor/http.ts";
import type { Instance } from "../../src/instance/instance.ts";
import { type Answering, answering, openExecutorServer } from "../fixtures/executor-server.ts";
import { filterRequest, instance, request } from "../fixtures/things.ts";

const credentials = createCredentials("a secret of some length");
const BIG = "18446744073709551615";

/** A server with one path, and executors over HTTP that ask it. */
async function setUp(answer: Answering, options: Partial<HttpExecutorOptions> = {}) {
  const server = await openExecutorServer({ "/x": answer });
  const executors = createHttpExecutors({ credentials, ...options });
  const { convert, before, after } = executors.http.resolve(`${server.url}/x`) as {
    convert: Converter;
    before: BeforeFilter;
    after: AfterFilter;
  };
  return {
    server,
    url: `${server.url}/x`,
    convert: async (given: Partial<ConvertRequest> = {}): Promise<ConvertResult> => convert(request(given)),
    before: async (given: Instance, more: Partial<FilterRequest> = {}): Promise<Instance> => before(given, filterRequest(more)),
    after: async (given: readonly Output[], more: Partial<FilterRequest> = {}): Promise<readonly Output[]> =>
      after(given, filterRequest(more)),
    async [Symbol.asyncDispose]() {
      executors.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe("a converter over HTTP", () => {
  const from = instance({ meta: "B:a:1", id: "5", createdMs: 7 });

  test("is sent what Nature sends, ids as exact numbers, members with default values left out (§4.2)", async () => {
    await using one = await setUp(answering({ type: "None" }));
    const last = instance({
      meta: "B:b:1",
      id: BIG,
      version: 2,
      states: ["x"],
      content: "c",
      createdMs: 8,
      from: { meta: "B:a:1", id: BIG, para: "p", version: 3 },
    });
    await one.convert({
      from,
      last,
      master: instance({ meta: "B:m:1", id: "5", createdMs: 9 }),
      taskId: 910,
      settings: '{"k":1}',
    });
    const sealed = credentials.seal(910);
    expect(one.server.received[0]?.body).toBe(
      `{"from":{"id":5,"path":{"meta":"B:a:1"},"data":{},"create_time":7},` +
        `"last_state":{"id":${BIG},"path":{"meta":"B:b:1","state_version":2},"data":{"content":"c","states":["x"]},` +
        `"from":{"id":${BIG},"modifier":{"meta":"B:a:1","para":"p","state_version":3}},"create_time":8},` +
        `"task_id":${sealed},"master":{"id":5,"path":{"meta":"B:m:1"},"data":{},"create_time":9},"cfg":"{\\"k\\":1}"}`,
    );
  });

  test("is sent nothing of what there is not", async () => {
    await using one = await setUp(answering({ type: "None" }));
    await one.convert({ from: instance({ meta: "N::1", createdMs: 1 }), taskId: 0 });
    expect(Object.keys(JSON.parse(one.server.received[0]?.body ?? ""))).toEqual(["from", "task_id"]);
  });

  test("is told in headers how to answer later, and until when", async () => {
    await using one = await setUp(answering({ type: "Delay", num: 60 }), { callbackUrl: "http://127.0.0.1:1/callbacks" });
    expect(await one.convert({ taskId: 910, credential: "c", deadlineMs: 1_700_000_000_000.5 })).toEqual({
      type: "delay",
      delayMs: 60_000,
    });
    expect(one.server.received[0]?.headers).toMatchObject({
      "content-type": "application/json",
      "metanode-task": "910",
      "metanode-credential": "c",
      "metanode-callback": "http://127.0.0.1:1/callbacks",
      "metanode-deadline": "2023-11-14T22:13:20.000Z",
    });
  });

  test("is told the trace of its upstream in a header, where it is one", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await using one = await setUp((received, response) => {
      const asked = JSON.parse(received.body);
      return answering("task_id" in asked ? { type: "None" } : { Ok: asked })(received, response);
    });
    const traced = (context: Record<string, string>) => one.convert({ from: instance({ meta: "B:a:1", context }) });
    await traced({ traceparent });
    await traced({ traceparent: "mine\r\nx: y" });
    await traced({});
    await one.before(instance({ meta: "B:a:1", id: "1" }), { traceparent });
    await one.after([], { traceparent });
    expect(one.server.received.map(({ headers }) => headers.traceparent)).toEqual([
      traceparent,
      undefined,
      undefined,
      traceparent,
      traceparent,
    ]);
  });

  test("gives instances, their ids without loss", async () => {
    const ins = `[{"id":${BIG},"path":{"meta":"","para":"p/q","state_version":9},"data":{"content":"{\\"n\\":1.50}","context":{"k":"v"},"sys_context":{"target.id":"1"},"states":["s"]},"create_time":3},{"path":{"meta":"B:x:1"},"data":{}},{"id":"77","path":null,"data":{"context":null,"states":null}}]`;
    await using one = await setUp(answering(`{"type":"Instances","ins":${ins}}`));
    expect(await one.convert()).toEqual({
      type: "instances",
      instances: [
        {
          id: BIG,
          para: "p/q",
          version: 9,
          content: '{"n":1.50}',
          context: { k: "v" },
          sysContext: { "target.id": "1" },
          states: ["s"],
          createdMs: 3,
        },
        { meta: "B:x:1" },
        { id: "77" },
      ],
    });
  });

  test.each<[string, ConvertResult]>([
    ['{"type":"None"}', { type: "none" }],
    ['{"type":"EnvError","msg":"busy"}', { type: "environment", message: "busy" }],
    ['{"type":"LogicalError","msg":"no"}', { type: "logic", message: "no" }],
    [
      '{"type":"SelfRoute","ins":[{"instance":{"path":{"meta":"D:d:1"},"data":{"content":"c"}},"converter":[{"to":"next","fun":{"protocol":"localRust","url":"lib:f","settings":"s"},"use_upstream_id":true,"delay":2},{"fun":{"protocol":"builtIn","url":"merge"}}]}]}',
      {
        type: "self-route",
        instances: [
          {
            instance: { meta: "D:d:1", content: "c" },
            converters: [
              { to: "next", executor: { protocol: "local", url: "lib:f", settings: "s" }, useUpstreamId: true, delayMs: 2_000 },
              { executor: { protocol: "builtin", url: "merge" } },
            ],
          },
        ],
      },
    ],
  ])("that answers %s means that, whatever its status", async (body, result) => {
    for (const status of [200, 400, 500]) {
      await using one = await setUp(answering(body, status));
      expect(await one.convert()).toEqual(result);
    }
  });

  test.each([
    "",
    "<html>",
    "7",
    "null",
    "[]",
    "{}",
    '{"type":"Nonsense"}',
    '{"type":"Instances"}',
    '{"type":"Instances","ins":{}}',
    '{"type":"Instances","ins":[7]}',
    '{"type":"Instances","ins":[{"id":-1}]}',
    '{"type":"Instances","ins":[{"id":1.5}]}',
    '{"type":"Instances","ins":[{"id":18446744073709551616}]}',
    '{"type":"Instances","ins":[{"data":{"content":7}}]}',
    '{"type":"Instances","ins":[{"data":{"context":{"k":1}}}]}',
    '{"type":"Instances","ins":[{"data":{"states":"s"}}]}',
    '{"type":"Delay"}',
    '{"type":"Delay","num":-1}',
    '{"type":"SelfRoute","ins":[{"instance":{}}]}',
  ])("that answers %s is asked again later", async (body) => {
    await using one = await setUp(answering(body));
    await expect(one.convert()).rejects.toMatchObject({
      code: "executor.environment",
      retryable: true,
      details: { url: one.url },
    });
  });

  test.each<[number, string]>([
    [500, "executor.environment"],
    [503, "executor.environment"],
    [408, "executor.environment"],
    [421, "executor.environment"],
    [425, "executor.environment"],
    [429, "executor.environment"],
    [400, "executor.logic"],
    [401, "executor.logic"],
    [404, "executor.logic"],
    [301, "executor.logic"],
    [204, "executor.environment"],
  ])("that answers with status %d and no answer means %s", async (status, code) => {
    await using one = await setUp((_received, response) =>
      response.writeHead(status, { location: "/y" }).end(status === 204 ? undefined : "nothing here"),
    );
    await expect(one.convert()).rejects.toMatchObject({ code, message: expect.stringContaining(one.url) });
  });

  test("that answers more than is allowed is final, and is not read to its end", async () => {
    await using one = await setUp(
      (_received, response) => {
        const more = (): void => void (response.writable && response.write("x".repeat(65_536), () => setImmediate(more)));
        response.writeHead(200);
        more();
      },
      { maxAnswerBytes: 100_000 },
    );
    await expect(one.convert()).rejects.toMatchObject({
      code: "executor.logic",
      message: expect.stringContaining("100000 bytes"),
    });
  });

  test("that breaks off within its answer is asked again later", async () => {
    await using one = await setUp((_received, response) => {
      response.writeHead(200, { "content-length": "100" }).write('{"type":');
      response.socket?.end();
    });
    await expect(one.convert()).rejects.toMatchObject({ code: "executor.environment" });
  });

  test("that nobody serves is asked again later", async () => {
    await using one = await setUp(answering({ type: "None" }));
    await one.server[Symbol.asyncDispose]();
    await expect(one.convert()).rejects.toMatchObject({
      code: "executor.environment",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  test("that never answers is let go of when its signal says so", async () => {
    const abort = new AbortController();
    await using one = await setUp(() => abort.abort(new Error("time is up")));
    await expect(one.convert({ signal: abort.signal })).rejects.toMatchObject({ code: "executor.environment" });
  });
});

describe("connections to executors", () => {
  test("are kept from one request to the next", async () => {
    await using one = await setUp(answering({ type: "None" }));
    for (let i = 0; i < 5; i++) await one.convert();
    expect(one.server.connections()).toBe(1);
  });

  test("are no more to one host than allowed", async () => {
    await using one = await setUp((_received, response) => setImmediate(() => answering({ type: "None" })(_received, response)), {
      maxConnections: 2,
    });
    await Promise.all(Array.from({ length: 10 }, () => one.convert()));
    expect(one.server.connections()).toBe(2);
  });

  test("that the other side closes as they are used again cost nothing but another one", async () => {
    let connections = 0;
    let requests = 0;
    const body = '{"type":"None"}';
    // The second request on a connection meets a reset, as with a server that has just closed it for being idle.
    const server = createServer((socket) => {
      connections++;
      let seen = 0;
      socket.on("error", () => undefined);
      socket.on("data", () => {
        requests++;
        if (++seen > 1) socket.resetAndDestroy();
        else socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      });
    });
    server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const executors = createHttpExecutors({ credentials });
    const { port } = server.address() as { port: number };
    const { convert } = executors.http.resolve(`http://127.0.0.1:${port}/`);
    for (let i = 0; i < 2; i++) expect(await convert?.(request({}))).toEqual({ type: "none" });
    expect({ connections, requests }).toEqual({ connections: 2, requests: 3 });
    executors.close();
    await new Promise((resolve) => server.close(resolve));
  });

  test("are made with TLS for https, to whom the authorities that are named vouch for", async () => {
    const file = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));
    const tls = { key: file("test-only-server-key.pem"), cert: file("test-only-server.pem") };
    await using server = await openExecutorServer({ "/x": answering({ type: "None" }) }, tls);
    const trusting = createHttpExecutors({ credentials, certificateAuthorities: file("test-only-authority.pem").toString() });
    expect(await trusting.https.resolve(`${server.url}/x`).convert?.(request({}))).toEqual({ type: "none" });
    trusting.close();
    const others = createHttpExecutors({ credentials });
    await expect(others.https.resolve(`${server.url}/x`).convert?.(request({}))).rejects.toMatchObject({
      code: "executor.environment",
    });
    others.close();
  });

  test("are not made to what is no address of the protocol", () => {
    const { http, https } = createHttpExecutors({ credentials });
    for (const url of ["", "x", "ftp://x/", "https://x/"])
      expect(() => http.resolve(url)).toThrow(expect.objectContaining({ code: "executor.unknown" }));
    expect(() => https.resolve("http://x/")).toThrow(expect.objectContaining({ code: "executor.unknown" }));
  });

  test.each([{ maxAnswerBytes: 0 }, { maxConnections: 0 }, { keepAliveMs: -1 }, { timeout: 3 }])(
    "refuse the options %o",
    (options) => {
      expect(() => createHttpExecutors({ credentials, ...options })).toThrow(expect.objectContaining({ code: "config.invalid" }));
    },
  );
});

describe("a filter over HTTP before an executor", () => {
  const upstream = instance({ meta: "B:a:1", id: BIG, para: "p", content: "c", sysContext: { "loop.id": "1" }, createdMs: 7 });

  test("gets the upstream and gives it back changed; what it leaves out is empty", async () => {
    await using one = await setUp(answering(`{"Ok":{"id":${BIG},"path":{"meta":"B:a:1","para":"p"},"data":{"content":"d"}}}`));
    expect(await one.before(upstream)).toEqual({ ...upstream, content: "d", sysContext: {} });
    expect(one.server.received[0]?.body).toBe(
      `{"id":${BIG},"path":{"meta":"B:a:1","para":"p"},"data":{"content":"c","sys_context":{"loop.id":"1"}},"create_time":7}`,
    );
  });

  test.each<[string, string]>([
    ['{"Err":{"EnvironmentError":"later"}}', "executor.environment"],
    ['{"Err":{"LogicalError":"no"}}', "executor.logic"],
    ['{"Err":{"VerifyError":"no"}}', "executor.logic"],
    ['{"Err":{}}', "executor.environment"],
    ['{"Err":"x"}', "executor.environment"],
    ['{"Ok":7}', "executor.environment"],
    ["garbage", "executor.environment"],
  ])("that answers %s means %s", async (body, code) => {
    await using one = await setUp(answering(body));
    await expect(one.before(upstream)).rejects.toMatchObject({ code });
  });
});

describe("a filter over HTTP behind an executor", () => {
  test("gets a list and gives one back", async () => {
    await using one = await setUp(({ body }, response) =>
      answering(`{"Ok":${body.replace('"a"', '"b"')}}`)({ path: "", body, headers: {} }, response),
    );
    expect(await one.after([{ content: "a" }, { meta: "B:x:1", id: BIG }])).toEqual([
      { content: "b" },
      { meta: "B:x:1", id: BIG },
    ]);
    expect(one.server.received[0]?.body).toBe(
      `[{"path":{"meta":""},"data":{"content":"a"}},{"id":${BIG},"path":{"meta":"B:x:1"},"data":{}}]`,
    );
  });

  test("that gives no list is asked again later", async () => {
    await using one = await setUp(answering('{"Ok":{}}'));
    await expect(one.after([])).rejects.toMatchObject({ code: "executor.environment" });
  });
});
