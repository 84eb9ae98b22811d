import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { VirtualClock } from "@metanode/core/testing/clock";
import { describe, expect, test } from "vitest";
import { functionAction, type GraphNode } from "../../src/index.ts";
import { range } from "../run/counting.ts";
import { Keeper, Lines, runInARow, turns } from "./graphs.ts";

const stuck = { does: functionAction(() => new Promise<void>(() => undefined)) };

async function openIn(settings: GraphNode["with"] & {}, sink: Parameters<typeof runInARow>[0], more: object = {}) {
  const lines = new Lines();
  const run = await runInARow({ in: { action: "http.in", with: settings }, ...sink }, { ...more, onLog: lines.onLog });
  const [, url = ""] = await lines.says(/takes records at (\S+)/);
  const post = (body: string) => fetch(url, { method: "POST", body });
  return { run, url, post };
}

describe("records posted over HTTP", () => {
  test("are answered with 202 once the graph has them", async () => {
    const kept = new Keeper();
    const { run, post } = await openIn({ path: "/in" }, { keep: kept.node });
    expect((await post("one")).status).toBe(202);
    expect(kept.records).toEqual(["one"]);
    await run.drain();
  });

  test("are answered with 200 once every sink has them, where that is asked for", async () => {
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const slow = functionAction(async () => {
      reached.resolve();
      await gate.promise;
    });
    const { run, post } = await openIn({ answer: "settled" }, { slow: { does: slow } });
    let status = 0;
    const answer = post("one").then((response) => {
      status = response.status;
    });
    await reached.promise;
    await turns(20);
    expect(status).toBe(0);
    gate.resolve();
    await answer;
    expect(status).toBe(200);
    await run.drain();
  });

  test.each([
    { body: "lines", sent: "a\nb", records: ["a", "b"] },
    { body: "json", sent: '{"a":1}\n[2]\n', records: [{ a: 1 }, [2]] },
    { body: "value", sent: '{"a":\n1}', records: [{ a: 1 }] },
    { body: "bytes", sent: "raw", records: [Buffer.from("raw")] },
  ])("are what a body holds as $body", async ({ body, sent, records }) => {
    const kept = new Keeper();
    const { run, post } = await openIn({ body }, { keep: kept.node });
    expect((await post(sent)).status).toBe(202);
    expect(kept.records).toEqual(records);
    await run.drain();
  });

  test("have the ids that their senders give them, and others are counted in each run anew", async () => {
    const kept = new Keeper();
    for (const epoch of [1, 2]) {
      const { run, url, post } = await openIn({ body: "lines" }, { keep: kept.node }, { epoch });
      await fetch(url, { method: "POST", body: "a\nb", headers: { "idempotency-key": "order-7" } });
      await post("c");
      await run.drain();
    }
    expect(kept.ids).toEqual(["in=order-7", "in=order-7.1", "in@1:2", "in=order-7", "in=order-7.1", "in@2:2"]);
  });

  test("are refused as a whole when they are malformed, too long, or sent elsewhere", async () => {
    const kept = new Keeper();
    const { run, post, url } = await openIn({ path: "/in", body: "json", maxBodyBytes: 100 }, { keep: kept.node });
    const malformed = await post('{"a":1}\nno json\n');
    expect(malformed.status).toBe(400);
    expect(await malformed.json()).toMatchObject({ title: expect.stringContaining("expected a line of JSON") });
    expect((await post(" ".repeat(100_000))).status).toBe(413);
    expect((await fetch(`${url}/else`, { method: "POST", body: "1" })).status).toBe(404);
    expect((await fetch(url)).status).toBe(405);
    expect(kept.records).toEqual([]);
    await run.drain();
  });

  test("are refused with 429 and a time to wait when the graph does not keep up", async () => {
    const { run, post } = await openIn({ maxWaiting: 1, retryAfterSeconds: 7 }, { stuck }, { credit: { maxRecords: 1 } });
    const answers = range(6).map((number) => post(String(number)));
    const refused = await Promise.any(
      answers.map((answer) => answer.then((response) => (response.status === 429 ? response : Promise.reject(response)))),
    );
    expect(refused.headers.get("retry-after")).toBe("7");
    await run.close();
    await Promise.allSettled(answers);
  });

  test("get 503 when the graph is closed under them, so that they are sent again", async () => {
    const { run, post } = await openIn({ answer: "settled" }, { stuck });
    const answer = post("one");
    while (run.status().nodes.find(({ name }) => name === "in")?.out !== 1) await turns(1);
    await run.close();
    const response = await answer;
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
  });
});

interface Received {
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

/** A server that answers what it is told to, then 200. */
async function receiver(answers: { status: number; headers?: Record<string, string> }[], when?: (body: string) => number) {
  const received: Received[] = [];
  const server: Server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    received.push({ body, headers: request.headers });
    const { status, headers } = answers.shift() ?? { status: when?.(body) ?? 200 };
    response.writeHead(status, headers ?? {}).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, received, [Symbol.asyncDispose]: close };
}

describe("records sent over HTTP", () => {
  test("arrive each in a request of its own, with their ids as keys", async () => {
    await using server = await receiver([]);
    const numbers = { action: "generate", with: { count: 50 } };
    const run = await runInARow({ numbers, send: { action: "http.out", with: { url: server.url } } });
    expect((await run.ended).outcome).toBe("completed");
    expect(server.received.map(({ body }) => Number(body)).sort((a, b) => a - b)).toEqual(range(50));
    const keys = server.received.map(({ headers }) => headers["idempotency-key"]);
    expect(new Set(keys).size).toBe(50);
    expect(keys).toContain("test/numbers:7");
  });

  test("arrive together as lines, in order, where that is asked for", async () => {
    await using server = await receiver([]);
    const numbers = { action: "generate", with: { count: 25 } };
    const send = { action: "http.out", with: { url: server.url, maxRecords: 10 }, concurrency: 1 };
    await (await runInARow({ numbers, send })).ended;
    expect(server.received.map(({ body }) => body).join("")).toBe(
      range(25)
        .map((number) => `${number}\n`)
        .join(""),
    );
    expect(server.received.length).toBe(3);
  });

  test("are sent again after an answer that may pass, and not before its time", async () => {
    await using server = await receiver([{ status: 429, headers: { "retry-after": "60" } }, { status: 500 }]);
    const clock = new VirtualClock();
    const numbers = { action: "generate", with: { count: 1 } };
    const send = { action: "http.out", with: { url: server.url }, backoffMs: [10] };
    const run = await runInARow({ numbers, send }, { clock });
    const counts = () => run.status().nodes.find(({ name }) => name === "send")?.counts;
    while (counts()?.retries !== 1) await turns(1);
    await clock.advance(59_000);
    await turns(20);
    expect(server.received.length).toBe(1);
    await clock.advance(1_000);
    while (counts()?.retries !== 2) await turns(1);
    await clock.advance(10);
    expect((await run.ended).outcome).toBe("completed");
    const keys = server.received.map(({ headers }) => headers["idempotency-key"]);
    expect(keys).toEqual(["test/numbers:0", "test/numbers:0", "test/numbers:0"]);
  });

  test("that are refused are given up at once, and only they", async () => {
    await using server = await receiver([], (body) => (body.split("\n").includes("3") ? 422 : 200));
    const dead: unknown[] = [];
    const numbers = { action: "generate", with: { count: 6 } };
    const send = { action: "http.out", with: { url: server.url, maxRecords: 6 } };
    const onDeadLetter = async ({ record, error }: { record: unknown; error: unknown }) => void dead.push({ record, error });
    expect((await (await runInARow({ numbers, send }, { onDeadLetter })).ended).outcome).toBe("completed");
    expect(dead).toMatchObject([{ record: 3, error: { code: "stream.record" } }]);
    expect(server.received.map(({ body }) => body)).toEqual(["0\n1\n2\n3\n4\n5\n", "0\n", "1\n", "2\n", "3\n", "4\n", "5\n"]);
  });

  test("fail in their time where nobody answers", async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
    const clock = new VirtualClock();
    const dead: unknown[] = [];
    const asked = new Promise((resolve) => silent.once("request", resolve));
    const numbers = { action: "generate", with: { count: 1 } };
    const send = { action: "http.out", with: { url }, attempts: 1, timeoutMs: 500 };
    const run = await runInARow({ numbers, send }, { clock, onDeadLetter: async ({ error }) => void dead.push(error) });
    await asked;
    await clock.advance(500);
    expect((await run.ended).outcome).toBe("completed");
    expect(dead).toMatchObject([{ code: "stream.record_timeout" }]);
    silent.closeAllConnections();
    silent.close();
  });
});
