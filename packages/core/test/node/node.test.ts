import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { context, propagation, trace } from "@opentelemetry/api";
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import { handlerMember } from "../../src/member/handler.ts";
import type { NodeModule } from "../../src/node/module.ts";
import { createNode, makeNode, type NodeOptions } from "../../src/node/node.ts";
import { processors } from "../../src/node/processors.ts";
import { defineProcessor } from "../../src/processor/author.ts";

const logger = pino({ level: "silent" });

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "metanode-test-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function startNode(options: NodeOptions = {}): Promise<Awaited<ReturnType<typeof createNode>>> {
  const node = await createNode({ logger, ...options });
  onTestFinished(() => node.close());
  return node;
}

/** A module that writes down what is asked of it. */
function recording(name: string, diary: string[], failAt?: string): NodeModule {
  const note = async (what: string): Promise<void> => {
    diary.push(`${name} ${what}`);
    if (failAt === what) throw new Error(`${name} cannot ${what}`);
  };
  return {
    name,
    start: () => note("starts"),
    health: () => ({ status: "ok", reasons: [] }),
    drain: () => note("drains"),
    stop: () => note("stops"),
  };
}

describe("the processors of a node", () => {
  test("are launched before they are ready, and their node is made before it starts", async () => {
    const command = [process.execPath, "-e", "setTimeout(() => process.exit(3), 50)"];
    const module = processors([{ name: "failing", command, restart: { quarantineAfter: 1 } }]);
    const { node, start } = await makeNode({ logger, modules: [module] });
    onTestFinished(() => node.close());
    expect([node.name, node.state]).toEqual(["node", "starting"]);
    let hasStarted = false;
    const started = start().then(() => {
      hasStarted = true;
    });
    await module.launched;
    expect([hasStarted, module.host.info("failing").processes[0]?.state]).toEqual([false, "starting"]);
    await started;
    expect(node.state).toBe("running");
  });
});

describe("the modules of a node", () => {
  test("start in the order of composition, drain in the opposite order, and stop in that order when all have drained (N1)", async () => {
    const diary: string[] = [];
    const node = await startNode({ modules: [recording("a", diary), recording("b", diary)] });
    await node.drain();
    expect(diary).toEqual(["a starts", "b starts", "b drains", "a drains", "b stops", "a stops"]);
    expect(node.state).toBe("closed");
    expect(await node.closed).toBeUndefined();
  });

  test("that were started are stopped when a later one fails, and the data folder is free again (N2)", async () => {
    const diary: string[] = [];
    const path = await folder();
    const modules = [recording("a", diary), recording("b", diary, "starts")];
    await expect(createNode({ logger, folder: path, modules })).rejects.toThrow("b cannot starts");
    expect(diary).toEqual(["a starts", "b starts", "a stops"]);
    await startNode({ folder: path });
  });

  test("are all stopped even when one of them fails to, and `closed` tells of it without rejecting", async () => {
    const diary: string[] = [];
    const node = await startNode({ modules: [recording("a", diary), recording("b", diary, "drains")] });
    await node.drain();
    expect(diary).toContain("a stops");
    expect(await node.closed).toMatchObject({ message: "b cannot drains" });
  });
});

describe("a node that stops", () => {
  test("finishes the calls in flight and refuses new ones with node.closed", async () => {
    const gate = Promise.withResolvers<string>();
    const slow: NodeModule = {
      ...recording("slow", []),
      start: async ({ router }) => void router.register({ type: "a", member: handlerMember("m", () => gate.promise) }),
      drain: async () => void (await gate.promise),
    };
    const node = await startNode({ modules: [slow] });
    const call = node.call({ type: "a" });
    const drained = node.drain();
    await expect(node.call({ type: "a" })).rejects.toMatchObject({ code: "node.closed", retryable: true });
    gate.resolve("done");
    expect(await call).toBe("done");
    await drained;
    await node.drain(); // a second time does nothing
  });
});

describe("a data folder", () => {
  test("serves one node at a time: the second is refused with node.data_in_use", async () => {
    const path = await folder();
    const node = await startNode({ folder: path });
    await expect(createNode({ logger, folder: path })).rejects.toMatchObject({ code: "node.data_in_use" });
    await node.close();
    await startNode({ folder: path });
  });

  test("keeps the identity of its node, readable for its owner only", async () => {
    const path = await folder();
    const first = await startNode({ folder: path });
    await first.close();
    const second = await startNode({ folder: path });
    expect(second.nodeId).toBe(first.nodeId);
    expect((await stat(join(path, "node.json"))).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(join(path, "node.json"), "utf8"))).toMatchObject({ nodeId: first.nodeId });
  });

  test("that cannot be made is refused with config.invalid", async () => {
    await expect(createNode({ logger, folder: "/dev/null/x" })).rejects.toMatchObject({ code: "config.invalid" });
  });
});

describe("the options of a node", () => {
  test("are refused with config.invalid and a suggestion when a name is misspelt", async () => {
    const misspelt = { logger, calTimeoutMs: 5 } as NodeOptions;
    await expect(createNode(misspelt)).rejects.toMatchObject({
      code: "config.invalid",
      details: { suggestion: "callTimeoutMs" },
    });
  });

  test.each([
    ["a name with a space", { name: "my node" }],
    ["a timeout of 0", { callTimeoutMs: 0 }],
    ["a size that is no whole number", { maxMessageBytes: 1.5 }],
  ])("are refused with config.invalid for %s", async (_what, options) => {
    await expect(createNode({ logger, ...options })).rejects.toMatchObject({ code: "config.invalid" });
  });
});

const relay = defineProcessor({
  name: "relay",
  types: {
    "relay.in": { handle: (data: number, ctx) => ctx.call("relay.out", data + 1) as Promise<number> },
    "relay.out": {
      handle: (data: number, ctx) => ({ value: data, traceparent: ctx.message.traceparent, hops: ctx.message.hops }),
    },
  },
});

describe("a trace", () => {
  test("goes along on every hop, with or without anybody recording", async () => {
    const node = await startNode({ modules: [processors([{ name: "relay", definition: relay }])] });
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const given = (await node.call({ type: "relay.in", data: 1, traceparent })) as { traceparent: string; hops: number };
    // To the processor, back to the node, and to the processor again.
    expect(given).toEqual({ value: 2, traceparent, hops: 3 });
    const made = (await node.call({ type: "relay.in", data: 1 })) as { traceparent: string };
    expect(made.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  test("has a span for every dispatch, each the child of the one before, when an SDK records", async () => {
    const exporter = new InMemorySpanExporter();
    const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    provider.register();
    onTestFinished(async () => {
      await provider.shutdown();
      trace.disable();
      context.disable();
      propagation.disable();
    });
    const node = await startNode({ modules: [processors([{ name: "relay", definition: relay }])] });
    exporter.reset();
    await node.call({ type: "relay.in", data: 1 });
    await expect(node.call({ type: "relay.in", data: "x".repeat(5_000_000) })).rejects.toMatchObject({
      code: "message.too_large",
    });
    const spans = exporter.getFinishedSpans();
    expect(spans.map(({ name }) => name)).toEqual(["process relay.out", "process relay.in", "process relay.in"]);
    expect(spans[0]?.spanContext().traceId).toBe(spans[1]?.spanContext().traceId);
    expect(spans[0]?.parentSpanContext?.spanId).toBe(spans[1]?.spanContext().spanId);
    expect(spans[2]?.attributes["error.type"]).toBe("message.too_large");
  });
});

describe("what a handler takes out of its context", () => {
  const told: unknown[] = [];
  const taker = defineProcessor({
    name: "taker",
    types: {
      "take.all": {
        handle: async (data: number, { call, stream, cast, send, timeLeftMs, attempt, signal }) => {
          const numbers: unknown[] = [];
          for await (const one of stream("take.stream", data)) numbers.push(one);
          await cast("take.told", "cast");
          await send("take.told", "send");
          return { called: await call("take.call", data), numbers, isInTime: timeLeftMs > 0, attempt, isEnded: signal.aborted };
        },
      },
      "take.call": { handle: (data: number) => data + 1 },
      "take.stream": {
        handle: async function* (data: number) {
          for (let one = 0; one < data; one++) yield one;
        },
      },
      "take.told": { handle: (data: string) => void told.push(data) },
    },
  });

  test("works as it does there", async () => {
    const node = await startNode({ modules: [processors([{ name: "taker", definition: taker }])] });
    const answer = await node.call({ type: "take.all", data: 3 });
    expect(answer).toEqual({ called: 4, numbers: [0, 1, 2], isInTime: true, attempt: 1, isEnded: false });
    await expect.poll(() => told.toSorted()).toEqual(["cast", "send"]);
  });
});

describe("the metrics of a node", () => {
  test("count messages, failures by code, what is in flight, and how long it took", async () => {
    const node = await startNode();
    node.router.register({
      type: "a",
      member: handlerMember("m", (message) => {
        if (message.data === "bad") throw new Error("bad");
        return "ok";
      }),
    });
    await node.call({ type: "a" });
    await expect(node.call({ type: "a", data: "bad" })).rejects.toThrow("bad");
    const text = await node.metrics.metrics();
    expect(text).toContain('metanode_messages_total{type="a"} 2');
    expect(text).toContain('metanode_message_failures_total{type="a",code="core.internal"} 1');
    expect(text).toContain('metanode_messages_in_flight{type="a"} 0');
    expect(text).toContain('metanode_message_duration_seconds_bucket{le="+Inf",type="a"} 2');
    expect(text).toContain('metanode_message_duration_seconds_count{type="a"} 2');
    expect(node.stats()).toMatchObject([{ type: "a", count: 2, inFlight: 0, failures: { "core.internal": 1 } }]);
  });
});
