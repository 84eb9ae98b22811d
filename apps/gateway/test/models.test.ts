import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { Actor, type Call, later, type PID, type Ref } from "@metanode/actors";
import { nodeRouter } from "@metanode/actors/module";
import { openWebServer } from "@metanode/actors/web";
import {
  createWebSocketHandler,
  MessageWebSocket,
  MessageWebSocketConnect,
  MessageWebSocketDisconnect,
  type WebSocketAlias,
  type WebSocketEvent,
} from "@metanode/actors/websocket";
import { handlerMember, type Message, type NodeModule, type Step } from "@metanode/core";
import type { GraphDocument } from "@metanode/streaming";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { shop } from "./fixtures/shop.flow.ts";
import { eventOf, JSON_BODY, problemOf, type TestGateway, testGateway } from "./harness.ts";

const SHOP = fileURLToPath(new URL("./fixtures/shop.flow.ts", import.meta.url));
const PRICING = fileURLToPath(new URL("./fixtures/pricing.ts", import.meta.url));

/** Messages come in, go through programs that any Unix has, and what is left goes on as messages. */
const labels = {
  expression: "told; mark; pick; loud; send",
  nodes: [
    { name: "told", action: "router.receive", with: { type: "order.told" } },
    { name: "mark", command: "sed -u s/item/LABEL/", answers: "one" },
    // Long enough for a busy machine: what is not there when it is quiet was filtered out.
    { name: "pick", command: "grep --line-buffered LABEL", settle: "quiet", quietMs: 2_000 },
    { name: "loud", command: "tr a-z A-Z", settle: "exit", runMs: 20 },
    { name: "send", action: "router.send", with: { type: "label.made" } },
  ],
};

interface Stored {
  readonly version: number;
  readonly content: string;
}

/** The people at a desk: what one of them says moves it, and all are told how it stands. */
class Desk extends Actor<WebSocketEvent | Message<Stored>> {
  readonly #people = new Set<WebSocketAlias>();
  #url = "";

  override async init(): Promise<void> {
    const sockets = createWebSocketHandler({});
    this.spawnMeta(sockets);
    const server = await openWebServer({ port: 0, handler: sockets });
    this.spawnMeta(server);
    this.#url = `ws://${server.address}`;
  }

  override handleMessage(_from: PID, message: WebSocketEvent | Message<Stored>): void {
    if (message instanceof MessageWebSocketConnect) this.#people.add(message.id);
    else if (message instanceof MessageWebSocketDisconnect) this.#people.delete(message.id);
    else if (message instanceof MessageWebSocket)
      this.send(nodeRouter, { send: { type: "desk.move", subject: "front", data: message.text } });
    else {
      const { version, content } = message.data as Stored;
      for (const id of this.#people) this.send(id, new MessageWebSocket(id, `${version} ${content}`));
    }
  }

  override handleInspect(): Record<string, string> {
    return { url: this.#url, people: String(this.#people.size) };
  }
}

interface Job {
  readonly graph: string;
  readonly from: PID;
  readonly ref: Ref;
  readonly lines: string[];
}

/** What a runner is told of: a line that its graph gave, and how the graph stands. */
type News = Message<{ readonly graph: string; readonly state: string }> | Message<string>;

/** Has the node run a graph, and answers with what it gave once it has come to its end. */
class Runner extends Actor<News, Call<Message<string>, unknown>> {
  #job: Job | undefined;

  override async handleCall(from: PID, ref: Ref, { data = "" }: Message<string>): Promise<typeof later> {
    const nodes = [
      { name: "numbers", command: "seq 1 9", replay: "rerun" },
      { name: "odd", command: data },
      { name: "give", action: "router.call", with: { type: "job.line" } },
    ];
    const graph = { name: "job", expression: "numbers; odd; give", nodes };
    this.#job = { graph: graph.name, from, ref, lines: [] };
    try {
      await this.call(nodeRouter, { call: { type: "graph.run", data: graph } });
    } catch (error) {
      this.#job = undefined;
      this.respondError(from, ref, error as Error);
    }
    return later;
  }

  override handleMessage(_from: PID, { type, data }: News): void {
    const job = this.#job;
    if (job === undefined) return;
    if (typeof data === "string") job.lines.push(data);
    else if (type === "graph.changed" && data?.graph === job.graph && data.state === "completed") {
      this.respond(job.from, job.ref, { state: data.state, lines: job.lines });
      this.#job = undefined;
    }
  }
}

/** Lets messages run graphs of a node, and tells the node what becomes of them. */
function graphDoor(gateway: () => TestGateway["gateway"]): NodeModule {
  let stop = (): void => undefined;
  return {
    name: "graph-door",
    start: async ({ router, journal }) => {
      const run = async ({ data }: Message): Promise<void> => {
        const streams = await gateway().streams.streams();
        await streams.run((await streams.apply(data as GraphDocument)).name, { fromStart: true });
      };
      router.register({ type: "graph.run", member: handlerMember("graphs", run) });
      stop = journal.follow(({ kind, what, type }) => {
        if (kind === "graph" && type === "completed") router.cast({ type: "graph.changed", data: { graph: what, state: type } });
      });
    },
    health: () => ({ status: "ok", reasons: [] }),
    drain: async () => stop(),
    stop: async () => stop(),
  };
}

let subject: TestGateway;
beforeAll(async () => {
  subject = await testGateway({
    processors: [{ name: "pricing", file: PRICING }],
    actors: [
      { name: "desk", actor: Desk, handles: { "desk.moved": "send" } },
      { name: "runner", actor: Runner, handles: { "job.run": "call", "job.line": "send", "graph.changed": "send" } },
    ],
    nature: {
      flows: [SHOP],
      inputs: {
        "order.placed": { meta: shop.names.order, description: "An order.", inputSchema: { type: "object", required: ["item"] } },
        "label.made": shop.names.label,
        "desk.move": shop.names.desk,
      },
      outputs: { [shop.names.priced]: { type: "order.told", pass: "content" }, [shop.names.desk]: "desk.moved" },
    },
    modules: [graphDoor(() => subject.gateway)],
  });
});
afterAll(() => subject[Symbol.asyncDispose]());

/** The first step that fits: one that was, or else the next one. */
function step(fits: (step: Step) => boolean): Promise<Step> {
  const { journal } = subject.gateway.node;
  const [found] = journal.since(0, 1, fits);
  if (found !== undefined) return Promise.resolve(found);
  return new Promise((resolve) => {
    const stop = journal.follow((one) => {
      if (!fits(one)) return;
      stop();
      resolve(one);
    });
  });
}

const newTrace = (): string => randomBytes(16).toString("hex");
const isOf = (traceId: string, type: string) => (one: Step) => one.traceId === traceId && one.type === type;

async function hopsOf(traceId: string): Promise<Step[]> {
  return ((await subject.json(`/traces/${traceId}`)) as { items: Step[] }).items;
}

describe("a message on its way through all the models", () => {
  beforeAll(async () => {
    const applied = await subject.request("/graphs/labels", { method: "PUT", headers: JSON_BODY, body: JSON.stringify(labels) });
    expect(applied.status, await applied.text()).toBe(200);
    expect(await subject.json("/graphs/labels/run", { method: "POST" })).toMatchObject({ state: "running" });
  });

  async function order(data: object, traceId = newTrace()): Promise<Step[]> {
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    const isThrough = Promise.all(
      [shop.names.label, "order.told", "label.made", "order.intake"].map((type) => step(isOf(traceId, type))),
    );
    expect(await (await subject.post({ type: "order.intake", data }, { headers })).json()).toBe("taken");
    await isThrough;
    return hopsOf(traceId);
  }

  const contentOf = async (hop: Step | undefined): Promise<string | undefined> => {
    const [meta = "", id = "", para = ""] = hop?.what.split("|") ?? [];
    return (await subject.gateway.nature?.workflows.instance({ meta, id, para, version: 0 }))?.content;
  };

  test("is one trace, from the processor that took it to the instance that came of it in the end", async () => {
    const hops = await order({ item: "tea", amount: 2 });
    const at = (type: string): number => {
      const found = hops.filter((hop) => hop.type === type);
      expect(found, type).toHaveLength(1);
      return hops.indexOf(found[0] as Step);
    };
    // What is over first stands first: a message that waits for what comes of it is behind that.
    const { order: placed, priced, label } = shop.names;
    const ways = [
      [placed, "order.price", priced, label, "label.made"],
      [placed, "order.placed"],
      [priced, "order.told"],
    ];
    for (const way of ways) {
      const places = way.map(at);
      expect(places, way.join()).toEqual(places.toSorted((a, b) => a - b));
    }
    expect(hops).toHaveLength(10);
    const runs = hops.filter(({ kind }) => kind === "task");
    expect(runs.map(({ type, member, ms }) => [type, member, ms]).toSorted()).toEqual([
      ["run", "processor:order.price", expect.any(Number)],
      ["run", "processor:order.told", expect.any(Number)],
    ]);
    expect(hops.indexOf(runs.find(({ member }) => member === "processor:order.price") as Step)).toBeGreaterThan(
      at("order.price"),
    );
    const members = Object.fromEntries(hops.filter(({ kind }) => kind === "message").map((hop) => [hop.type, hop.member]));
    expect(members).toEqual({
      "order.intake": expect.stringContaining("pricing"),
      "order.placed": `nature:${placed}`,
      "order.price": expect.stringContaining("pricing"),
      "order.told": "graph:labels/told",
      "label.made": `nature:${label}`,
    });
    expect(hops.filter(({ code }) => code !== undefined)).toEqual([]);
    expect(await contentOf(hops[at(placed)])).toBe('{"item":"tea","amount":2}');
    expect(await contentOf(hops[at(priced)])).toBe('{"item":"tea","price":6}');
    expect(await contentOf(hops[at(label)])).toBe('{"LABEL":"TEA","PRICE":6}');
  });

  test("keeps to its own trace, also where another one goes the same way", async () => {
    const [pots, cups] = [await order({ item: "pot", amount: 1 }), await order({ item: "cup", amount: 5 })];
    expect([pots.length, cups.length]).toEqual([10, 10]);
    const label = (hops: readonly Step[]) => contentOf(hops.find(({ type }) => type === shop.names.label));
    expect([await label(pots), await label(cups)]).toEqual(['{"LABEL":"POT","PRICE":3}', '{"LABEL":"CUP","PRICE":15}']);
  });

  test("ends where it fails, and its trace says where and why", async () => {
    const traceId = newTrace();
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    const isThrough = Promise.all(["failed", "order.placed", "order.intake"].map((type) => step(isOf(traceId, type))));
    await subject.post({ type: "order.intake", data: { item: "gold", amount: 1 } }, { headers });
    await isThrough;
    const hops = await hopsOf(traceId);
    const [key] = hops.flatMap(({ type, what }) => (type === shop.names.order ? [what] : []));
    expect(hops.filter(({ code }) => code !== undefined)).toMatchObject([
      { kind: "message", type: "order.price", code: "executor.logic" },
      { kind: "task", type: "run", member: "processor:order.price", code: "executor.logic" },
      { kind: "task", type: "failed", what: `${key} -> ${shop.names.priced}`, code: "executor.logic" },
    ]);
    expect(hops).toHaveLength(6);
  });

  test("is done once, though its sender has sent it twice", async () => {
    const traceId = newTrace();
    const event = eventOf({ type: "order.intake", data: { item: "can", amount: 3 } }) as { type: string };
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    const again = newTrace();
    expect((await subject.post(event, { headers })).status).toBe(200);
    expect((await subject.post(event, { headers: { traceparent: `00-${again}-00f067aa0ba902b7-01` } })).status).toBe(200);
    await step(isOf(traceId, shop.names.label));
    await subject.gateway.nature?.workflows.engine.idle();
    expect((await hopsOf(again)).map(({ type }) => type)).toEqual(["order.intake"]);
  });
});

describe("a message type that the configuration makes an input of a workflow", () => {
  test("answers with the instance, which is then among all others", async () => {
    const answer = await subject.post({ type: "order.placed", data: { item: "jar", amount: 4 } });
    const { meta, id, isNew } = (await answer.json()) as { meta: string; id: string; isNew: boolean };
    expect([meta, isNew]).toEqual([shop.names.order, true]);
    await subject.gateway.nature?.workflows.engine.idle();
    const query = (of: string) => subject.json(`/instances?meta=${encodeURIComponent(of)}&order=recent&limit=1`);
    expect(await query(shop.names.order)).toMatchObject({ items: [{ id, content: '{"item":"jar","amount":4}' }] });
    expect(await query(shop.names.priced)).toMatchObject({ items: [{ content: '{"item":"jar","price":12}' }] });
  });

  test("is told of like any other, and refuses what does not fit its schema", async () => {
    const { items } = (await subject.json("/types")) as { items: { type: string }[] };
    expect(items.find(({ type }) => type === "order.placed")).toMatchObject({ description: "An order." });
    const problem = await problemOf(await subject.post({ type: "order.placed", data: { amount: 4 } }));
    expect(problem).toMatchObject({ code: "message.schema", httpStatus: 422 });
  });
});

describe("an instance that comes over HTTP", () => {
  const put = (path: string, body: object, headers: Record<string, string>): Promise<Response> =>
    subject.request(path, { method: "POST", headers: { ...JSON_BODY, ...headers }, body: JSON.stringify(body) });
  const inTrace = (traceId: string) => ({ traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
  const order = (item: string, context?: object) => ({
    meta: shop.names.order,
    content: JSON.stringify({ item, amount: 1 }),
    context,
  });

  test("belongs to the trace of its request, and so does what comes of it", async () => {
    const traceId = newTrace();
    const isThrough = step(isOf(traceId, shop.names.priced));
    expect((await put("/instances", order("mug"), inTrace(traceId))).status).toBe(201);
    await isThrough;
    expect((await hopsOf(traceId)).map(({ type }) => type)).toEqual(expect.arrayContaining([shop.names.order, "order.price"]));
    const again = await put("/instances", order("mug"), inTrace(newTrace()));
    expect([again.status, await again.json()]).toMatchObject([200, { isNew: false }]);
  });

  test("belongs to its own trace where it says one, and to none where that of its request is malformed", async () => {
    const [own, other] = [newTrace(), newTrace()];
    const body = { items: [order("jug", inTrace(own)), order("bin")] };
    expect((await put("/instances:batch", body, inTrace(other))).status).toBe(200);
    for (const traceId of [own, other]) {
      expect(
        (await hopsOf(traceId)).filter(({ type }) => type === shop.names.order),
        traceId,
      ).toHaveLength(1);
    }
    const malformed = await put("/instances", order("lid"), { traceparent: "nonsense" });
    expect(((await malformed.json()) as { instance: { context: object } }).instance.context).toEqual({});
  });
});

describe("an actor behind a WebSocket", () => {
  interface Person {
    readonly socket: WebSocket;
    /** The next thing that one is told. */
    hear(): Promise<string>;
  }

  async function come(): Promise<Person> {
    const { items } = (await subject.json("/actors/desk/inspect")) as { items: { url: string } };
    const socket = new WebSocket(items.url);
    onTestFinished(() => socket.close());
    const heard: string[] = [];
    const waiting: ((text: string) => void)[] = [];
    socket.addEventListener("message", ({ data }) => {
      const next = waiting.shift();
      if (next === undefined) heard.push(data);
      else next(data);
    });
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
    });
    const hear = (): Promise<string> => {
      const text = heard.shift();
      return text === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(text);
    };
    return { socket, hear };
  }

  test("makes frames versions of an instance, and tells everybody who is there of each", async () => {
    const [one, other] = [await come(), await come()];
    await vi.waitFor(async () => expect(await subject.json("/actors/desk/inspect")).toMatchObject({ items: { people: "2" } }));
    one.socket.send("open");
    expect([await one.hear(), await other.hear()]).toEqual(["1 open", "1 open"]);
    other.socket.send("busy");
    expect([await one.hear(), await other.hear()]).toEqual(["2 busy", "2 busy"]);
    const key = encodeURIComponent(`${shop.names.desk}|0|front`);
    const { items } = (await subject.json(`/instances/${key}/versions`)) as { items: Stored[] };
    expect(items.map(({ version, content }) => [version, content])).toEqual([
      [2, "busy"],
      [1, "open"],
    ]);

    const isClosed = new Promise((resolve) => other.socket.addEventListener("close", resolve));
    other.socket.close();
    await isClosed;
    await vi.waitFor(async () => expect(await subject.json("/actors/desk/inspect")).toMatchObject({ items: { people: "1" } }));
    one.socket.send("closed");
    expect(await one.hear()).toBe("3 closed");
  });

  test("is part of one trace from the frame to what is told of it", async () => {
    const one = await come();
    one.socket.send("traced");
    expect(await one.hear()).toMatch(/^\d+ traced$/);
    const [moved] = subject.gateway.node.journal.before(Number.POSITIVE_INFINITY, 1, ({ type }) => type === "desk.moved");
    const hops = await hopsOf(moved?.traceId ?? "");
    expect(hops.map(({ type }) => type).toSorted()).toEqual([shop.names.desk, "desk.move", "desk.moved", "run"]);
  });
});

describe("an actor that runs a graph", () => {
  test("knows when it has completed, and has then got all that it gave", async () => {
    for (const [filter, lines] of [
      ["grep [13579]$", ["1", "3", "5", "7", "9"]],
      ["tail -n 2", ["8", "9"]],
    ] as const) {
      const response = await subject.post({ type: "job.run", data: filter });
      expect(await response.json()).toEqual({ state: "completed", lines });
    }
    expect(await subject.json("/graphs/job")).toMatchObject({ state: "completed", version: 2 });
  });

  test("is told what is wrong with one, and goes on", async () => {
    const problem = await problemOf(await subject.post({ type: "job.run", data: "" }));
    expect(problem).toMatchObject({ code: "stream.graph", httpStatus: 400 });
    expect(await (await subject.post({ type: "job.run", data: "head -n 1" })).json()).toMatchObject({ lines: ["1"] });
  });
});
