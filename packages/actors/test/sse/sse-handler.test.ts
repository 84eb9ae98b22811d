import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { createGunzip } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Alias } from "../../src/index.ts";
import { createSseParser, type SseEvent } from "../../src/splitting/sse.ts";
import {
  createSseHandler,
  MessageSse,
  MessageSseConnect,
  MessageSseDisconnect,
  MessageSseLastEventId,
  type SseHandlerOptions,
} from "../../src/sse/index.ts";
import { until } from "../fixtures/until.ts";
import { inside, Probe, settle } from "../probe.ts";
import { raw, type WebStage, webStage } from "../web/tools.ts";

async function serving(options: SseHandlerOptions = {}): Promise<WebStage & AsyncDisposable> {
  return await webStage((parent) => {
    const handler = createSseHandler(options);
    parent.spawnMeta(handler);
    return handler;
  });
}

/** A reader of a stream: a bare GET. */
interface Reader {
  readonly response: IncomingMessage;
  readonly events: SseEvent[];
  text(): string;
  readonly closed: Promise<void>;
}

async function read(url: string, headers: Record<string, string> = {}): Promise<Reader> {
  const asked = request(url, { headers, agent: false }).end();
  asked.on("error", () => undefined);
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const events: SseEvent[] = [];
  const parser = createSseParser();
  let text = "";
  const body = response.headers["content-encoding"] === "gzip" ? response.pipe(createGunzip()) : response;
  body.on("data", (bytes: Buffer) => {
    text += bytes;
    events.push(...parser.push(bytes));
  });
  body.on("error", () => undefined);
  response.on("error", () => undefined);
  return { response, events, text: () => text, closed: new Promise((resolve) => response.once("close", () => resolve())) };
}

const kinds = (probe: Probe): string[] => probe.got.map((message) => (message as object).constructor.name);

/** The alias of the stream that a probe was told of. */
async function connected(probe: Probe, index = 0): Promise<Alias<never, never>> {
  const found = await until("a stream", () => probe.got.filter((message) => message instanceof MessageSseConnect)[index]);
  return (found as MessageSseConnect).id;
}

describe("an event stream", () => {
  test("tells its process of Connect first and Disconnect last, and writes what it is sent (92)", async () => {
    await using web = await serving();
    const reader = await read(web.url);
    expect(reader.response.headers).toMatchObject({ "content-type": "text/event-stream", "cache-control": "no-cache" });
    const id = (await connected(web.parent)) as MessageSse["id"];
    await until("the initial comment", () => reader.text() === ": \n\n");
    web.parent.send(id, new MessageSse(id, { data: "one\ntwo", event: "greeting", msgId: "7", retryMs: 500 }));
    web.parent.send(id, new MessageSse(id, { data: "three" }));
    await until("two events", () => reader.events.length === 2);
    expect(reader.text()).toBe(": \n\nevent: greeting\nid: 7\nretry: 500\ndata: one\ndata: two\n\ndata: three\n\n");
    expect(await web.kernel.inspect(id)).toMatchObject({
      local: web.server.address,
      events: "2",
      process: String(web.parent.self),
    });
    web.parent.send(id, new MessageSseDisconnect(id));
    await reader.closed;
    await until("the end", () => web.parent.got.length === 2);
    expect(kinds(web.parent)).toEqual(["MessageSseConnect", "MessageSseDisconnect"]);
    const { remote, local, request } = web.parent.got[0] as MessageSseConnect;
    expect([remote.host, local.port, request?.url]).toEqual(["127.0.0.1", web.server.port, "/"]);
    expect(web.reports).toEqual([]);
  });

  test("tells where the reader was when it comes back, in any letters", async () => {
    await using web = await serving();
    await read(web.url, { "last-event-id": Buffer.from("größer 7").toString("latin1") });
    await until("two messages", () => web.parent.got.length === 2);
    expect(web.parent.got[1]).toBeInstanceOf(MessageSseLastEventId);
    expect((web.parent.got[1] as MessageSseLastEventId).lastEventId).toBe("größer 7");
  });

  test("is refused with 406 unless the reader takes event streams, and with 405 for another method", async () => {
    await using web = await serving();
    const status = async (accept: string | undefined, method = "GET"): Promise<number | undefined> => {
      const asked = request(web.url, { method, agent: false, ...(accept !== undefined && { headers: { accept } }) }).end();
      const [response] = (await once(asked, "response")) as [IncomingMessage];
      response.on("error", () => undefined).destroy();
      return response.statusCode;
    };
    const given: (string | undefined)[] = ["*/*", undefined, "text/html, text/event-stream;q=0.9", "text/*", "TEXT/Event-Stream"];
    for (const accept of given) expect(await status(accept)).toBe(200);
    for (const accept of ["text/html", "application/json, text/plain", "text/event-streams"])
      expect(await status(accept)).toBe(406);
    expect(await status("*/*", "POST")).toBe(405);
    await until(
      "every stream to be gone",
      () => kinds(web.parent).filter((name) => name === "MessageSseDisconnect").length === 5,
    );
  });

  test("gives its streams to a pool of processes in turn, beginning with the first", async () => {
    await using web = await serving({ processPool: ["h1", "h2"] });
    const [first, second] = ["h1", "h2"].map((name) => inside(web.kernel.spawn(Probe, { name }))) as [Probe, Probe];
    for (let n = 0; n < 3; n++) await read(web.url);
    await until("three streams", () => first.got.length === 2 && second.got.length === 1);
    expect(web.parent.got).toEqual([]);
  });

  test("writes a comment after each quiet period, none while it writes, and none when that is off", async () => {
    await using web = await serving({ heartbeatMs: 1_000 });
    const reader = await read(web.url);
    const id = (await connected(web.parent)) as MessageSse["id"];
    await until("the initial comment", () => reader.text() === ": \n\n");
    await web.clock.advance(1_000);
    await until("a heartbeat", () => reader.text() === ": \n\n: \n\n");
    await web.clock.advance(600);
    web.parent.send(id, new MessageSse(id, { data: "x" }));
    await settle();
    await web.clock.advance(999);
    await until("the event", () => reader.text() === ": \n\n: \n\ndata: x\n\n");
    await web.clock.advance(1);
    await until("another heartbeat", () => reader.text().endsWith("data: x\n\n: \n\n"));
    await using silent = await serving({ heartbeatMs: 0 });
    const quiet = await read(silent.url);
    await until("the initial comment", () => quiet.text() === ": \n\n");
    expect(silent.clock.pendingTimers).toBe(0);
  });

  test("compresses for a reader that takes gzip, each event at once", async () => {
    await using web = await serving({ compression: true });
    const plain = await read(web.url);
    expect(plain.response.headers["content-encoding"]).toBe(undefined);
    const reader = await read(web.url, { "accept-encoding": "br, gzip" });
    expect(reader.response.headers["content-encoding"]).toBe("gzip");
    const id = (await connected(web.parent, 1)) as MessageSse["id"];
    for (const data of ["a", "b"]) {
      web.parent.send(id, new MessageSse(id, { data }));
      await until(`the event ${data}`, () => reader.events.at(-1)?.data === data);
    }
    web.parent.sendExitMeta(id, "normal");
    await reader.closed;
    await until("its end", () => kinds(web.parent).includes("MessageSseDisconnect"));
  });

  test("ends when the reader goes away: normal, with one Disconnect, and no timer is left", async () => {
    await using web = await serving();
    const readers = await Promise.all(Array.from({ length: 100 }, () => read(web.url)));
    await until("a hundred streams", () => web.parent.got.length === 100);
    expect(web.clock.pendingTimers).toBe(100);
    const ids = (web.parent.got as MessageSseConnect[]).map(({ id }) => String(id));
    for (const { response } of readers) response.destroy();
    await until("a hundred ends", () => web.parent.got.length === 200);
    const ended = (web.parent.got.slice(100) as MessageSseDisconnect[]).map(({ id }) => String(id));
    expect(new Set(ended)).toEqual(new Set(ids));
    expect(web.clock.pendingTimers).toBe(0);
    expect(web.kernel.metas()).toHaveLength(2);
    expect(web.reports).toEqual([]);
  });

  test("leaves its mail unread while the reader does not read, within a limit, and is ended by an exit all the same", async () => {
    await using web = await serving({ mailboxLimit: 5 });
    const slow = await raw(web.server.port, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    slow.socket.pause();
    const id = (await connected(web.parent)) as MessageSse["id"];
    const data = "x".repeat(1_000_000);
    let refused: unknown;
    let sent = 0;
    for (; sent < 1_000 && refused === undefined; sent++) {
      try {
        web.parent.send(id, new MessageSse(id, { data }));
      } catch (error) {
        refused = error;
      }
      await settle();
    }
    expect(refused).toMatchObject({ code: "actor.meta_mailbox_full" });
    expect(web.kernel.metaInfo(id).mailbox.main).toBe(5);
    await web.clock.advance(60_000); // no heartbeat is added to what waits
    slow.socket.resume();
    await until("all that was taken", () => slow.text().length > (sent - 1) * data.length);
    await until("an empty mailbox", () => web.kernel.metaInfo(id).mailbox.main === 0);
    slow.socket.pause();
    for (let n = 0; n < 30 && web.kernel.metaInfo(id).mailbox.main === 0; n++) {
      web.parent.send(id, new MessageSse(id, { data }));
      await settle();
    }
    web.parent.sendExitMeta(id, "shutdown");
    await settle();
    expect(kinds(web.parent)).toEqual(["MessageSseConnect"]);
    await web.clock.advance(4_000);
    await until("its end", () => kinds(web.parent).includes("MessageSseDisconnect"));
    slow.socket.destroy();
  });

  test("ends with the error when its process cannot be told", async () => {
    await using web = await serving({ processPool: ["nobody"] });
    const reader = await read(web.url).catch(() => undefined);
    await reader?.closed;
    await until("the report", () => web.reports.length === 1);
    expect(web.reports[0]).toMatchObject({ kind: "ended", error: { code: "actor.process_unknown" } });
  });

  test("leaves out an event that cannot be written, tells of it, and does nothing with other mail", async () => {
    await using web = await serving();
    const reader = await read(web.url);
    const id = (await connected(web.parent)) as MessageSse["id"];
    web.parent.send(id, new MessageSse(id, { event: "two\nlines" }));
    web.parent.send(id, "?" as never);
    web.parent.send(id, new MessageSse(id, { data: "fine" }));
    await until("the next event", () => reader.events.length === 1);
    expect(web.reports.map(({ kind }) => kind)).toEqual(["meta", "unhandled"]);
    expect(web.reports[0]?.error).toMatchObject({ code: "actor.incorrect" });
    expect(await web.kernel.call(id as never, "?" as never)).toMatchObject({ code: "actor.unsupported" });
  });

  test("lives on when its handler ends, and ends with its process", async () => {
    const handler = createSseHandler();
    const web = await webStage(() => handler);
    expect((await fetch(web.url)).status).toBe(503);
    const alias = web.parent.spawnMeta(handler);
    await settle();
    const reader = await read(web.url);
    const id = (await connected(web.parent)) as MessageSse["id"];
    expect(await web.kernel.inspect(alias)).toEqual({ streams: "1", refused: "1" });
    web.parent.sendExitMeta(alias, "normal");
    await settle();
    expect((await fetch(web.url)).status).toBe(503);
    web.parent.send(id, new MessageSse(id, { data: "still here" }));
    await until("the event", () => reader.events.length === 1);
    await web.kernel.stop();
    await reader.closed;
    expect(web.kernel.metas()).toEqual([]);
  });

  test("is not made with options that are wrong", () => {
    const wrong = expect.objectContaining({ code: "actor.incorrect" });
    expect(() => createSseHandler({ heartbeatMs: -1 })).toThrow(wrong);
    expect(() => createSseHandler({ heartBeatMs: 1 } as never)).toThrow(wrong);
    expect(() => createSseHandler({ processPool: "h1" as never })).toThrow(wrong);
  });
});
