import { createServer, type Socket } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MessageWebSocket, MessageWebSocketDisconnect, openWebSocketConnection } from "../../src/websocket/index.ts";
import { until } from "../fixtures/until.ts";
import { inside, Probe, settle } from "../probe.ts";
import { raw } from "../web/tools.ts";
import { connected, dial, frame, type SocketStage, sockets, story, upgradeHead } from "./tools.ts";

const gone = (web: SocketStage, left = 2): Promise<unknown> => until("its end", () => web.kernel.metas().length === left);

describe("a WebSocket", () => {
  test("tells of Connect, messages and Disconnect, carries both ways, and ends with normal after a normal close (93)", async () => {
    await using web = await sockets();
    const client = await dial(web.ws);
    const id = await connected(web.parent);
    client.socket.send("hello");
    client.socket.send(Buffer.from([1, 2, 3]));
    await until("two messages", () => web.parent.got.length === 3);
    expect(web.parent.got.slice(1)).toMatchObject([
      { id, type: "text", body: "hello", text: "hello" },
      { id, type: "binary", body: Buffer.from([1, 2, 3]) },
    ]);
    web.parent.send(id, new MessageWebSocket(id, "good day"));
    web.parent.send(id, new MessageWebSocket(id, new Uint8Array([4, 5])));
    web.parent.send(id, new MessageWebSocket(id, Buffer.from("bytes as text"), "text"));
    web.parent.send(id, new MessageWebSocket(id, "text as bytes", "binary"));
    await until("four answers", () => client.got.length === 4);
    expect(client.got).toEqual([
      { text: "good day", isBinary: false },
      { text: "\x04\x05", isBinary: true },
      { text: "bytes as text", isBinary: false },
      { text: "text as bytes", isBinary: true },
    ]);
    expect(await web.kernel.inspect(id)).toMatchObject({
      local: web.server.address,
      process: String(web.parent.self),
      "bytes in": "8",
      "bytes out": "36",
      "bytes waiting": "0",
    });
    web.parent.monitor(id);
    client.socket.close(1_000);
    await until("Down", () => web.parent.got.length === 5);
    expect(story(web.parent).slice(3)).toEqual(["MessageWebSocketDisconnect", "MessageDown"]);
    expect(web.parent.got[4]).toMatchObject({ reason: "normal" });
    expect(web.reports).toEqual([]);
  });

  test("speaks with Node's own WebSocket client", async () => {
    await using web = await sockets();
    const socket = new WebSocket(web.ws);
    const got: unknown[] = [];
    socket.onmessage = ({ data }) => got.push(data);
    socket.onopen = () => socket.send("hello");
    await until("the message", () => story(web.parent).length === 2);
    const id = await connected(web.parent);
    web.parent.send(id, new MessageWebSocket(id, "good day"));
    await until("the answer", () => got.length === 1);
    expect(got).toEqual(["good day"]);
    socket.close();
    await gone(web);
    expect(web.reports).toEqual([]);
  });

  test.each<[string, (socket: import("ws").WebSocket) => void, unknown]>([
    ["1000", (socket) => socket.close(1_000), "normal"],
    ["1001", (socket) => socket.close(1_001), "normal"],
    ["no code", (socket) => socket.close(), "normal"],
    [
      "another code",
      (socket) => socket.close(4_001, "enough"),
      { code: "actor.connection_lost", details: { closeCode: 4_001, closeReason: "enough" } },
    ],
    ["no close at all", (socket) => socket.terminate(), { code: "actor.connection_lost" }],
  ])("ends with the reason of its close by the peer: %s (93)", async (_what, close, reason) => {
    await using web = await sockets();
    const { socket } = await dial(web.ws);
    web.parent.monitor(await connected(web.parent));
    close(socket);
    await until("Down", () => web.parent.got.length === 3);
    expect(web.parent.got[2]).toMatchObject({ reason });
    expect(story(web.parent)[1]).toBe("MessageWebSocketDisconnect");
  });

  test("closes when it is told to, with the code and reason that it is told, and ends with normal", async () => {
    await using web = await sockets();
    const code = Buffer.from([4_002 >> 8, 4_002 & 255]);
    const orders: [(id: MessageWebSocket["id"]) => MessageWebSocket | MessageWebSocketDisconnect, unknown][] = [
      [(id) => new MessageWebSocketDisconnect(id), { code: 1_000, reason: "" }],
      [(id) => new MessageWebSocket(id, "enough", "close"), { code: 1_000, reason: "enough" }],
      [(id) => new MessageWebSocket(id, Buffer.concat([code, Buffer.from("bye")]), "close"), { code: 4_002, reason: "bye" }],
      [(id) => new MessageWebSocket(id, Buffer.alloc(0), "close"), { code: 1_000, reason: "" }],
    ];
    for (const [index, [order, closed]] of orders.entries()) {
      const client = await dial(web.ws);
      const id = await connected(web.parent, index);
      web.parent.send(id, new MessageWebSocket(id, "last words"));
      web.parent.send(id, order(id));
      web.parent.send(id, new MessageWebSocket(id, "too late"));
      expect(await client.closed).toEqual(closed);
      expect(client.got).toEqual([{ text: "last words", isBinary: false }]);
      await gone(web);
    }
    expect(web.reports).toEqual([]);
  });

  test("tells the peer by its code why it ends: normal, shutdown, or something worse", async () => {
    await using web = await sockets();
    for (const [index, [reason, code]] of (
      [
        ["normal", 1_000],
        ["shutdown", 1_001],
        [new Error("worse"), 1_011],
      ] as const
    ).entries()) {
      const client = await dial(web.ws);
      web.parent.sendExitMeta(await connected(web.parent, index), reason);
      expect((await client.closed).code).toBe(code);
      await gone(web);
    }
    expect(story(web.parent).filter((what) => what === "MessageWebSocketDisconnect")).toHaveLength(3);
  });

  test("answers pings by itself, and sends pings and pongs", async () => {
    await using web = await sockets();
    const { socket } = await dial(web.ws);
    const id = await connected(web.parent);
    const heard: string[] = [];
    socket.on("pong", (data) => heard.push(`pong ${data}`));
    socket.on("ping", (data) => heard.push(`ping ${data}`));
    socket.ping("a");
    await until("the pong", () => heard.length === 1);
    web.parent.send(id, new MessageWebSocket(id, "b", "ping"));
    web.parent.send(id, new MessageWebSocket(id, "c", "pong"));
    await until("both", () => heard.length === 3);
    expect(heard).toEqual(["pong a", "ping b", "pong c"]);
    expect(web.parent.got).toHaveLength(1);
  });

  test.each<[string, Buffer, string, number]>([
    ["garbage", Buffer.from("\x00\x01garbage that is no frame"), "actor.malformed", 1_002],
    ["a frame without a mask", Buffer.from([0x81, 0x01, 0x61]), "actor.malformed", 1_002],
    ["text that is none", Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]), "actor.malformed", 1_007],
    ["a frame over the limit", frame(1, "x".repeat(101)), "actor.too_large", 1_009],
  ])("ends with the error for %s, and tells the peer", async (_what, bytes, code, closeCode) => {
    await using web = await sockets({ maxPayloadBytes: 100 });
    const client = await raw(web.server.port, upgradeHead());
    web.parent.monitor(await connected(web.parent));
    client.socket.write(frame(1, "fine"));
    client.socket.write(bytes);
    await until("the close", () => client.text().endsWith(String.fromCharCode(closeCode >> 8, closeCode & 255)));
    client.socket.end();
    await until("Down", () => web.parent.got.length === 4);
    expect(story(web.parent)).toEqual(["MessageWebSocketConnect", "fine", "MessageWebSocketDisconnect", "MessageDown"]);
    expect(web.parent.got[3]).toMatchObject({ reason: { code } });
  });

  test("cuts off a peer that does not answer a close", async () => {
    await using web = await sockets({ closeTimeoutMs: 20 });
    const client = await raw(web.server.port, upgradeHead());
    web.parent.sendExitMeta(await connected(web.parent), "shutdown");
    await client.closed;
    await gone(web);
    expect(story(web.parent)).toEqual(["MessageWebSocketConnect", "MessageWebSocketDisconnect"]);
  });

  test("leaves its mail unread while the peer does not read, within a limit; it reads on, and an exit ends it", async () => {
    await using web = await sockets({ mailboxLimit: 5, closeTimeoutMs: 20 });
    const client = await dial(web.ws);
    const id = await connected(web.parent);
    client.socket.pause();
    const body = "x".repeat(1_000_000);
    let refused: unknown;
    let sent = 0;
    for (; sent < 1_000 && refused === undefined; sent++) {
      try {
        web.parent.send(id, new MessageWebSocket(id, body));
      } catch (error) {
        refused = error;
      }
      await settle();
    }
    expect(refused).toMatchObject({ code: "actor.meta_mailbox_full" });
    expect(web.kernel.metaInfo(id)).toMatchObject({ state: "sleep", mailbox: { main: 5 } });
    expect(Number((await web.kernel.inspect(id))["bytes waiting"])).toBeLessThan(2_000_000);
    client.socket.send("I read nothing, but I can write");
    await until("the message", () => web.parent.got.length === 2);
    client.socket.resume();
    await until("all that was taken", () => client.got.length === sent - 1);
    client.socket.pause();
    for (let n = 0; n < 1_000 && web.kernel.metaInfo(id).mailbox.main < 2; n++) {
      web.parent.send(id, new MessageWebSocket(id, body));
      await settle();
    }
    web.parent.sendExitMeta(id, "shutdown");
    await gone(web);
    expect(story(web.parent).at(-1)).toBe("MessageWebSocketDisconnect");
    client.socket.terminate();
  });

  test("ends with the error when its process cannot be told: unknown, or a full mailbox", async () => {
    await using web = await sockets({ processPool: ["nobody", "narrow"] });
    const unknown = await dial(web.ws);
    expect((await unknown.closed).code).toBe(1_011);
    const narrow = inside(web.kernel.spawn(Probe, { name: "narrow", mailboxLimit: 1 }));
    let free = (): void => undefined;
    narrow.react = () =>
      new Promise<void>((resolve) => {
        free = resolve;
      });
    const full = await dial(web.ws);
    await until("Connect", () => narrow.got.length === 1);
    full.socket.send("one waits");
    full.socket.send("two is one too many");
    expect((await full.closed).code).toBe(1_011);
    await gone(web);
    expect(web.reports.map(({ error }) => (error as { code: string }).code)).toEqual([
      "actor.process_unknown",
      "actor.mailbox_full",
    ]);
    narrow.react = () => undefined;
    free();
  });

  test("waits for room in a full mailbox when it is told to: nothing is lost or out of order", async () => {
    await using web = await sockets({ processPool: ["narrow"], pauseWhenFull: true });
    const narrow = inside(web.kernel.spawn(Probe, { name: "narrow", mailboxLimit: 2 }));
    narrow.react = () => settle();
    const client = await dial(web.ws);
    const texts = Array.from({ length: 300 }, (_, n) => `message ${n}`);
    for (const text of texts) client.socket.send(text);
    client.socket.close();
    await until("all of them", () => narrow.got.length === 302);
    expect(story(narrow)).toEqual(["MessageWebSocketConnect", ...texts, "MessageWebSocketDisconnect"]);
  });

  test("carries any texts and bytes in order, compressed or not, both ways", async () => {
    const content = fc.oneof(fc.string({ unit: "grapheme", maxLength: 3_000 }), fc.uint8Array({ maxLength: 3_000 }));
    for (const compression of [false, true]) {
      await using web = await sockets({ compression });
      const dialled = inside(web.kernel.spawn(Probe));
      dialled.spawnMeta(await openWebSocketConnection({ url: web.ws, compression }));
      const [near, far] = [await connected(dialled), await connected(web.parent)];
      const plain = (got: readonly unknown[]): unknown[] =>
        got.flatMap((message) => (message instanceof MessageWebSocket ? [message.body] : [])).map(comparable);
      await fc.assert(
        fc.asyncProperty(fc.array(content, { maxLength: 20 }), async (bodies) => {
          dialled.got.length = 0;
          web.parent.got.length = 0;
          for (const body of bodies) dialled.send(near, new MessageWebSocket(near, body));
          for (const body of bodies) web.parent.send(far, new MessageWebSocket(far, body));
          await until("all there", () => dialled.got.length === bodies.length && web.parent.got.length === bodies.length);
          expect(plain(web.parent.got)).toEqual(bodies.map(comparable));
          expect(plain(dialled.got)).toEqual(bodies.map(comparable));
        }),
        { numRuns: 20 },
      );
    }
  });

  test("does nothing with other mail, and answers calls with an error as value", async () => {
    await using web = await sockets();
    await dial(web.ws);
    const id = await connected(web.parent);
    web.parent.send(id, "?" as never);
    await settle();
    expect(web.reports.map(({ kind }) => kind)).toEqual(["unhandled"]);
    expect(await web.kernel.call(id as never, "?" as never)).toMatchObject({ code: "actor.unsupported" });
  });

  test("ends with its process, and with the kernel", async () => {
    await using web = await sockets({ processPool: [] });
    const client = await dial(web.ws);
    await connected(web.parent);
    await web.kernel.stop();
    expect((await client.closed).code).toBe(1_001);
    expect(web.kernel.metas()).toEqual([]);
  });
});

describe("a WebSocket that is dialled", () => {
  test("tells its process of Connect, messages and Disconnect, also of what came before it was spawned", async () => {
    await using web = await sockets({ processPool: ["server"] });
    const server = inside(web.kernel.spawn(Probe, { name: "server" }));
    const socket = await openWebSocketConnection({ url: `${web.ws}/path`, headers: { "x-who": "me" } });
    const far = await connected(server);
    expect(server.got[0]).toMatchObject({ request: { url: "/path" } });
    server.send(far, new MessageWebSocket(far, "early"));
    await settle();
    const near = web.parent.spawnMeta(socket);
    await until("the message", () => web.parent.got.length === 2);
    web.parent.send(near, new MessageWebSocket(near, "hello"));
    await until("the message", () => server.got.length === 2);
    web.parent.sendExitMeta(near, "normal");
    await until("both ends", () => web.parent.got.length === 3 && server.got.length === 3);
    expect(story(web.parent)).toEqual(["MessageWebSocketConnect", "early", "MessageWebSocketDisconnect"]);
    expect(story(server)).toEqual(["MessageWebSocketConnect", "hello", "MessageWebSocketDisconnect"]);
    expect(web.parent.got[0]).toMatchObject({ request: undefined, remote: { host: "127.0.0.1", port: web.server.port } });
    expect(web.reports).toEqual([]);
  });

  test("is not opened where nobody listens, where there is no WebSocket, or when the answer takes too long", async () => {
    await using web = await sockets({ checkOrigin: () => false });
    await expect(openWebSocketConnection({ url: web.ws })).rejects.toMatchObject({
      code: "actor.connect_failed",
      details: { status: 403 },
    });
    const accepted: Socket[] = [];
    const silent = createServer((socket) => accepted.push(socket.resume()));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as { port: number };
    const url = `ws://127.0.0.1:${port}`;
    await expect(openWebSocketConnection({ url, handshakeTimeoutMs: 20 })).rejects.toMatchObject({
      code: "actor.connect_failed",
    });
    const giveUp = new AbortController();
    const dialling = openWebSocketConnection({ url, signal: giveUp.signal });
    await until("the second connection", () => accepted.length === 2);
    giveUp.abort(new Error("no more"));
    await expect(dialling).rejects.toThrow("no more");
    await expect(openWebSocketConnection({ url, signal: giveUp.signal })).rejects.toThrow("no more");
    await until("both to be closed", () => accepted.every((socket) => socket.closed));
    await new Promise((resolve) => silent.close(resolve));
    await expect(openWebSocketConnection({ url })).rejects.toMatchObject({
      code: "actor.connect_failed",
      cause: { code: "ECONNREFUSED" },
    });
    expect(web.kernel.metas()).toHaveLength(2);
  });

  test("that is never spawned is released by its terminate, and is not spawned after that or twice", async () => {
    await using web = await sockets();
    const socket = await openWebSocketConnection({ url: web.ws });
    socket.terminate("normal");
    await until("Disconnect of the other side", () => web.parent.got.length === 2);
    expect(() => web.parent.spawnMeta(socket)).toThrow(expect.objectContaining({ code: "actor.not_allowed" }));
    const again = await openWebSocketConnection({ url: web.ws });
    web.parent.spawnMeta(again);
    expect(() => web.parent.spawnMeta(again)).toThrow(expect.objectContaining({ code: "actor.not_allowed" }));
  });

  test("agrees on a subprotocol that it offers", async () => {
    await using web = await sockets();
    web.parent.spawnMeta(await openWebSocketConnection({ url: web.ws, protocols: ["chat.v2", "chat.v1"] }));
    const offered = await until("the upgrade", () => web.parent.got.find((message) => (message as { request?: object }).request));
    expect((offered as { request: { headers: object } }).request.headers).toMatchObject({
      "sec-websocket-protocol": "chat.v2,chat.v1",
    });
  });

  test.each([
    { url: "http://x" },
    { url: "nothing" },
    { url: "ws://x/#part" },
    { url: "ws://x", maxPayloadBytes: 0 },
    { url: "ws://x", retry: 1 },
  ])("is not opened with %o", async (options) => {
    await expect(openWebSocketConnection(options as never)).rejects.toMatchObject({ code: "actor.incorrect" });
  });
});

function comparable(body: unknown): unknown {
  return typeof body === "string" ? body : Buffer.from(body as Uint8Array).toString("hex");
}
