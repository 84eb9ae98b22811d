import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { functionAction, type GraphNode } from "../../src/index.ts";
import { range } from "../run/counting.ts";
import { Keeper, Lines, runInARow, turns } from "./graphs.ts";

const text = (numbers: readonly number[]): string => numbers.map((number) => `${number}\n`).join("");
const stuck = { does: functionAction(() => new Promise<void>(() => undefined)) };

async function opened(
  action: string,
  settings: GraphNode["with"] & {},
  sink: Parameters<typeof runInARow>[0],
  more: object = {},
) {
  const lines = new Lines();
  const run = await runInARow({ in: { action, with: settings }, ...sink }, { ...more, onLog: lines.onLog });
  const [, url = ""] = await lines.says(/takes records at (\S+)/);
  return { run, lines, url, port: Number(new URL(url).port) };
}

describe("records from TCP connections", () => {
  test("come in order within a connection, the last one also without its end", async () => {
    const kept = new Keeper();
    const { run, port } = await opened("tcp.in", {}, { keep: kept.node });
    connect(port, "127.0.0.1").end(`${text(range(10_000))}last`);
    await kept.has(10_001);
    expect(kept.records).toEqual([...range(10_000).map(String), "last"]);
    await run.drain();
  });

  test("slow their senders when the graph does not keep up", async () => {
    const { run, port } = await opened("tcp.in", { maxWaiting: 1 }, { stuck }, { credit: { maxRecords: 1 } });
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    const chunk = Buffer.from(text(range(10_000)));
    let isFull = false;
    for (let sent = 0; sent < 2_000 && !isFull; sent++) {
      isFull = !socket.write(chunk);
      if (isFull) {
        isFull = await Promise.race([
          new Promise<boolean>((resolve) => socket.once("drain", () => resolve(false))),
          turns(2_000).then(() => true),
        ]);
      }
    }
    expect(isFull).toBe(true);
    await run.close();
  });

  test("that are none end their connection, and no other", async () => {
    const kept = new Keeper();
    const { run, port, lines } = await opened("tcp.in", { codec: "frames" }, { keep: kept.node });
    const bad = connect(port, "127.0.0.1");
    const isEnded = new Promise((resolve) => bad.once("close", resolve));
    bad.on("error", () => undefined);
    bad.write(Buffer.from("ffffffff", "hex"));
    await isEnded;
    await lines.says(/a connection has ended/);
    connect(port, "127.0.0.1").end(Buffer.from("0000000161", "hex"));
    await kept.has(1);
    expect(kept.records).toEqual([Buffer.from("a")]);
    await run.drain();
  });
});

/** A server that keeps what it reads. */
async function tcpServer(port = 0) {
  let received = "";
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      received += chunk.toString();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: (server.address() as AddressInfo).port, received: () => received, [Symbol.asyncDispose]: close };
}

describe("records to a TCP server", () => {
  test("all arrive before the graph completes its connection", async () => {
    await using server = await tcpServer();
    const numbers = { action: "generate", with: { count: 20_000 } };
    const run = await runInARow({ numbers, send: { action: "tcp.out", with: { port: server.port } } });
    expect((await run.ended).outcome).toBe("completed");
    while (server.received().length < text(range(20_000)).length) await turns(1);
    expect(server.received()).toBe(text(range(20_000)));
  });

  test("wait for a server that is not there yet", async () => {
    const first = await tcpServer();
    await first[Symbol.asyncDispose]();
    const run = await runInARow({
      numbers: { action: "generate", with: { count: 3 } },
      send: { action: "tcp.out", with: { port: first.port }, attempts: 1_000, backoffMs: [5] },
    });
    while (run.status().nodes.find(({ name }) => name === "send")?.counts.retries === undefined) await turns(1);
    await using second = await tcpServer(first.port);
    expect((await run.ended).outcome).toBe("completed");
    while (second.received().length < 6) await turns(1);
    expect(second.received()).toBe("0\n1\n2\n");
  });
});

describe("records from WebSocket connections", () => {
  test("are their messages: text as text, bytes as bytes", async () => {
    const kept = new Keeper();
    const { run, url } = await opened("websocket.in", { path: "/feed" }, { keep: kept.node });
    const socket = new WebSocket(url);
    await new Promise((resolve) => socket.once("open", resolve));
    socket.send("text");
    socket.send(Buffer.from("bytes"));
    await kept.has(2);
    expect(kept.records).toEqual(["text", Buffer.from("bytes")]);
    const isClosed = new Promise((resolve) => socket.once("close", resolve));
    await run.drain();
    await isClosed;
  });

  test("are not read beyond what may wait, and are all read in the end", async () => {
    const kept = new Keeper();
    const gate = Promise.withResolvers<void>();
    const slow = functionAction(async (record: unknown) => {
      await gate.promise;
      return record;
    });
    const { run, url } = await opened(
      "websocket.in",
      { maxWaiting: 10 },
      { slow: { does: slow }, keep: kept.node },
      { credit: { maxRecords: 5 } },
    );
    const socket = new WebSocket(url);
    await new Promise((resolve) => socket.once("open", resolve));
    for (const number of range(2_000)) socket.send(`${number} ${"x".repeat(1_000)}`);
    while (run.status().nodes.find(({ name }) => name === "in")?.out === 0) await turns(1);
    gate.resolve();
    await kept.has(2_000);
    expect(kept.records.map((record) => Number.parseInt(String(record), 10))).toEqual(range(2_000));
    await run.drain();
  });
});

describe("records to a WebSocket server", () => {
  test("arrive as messages in order, and again over a new connection after the first one broke", async () => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await new Promise((resolve) => server.once("listening", resolve));
    const received: string[] = [];
    let isFirst = true;
    server.on("connection", (socket) => {
      socket.on("message", (data) => {
        received.push(String(data));
        if (!isFirst) return;
        isFirst = false;
        socket.terminate();
      });
    });
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const kept = new Keeper();
    const slowly = functionAction(async (number: number) => {
      await turns(20);
      return number;
    });
    const run = await runInARow({
      numbers: { action: "generate", with: { count: 20 } },
      slowly: { does: slowly },
      send: { action: "websocket.out", with: { url }, backoffMs: [5] },
      keep: kept.node,
    });
    expect((await run.ended).outcome).toBe("completed");
    expect(kept.records).toEqual(range(20));
    expect(received.at(-1)).toBe("19");
    expect(server.clients.size).toBe(0);
    server.close();
  });
});
