import { describe, expect, test } from "vitest";
import { MessageTcp, type TcpAlias } from "../../src/tcp/index.ts";
import { settle } from "../probe.ts";
import { echo, handler, openSockets, Peer, serve, tcpStage, until } from "./stage.ts";

const MIB = 1_048_576;
/** What sockets of the system and of Node may hold together on one machine, and more than one turn reads. */
const HELD_BYTES = 16 * MIB;

/** Bytes whose place in the stream can be told. */
function stream(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32BE(at / 4, at);
  return bytes;
}

/** Resolves when `value` has not changed for a while of looking. */
async function still(what: string, value: () => number): Promise<number> {
  let last = value();
  let looks = 0;
  await until(`${what} stands still`, () => {
    looks = value() === last ? looks + 1 : 0;
    last = value();
    return looks > 40;
  });
  return last;
}

/** A handler that handles nothing until `open`. */
function shut(probe: { react: (message: unknown) => unknown }): () => void {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  probe.react = () => gate;
  return open;
}

describe("a full mailbox of a handler", () => {
  test("closes the connection, which ends with actor.mailbox_full", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const worker = handler(stage, { name: "worker", mailboxLimit: 2 });
    const open = shut(worker.probe);
    const { address } = await serve(parent, { processPool: ["worker"], chunk: { fixedLength: 1 } });
    const peer = await Peer.connect(address);
    await peer.write("abcdef");
    await until("the end", () => stage.kernel.metas().length === 1);
    await until("the peer hears of it", () => peer.socket.readableEnded || peer.socket.destroyed);
    expect(stage.reports.map(({ error }) => (error as { code: string }).code)).toEqual(["actor.mailbox_full"]);
    open();
    await until("the rest is read", () => worker.tcp.pieces.length === 2);
  });

  test("pauses reading with pauseWhenFull, and everything arrives in order once there is room", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const worker = handler(stage, { name: "worker", mailboxLimit: 3 });
    const open = shut(worker.probe);
    const { address } = await serve(parent, { processPool: ["worker"], pauseWhenFull: true });
    const peer = await Peer.connect(address);
    const bytes = stream(24 * MIB);
    const written = peer.write(bytes);
    const id = await worker.tcp.first();
    const bytesIn = async () => Number((await parent.probe.inspect(id))["bytes in"]);
    await until("something came", async () => (await bytesIn()) > 0);
    let seen = 0;
    let looks = 0;
    await until("reading stands still", async () => {
      const now = await bytesIn();
      looks = now === seen ? looks + 1 : 0;
      seen = now;
      return looks > 40;
    });
    expect(seen).toBeLessThan(4 * MIB);
    expect(stage.kernel.processInfo(worker.pid).mailbox.main).toBeLessThanOrEqual(4);
    worker.probe.react = () => undefined;
    open();
    await written;
    peer.socket.end();
    await until("the last message", () => worker.tcp.disconnects.length === 1);
    expect(Buffer.concat(worker.tcp.pieces).equals(bytes)).toBe(true);
    expect(worker.tcp.kinds.at(-1)).toBe("Disconnect");
    expect(stage.reports).toEqual([]);
  });

  test("loses nothing of many connections with pauseWhenFull that share it", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const worker = handler(stage, { name: "worker", mailboxLimit: 1 });
    worker.probe.react = () => new Promise((resolve) => setImmediate(resolve));
    const { address } = await serve(parent, { processPool: ["worker"], pauseWhenFull: true, chunk: { fixedLength: 2 } });
    const peers = await Promise.all(Array.from({ length: 20 }, () => Peer.connect(address)));
    for (const [index, { socket }] of peers.entries()) {
      socket.end(Buffer.from(Array.from({ length: 100 }, (_, at) => [index, at]).flat()));
    }
    await until("all ends", () => worker.tcp.disconnects.length === peers.length);
    const byConnection = new Map<number, number[]>();
    for (const [index = -1, at = -1] of worker.tcp.pieces) byConnection.set(index, [...(byConnection.get(index) ?? []), at]);
    expect(byConnection.size).toBe(20);
    const whole = Array.from({ length: 100 }, (_, at) => at);
    for (const got of byConnection.values()) expect(got).toEqual(whole);
    expect(stage.reports).toEqual([]);
  });

  test("keeps no socket with pauseWhenFull open after an exit: what is held is dropped, and Disconnect waits for room", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const worker = handler(stage, { name: "worker", mailboxLimit: 1 });
    const open = shut(worker.probe);
    const { address } = await serve(parent, { processPool: ["worker"], pauseWhenFull: true, chunk: { fixedLength: 1 } });
    const peer = await Peer.connect(address);
    await peer.write("abcdef");
    await until("room for no more", () => stage.kernel.processInfo(worker.pid).mailbox.main >= 2);
    const [, id] = stage.kernel.metas();
    parent.probe.sendExitMeta(id as TcpAlias, "shutdown");
    await until("the peer hears of it", () => peer.socket.readableEnded || peer.socket.destroyed);
    expect(worker.tcp.kinds).toEqual(["Connect"]);
    open();
    await until("the last message", () => worker.tcp.disconnects.length === 1);
    expect(worker.tcp.kinds).toEqual(["Connect", "Data", "Disconnect"]);
    await until("no more of it", () => stage.kernel.metas().length === 1);
  });

  test.each([
    ["is delivered with pauseWhenFull when the peer has reset the connection meanwhile", false, ["Data", "Data", "Data"]],
    ["is dropped by an exit also then, and Disconnect still comes last", true, ["Data"]],
  ])("%s", async (_what, exits, data) => {
    const stage = tcpStage();
    const parent = handler(stage);
    const worker = handler(stage, { name: "worker", mailboxLimit: 1 });
    const open = shut(worker.probe);
    const { address } = await serve(parent, { processPool: ["worker"], pauseWhenFull: true, chunk: { fixedLength: 1 } });
    const peer = await Peer.connect(address);
    await peer.write("abc");
    await until("room for no more", () => stage.kernel.processInfo(worker.pid).mailbox.main >= 2);
    const [, id] = stage.kernel.metas();
    peer.socket.resetAndDestroy();
    await until("no connection is open", () => openSockets() === 1);
    if (exits) parent.probe.sendExitMeta(id as TcpAlias, "shutdown");
    await settle();
    open();
    await until("no more of it", () => stage.kernel.metas().length === 1);
    await until("all", () => worker.tcp.disconnects.length === 1);
    expect(worker.tcp.kinds).toEqual(["Connect", ...data, "Disconnect"]);
  });

  test("with pauseWhenFull ends the connection with actor.process_unknown once the handler has ended", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const worker = handler(stage, { name: "worker", mailboxLimit: 1 });
    const open = shut(worker.probe);
    const { address } = await serve(parent, { processPool: ["worker"], pauseWhenFull: true, chunk: { fixedLength: 1 } });
    const peer = await Peer.connect(address);
    await peer.write("abcdef");
    await until("room for no more", () => stage.kernel.processInfo(worker.pid).mailbox.main >= 1);
    stage.kernel.kill(worker.pid);
    open();
    await until("the end", () => stage.kernel.metas().length === 1);
    expect(stage.reports.map(({ error }) => (error as { code?: string }).code ?? error)).toEqual([
      "kill",
      "actor.process_unknown",
    ]);
  });
});

describe("a peer that does not read", () => {
  test("holds up what is written to it and nothing else: reading, inspection and an exit go on", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent);
    const peer = await Peer.connect(address, { reads: false });
    const id = await parent.tcp.first();
    const large = Buffer.alloc(MIB);
    for (let i = 0; i < 64; i++) parent.probe.send(id, new MessageTcp(id, large));
    const waiting = await still("its mail", () => stage.kernel.metaInfo(id).mailbox.main);
    expect(waiting).toBeGreaterThan(64 - HELD_BYTES / MIB);
    await peer.write("reading goes on");
    await until("the data", () => parent.tcp.text === "reading goes on");
    const before = Number((await parent.probe.inspect(id))["bytes out"]);
    expect(before).toBeLessThan(HELD_BYTES);
    parent.probe.sendExitMeta(id, new Error("enough of it"));
    await until("the last message", () => parent.tcp.disconnects.length === 1);
    expect(stage.reports.map(({ text }) => text)).toEqual([expect.stringContaining("enough of it")]);
  });

  test("is given closeTimeoutMs to take what was written before when its connection shuts down", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent, { closeTimeoutMs: 700 });
    await Peer.connect(address, { reads: false });
    const id = await parent.tcp.first();
    const large = Buffer.alloc(MIB);
    for (let i = 0; i < 64; i++) parent.probe.send(id, new MessageTcp(id, large));
    await still("its mail", () => stage.kernel.metaInfo(id).mailbox.main);
    parent.probe.sendExitMeta(id, "shutdown");
    await stage.clock.advance(699);
    expect(parent.tcp.disconnects).toEqual([]);
    await stage.clock.advance(1);
    await until("the last message", () => parent.tcp.disconnects.length === 1);
    await until("no timer", () => stage.clock.pendingTimers === 0);
    expect(stage.reports).toEqual([]);
  });

  test("gets every answer in the end, also when it ended its own side long before it reads", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const answer = Buffer.alloc(MIB, "x");
    parent.probe.react = (message) => {
      if (!(message instanceof MessageTcp)) return;
      for (let i = 0; i < 32; i++) parent.probe.send(message.id, new MessageTcp(message.id, answer));
    };
    const { address } = await serve(parent);
    const peer = await Peer.connect(address, { reads: false });
    const id = await parent.tcp.first();
    await peer.write("everything, please");
    peer.socket.end();
    await until("answers", () => stage.kernel.metaInfo(id).mailbox.main > 0);
    await still("its mail", () => stage.kernel.metaInfo(id).mailbox.main);
    peer.read();
    await until("the end", () => peer.socket.readableEnded);
    expect(peer.bytes).toBe(32 * MIB);
  });

  test("gets everything in the end, with pauseWhenBlocked from an echo that holds no more than a little of it", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    echo(parent);
    const { address } = await serve(parent, { pauseWhenBlocked: true });
    const peer = await Peer.connect(address, { reads: false });
    const id = await parent.tcp.first();
    const bytes = stream(64 * MIB);
    const written = peer.write(bytes);
    await until("something came", () => parent.tcp.pieces.length > 0);
    await still("its data", () => parent.tcp.pieces.length);
    const inspected = await parent.probe.inspect(id);
    expect(Number(inspected["bytes in"])).toBeLessThan(HELD_BYTES);
    expect(Number(inspected["bytes in"]) - Number(inspected["bytes out"])).toBeLessThan(MIB);
    parent.probe.got.length = 0;
    peer.read();
    await written;
    peer.socket.end();
    await until("the end", () => peer.socket.readableEnded);
    expect(peer.bytes).toBe(bytes.length);
    expect(Buffer.concat(peer.got).equals(bytes)).toBe(true);
  });
});
