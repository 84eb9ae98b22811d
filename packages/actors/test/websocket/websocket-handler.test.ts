import { describe, expect, test } from "vitest";
import { createWebSocketHandler, type MessageWebSocketConnect } from "../../src/websocket/index.ts";
import { until } from "../fixtures/until.ts";
import { inside, Probe, settle } from "../probe.ts";
import { raw, webStage } from "../web/tools.ts";
import { connected, dial, sockets, story, upgradeHead } from "./tools.ts";

/** The status that an upgrade is answered with; 101 is success. */
async function upgradeStatus(port: number, head: string): Promise<number> {
  const client = await raw(port, head);
  const status = await until("an answer", () => /^HTTP\/1.1 (\d+) /.exec(client.text())?.[1]);
  client.socket.destroy();
  return Number(status);
}

describe("a WebSocket handler", () => {
  test("gives its WebSockets to a pool of processes in turn, beginning with the first", async () => {
    await using web = await sockets({ processPool: ["h1", "h2"] });
    const [first, second] = ["h1", "h2"].map((name) => inside(web.kernel.spawn(Probe, { name }))) as [Probe, Probe];
    for (let n = 0; n < 3; n++) {
      const { socket } = await dial(web.ws);
      socket.send(`from ${n}`);
      await until("the message", () => [first, second][n % 2]?.got.length === 2 * (Math.floor(n / 2) + 1));
    }
    expect(story(first)).toEqual(["MessageWebSocketConnect", "from 0", "MessageWebSocketConnect", "from 2"]);
    expect(story(second)).toEqual(["MessageWebSocketConnect", "from 1"]);
    expect(web.parent.got).toEqual([]);
  });

  test("refuses an upgrade with 503 while it is not spawned and when it has ended; its WebSockets live on", async () => {
    const handler = createWebSocketHandler();
    await using web = await webStage(() => handler);
    expect(await upgradeStatus(web.server.port, upgradeHead())).toBe(503);
    const alias = web.parent.spawnMeta(handler);
    await settle();
    const client = await dial(web.url.replace("http", "ws"));
    await connected(web.parent);
    expect(await web.kernel.inspect(alias)).toEqual({ accepted: "1", refused: "1" });
    web.parent.sendExitMeta(alias, "normal");
    await settle();
    expect(await upgradeStatus(web.server.port, upgradeHead())).toBe(503);
    web.parent.sendExitMeta(web.alias, "normal");
    await settle();
    client.socket.send("still here");
    await until("the message", () => story(web.parent).at(-1) === "still here");
  });

  test("lets in who has no origin or that of the host, and refuses others with 403", async () => {
    await using web = await sockets();
    const from = (origin: string) => upgradeStatus(web.server.port, upgradeHead([`origin: ${origin}`]));
    expect(await upgradeStatus(web.server.port, upgradeHead())).toBe(101);
    expect(await from("https://X")).toBe(101);
    for (const origin of ["http://elsewhere", "http://x.elsewhere", "http://x:81", "null"]) expect(await from(origin)).toBe(403);
    expect(web.reports.filter(({ kind }) => kind === "meta").map(({ text }) => text)).toEqual(
      ["http://elsewhere", "http://x.elsewhere", "http://x:81", "null"].map((origin) =>
        expect.stringContaining(`an upgrade of / from ${origin} was refused with 403`),
      ),
    );
  });

  test("asks a check of the user's own, now or later, which may throw or take too long", async () => {
    let answer: (isAllowed: boolean) => void = () => undefined;
    await using web = await sockets({
      handshakeTimeoutMs: 400,
      checkOrigin: ({ headers }) => {
        if (headers["x-check"] === "throw") throw new Error("the check is broken");
        if (headers["x-check"] === "reject") return Promise.reject(new Error("the check is broken"));
        if (headers["x-check"] === "late")
          return new Promise<boolean>((resolve) => {
            answer = resolve;
          });
        return headers["x-check"] === "yes";
      },
    });
    const check = (how: string) => upgradeStatus(web.server.port, upgradeHead([`x-check: ${how}`]));
    expect(await check("yes")).toBe(101);
    expect(await check("no")).toBe(403);
    expect(await check("throw")).toBe(500);
    expect(await check("reject")).toBe(500);
    const allowed = check("late");
    await until("the check", () => web.clock.pendingTimers === 1);
    answer(true);
    expect(await allowed).toBe(101);
    const late = check("late");
    await until("the check", () => web.clock.pendingTimers === 1);
    await web.clock.advance(400);
    expect(await late).toBe(503);
    answer(true);
    await until("the WebSockets to be gone", () => web.kernel.metas().length === 2);
    expect(web.clock.pendingTimers).toBe(0);
  });

  test("answers 400 for an upgrade that is none and tells of it, and 426 for an ordinary request", async () => {
    await using web = await sockets();
    const noKey = "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n";
    expect(await upgradeStatus(web.server.port, noKey)).toBe(400);
    expect(web.reports.map(({ text }) => text)).toEqual([expect.stringContaining("an upgrade of / is none")]);
    const plain = await fetch(web.url);
    expect([plain.status, plain.headers.get("upgrade")]).toEqual([426, "websocket"]);
  });

  test("loses nothing that comes in one packet with the upgrade", async () => {
    await using web = await sockets();
    const client = await raw(web.server.port);
    client.socket.write(Buffer.concat([Buffer.from(upgradeHead()), Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])]));
    await until("the message", () => story(web.parent).length === 2);
    expect(story(web.parent)).toEqual(["MessageWebSocketConnect", "hi"]);
    client.socket.destroy();
  });

  test("agrees on compression only where both sides want it", async () => {
    for (const compression of [true, false]) {
      await using web = await sockets({ compression });
      const client = await dial(web.ws, { perMessageDeflate: true });
      expect(client.socket.extensions).toBe(compression ? "permessage-deflate" : "");
      client.socket.send("x".repeat(5_000));
      await until("the message", () => story(web.parent).at(-1) === "x".repeat(5_000));
    }
  });

  test("tells the path and headers of the upgrade, and both ends", async () => {
    await using web = await sockets();
    await dial(`${web.ws}/room/7?a=b`, { headers: { cookie: "who=me" } });
    await connected(web.parent);
    const { request, remote, local } = web.parent.got[0] as MessageWebSocketConnect;
    expect([request?.url, request?.headers.cookie]).toEqual(["/room/7?a=b", "who=me"]);
    expect([remote.host, local]).toEqual(["127.0.0.1", { host: "127.0.0.1", port: web.server.port }]);
  });

  test("leaves nothing behind of many WebSockets that are opened and dropped, some in the middle of the handshake", async () => {
    await using web = await sockets();
    const before = web.kernel.info();
    for (let round = 1; round <= 4; round++) {
      const half = await Promise.all(Array.from({ length: 50 }, () => raw(web.server.port, upgradeHead().slice(0, 60))));
      const clients = await Promise.all(Array.from({ length: 100 }, () => dial(web.ws)));
      await until("a hundred Connects", () => web.parent.got.length >= 200 * (round - 1) + 100);
      for (const [n, { socket }] of clients.entries()) n % 2 === 0 ? socket.close() : socket.terminate();
      for (const { socket } of half) socket.destroy();
      await until("a hundred Disconnects", () => web.parent.got.length === 200 * round);
    }
    await until("no connection left", async () => (await web.kernel.inspect(web.alias)).connections === "0");
    expect(web.kernel.metas()).toHaveLength(2);
    await web.clock.advance(10_000); // the inspections had deadlines
    expect(web.clock.pendingTimers).toBe(0);
    expect(web.kernel.info()).toEqual({ ...before, uptimeMs: 10_000 });
  });

  test.each([
    { maxPayloadBytes: 0 },
    { handshakeTimeoutMs: 0 },
    { closeTimeoutMs: -1 },
    { mailboxLimit: -1 },
    { processPool: "h1" },
    { maxPayload: 5 },
  ])("is not made with %o", (options) => {
    expect(() => createWebSocketHandler(options as never)).toThrow(expect.objectContaining({ code: "actor.incorrect" }));
  });
});
