import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openGateway } from "../src/index.ts";
import { eventOf, problemOf, silent, type TestGateway, tempFolder, testGateway } from "./harness.ts";

let subject: TestGateway;
beforeAll(async () => {
  subject = await testGateway();
});
afterAll(() => subject[Symbol.asyncDispose]());

interface StepView {
  sequence: number;
  at: string;
  kind: string;
  what: string;
  type: string;
  member?: string;
  traceId?: string;
  ms?: number;
  code?: string;
}

const page = async (query: string): Promise<{ items: StepView[]; next?: string }> =>
  (await subject.json(`/messages/feed?${query}`)) as { items: StepView[]; next?: string };
const newTrace = (): string => randomBytes(16).toString("hex");
const inTrace = (traceId: string) => ({ headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } });

/** One message to the worker, with an id of its own. */
async function echo(id: string, target = subject): Promise<void> {
  expect((await target.post({ type: "test.echo", id, data: 1 })).status).toBe(200);
}

interface ServerEvent {
  event: string;
  id: string;
  data: Record<string, unknown>;
}

interface Events {
  /** The next `count` events. */
  take(count: number): Promise<ServerEvent[]>;
  /** What still comes, until the server ends the stream. */
  rest(): Promise<ServerEvent[]>;
  leave(): void;
}

/** Listens to `/events`, as of when the server says that it is listened to. */
async function listen(target: Pick<TestGateway, "request">, query = "", headers: Record<string, string> = {}): Promise<Events> {
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const response = await target.request(`/events${query}`, { headers, signal: abort.signal });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  const found = parsed(response);
  const take = async (count: number): Promise<ServerEvent[]> => {
    const taken: ServerEvent[] = [];
    while (taken.length < count) {
      const { value, done } = await found.next();
      if (done === true) expect.fail(`the stream ended after ${taken.length} events, expected ${count}`);
      taken.push(value);
    }
    return taken;
  };
  const rest = async (): Promise<ServerEvent[]> => {
    const all: ServerEvent[] = [];
    for await (const event of found) all.push(event);
    return all;
  };
  return { take, rest, leave: () => abort.abort() };
}

/** Holds the response: the body of one that nobody holds, and nobody has begun to read, is cancelled by the garbage collector. */
async function* parsed(response: Response): AsyncGenerator<ServerEvent, undefined> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    const parts = text.split("\n\n");
    text = parts.pop() ?? "";
    for (const part of parts) {
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(part)?.[1] ?? "";
      if (field("data") !== "") yield { event: field("event"), id: field("id"), data: JSON.parse(field("data")) };
    }
  }
}

const whats = (events: readonly ServerEvent[]): unknown[] => events.map(({ data }) => data.what);

describe("the feed of messages", () => {
  beforeAll(async () => {
    for (const id of ["feed-1", "feed-2", "feed-3"]) await subject.post({ type: "test.echo", id, data: 1 });
    await subject.post({ type: "test.fail", id: "feed-4", data: { code: "state.conflict" } });
    await subject.post({ type: "test.nothing", id: "feed-5" });
  });

  test("has what was dispatched, the newest first, with who answered and how it went", async () => {
    const { items } = await page("limit=5");
    expect(items.map(({ what }) => what)).toEqual(["feed-5", "feed-4", "feed-3", "feed-2", "feed-1"]);
    expect(items[1]).toEqual({
      sequence: expect.any(Number),
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      kind: "message",
      what: "feed-4",
      type: "test.fail",
      member: expect.stringContaining("worker"),
      source: "/test",
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      ms: expect.any(Number),
      code: "state.conflict",
    });
    expect(items[0]).not.toHaveProperty("code");
  });

  test.each([
    ["type=test.echo", ["feed-3", "feed-2", "feed-1"]],
    ["failed=true", ["feed-4"]],
    ["failed=false&limit=2", ["feed-5", "feed-3"]],
    ["member=work&limit=2", ["feed-5", "feed-4"]],
    ["member=somebody", []],
    ["code=state.conflict", ["feed-4"]],
    ["code=core.internal", []],
    ["type=test.fail&failed=false", []],
    ["type=test.none", []],
  ])("with %s has only %j", async (query, wanted) => {
    expect((await page(query)).items.map(({ what }) => what)).toEqual(wanted);
  });

  test("since a sequence has only what came after it", async () => {
    const [newest, third] = await Promise.all(["limit=1", "limit=3"].map(async (query) => (await page(query)).items.at(-1)));
    expect((await page(`since=${newest?.sequence}`)).items).toEqual([]);
    expect((await page(`since=${third?.sequence}`)).items.map(({ what }) => what)).toEqual(["feed-5", "feed-4"]);
  });

  test("has each message once over its pages, whatever comes meanwhile", async () => {
    const before = (await page("type=test.echo&limit=1000")).items.map(({ what }) => what);
    const seen: string[] = [];
    let next: string | undefined;
    do {
      const one = await page(`type=test.echo&limit=2${next === undefined ? "" : `&cursor=${next}`}`);
      seen.push(...one.items.map(({ what }) => what));
      next = one.next;
      await echo(`between-${seen.length}`);
    } while (next !== undefined);
    expect(seen).toEqual(before);
  });

  test("has no steps of other kinds", async () => {
    const { items } = await page("limit=1000");
    expect(new Set(items.map(({ kind }) => kind))).toEqual(new Set(["message"]));
  });

  test.each(["cursor=x", "cursor=-1", "cursor=", "limit=0", "limit=1001", "failed=maybe", "typ=test.echo"])(
    "refuses %s",
    async (query) => {
      expect(await problemOf(await subject.request(`/messages/feed?${query}`))).toMatchObject({
        httpStatus: 400,
        code: "usage.invalid",
      });
    },
  );
});

describe("a trace", () => {
  test("is found by the id that the client sent, with all that belongs to it and nothing else", async () => {
    const traceId = newTrace();
    for (const id of ["trace-1", "trace-2"]) await subject.post({ type: "test.echo", id }, inTrace(traceId));
    await echo("trace-other");
    expect(await subject.json(`/traces/${traceId}`)).toMatchObject({
      items: [
        { kind: "message", what: "trace-1", type: "test.echo", member: expect.stringContaining("worker"), traceId },
        { kind: "message", what: "trace-2", traceId },
      ],
    });
  });

  test("in the event itself comes before that of the request", async () => {
    const [own, other] = [newTrace(), newTrace()];
    const traceparent = `00-${own}-00f067aa0ba902b7-01`;
    await subject.post({ type: "test.echo", id: "trace-3", traceparent }, inTrace(other));
    expect(await subject.json(`/traces/${own}`)).toMatchObject({ items: [{ what: "trace-3" }] });
    expect((await subject.request(`/traces/${other}`)).status).toBe(404);
  });

  test("that nothing is remembered of is resource.not_found, and an id that is none usage.invalid", async () => {
    expect(await problemOf(await subject.request(`/traces/${newTrace()}`))).toMatchObject({
      httpStatus: 404,
      code: "resource.not_found",
    });
    for (const id of ["x", newTrace().slice(1), "A".repeat(32)]) {
      const problem = await problemOf(await subject.request(`/traces/${id}`));
      expect(problem).toMatchObject({ httpStatus: 400, code: "usage.invalid", details: { path: "/params/traceId" } });
    }
  });
});

describe("the trace of a message of which a graph could make nothing", () => {
  test("says which stage gave up on it", async () => {
    const nodes = [
      { name: "receive", action: "router.receive", with: { type: "lost.in" } },
      { name: "broken", command: "false", settle: "exit" as const, attempts: 1 },
    ];
    const streams = await subject.gateway.streams.streams();
    await streams.apply({ name: "lossy", expression: "receive; broken", nodes });
    await streams.run("lossy");
    onTestFinished(async () => void (await streams.stop("lossy", { now: true })));
    const traceId = newTrace();
    expect((await subject.post({ type: "lost.in", data: "x" }, inTrace(traceId))).status).toBeLessThan(300);
    const { items } = (await subject.json(`/traces/${traceId}`)) as { items: StepView[] };
    expect(items).toMatchObject([
      { kind: "graph", what: "lossy/broken", type: "dead-letter", code: "stream.action_failed" },
      { kind: "message", type: "lost.in", member: "graph:lossy/receive" },
    ]);
  });
});

describe("the events of a node", () => {
  test("come as they happen, in order", async () => {
    const events = await listen(subject);
    for (const id of ["live-1", "live-2"]) await echo(id);
    const [first, second] = await events.take(2);
    expect(first).toMatchObject({
      event: "step",
      id: expect.stringMatching(/^\w+-\d+$/),
      data: { kind: "message", what: "live-1", type: "test.echo" },
    });
    expect(second?.data.sequence).toBe(Number(first?.data.sequence) + 1);
  });

  test("go on after the id that a reader comes back with: none is missed, none comes twice", async () => {
    const first = await listen(subject);
    await echo("resume-1");
    const [last] = await first.take(1);
    first.leave();
    for (const id of ["resume-2", "resume-3"]) await echo(id);
    const again = await listen(subject, "", { "last-event-id": last?.id ?? "" });
    await echo("resume-4");
    expect(whats(await again.take(3))).toEqual(["resume-2", "resume-3", "resume-4"]);
  });

  test("go on after a sequence as well, and an id comes before it", async () => {
    await echo("since-1");
    const [{ sequence } = { sequence: 0 }] = (await page("limit=1")).items;
    await echo("since-2");
    expect(whats(await (await listen(subject, `?since=${sequence - 1}`)).take(2))).toEqual(["since-1", "since-2"]);
    const [{ id } = { id: "" }] = await (await listen(subject, `?since=${sequence - 1}`)).take(1);
    const byId = await listen(subject, "?since=0", { "last-event-id": id });
    expect(whats(await byId.take(1))).toEqual(["since-2"]);
  });

  test("are only those of the kinds that are wanted, also when one comes back", async () => {
    const { sequence: since = 0 } = (await page("limit=1")).items[0] ?? {};
    await echo("kinds-1");
    const none = await listen(subject, `?kinds=processor,graph&since=${since}`);
    const some = await listen(subject, `?kinds=graph,message&since=${since}`);
    expect(whats(await some.take(1))).toEqual(["kinds-1"]);
    subject.gateway.node.journal.add({ kind: "graph", what: "kinds-2", type: "running" });
    expect(whats(await some.take(1))).toEqual(["kinds-2"]);
    expect(whats(await none.take(1))).toEqual(["kinds-2"]);
  });

  test("of a kind that there is not are refused, with those that there are", async () => {
    const problem = await problemOf(await subject.request("/events?kinds=message,mesage"));
    expect(problem).toMatchObject({ httpStatus: 400, code: "usage.invalid", details: { path: "/query/kinds" } });
    expect(problem.detail).toMatch(/mesage is no kind.*message, processor, actor, instance, task, graph/);
    for (const query of ["since=x", "since=-1", "kind=message"]) {
      expect(await problemOf(await subject.request(`/events?${query}`))).toMatchObject({ code: "usage.invalid" });
    }
  });

  test.each(["another-5", "x", "0-0", "5"])(
    "begin with `resync` for the id %s, which is none of this life, and then go on",
    async (id) => {
      const events = await listen(subject, "", { "last-event-id": id });
      await echo(`resync-${id}`);
      const [resync, step] = await events.take(2);
      expect(resync).toMatchObject({ event: "resync", data: { from: Number(step?.data.sequence) - 1 } });
      expect(step?.data.what).toBe(`resync-${id}`);
      const after = await listen(subject, "", { "last-event-id": resync?.id ?? "" });
      expect(whats(await after.take(1))).toEqual([`resync-${id}`]);
    },
  );

  test("begin with `resync` for an id that is ahead of them, or too far behind", async () => {
    const [{ id } = { id: "" }] = await (await listen(subject, "?since=0")).take(1);
    const life = id.split("-")[0];
    const batch = Array.from({ length: 1_001 }, () => eventOf({ type: "test.nothing" }));
    const headers = { "content-type": "application/cloudevents-batch+json" };
    expect((await subject.request("/messages", { method: "POST", headers, body: JSON.stringify(batch) })).status).toBe(200);
    const { last } = subject.gateway.node.journal;
    for (const ahead of [last + 1, 1, "", "1.5", "NaN"]) {
      const [event] = await (await listen(subject, "", { "last-event-id": `${life}-${ahead}` })).take(1);
      expect(event).toMatchObject({ event: "resync", data: { from: last } });
    }
    const [event] = await (await listen(subject, "", { "last-event-id": `${life}-${last - 1_000}` })).take(1);
    expect(event).toMatchObject({ event: "step", data: { sequence: last - 999 } });
  });

  test("end when the gateway stops, and an id of that life is none of the next", async () => {
    using folder = tempFolder();
    const open = () => openGateway({ data: folder.file("data"), listen: { port: 0 }, logger: silent });
    const requestTo = (gateway: Awaited<ReturnType<typeof open>>): Pick<TestGateway, "request"> => ({
      request: (path, init = {}) => {
        const headers = { authorization: `Bearer ${gateway.token}`, ...(init.headers as Record<string, string>) };
        return fetch(`${gateway.url}/api/v1${path}`, { ...init, headers });
      },
    });
    const first = await open();
    const events = await listen(requestTo(first));
    first.node.journal.add({ kind: "graph", what: "last", type: "running" });
    await first.drain();
    const rest = await events.rest();
    expect(whats(rest)).toEqual(["last"]);
    await using second = await open();
    second.node.journal.add({ kind: "graph", what: "first", type: "running" });
    const again = await listen(requestTo(second), "", { "last-event-id": rest.at(-1)?.id ?? "" });
    expect(await again.take(1)).toMatchObject([{ event: "resync", data: { from: 1 } }]);
  });

  test("tell what becomes of a graph, each time once, also where it begins with the node", async () => {
    using folder = tempFolder();
    const open = () => openGateway({ data: folder.file("data"), listen: { port: 0 }, logger: silent });
    const ticking = (text: string) => ({
      name: "ticking",
      expression: "ticks; drop",
      nodes: [
        { name: "ticks", action: "generate", with: { intervalMs: 5, template: text } },
        { name: "drop", command: "cat" },
      ],
    });
    const graphSteps = ({ node }: Awaited<ReturnType<typeof open>>) =>
      node.journal.since(0, 100, ({ kind }) => kind === "graph").map(({ what, type }) => `${what} ${type}`);
    {
      await using gateway = await open();
      const streams = await gateway.streams.streams();
      await streams.apply(ticking("a"));
      await streams.run("ticking");
      await streams.apply(ticking("a"));
      await streams.pause("ticking");
      await streams.resume("ticking");
      await streams.apply(ticking("b"));
      expect(graphSteps(gateway).slice(0, 4)).toEqual(
        ["applied", "running", "paused", "running"].map((type) => `ticking ${type}`),
      );
      expect(graphSteps(gateway).filter((text) => text === "ticking applied")).toHaveLength(2);
    }
    await using gateway = await open();
    expect(graphSteps(gateway)).toEqual(["ticking running"]);
    const streams = await gateway.streams.streams();
    await streams.stop("ticking", { now: true });
    await streams.remove("ticking");
    expect(graphSteps(gateway)).toEqual(["running", "stopped", "gone"].map((type) => `ticking ${type}`));
  });

  test("want the token", async () => {
    for (const path of ["/events", "/messages/feed", `/traces/${newTrace()}`]) {
      expect((await fetch(`${subject.gateway.url}/api/v1${path}`)).status).toBe(401);
    }
  });
});
