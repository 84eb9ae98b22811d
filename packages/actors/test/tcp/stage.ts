import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach } from "vitest";
import type { PID, SpawnOptions } from "../../src/index.ts";
import {
  MessageTcp,
  MessageTcpConnect,
  MessageTcpDisconnect,
  openTcpConnection,
  openTcpServer,
  type TcpAddress,
  type TcpAlias,
  type TcpConnectionOptions,
  type TcpServer,
  type TcpServerOptions,
} from "../../src/tcp/index.ts";
import { inside, Probe, type Stage, stage } from "../probe.ts";

/** The last moment for anything that a test waits for; a machine under load is slow, and nothing is wrong. */
const LIMIT_MS = 20_000;
const opened: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** Resolves with what `condition` gives as soon as that is truthy; looks again every few milliseconds. */
export async function until<T>(what: string, condition: () => T | Promise<T>): Promise<NonNullable<T>> {
  const endMs = performance.now() + LIMIT_MS;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > endMs) throw new Error(`it did not come to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

/** A stage that is cleared when the test is over. */
export function tcpStage(): Stage {
  const made = stage();
  opened.push(() => made.kernel.stop());
  return made;
}

/** A process that writes down what it gets. */
export function handler({ kernel }: Stage, options: SpawnOptions = {}): Handler {
  const pid = kernel.spawn(Probe, options);
  return { pid, probe: inside(pid), tcp: new Seen(inside(pid)) };
}

export interface Handler {
  readonly pid: PID;
  readonly probe: Probe;
  readonly tcp: Seen;
}

/** What a handler got, by kind. */
export class Seen {
  readonly #probe: Probe;

  constructor(probe: Probe) {
    this.#probe = probe;
  }

  get kinds(): string[] {
    return this.#probe.got.map((message) => (message as object).constructor.name.replace("MessageTcp", "") || "Data");
  }

  get connects(): MessageTcpConnect[] {
    return this.#probe.got.filter((message) => message instanceof MessageTcpConnect);
  }

  get disconnects(): MessageTcpDisconnect[] {
    return this.#probe.got.filter((message) => message instanceof MessageTcpDisconnect);
  }

  get pieces(): Uint8Array[] {
    return this.#probe.got.filter((message) => message instanceof MessageTcp).map(({ data }) => data);
  }

  /** All data, as text. */
  get text(): string {
    return Buffer.concat(this.pieces).toString("latin1");
  }

  /** The connection that came first, once it is there. */
  async first(): Promise<TcpAlias> {
    return (await until("a connection", () => this.connects[0])).id;
  }
}

/** A server of `owner`. */
export async function serve(owner: Handler, options: Partial<TcpServerOptions> = {}) {
  const server = await openTcpServer({ port: 0, ...options });
  const alias = owner.probe.spawnMeta(server);
  return { server, alias, address: server.address };
}

/** A connection of `owner`. */
export async function dial(owner: Handler, { host, port }: TcpAddress, options: Partial<TcpConnectionOptions> = {}) {
  const connection = await openTcpConnection({ host, port, ...options });
  return { connection, alias: owner.probe.spawnMeta(connection) };
}

/** Makes a handler write back what it reads. */
export function echo({ probe }: Handler): void {
  probe.react = (message) => {
    if (message instanceof MessageTcp) probe.send(message.id, message);
  };
}

/** A bare socket that writes down what it gets. */
export class Peer {
  readonly socket: Socket;
  readonly got: Buffer[] = [];
  bytes = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    opened.push(() => socket.destroy());
    socket.on("error", () => undefined);
  }

  /** `reads: false` leaves what comes where it is. */
  static async connect(to: TcpAddress | TcpServer, { reads = true } = {}): Promise<Peer> {
    const { host, port } = "address" in to ? to.address : to;
    const peer = new Peer(connect({ host, port, allowHalfOpen: true, noDelay: true }));
    if (reads) peer.read();
    await once(peer.socket, "connect");
    return peer;
  }

  read(): void {
    this.socket.on("data", (data: Buffer) => {
      this.got.push(data);
      this.bytes += data.length;
    });
  }

  get text(): string {
    return Buffer.concat(this.got).toString("latin1");
  }

  /** Writes, and resolves when the system has it. */
  write(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) =>
      this.socket.write(typeof data === "string" ? Buffer.from(data) : data, (error) => (error ? reject(error) : resolve())),
    );
  }
}

/** How many sockets and listeners this process has open; those of the test runner are pipes. */
export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS|UDP)/.test(name)).length;
}
