/**
 * A listener.
 *
 * L1. Every accepted connection becomes a meta-process of its own, or is closed; those that come before the spawn wait for it.
 * L2. The end of the listener closes no connection that was accepted, and all that have not agreed on keys yet.
 */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import { actorError, listenError } from "../errors.ts";
import type { Reason } from "../identity/index.ts";
import { MetaBehaviour, type MetaProcess } from "../meta/behaviour.ts";
import type { Ended } from "../runtime/typed.ts";
import { Certificates } from "./certificates.ts";
import { TcpConnection } from "./connection.ts";
import { type TcpAddress, textOf } from "./messages.ts";
import { resolveTcpServerOptions, socketOptions, type TcpServerOptions } from "./options.ts";

type Resolved = ReturnType<typeof resolveTcpServerOptions>;

/** The meta-process of a listener. One that is not spawned is released by `terminate("normal")`. */
export class TcpServer extends MetaBehaviour<never, never> {
  /** Where it listens. */
  readonly address: TcpAddress;
  readonly #listener: Listener;
  readonly #options: Resolved;
  #meta: MetaProcess | undefined;
  #early: Socket[] = [];
  #accepted = 0;
  #isEnded = false;
  #end: ((reason: Reason) => void) | undefined;
  #failure: Reason | undefined;

  /** For `openTcpServer`. */
  constructor(listener: Listener, options: Resolved) {
    super();
    const { address, port } = listener.server.address() as { address: string; port: number };
    this.address = { host: address, port };
    this.#listener = listener;
    this.#options = options;
    listener.onAccepted = (socket) => this.#accept(socket);
    listener.onRefused = (text, error) => this.#meta?.report(text, error);
    listener.onFailed = (error) => {
      this.#failure = error;
      this.#end?.(error);
    };
  }

  override init(meta: MetaProcess): Error | undefined {
    if (this.#meta !== undefined || this.#isEnded) {
      return actorError("actor.not_allowed", "a server is spawned once, and not after its terminate");
    }
    this.#meta = meta;
    return undefined;
  }

  override start(): Ended {
    const early = this.#early;
    this.#early = [];
    for (const socket of early) this.#accept(socket);
    return new Promise((resolve) => {
      this.#end = resolve;
      if (this.#failure !== undefined) resolve(this.#failure);
    });
  }

  /** Answers everything with the error `actor.unsupported`. */
  override handleCall(): never {
    return actorError("actor.unsupported", "a TCP server answers no calls") as never;
  }

  override handleInspect(): Readonly<Record<string, string>> {
    return { listener: textOf(this.address) };
  }

  /** Listens no more. The connections that were accepted live on. */
  override terminate(): void {
    this.#isEnded = true;
    this.#listener.close();
    for (const socket of this.#early) socket.destroy();
    this.#early = [];
    this.#end?.("normal");
  }

  #accept(socket: Socket): void {
    if (this.#isEnded) {
      socket.destroy();
      return;
    }
    if (this.#meta === undefined) {
      // Its errors are looked at when it is handled.
      socket.on("error", () => undefined);
      this.#early.push(socket);
      return;
    }
    const { processPool, connection, mailboxLimit } = this.#options;
    const behaviour = new TcpConnection(socket, connection, processPool[this.#accepted % processPool.length]);
    this.#accepted++;
    try {
      this.#meta.spawn(behaviour, { mailboxLimit });
    } catch (error) {
      behaviour.terminate("kill");
      this.#meta.report(`a connection from ${textOf(behaviour.remote)} was closed: its meta-process cannot be spawned`, error);
    }
  }
}

/** A socket that listens, with TLS or without. */
class Listener {
  readonly server: Server;
  onAccepted: (socket: Socket) => void = (socket) => void socket.destroy();
  onRefused: (text: string, error: Error) => void = () => undefined;
  onFailed: (error: Error) => void = () => undefined;
  /** Accepted by the system, but not yet agreed on keys; by the peer's address. */
  readonly #handshakes = new Map<string, Socket>();
  #stopFollowing: (() => void) | undefined;

  constructor({ tls, connection }: Resolved) {
    const options = socketOptions(connection);
    if (tls === undefined) {
      this.server = createServer(options, (socket) => this.onAccepted(socket));
    } else {
      const following = Certificates.follow(tls.certificates, (pems) => server.setSecureContext(pems as object));
      this.#stopFollowing = following.stop;
      const server: TlsServer = createTlsServer({
        ...options,
        ...(following.options as object),
        requestCert: tls.requireClientCertificate,
        rejectUnauthorized: tls.requireClientCertificate,
        handshakeTimeout: tls.handshakeTimeoutMs,
      });
      server.on("connection", (socket: Socket) => this.#shakeHands(socket));
      server.on("secureConnection", (socket) => {
        this.#handshakes.delete(peerOf(socket));
        this.onAccepted(socket);
      });
      server.on("tlsClientError", (error, socket) => {
        socket.destroy(); // Node leaves it open when the time for the handshake is over
        this.onRefused("a TLS handshake failed", error);
      });
      this.server = server;
    }
  }

  /** Resolves when it listens. */
  open(host: string, port: number): Promise<void> {
    const { server } = this;
    return new Promise((resolve, reject) => {
      server.once("error", (cause) => {
        this.#stopFollowing?.();
        reject(listenError(textOf({ host, port }), cause));
      });
      server.listen({ host, port }, () => {
        server.removeAllListeners("error");
        server.on("error", (cause) =>
          this.onFailed(actorError("actor.io_failed", `accepting failed: ${cause.message}`, { cause })),
        );
        resolve();
      });
    });
  }

  close(): void {
    this.#stopFollowing?.();
    this.server.close();
    for (const socket of this.#handshakes.values()) socket.destroy();
    this.#handshakes.clear();
  }

  #shakeHands(socket: Socket): void {
    const peer = peerOf(socket);
    this.#handshakes.set(peer, socket);
    socket.once("close", () => {
      if (this.#handshakes.get(peer) === socket) this.#handshakes.delete(peer);
    });
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/**
 * Listens. Spawn what it gives with `spawnMeta`; until then connections wait.
 * @throws actor.incorrect – an option; actor.port_in_use; actor.listen_failed – another reason not to listen
 */
export async function openTcpServer(options: TcpServerOptions): Promise<TcpServer> {
  const resolved = resolveTcpServerOptions(options);
  const listener = new Listener(resolved);
  await listener.open(resolved.host, resolved.port);
  return new TcpServer(listener, resolved);
}
