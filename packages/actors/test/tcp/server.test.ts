import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { Actor, createKernel } from "../../src/index.ts";
import {
  MessageTcp,
  MessageTcpDisconnect,
  openTcpConnection,
  openTcpServer,
  type TcpEvent,
  type TcpServerOptions,
} from "../../src/tcp/index.ts";
import { settle } from "../probe.ts";
import { dial, echo, handler, Peer, serve, tcpStage, until } from "./stage.ts";

describe("a TCP server", () => {
  test("gives its connections to the handlers of its pool in turn, and each all messages of those that are his (77)", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const first = handler(stage, { name: "h1" });
    const second = handler(stage, { name: "h2" });
    const { server } = await serve(parent, { processPool: ["h1", "h2"] });
    for (const text of ["one", "two", "three"]) {
      const peer = await Peer.connect(server);
      await peer.write(text);
      await until("the text", () => (first.tcp.text + second.tcp.text).includes(text));
    }
    expect([first.tcp.text, second.tcp.text]).toEqual(["onethree", "two"]);
    expect([first.tcp.connects.length, second.tcp.connects.length]).toEqual([2, 1]);
    expect(parent.probe.got).toEqual([]);
  });

  test("gives its connections to the process that spawned it where it has no pool (78)", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { server } = await serve(parent);
    const peer = await Peer.connect(server);
    await peer.write("hello");
    await until("the data", () => parent.tcp.text === "hello");
    const [connect] = parent.tcp.connects;
    expect(connect?.remote).toEqual({ host: "127.0.0.1", port: peer.socket.localPort });
    expect(connect?.local).toEqual(server.address);
  });

  test("sends a handler that is named to whoever bears the name at the moment", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const before = handler(stage, { name: "worker" });
    const { server } = await serve(parent, { processPool: ["worker"] });
    const peer = await Peer.connect(server);
    await peer.write("a");
    await until("the first letter", () => before.tcp.text === "a");
    stage.kernel.kill(before.pid);
    const after = handler(stage, { name: "worker" });
    await peer.write("b");
    await until("the second letter", () => after.tcp.text === "b");
  });

  test("leaves accepted connections alive when it ends, and accepts no more (82)", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    echo(parent);
    const { alias, address } = await serve(parent);
    const peer = await Peer.connect(address);
    const id = await parent.tcp.first();
    parent.probe.sendExitMeta(alias, "normal");
    await until("one meta-process", () => stage.kernel.metas().length === 1);
    await peer.write("still here");
    await until("the echo", () => peer.text === "still here");
    expect(stage.kernel.metas()).toEqual([id]);
    await expect(openTcpConnection(address)).rejects.toMatchObject({ code: "actor.connect_failed", retryable: true });
    expect(stage.reports).toEqual([]);
  });

  test("keeps connections that come before it is spawned, with their order and their data", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const server = await openTcpServer({ port: 0, processPool: ["a", "b"] });
    const [a, b] = [handler(stage, { name: "a" }), handler(stage, { name: "b" })];
    const peers = [await Peer.connect(server), await Peer.connect(server)];
    await peers[0]?.write("early");
    peers[0]?.socket.end();
    parent.probe.spawnMeta(server);
    await until("both", () => a.tcp.disconnects.length === 1 && b.tcp.connects.length === 1);
    expect(a.tcp.kinds).toEqual(["Connect", "Data", "Disconnect"]);
    expect(a.tcp.text).toBe("early");
  });

  test("is refused on a port in use before anything is spawned (87)", async () => {
    const taken = await openTcpServer({ port: 0 });
    await expect(openTcpServer({ port: taken.address.port })).rejects.toMatchObject({
      code: "actor.port_in_use",
      cause: { code: "EADDRINUSE" },
    });
    taken.terminate();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    await expect(openTcpServer({ port })).rejects.toMatchObject({ code: "actor.port_in_use" });
    other.close();
    await expect(openTcpServer({ port: 0, host: "192.0.2.1" })).rejects.toMatchObject({ code: "actor.listen_failed" });
  });

  test("that is not spawned is released by terminate, with who connected meanwhile", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const server = await openTcpServer({ port: 0 });
    const peer = await Peer.connect(server);
    server.terminate();
    server.terminate();
    await until("the peer hears of it", () => peer.socket.readableEnded || peer.socket.destroyed);
    expect(() => parent.probe.spawnMeta(server)).toThrow(expect.objectContaining({ code: "actor.not_allowed" }));
    const again = await openTcpServer({ port: server.address.port });
    parent.probe.spawnMeta(again);
    expect(() => parent.probe.spawnMeta(again)).toThrow(expect.objectContaining({ code: "actor.not_allowed" }));
  });

  test("ends with its process, and its connections with it", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const outside = handler(stage, { name: "outside" });
    const { address } = await serve(parent, { processPool: ["outside"] });
    const peer = await Peer.connect(address);
    await outside.tcp.first();
    stage.kernel.kill(parent.pid);
    await until("all gone", () => stage.kernel.metas().length === 0 && outside.tcp.disconnects.length === 1);
    await until("the peer hears of it", () => peer.socket.readableEnded || peer.socket.destroyed);
    await expect(openTcpConnection(address)).rejects.toMatchObject({ code: "actor.connect_failed" });
  });

  test("answers a call with actor.unsupported, tells where it listens, and reports mail", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { alias, address } = await serve(parent);
    expect(await stage.kernel.call(alias as never, "anything" as never)).toMatchObject({ code: "actor.unsupported" });
    expect(await parent.probe.inspect(alias)).toEqual({ listener: `127.0.0.1:${address.port}` });
    parent.probe.send(alias as never, "mail" as never);
    await until("a report", () => stage.reports.length === 1);
    expect(stage.reports[0]).toMatchObject({ kind: "unhandled", error: "mail" });
    expect(stage.kernel.metaInfo(alias).state).toBe("sleep");
  });

  test("closes a connection whose handler is not there, with that reason, and goes on", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent, { processPool: ["nobody", parent.pid] });
    const lost = await Peer.connect(address);
    await until("its end", () => lost.socket.readableEnded || lost.socket.destroyed);
    const found = await Peer.connect(address);
    await found.write("hello");
    await until("the data", () => parent.tcp.text === "hello");
    await until("a report", () => stage.reports.length === 1);
    expect(stage.reports.map(({ kind, error }) => [kind, (error as { code: string }).code])).toEqual([
      ["ended", "actor.process_unknown"],
    ]);
  });

  test("passes the mailbox limit on, so that a handler hears when a peer does not read", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent, { mailboxLimit: 3 });
    await Peer.connect(address);
    const id = await parent.tcp.first();
    expect(stage.kernel.metaInfo(id).mailboxLimit).toBe(3);
    for (let i = 0; i < 3; i++) parent.probe.send(id, new MessageTcp(id, Buffer.from("x")));
    expect(() => parent.probe.send(id, new MessageTcp(id, Buffer.from("x")))).toThrow(
      expect.objectContaining({ code: "actor.meta_mailbox_full" }),
    );
  });
});

describe("a TCP connection", () => {
  test("carries data both ways, and every write in the order of the sends (80)", async () => {
    const stage = tcpStage();
    const server = handler(stage);
    const client = handler(stage);
    echo(server);
    const { address } = await serve(server);
    const { alias, connection } = await dial(client, address);
    let sent = "";
    for (let i = 0; i < 200; i++) {
      sent += `${i};`;
      client.probe.send(alias, new MessageTcp(alias, Buffer.from(`${i};`)));
    }
    await until("the echo", () => client.tcp.text === sent);
    expect([connection.bytesIn, connection.bytesOut]).toEqual([sent.length, sent.length]);
    const [accepted] = server.tcp.connects;
    expect(await client.probe.inspect(alias)).toEqual({
      local: `127.0.0.1:${connection.local.port}`,
      remote: `127.0.0.1:${address.port}`,
      process: String(client.pid),
      "bytes in": String(sent.length),
      "bytes out": String(sent.length),
    });
    expect(accepted?.remote).toEqual(connection.local);
    expect(client.tcp.connects[0]?.remote).toEqual(address);
  });

  test("sends Connect, then data, then one Disconnect (79), which a peer that closes brings about (81)", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent);
    const peer = await Peer.connect(address);
    await peer.write("some ");
    await peer.write("data");
    peer.socket.end();
    await until("the last message", () => parent.tcp.disconnects.length > 0 && stage.kernel.metas().length === 1);
    expect(parent.tcp.text).toBe("some data");
    const kinds = parent.tcp.kinds;
    expect([kinds[0], kinds.at(-1)]).toEqual(["Connect", "Disconnect"]);
    expect(kinds.slice(1, -1).every((kind) => kind === "Data")).toBe(true);
    expect(parent.tcp.disconnects[0]?.id).toBe(parent.tcp.connects[0]?.id);
    expect(stage.reports).toEqual([]);
  });

  test("that gets an exit disconnects on both sides (81)", async () => {
    const stage = tcpStage();
    const server = handler(stage);
    const client = handler(stage);
    const { address } = await serve(server);
    const { alias } = await dial(client, address);
    await server.tcp.first();
    client.probe.sendExitMeta(alias, "shutdown");
    await until("both ends", () => server.tcp.disconnects.length + client.tcp.disconnects.length === 2);
    await until("one meta-process", () => stage.kernel.metas().length === 1);
    expect(server.tcp.kinds).toEqual(["Connect", "Disconnect"]);
    expect(client.tcp.kinds).toEqual(["Connect", "Disconnect"]);
  });

  test("ends as normal when the peer resets it", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent);
    const peer = await Peer.connect(address);
    const id = await parent.tcp.first();
    parent.probe.monitor(id);
    peer.socket.resetAndDestroy();
    await until("both", () => parent.probe.got.length === 3);
    expect(parent.tcp.disconnects.length).toBe(1);
    expect(parent.probe.got).toContainEqual(expect.objectContaining({ kind: "alias", target: id, reason: "normal" }));
  });

  test("writes what its handler answered to the last data of a peer that has ended its side", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    let go = (): void => undefined;
    parent.probe.react = (message) => {
      if (!(message instanceof MessageTcp)) return undefined;
      return new Promise<void>((resolve) => {
        go = () => {
          parent.probe.send(message.id, message);
          resolve();
        };
      });
    };
    const { address } = await serve(parent);
    const peer = await Peer.connect(address);
    await peer.write("question");
    peer.socket.end();
    await until("the question", () => parent.tcp.text === "question" && peer.socket.writableFinished);
    await settle(); // the end of the stream is there as well
    go();
    await until("the end", () => peer.socket.readableEnded);
    expect(peer.text).toBe("question");
    await until("the last message", () => parent.tcp.disconnects.length === 1);
  });

  test("is closed by a MessageTcpDisconnect to it, after all that was sent to it before", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent);
    const peer = await Peer.connect(address);
    const id = await parent.tcp.first();
    const large = Buffer.alloc(2_000_000, "x");
    parent.probe.send(id, new MessageTcp(id, large));
    parent.probe.send(id, new MessageTcp(id, Buffer.from("bye")));
    parent.probe.send(id, new MessageTcpDisconnect(id));
    await until("the end", () => peer.socket.readableEnded);
    expect(peer.bytes).toBe(large.length + 3);
    expect(peer.text.endsWith("bye")).toBe(true);
    await until("the last message", () => parent.tcp.kinds.join() === "Connect,Disconnect");
  });

  test("is refused where nobody listens, and given up when its signal says so", async () => {
    const free = await openTcpServer({ port: 0 });
    free.terminate();
    await expect(openTcpConnection(free.address)).rejects.toMatchObject({
      code: "actor.connect_failed",
      cause: { code: "ECONNREFUSED" },
    });
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(openTcpConnection({ ...free.address, signal })).rejects.toMatchObject({ code: "actor.connect_failed" });
    const late = new AbortController();
    const dialling = openTcpConnection({ host: "192.0.2.1", port: 9, signal: late.signal });
    late.abort(new Error("enough"));
    await expect(dialling).rejects.toMatchObject({ code: "actor.connect_failed" });
  });

  test("that is not spawned is released by terminate", async () => {
    const server = await openTcpServer({ port: 0 });
    const connection = await openTcpConnection(server.address);
    connection.terminate("normal");
    expect(() => handler(tcpStage()).probe.spawnMeta(connection)).toThrow(expect.objectContaining({ code: "actor.not_allowed" }));
    server.terminate();
  });

  test("reports mail that is none, and goes on", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent);
    const peer = await Peer.connect(address);
    const id = await parent.tcp.first();
    parent.probe.send(id as never, "text" as never);
    parent.probe.send(id, new MessageTcp(id, "no bytes" as never));
    parent.probe.send(id, new MessageTcp(id, Buffer.from("bytes")));
    await until("the bytes", () => peer.text === "bytes");
    expect(stage.reports.map(({ kind }) => kind)).toEqual(["unhandled", "unhandled"]);
  });
});

describe("the options of TCP", () => {
  test("take no handler that does not understand what a connection sends, by its type", () => {
    class Deaf extends Actor<number> {}
    const options: TcpServerOptions[] = [];
    const deaf = createKernel().spawn(Deaf);
    // @ts-expect-error: it understands numbers alone
    options.push({ port: 0, processPool: [deaf] });
    class Listening extends Actor<number | TcpEvent> {}
    options.push({ port: 0, processPool: [createKernel().spawn(Listening), "a name"] });
    expect(options.length).toBe(2);
  });

  test.each([
    ["no length of a header", { chunk: { headerSize: 4 } }],
    ["a header that is too short for its length", { chunk: { headerSize: 2, headerLengthSize: 4 as const } }],
    ["no header and no fixed length", { chunk: {} }],
    ["a length of three bytes", { chunk: { headerSize: 4, headerLengthSize: 3 as 2 } }],
  ])("refuse chunks with %s (86)", async (_what, options) => {
    await expect(openTcpServer({ port: 0, ...options })).rejects.toMatchObject({ code: "actor.incorrect" });
    await expect(openTcpConnection({ host: "127.0.0.1", port: 9, ...options })).rejects.toMatchObject({
      code: "actor.incorrect",
    });
  });

  test.each([
    ["a period of 0 between keep-alives", { keepAlive: { bytes: Uint8Array.of(1), periodMs: 0 } }],
    ["a keep-alive of no bytes", { keepAlive: { bytes: new Uint8Array(0), periodMs: 10 } }],
    ["an unknown option", { readBuffer: 1 }],
    ["a read buffer of nothing", { readBufferSize: 0 }],
    ["a negative idle time", { idleTimeoutMs: -1 }],
    ["a port that is none", { port: 70_000 }],
    ["a mailbox limit that is no number", { mailboxLimit: "many" }],
    ["certificates that are none", { tls: { certificates: { cert: "no PEM", key: "no PEM" } } }],
  ])("refuse %s", async (_what, options) => {
    const given = { port: 0, ...options } as Parameters<typeof openTcpServer>[0];
    await expect(openTcpServer(given)).rejects.toMatchObject({ code: "actor.incorrect" });
  });
});
