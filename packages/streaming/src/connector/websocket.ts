import type { AddressInfo } from "node:net";
import type { RawData, WebSocket, WebSocketServer } from "ws";
import { z } from "zod";
import { bytesOf, textOf } from "../record/value.ts";
import { defineBuiltIn } from "../stage/built-in.ts";
import type { SourceHost } from "../stage/stage.ts";
import type { Writer } from "./batching.ts";
import { unreachable } from "./faults.ts";
import { Inbox } from "./inbox.ts";
import type { Load } from "./load.ts";
import { sinkAction } from "./sink.ts";

const inSettings = z.object({
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe("Port on the loopback; with 0 any free one, which the log of the node names."),
  path: z.string().startsWith("/").default("/"),
  maxRecordBytes: z.int().min(1).default(1_048_576).describe("A connection that sends more at a time is closed."),
  maxWaiting: z.int().min(1).default(10_000).describe("Records that may wait for the graph; then nothing more is read."),
});

const outSettings = z.object({
  url: z.url({ protocol: /^wss?$/ }).describe("Where records go."),
  binary: z.boolean().default(false).describe("Sends bytes, not text."),
});

/**
 * `websocket.in`: the messages that connections to the node's own port bring: text as text, binary ones as bytes, in order within a
 * connection. Position: how many there were. Replays: no; what was in flight at a crash is lost, unless the graph keeps a journal.
 * When the graph does not keep up, nothing more is read, and TCP slows the senders.
 */
export const websocketIn = defineBuiltIn({
  name: "websocket.in",
  summary: "Takes messages from WebSocket connections.",
  settings: inSettings,
  make: (given) => ({ replays: false, source: (host) => openDoor(given, host) }),
});

/**
 * `websocket.out`: each record as a message to a WebSocket server. A record is done once the system has taken its bytes: what the
 * other side had not read when it died is lost. A connection that is gone is made again by the policy of the node.
 */
export const websocketOut = defineBuiltIn({
  name: "websocket.out",
  summary: "Sends records as WebSocket messages.",
  settings: outSettings,
  make: (given) => sinkAction(() => new WebSocketWriter(given), { maxRecords: 256 }),
});

async function openDoor(
  { port, path, maxRecordBytes, maxWaiting }: z.infer<typeof inSettings>,
  host: SourceHost,
): Promise<Inbox> {
  const { WebSocketServer } = await import("ws");
  const server = new WebSocketServer({ port, path, host: "127.0.0.1", maxPayload: maxRecordBytes });
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", (cause) => reject(unreachable(`port ${port} cannot be opened`, cause)));
  });
  const inbox = new Inbox({ host, maxRecords: maxWaiting, onStop: () => closeServer(server) });
  server.on("connection", (socket) => {
    socket.on("error", (error) => host.log("warn", `a connection has ended: ${error.message}`));
    socket.on("message", (data, isBinary) => {
      void inbox.offer({ records: [isBinary ? bytesIn(data) : bytesIn(data).toString("utf8")] }).catch(() => undefined);
      if (inbox.hasRoom() || socket.isPaused) return;
      socket.pause();
      void inbox.whenRoom().then(() => socket.resume());
    });
  });
  host.log("info", `takes records at ws://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
  return inbox;
}

function closeServer(server: WebSocketServer): void {
  server.close();
  for (const socket of server.clients) socket.terminate();
}

function bytesIn(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof Buffer ? data : Buffer.from(data as ArrayBuffer);
}

class WebSocketWriter implements Writer {
  readonly #settings: z.infer<typeof outSettings>;
  #socket: WebSocket | undefined;

  constructor(settings: z.infer<typeof outSettings>) {
    this.#settings = settings;
  }

  async write(load: Load): Promise<void> {
    const { url, binary } = this.#settings;
    const messages = [...load.records()].map(({ record }) => (binary ? bytesOf(record) : textOf(record)));
    const socket = await this.#connected();
    const sent = messages.map(
      (message) =>
        new Promise<void>((resolve, reject) => {
          socket.send(message, (error) => (error ? reject(unreachable(`${url} takes nothing more`, error)) : resolve()));
        }),
    );
    await Promise.all(sent);
  }

  async end(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || socket.readyState !== socket.OPEN) return;
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
      socket.close(1_000); // everything before it has been read when the other side answers
    });
  }

  async close(): Promise<void> {
    this.#socket?.terminate();
  }

  async #connected(): Promise<WebSocket> {
    if (this.#socket !== undefined && this.#socket.readyState === this.#socket.OPEN) return this.#socket;
    const { WebSocket } = await import("ws");
    const { url } = this.#settings;
    const socket = new WebSocket(url);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", (cause) => reject(unreachable(`no connection to ${url}`, cause)));
    });
    socket.on("error", () => socket.terminate());
    this.#socket = socket;
    return socket;
  }
}
