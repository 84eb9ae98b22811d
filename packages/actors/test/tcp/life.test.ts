import { describe, expect, test } from "vitest";
import { MessageTcp } from "../../src/tcp/index.ts";
import { echo, handler, openSockets, Peer, serve, tcpStage, until } from "./stage.ts";

const MANY = 10_000;
const BATCH = 250;

describe("what a TCP connection does by the clock", () => {
  test("is to write the keep-alive at once, and again when nothing was written for a period", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent, { keepAlive: { bytes: Buffer.from("."), periodMs: 100 } });
    const peer = await Peer.connect(address);
    const id = await parent.tcp.first();
    await until("the first", () => peer.text === ".");
    await stage.clock.advance(60);
    parent.probe.send(id, new MessageTcp(id, Buffer.from("data")));
    await until("the data", () => peer.text === ".data");
    await stage.clock.advance(99);
    parent.probe.send(id, new MessageTcp(id, Buffer.from("|")));
    await until("nothing between", () => peer.text === ".data|");
    await stage.clock.advance(100);
    await until("the second", () => peer.text === ".data|.");
  });

  test("is to end with actor.timeout when the peer was silent for the idle time, and not before", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent, { idleTimeoutMs: 1_000 });
    const peer = await Peer.connect(address);
    await parent.tcp.first();
    await stage.clock.advance(900);
    await peer.write("a");
    await until("the data", () => parent.tcp.text === "a");
    await stage.clock.advance(999);
    expect(parent.tcp.disconnects).toEqual([]);
    await stage.clock.advance(1);
    await until("the end", () => parent.tcp.disconnects.length === 1);
    expect(stage.reports.map(({ error }) => (error as { code: string }).code)).toEqual(["actor.timeout"]);
  });

  test("is not to take its own pause for silence of the peer", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const worker = handler(stage, { name: "worker", mailboxLimit: 1 });
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    worker.probe.react = () => gate;
    const { address } = await serve(parent, {
      processPool: ["worker"],
      pauseWhenFull: true,
      idleTimeoutMs: 100,
      chunk: { fixedLength: 1 },
    });
    const peer = await Peer.connect(address);
    await peer.write("abcdef");
    await until("room for no more", () => stage.kernel.processInfo(worker.pid).mailbox.main >= 2);
    await stage.clock.advance(1_000);
    open();
    await until("all", () => worker.tcp.text === "abcdef");
    await stage.clock.advance(99);
    expect(worker.tcp.disconnects).toEqual([]);
    await stage.clock.advance(1);
    await until("the end", () => worker.tcp.disconnects.length === 1);
  });

  test("is nothing where nothing was asked for: a silent peer may stay for days", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    echo(parent);
    const { address } = await serve(parent);
    const peer = await Peer.connect(address);
    await parent.tcp.first();
    expect(stage.clock.pendingTimers).toBe(0);
    await stage.clock.advance(10 * 86_400_000);
    await peer.write("still here");
    await until("the echo", () => peer.text === "still here");
  });
});

describe("ten thousand connections, opened and dropped in every way", () => {
  test("leave no socket, timer, process, relation or meta-process behind", { timeout: 120_000 }, async () => {
    await until("no socket of an earlier test", () => openSockets() === 0);
    const stage = tcpStage();
    const parent = handler(stage);
    let connects = 0;
    let disconnects = 0;
    parent.probe.react = (message) => {
      const { got } = parent.probe;
      connects += parent.tcp.connects.length;
      disconnects += parent.tcp.disconnects.length;
      got.length = 0;
      if (message instanceof MessageTcp) parent.probe.send(message.id, message);
    };
    const { address, alias } = await serve(parent, {
      idleTimeoutMs: 60_000,
      keepAlive: { bytes: Buffer.from("."), periodMs: 60_000 },
    });
    const drops: ((peer: Peer) => void)[] = [
      ({ socket }) => void socket.destroy(),
      ({ socket }) => void socket.end("last words"),
      ({ socket }) => void socket.resetAndDestroy(),
      ({ socket }) => {
        socket.write("more to come");
        socket.destroy();
      },
      ({ socket }) => {
        socket.write("more to come");
        socket.resetAndDestroy();
      },
    ];
    for (let opened = 0; opened < MANY; opened += BATCH) {
      const peers = await Promise.all(Array.from({ length: BATCH }, () => Peer.connect(address)));
      for (const [index, peer] of peers.entries()) drops[index % drops.length]?.(peer);
      await until("a batch is through", () => disconnects === opened + BATCH);
      for (const { socket } of peers) socket.destroy();
    }
    expect([connects, disconnects]).toEqual([MANY, MANY]);
    await until("the meta-processes are gone", () => stage.kernel.metas().length === 1);
    expect(stage.clock.pendingTimers).toBe(0);
    expect(stage.kernel.info()).toMatchObject({ processes: 1, aliases: 1 });
    expect(stage.kernel.processInfo(parent.pid)).toMatchObject({ metas: [String(alias)], links: [], monitors: [] });
    // A write into a reset connection is the one end that is told: all others are normal.
    expect(stage.reports.every(({ error }) => (error as { code: string }).code === "actor.io_failed")).toBe(true);
    await until("only the listener is open", () => openSockets() === 1);
    parent.probe.sendExitMeta(alias, "normal");
    await until("nothing is open", () => openSockets() === 0);
  });
});
