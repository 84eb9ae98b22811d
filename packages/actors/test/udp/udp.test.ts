import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { MessageUdp, openUdp, type UdpOptions } from "../../src/udp/index.ts";
import { type Handler, handler, tcpStage as newStage, openSockets, until } from "../tcp/stage.ts";

const opened: Socket[] = [];

afterEach(() => {
  for (const socket of opened.splice(0)) socket.close();
});

/** A bare socket that writes down what it gets. */
async function bare(): Promise<{ socket: Socket; port: number; got: string[] }> {
  const socket = createSocket("udp4");
  opened.push(socket);
  const got: string[] = [];
  socket.on("message", (data) => void got.push(data.toString()));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return { socket, port: socket.address().port, got };
}

async function open(owner: Handler, options: Partial<UdpOptions> = {}) {
  const behaviour = await openUdp({ port: 0, ...options });
  const alias = owner.probe.spawnMeta(behaviour);
  return { behaviour, alias, port: behaviour.address.port };
}

const texts = ({ probe }: Handler): string[] => probe.got.map((message) => Buffer.from((message as MessageUdp).data).toString());

describe("a UDP socket", () => {
  test("gives each datagram with its sender to its process, and sends what it is sent (88)", async () => {
    const stage = newStage();
    const parent = handler(stage);
    const { alias, port, behaviour } = await open(parent);
    const peer = await bare();
    peer.socket.send("hello", port, "127.0.0.1");
    const message = (await until("the datagram", () => parent.probe.got[0])) as MessageUdp;
    expect(message).toEqual(new MessageUdp(alias, { host: "127.0.0.1", port: peer.port }, Buffer.from("hello")));
    parent.probe.send(message.id, new MessageUdp(message.id, message.address, Buffer.from("and back")));
    await until("the answer", () => peer.got.length === 1);
    expect(peer.got).toEqual(["and back"]);
    expect(await parent.probe.inspect(alias)).toEqual({
      listener: `127.0.0.1:${port}`,
      process: String(parent.pid),
      "bytes in": "5",
      "bytes out": "8",
    });
    expect([behaviour.bytesIn, behaviour.bytesOut]).toEqual([5, 8]);
  });

  test("goes on when a datagram cannot be delivered, and tells of it", async () => {
    const stage = newStage();
    const parent = handler(stage);
    const { alias, port } = await open(parent, { process: "worker" });
    const peer = await bare();
    peer.socket.send("lost", port, "127.0.0.1");
    await until("a report", () => stage.reports.length === 1);
    expect(stage.reports[0]).toMatchObject({ kind: "meta", error: { code: "actor.process_unknown" } });
    const worker = handler(stage, { name: "worker" });
    peer.socket.send("found", port, "127.0.0.1");
    await until("the datagram", () => texts(worker).includes("found"));
    expect(stage.kernel.metaInfo(alias).state).toBe("sleep");
  });

  test("drops what a full mailbox has no room for", async () => {
    const stage = newStage();
    const parent = handler(stage);
    const worker = handler(stage, { name: "worker", mailboxLimit: 1 });
    let release = (): void => undefined;
    worker.probe.react = () =>
      new Promise<void>((resolve) => {
        release = resolve;
      });
    const { port } = await open(parent, { process: worker.pid });
    const peer = await bare();
    const waiting = (): number => stage.kernel.processInfo(worker.pid).mailbox.main;
    for (let i = 0; i < 5; i++) {
      peer.socket.send(`datagram ${i}`, port, "127.0.0.1");
      await until("its place", () => stage.reports.length + texts(worker).length + waiting() === i + 1);
    }
    expect(stage.reports.map(({ error }) => (error as { code: string }).code)).toEqual(Array(3).fill("actor.mailbox_full"));
    stage.kernel.kill(worker.pid);
    release();
  });

  test("is refused on a port in use before anything is spawned", async () => {
    const taken = await openUdp({ port: 0 });
    await expect(openUdp({ port: taken.address.port })).rejects.toMatchObject({
      code: "actor.port_in_use",
      cause: { code: "EADDRINUSE" },
    });
    taken.terminate();
    await expect(openUdp({ port: 0, host: "192.0.2.1" })).rejects.toMatchObject({ code: "actor.listen_failed" });
    await expect(openUdp({ port: 70_000 })).rejects.toMatchObject({ code: "actor.incorrect" });
    await expect(openUdp({ port: 0, hots: "::1" } as UdpOptions)).rejects.toMatchObject({ code: "actor.incorrect" });
  });

  test("ends with actor.io_failed when a datagram cannot be sent", async () => {
    const stage = newStage();
    const parent = handler(stage);
    const { alias } = await open(parent);
    parent.probe.send(alias, new MessageUdp(alias, { host: "127.0.0.1", port: 9 }, Buffer.alloc(70_000)));
    await until("the end", () => stage.kernel.metas().length === 0);
    expect(stage.reports).toMatchObject([{ kind: "ended", error: { code: "actor.io_failed", cause: { code: "EMSGSIZE" } } }]);
  });

  test("sends a flood in order, and holds its mail while too much waits to leave", async () => {
    const stage = newStage();
    const parent = handler(stage);
    const { alias, behaviour } = await open(parent, { sendBufferSize: 2_000 });
    const peer = await bare();
    for (let i = 0; i < 40; i++) {
      const data = Buffer.alloc(1_000, `${i};`);
      parent.probe.send(alias, new MessageUdp(alias, { host: "127.0.0.1", port: peer.port }, data));
    }
    await Promise.resolve();
    expect(stage.kernel.metaInfo(alias).mailbox.main).toBe(37);
    await until("all were sent", () => behaviour.bytesOut === 40_000);
    await until("all arrived", () => peer.got.length === 40);
    expect(peer.got.map((text) => Number.parseInt(text, 10))).toEqual(Array.from({ length: 40 }, (_, index) => index));
  });

  test("leaves no socket behind, spawned or not, and answers no call", async () => {
    const stage = newStage();
    const parent = handler(stage);
    const released = await openUdp({ port: 0 });
    released.terminate();
    released.terminate();
    expect(() => parent.probe.spawnMeta(released)).toThrow(expect.objectContaining({ code: "actor.not_allowed" }));
    const { alias } = await open(parent);
    const asked = stage.kernel.call(alias as never, "anything" as never, { timeoutMs: 50 });
    const failing = expect(asked).rejects.toMatchObject({ code: "actor.timeout" });
    await stage.clock.advance(100);
    await failing;
    parent.probe.sendExitMeta(alias, "normal");
    await until("it is gone", () => stage.kernel.metas().length === 0 && openSockets() === 0);
  });
});
