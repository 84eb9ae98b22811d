import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { z } from "zod";
import { defineBuiltIn } from "../stage/built-in.ts";
import type { SourceHost } from "../stage/stage.ts";
import type { Writer } from "./batching.ts";
import { codecOf, codecSetting, maxRecordBytesSetting } from "./codec-setting.ts";
import { encodeLoad } from "./encode-load.ts";
import { unreachable } from "./faults.ts";
import { Inbox } from "./inbox.ts";
import type { Load } from "./load.ts";
import { sinkAction } from "./sink.ts";
import { writeTo } from "./write-to.ts";

const inSettings = z.object({
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe("Port on the loopback; with 0 any free one, which the log of the node names."),
  codec: codecSetting,
  maxRecordBytes: maxRecordBytesSetting,
  maxWaiting: z.int().min(1).default(10_000).describe("Records that may wait for the graph; then nothing more is read."),
  maxConnections: z.int().min(1).default(256).describe("More connections are closed at once."),
});

const outSettings = z.object({
  host: z.string().min(1).default("127.0.0.1"),
  port: z.int().min(1).max(65_535),
  codec: codecSetting,
});

/**
 * `tcp.in`: the records that connections to the node's own port bring, in order within a connection. Position: how many there were.
 * Replays: no; TCP tells nobody whether a record got through, so what was in flight at a crash is lost. When the graph does not keep
 * up, nothing more is read, and TCP slows the senders. Bytes that are no records end their connection only.
 */
export const tcpIn = defineBuiltIn({
  name: "tcp.in",
  summary: "Takes records from TCP connections.",
  settings: inSettings,
  make: (given) => ({
    replays: false,
    source: async (host) => {
      const door = new TcpDoor(given, host);
      await door.open();
      return door.inbox;
    },
  }),
});

/**
 * `tcp.out`: records to a TCP server. A record is done once the system has taken its bytes: TCP tells no more, so what the other side
 * had not read when it died is lost. A connection that is gone is made again by the policy of the node.
 */
export const tcpOut = defineBuiltIn({
  name: "tcp.out",
  summary: "Sends records over a TCP connection.",
  settings: outSettings,
  make: (given) => sinkAction(() => new TcpWriter(given), { maxRecords: 100_000, maxBytes: 262_144 }),
});

class TcpDoor {
  readonly inbox: Inbox;
  readonly #settings: z.infer<typeof inSettings>;
  readonly #host: SourceHost;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(settings: z.infer<typeof inSettings>, host: SourceHost) {
    this.#settings = settings;
    this.#host = host;
    this.#server = createServer((socket) => void this.#read(socket));
    this.#server.maxConnections = settings.maxConnections;
    this.inbox = new Inbox({ host, maxRecords: settings.maxWaiting, onStop: () => this.#stop() });
  }

  async open(): Promise<void> {
    const { port } = this.#settings;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (cause) => reject(unreachable(`port ${port} cannot be opened`, cause)));
      this.#server.listen(port, "127.0.0.1", resolve);
    });
    this.#host.log("info", `takes records at tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  #stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #read(socket: Socket): Promise<void> {
    const { codec, maxRecordBytes } = this.#settings;
    this.#sockets.add(socket);
    try {
      const decoder = codecOf(codec).decoder(maxRecordBytes === undefined ? {} : { maxRecordBytes });
      for await (const chunk of socket) {
        const block = decoder.push(chunk as Buffer);
        if (block !== undefined) void this.inbox.offer({ block }).catch(() => undefined);
        await this.inbox.whenRoom();
      }
      const block = decoder.end();
      if (block !== undefined) void this.inbox.offer({ block }).catch(() => undefined);
    } catch (error) {
      if (!this.inbox.isClosed)
        this.#host.log("warn", `a connection has ended: ${error instanceof Error ? error.message : error}`);
    } finally {
      this.#sockets.delete(socket);
      socket.destroy();
    }
  }
}

class TcpWriter implements Writer {
  readonly #settings: z.infer<typeof outSettings>;
  #socket: Socket | undefined;

  constructor(settings: z.infer<typeof outSettings>) {
    this.#settings = settings;
  }

  async write(load: Load): Promise<void> {
    const parts = encodeLoad(load, codecOf(this.#settings.codec));
    await writeTo(await this.#connected(), parts);
  }

  /** The other side gets to read everything before it sees the end. */
  async end(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return;
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
      socket.end(() => resolve());
    });
  }

  async close(): Promise<void> {
    this.#socket?.destroySoon();
  }

  async #connected(): Promise<Socket> {
    if (this.#socket?.writable === true) return this.#socket;
    const { host, port } = this.#settings;
    const socket = connect({ host, port });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", (cause) => reject(unreachable(`no connection to ${host}:${port}`, cause)));
    });
    socket.on("error", () => socket.destroy());
    socket.resume(); // what it says matters to nobody, but its end does
    this.#socket = socket;
    return socket;
  }
}
