import { readFileSync } from "node:fs";
import type { NodeModule } from "@metanode/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestGateway, testGateway } from "./harness.ts";

let subject: TestGateway;
beforeAll(async () => {
  subject = await testGateway({ name: "shop" });
});
afterAll(() => subject[Symbol.asyncDispose]());

describe("the node over HTTP", () => {
  test("says who it is and how it does", async () => {
    const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
    expect(await subject.json("/node")).toEqual({
      name: "shop",
      nodeId: subject.gateway.node.nodeId,
      version: manifest.version,
      state: "running",
      startedAt: new Date(subject.gateway.node.startedAtMs).toISOString(),
      url: subject.gateway.url,
      health: {
        status: "ok",
        modules: {
          processors: { status: "ok", reasons: [] },
          actors: { status: "ok", reasons: [] },
          tree: { status: "ok", reasons: [] },
          streams: { status: "ok", reasons: [] },
        },
      },
      backlog: {},
      deadLetters: 0,
    });
  });

  test("lists what it handles, with versions and schemas", async () => {
    const { items } = (await subject.json("/types")) as { items: { type: string }[] };
    expect(items).toContainEqual({
      type: "test.checked",
      version: "1",
      description: "",
      member: "worker",
      streaming: false,
      ordered: false,
      inputSchema: {
        type: "object",
        required: ["sku"],
        properties: { sku: { type: "string" }, amount: { type: "integer", minimum: 1 } },
      },
    });
    expect(items).toContainEqual(expect.objectContaining({ type: "test.count", streaming: true }));
    expect(items.map(({ type }) => type)).toEqual(items.map(({ type }) => type).toSorted());
  });

  test("counts what it has handled, by type", async () => {
    await subject.post({ type: "test.nothing" });
    await subject.post({ type: "test.fail", data: {} });
    const { items } = (await subject.json("/stats")) as { items: unknown[] };
    expect(items).toContainEqual({ type: "test.nothing", count: 1, failures: {}, inFlight: 0, meanMs: expect.any(Number) });
    expect(items).toContainEqual(expect.objectContaining({ type: "test.fail", failures: { "processor.failed": 1 } }));
  });
});

describe("the probes", () => {
  const probe = async (path: string, of: TestGateway = subject): Promise<[number, unknown]> => {
    const response = await fetch(of.gateway.url + path);
    return [response.status, await response.json()];
  };

  test("need no token", async () => {
    expect(await probe("/healthz")).toEqual([200, { alive: true }]);
    const modules = { processors: "ok", actors: "ok", streams: "ok", tree: "ok" };
    expect(await probe("/readyz")).toEqual([200, { ready: true, state: "running", modules }]);
  });

  test("say that the node is not ready while a module of it is failing", async () => {
    const module: NodeModule = {
      name: "broken",
      start: async () => undefined,
      health: () => ({ status: "failing", reasons: ["for the test"] }),
      drain: async () => undefined,
      stop: async () => undefined,
    };
    await using failing = await testGateway({ processors: [], modules: [module] });
    expect(await probe("/readyz", failing)).toEqual([
      503,
      {
        ready: false,
        state: "running",
        modules: { processors: "ok", actors: "ok", streams: "ok", tree: "ok", broken: "failing" },
      },
    ]);
    expect((await probe("/healthz", failing))[0]).toBe(200);
  });
});

/** Names are an interface: dashboards and alerts are written against them. */
const METRICS = [
  "metanode_actor_events gauge ",
  "metanode_actor_mailbox_messages gauge ",
  "metanode_actor_metas gauge ",
  "metanode_actor_processes gauge ",
  "metanode_actor_reports_total counter ",
  "metanode_actor_requests_in_flight gauge ",
  "metanode_actor_restarts_total counter ",
  "metanode_actor_up gauge ",
  "metanode_backlog_messages gauge type",
  "metanode_build_info gauge runtime,version",
  "metanode_dead_letters gauge ",
  "metanode_http_request_duration_seconds histogram method,route",
  "metanode_http_requests_total counter method,route,status",
  "metanode_message_duration_seconds histogram type",
  "metanode_message_failures_total counter code,type",
  "metanode_messages_in_flight gauge type",
  "metanode_messages_total counter type",
  "metanode_processor_restarts_total counter processor",
  "metanode_ready gauge ",
  "metanode_tree_children gauge ",
  "metanode_tree_epoch gauge ",
];

describe("the metrics", () => {
  test("have these names, kinds and labels", async () => {
    await subject.post({ type: "test.note", data: { text: "m" } }, { query: "?mode=send" });
    await subject.post({ type: "test.fail", data: {} });
    const response = await fetch(`${subject.gateway.url}/metrics`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(described(await response.text())).toEqual(METRICS);
  });

  test("hold the process under its usual names, once however many gateways it has", async () => {
    await using _second = await testGateway({ processors: [] });
    const text = await (await fetch(`${subject.gateway.url}/metrics`)).text();
    expect(text.match(/^process_resident_memory_bytes \d+/gm)).toHaveLength(1);
    expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m);
  });

  test("count requests by route, never by address", async () => {
    await subject.request("/processors/worker");
    await subject.request("/nothing-7f3a");
    const text = await (await fetch(`${subject.gateway.url}/metrics`)).text();
    expect(text).toContain('metanode_http_requests_total{method="GET",route="/api/v1/processors/:name",status="200"} 1');
    expect(text).toMatch(/metanode_http_requests_total\{method="GET",route="\(none\)",status="404"\} \d+/);
    expect(text).not.toContain("7f3a");
  });
});

/** `name kind label,label` of every metric of ours. */
function described(text: string): string[] {
  const kinds = [...text.matchAll(/^# TYPE (metanode_\S+) (\S+)$/gm)];
  return kinds
    .map(([, name = "", kind = ""]) => {
      const samples = text.split("\n").filter((line) => line.startsWith(name) && !line.startsWith("#"));
      const labels = samples.flatMap((line) => [...line.matchAll(/[{,]([a-z_]+)="/g)].map(([, label]) => label ?? ""));
      return `${name} ${kind} ${[...new Set(labels)]
        .filter((label) => label !== "le")
        .toSorted()
        .join(",")}`;
    })
    .toSorted();
}
