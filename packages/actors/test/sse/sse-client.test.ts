import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import {
  createSseClient,
  createSseHandler,
  MessageSse,
  type MessageSseConnect,
  MessageSseDisconnect,
  MessageSseLastEventId,
  type SseClient,
  type SseClientOptions,
} from "../../src/sse/index.ts";
import { until } from "../fixtures/until.ts";
import { inside, Probe, settle } from "../probe.ts";
import { type WebStage, webStage } from "../web/tools.ts";

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** A server that answers one request after the other as `answers` say, and a client of it that belongs to the parent. */
async function reading(
  answers: Answer[],
  options: Partial<SseClientOptions> = {},
): Promise<WebStage & AsyncDisposable & { client: SseClient; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const web = await webStage(() => ({
    listener: (request, response) => {
      asked.push(request);
      answers.shift()?.(response, request);
    },
  }));
  const client = createSseClient({ url: `${web.url}/events`, ...options });
  web.parent.spawnMeta(client);
  return Object.assign(web, { client, asked });
}

const stream =
  (text: string, end = true): Answer =>
  (response) => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    response.write(text);
    if (end) response.end();
  };
const status =
  (code: number): Answer =>
  (response) =>
    void response.writeHead(code).end();
const kinds = (probe: Probe): string[] => probe.got.map((message) => (message as object).constructor.name);
const contents = (probe: Probe): unknown[] =>
  probe.got.flatMap((message) => (message instanceof MessageSse ? [[message.event, message.data, message.msgId]] : []));
const ended = (web: WebStage): Promise<unknown> => until("its end", () => web.kernel.metas().length === 1);

describe("a reader of an event stream", () => {
  test("gives its process Connect, the events and Disconnect, and ends with normal at the end of the stream (92)", async () => {
    await using web = await reading([stream(": hi\n\nid: 1\ndata: a\n\nevent: b\nretry: 70\ndata: c\ndata: d\n\ndata: cut")]);
    await ended(web);
    expect(kinds(web.parent)).toEqual(["MessageSseConnect", "MessageSse", "MessageSse", "MessageSseDisconnect"]);
    expect(contents(web.parent)).toEqual([
      ["message", "a", "1"],
      ["b", "c\nd", "1"],
    ]);
    expect((web.parent.got[0] as MessageSseConnect).remote).toEqual({ host: "127.0.0.1", port: web.server.port });
    expect([web.client.lastEventId, web.client.retryMs]).toEqual(["1", 70]);
    expect(web.asked[0]?.headers).toMatchObject({ accept: "text/event-stream" });
    expect(web.reports).toEqual([]);
  });

  test("reads what a handler of this package writes, and says where it was", async () => {
    await using web = await webStage((parent) => {
      const handler = createSseHandler({ processPool: ["writer"] });
      parent.spawnMeta(handler);
      return handler;
    });
    const writer = inside(web.kernel.spawn(Probe, { name: "writer" }));
    const client = createSseClient({ url: web.url, lastEventId: "größer" });
    web.parent.spawnMeta(client);
    const back = await until("where it was", () => writer.got.find((message) => message instanceof MessageSseLastEventId));
    const { id, lastEventId } = back as MessageSseLastEventId;
    expect(lastEventId).toBe("größer");
    writer.send(id, new MessageSse(id, { data: "hello", msgId: "next" }));
    await until("the event", () => contents(web.parent).length === 1);
    expect([contents(web.parent), client.lastEventId]).toEqual([[["message", "hello", "next"]], "next"]);
    writer.send(id, new MessageSseDisconnect(id));
    await until("both ends", () => kinds(web.parent).at(-1) === "MessageSseDisconnect" && writer.got.length === 3);
  });

  test.each<[string, Answer, unknown]>([
    ["a status that is none of success", status(404), { code: "actor.connect_failed", details: { status: 404 } }],
    ["content of another type", (response) => response.end("<html>"), { code: "actor.malformed" }],
    ["a line over the limit", stream(`data: ${"x".repeat(200)}`, false), { code: "actor.too_large" }],
    ["a stream that breaks off", (response) => breakOff(response), { code: "actor.connection_lost" }],
    ["redirects without an end", (response) => redirect(response, "/events"), { code: "actor.connect_failed" }],
    ["a redirect to something else", (response) => redirect(response, "ftp://127.0.0.1/"), { code: "actor.connect_failed" }],
  ])("ends with the error for %s", async (_what, answer, error) => {
    await using web = await reading(
      Array.from({ length: 9 }, () => answer),
      { maxEventLength: 100 },
    );
    await ended(web);
    expect(web.reports.map((report) => report.error)).toEqual([expect.objectContaining(error as object)]);
    const disconnects = kinds(web.parent).filter((name) => name === "MessageSseDisconnect").length;
    expect(disconnects).toBe(kinds(web.parent).filter((name) => name === "MessageSseConnect").length);
  });

  test("ends with the error when nobody listens, and when its process cannot be told", async () => {
    await using web = await reading([stream("data: a\n\n", false)], { process: "nobody" });
    await ended(web);
    expect(web.reports[0]?.error).toMatchObject({ code: "actor.process_unknown" });
    web.parent.sendExitMeta(web.alias, "normal");
    await settle();
    web.parent.spawnMeta(createSseClient({ url: web.url }));
    await until("its end", () => web.reports.length === 2);
    expect(web.reports[1]?.error).toMatchObject({ code: "actor.connect_failed", cause: { code: "ECONNREFUSED" } });
  });

  test("comes back when it is told to: after its interval, then after what the stream says, with the last id", async () => {
    const answers = [stream("id: 1\nretry: 200\ndata: a\n\n"), status(503), stream("data: b\n\n"), status(204)];
    await using web = await reading(answers, { reconnect: true, headers: { authorization: "Bearer x" } });
    await until("the end of the first stream", () => kinds(web.parent).at(-1) === "MessageSseDisconnect");
    await settle();
    expect(web.clock.pendingTimers).toBe(1);
    await web.clock.advance(199);
    expect(web.asked).toHaveLength(1);
    await web.clock.advance(1);
    await until("the refusal", () => web.reports.length === 1);
    await web.clock.advance(200);
    await until("the second stream to end", () => web.parent.got.length === 6);
    await settle();
    await web.clock.advance(200);
    await ended(web);
    expect(contents(web.parent)).toEqual([
      ["message", "a", "1"],
      ["message", "b", "1"],
    ]);
    expect(web.asked.map(({ headers }) => headers["last-event-id"])).toEqual([undefined, "1", "1", "1"]);
    expect(web.reports.map(({ kind }) => kind)).toEqual(["meta"]);
    expect(web.clock.pendingTimers).toBe(0);
  });

  test("does not come back after what no other attempt can better", async () => {
    await using web = await reading([stream("", true), status(401)], { reconnect: true, reconnectIntervalMs: 10 });
    await until("the end of the first stream", () => kinds(web.parent).at(-1) === "MessageSseDisconnect");
    await settle();
    await web.clock.advance(10);
    await ended(web);
    expect(web.reports.map(({ error }) => error)).toMatchObject([{ code: "actor.connect_failed" }]);
  });

  test("is ended by an exit while it dials, while it reads, and while it waits to come back", async () => {
    const options = { reconnect: true };
    for (const answers of [[], [stream("data: a\n\n", false)], [stream("data: a\n\n")]] as Answer[][]) {
      const isHanging = answers.length === 0;
      await using web = await reading(isHanging ? [() => undefined] : answers, options);
      await until("the request", () => web.asked.length === 1);
      if (!isHanging) await until("the event", () => contents(web.parent).length === 1);
      await settle();
      const [, client] = web.kernel.metas();
      web.parent.sendExitMeta(client as never, "shutdown");
      await ended(web);
      expect(web.clock.pendingTimers).toBe(0);
      expect(kinds(web.parent)).toEqual(isHanging ? [] : ["MessageSseConnect", "MessageSse", "MessageSseDisconnect"]);
      expect(web.reports).toEqual([]);
    }
  });

  test("follows a redirect, and tells its secrets to the origin alone that they were meant for", async () => {
    await using other = await reading([]);
    const answers: Answer[] = [(response) => redirect(response, "/moved"), (response) => redirect(response, `${other.url}/far`)];
    await using web = await reading(answers, { headers: { authorization: "Bearer x", "x-plain": "1" } });
    const last = await until("the request elsewhere", () => other.asked.find(({ url }) => url === "/far"));
    expect(web.asked.map(({ url, headers }) => [url, headers.authorization])).toEqual([
      ["/events", "Bearer x"],
      ["/moved", "Bearer x"],
    ]);
    expect(last.headers).toMatchObject({ "x-plain": "1" });
    expect(last.headers.authorization).toBe(undefined);
  });

  test("waits for room in a full mailbox when it is told to, and loses nothing", async () => {
    const many = Array.from({ length: 50 }, (_, n) => `data: ${n}\n\n`).join("");
    await using web = await webStage(() => ({ listener: (request, response) => stream(many)(response, request) }));
    const narrow = inside(web.kernel.spawn(Probe, { name: "narrow", mailboxLimit: 2 }));
    web.parent.spawnMeta(createSseClient({ url: web.url, process: "narrow", pauseWhenFull: true }));
    await until("every event", () => kinds(narrow).at(-1) === "MessageSseDisconnect");
    expect(contents(narrow).map((content) => (content as string[])[1])).toEqual(Array.from({ length: 50 }, (_, n) => String(n)));
    web.parent.spawnMeta(createSseClient({ url: web.url, process: "narrow" }));
    await until("the end of one that does not wait", () => web.reports.length === 1);
    expect(web.reports[0]?.error).toMatchObject({ code: "actor.mailbox_full" });
  });

  test("takes no mail, answers calls with an error as value, and tells what it does", async () => {
    await using web = await reading([stream("id: 5\ndata: a\n\n", false)]);
    await until("the event", () => contents(web.parent).length === 1);
    const [, client] = web.kernel.metas();
    expect(await web.kernel.inspect(client as never)).toEqual({
      url: `${web.url}/events`,
      process: String(web.parent.self),
      "last event id": "5",
      "retry ms": "3000",
      events: "1",
      "bytes in": "15",
    });
    expect(await web.kernel.call(client as never, "?" as never)).toMatchObject({ code: "actor.unsupported" });
    web.parent.send(client as never, "?" as never);
    await settle();
    expect(web.reports.map(({ kind }) => kind)).toEqual(["unhandled"]);
  });

  test.each([
    { url: "ftp://somewhere" },
    { url: "nothing" },
    { url: "http://x", reconnectIntervalMs: -1 },
    { url: "http://x", maxEventLength: 0 },
    { url: "http://x", retry: 1 },
  ])("is not made with %o", (options) => {
    expect(() => createSseClient(options)).toThrow(expect.objectContaining({ code: "actor.incorrect" }));
  });
});

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(307, { location }).end();
}

function breakOff(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write("data: a\n\n", () => response.destroy());
}
