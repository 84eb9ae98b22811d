import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { describe, expect, test } from "vitest";
import { createCertificates, MessageTcp, openTcpConnection } from "../../src/tcp/index.ts";
import { dial, echo, handler, openSockets, Peer, serve, tcpStage, until } from "./stage.ts";

/** Made by fixtures/make-test-certificates.sh; the keys are public and good for nothing but these tests. */
const pem = (name: string): Buffer => readFileSync(new URL(`./fixtures/test-only-${name}.pem`, import.meta.url));
const authority = pem("authority");
const first = { cert: pem("first"), key: pem("first-key") };
const second = { cert: pem("second"), key: pem("second-key") };

/** The name in the certificate that a server shows at the moment. */
async function shownBy(port: number): Promise<string> {
  const socket: TLSSocket = connectTls({ host: "127.0.0.1", port, ca: [authority] });
  await once(socket, "secureConnect");
  const name = String(socket.getPeerCertificate().subject.CN);
  socket.destroy();
  return name;
}

describe("TLS", () => {
  test("carries data both ways between a server and a client of ours", async () => {
    const stage = tcpStage();
    const server = handler(stage);
    const client = handler(stage);
    echo(server);
    const { address } = await serve(server, { tls: { certificates: first } });
    const tls = { certificates: { ca: authority } };
    const { alias } = await dial(client, address, { tls });
    const bytes = Buffer.alloc(3_000_000, "0123456789");
    client.probe.send(alias, new MessageTcp(alias, bytes));
    await until("the echo", () => Buffer.concat(client.tcp.pieces).length === bytes.length);
    expect(Buffer.concat(client.tcp.pieces).equals(bytes)).toBe(true);
    client.probe.sendExitMeta(alias, "normal");
    await until("both ends", () => server.tcp.disconnects.length + client.tcp.disconnects.length === 2);
    expect(stage.reports).toEqual([]);
  });

  test("cuts chunks and pauses for a full mailbox as without it", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const worker = handler(stage, { name: "worker", mailboxLimit: 2 });
    worker.probe.react = () => new Promise((resolve) => setImmediate(resolve));
    const client = handler(stage);
    const { address } = await serve(parent, {
      tls: { certificates: first },
      chunk: { fixedLength: 4 },
      processPool: ["worker"],
      pauseWhenFull: true,
    });
    const { alias } = await dial(client, address, { tls: { certificates: { ca: authority } } });
    const bytes = Buffer.from(Array.from({ length: 2_000 }, (_, index) => index % 256));
    for (let at = 0; at < bytes.length; at += 33) client.probe.send(alias, new MessageTcp(alias, bytes.subarray(at, at + 33)));
    await until("all", () => worker.tcp.pieces.length === 500);
    expect(Buffer.concat(worker.tcp.pieces).equals(bytes)).toBe(true);
  });

  test("shows new certificates to whoever connects after they were replaced, and leaves connections that stand", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    echo(parent);
    const certificates = createCertificates(first);
    const { address } = await serve(parent, { tls: { certificates } });
    const client = handler(stage);
    const { alias } = await dial(client, address, { tls: { certificates: { ca: authority } } });
    expect(await shownBy(address.port)).toBe("first");
    certificates.replace(second);
    expect(await shownBy(address.port)).toBe("second");
    expect(() => certificates.replace({ cert: first.cert, key: second.key })).toThrow(
      expect.objectContaining({ code: "actor.incorrect" }),
    );
    expect(await shownBy(address.port)).toBe("second");
    client.probe.send(alias, new MessageTcp(alias, Buffer.from("still")));
    await until("the echo", () => client.tcp.text === "still");
  });

  test("is refused by a client that does not trust the server, unless it is told not to look", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent, { tls: { certificates: first } });
    await expect(openTcpConnection({ ...address, tls: true })).rejects.toMatchObject({ code: "actor.connect_failed" });
    const wrongName = { certificates: { ca: authority }, serverName: "elsewhere.example" };
    await expect(openTcpConnection({ ...address, tls: wrongName })).rejects.toMatchObject({
      code: "actor.connect_failed",
      cause: { code: "ERR_TLS_CERT_ALTNAME_INVALID" },
    });
    const { alias } = await dial(parent, address, { tls: { insecureSkipVerify: true } });
    await until("both ends", () => parent.tcp.connects.some(({ id }) => id === alias) && parent.tcp.connects.length === 2);
  });

  test("lets only those in who show a certificate where that is asked for", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    echo(parent);
    const { address } = await serve(parent, {
      tls: { certificates: { ...first, ca: authority }, requireClientCertificate: true },
    });
    const known = handler(stage);
    const { alias } = await dial(known, address, { tls: { certificates: { ...second, ca: authority } } });
    known.probe.send(alias, new MessageTcp(alias, Buffer.from("it is me")));
    await until("the echo", () => known.tcp.text === "it is me");
    const unknown = handler(stage);
    await dial(unknown, address, { tls: { certificates: { ca: authority } } });
    await until("it is turned away", () => unknown.tcp.disconnects.length === 1);
    expect(parent.tcp.connects.length).toBe(1);
  });

  test("survives peers that send garbage or say nothing, and closes those with the listener", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    await until("no socket of an earlier test", () => openSockets() === 0);
    const { address, alias } = await serve(parent, { tls: { certificates: first } });
    const garbage = await Peer.connect(address);
    await garbage.write("GET / HTTP/1.1\r\n\r\n");
    await until("it is turned away", () => garbage.socket.readableEnded || garbage.socket.destroyed);
    garbage.socket.destroy();
    const silent = await Peer.connect(address);
    expect(await shownBy(address.port)).toBe("first");
    expect(stage.reports.map(({ kind }) => kind)).toEqual(["meta"]);
    parent.probe.sendExitMeta(alias, "normal");
    await until("the silent one is closed", () => silent.socket.readableEnded || silent.socket.destroyed);
    silent.socket.destroy();
    await until("no socket is left", () => openSockets() === 0);
  });

  test("turns those away who do not agree on keys in time", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent, { tls: { certificates: first, handshakeTimeoutMs: 20 } });
    const silent = await Peer.connect(address);
    await until("it is turned away", () => silent.socket.readableEnded || silent.socket.destroyed);
    expect(parent.probe.got).toEqual([]);
  });
});
