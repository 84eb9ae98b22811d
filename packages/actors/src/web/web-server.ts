import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer, type ServerOptions as TlsServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { createServer } from "@metanode/core/internal/http";
import { actorError, listenError } from "../errors.ts";
import { MetaBehaviour, type MetaProcess } from "../meta/behaviour.ts";
import { knownOptions, wholeNumber } from "../splitting/splitting.ts";
import { Certificates } from "../tcp/certificates.ts";
import { textOf } from "../tcp/messages.ts";
import { answerStatus } from "./refusal.ts";

/** Takes an HTTP request. What it throws is answered 500 and told. */
export type WebListener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Takes a connection that is to speak something else than HTTP. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** What a server gives its requests to. Every handler of this package is one. */
export interface WebMount {
  /** @default 404 for each request */
  readonly listener?: WebListener;
  /** @default an upgrade is treated as an ordinary request */
  readonly upgrade?: UpgradeListener;
}

/** How to open a web server. */
export interface WebServerOptions {
  /** 0 = any that is free. */
  port: number;
  /** @default "127.0.0.1" */
  host?: string;
  /** Gets every request: a handler, a listener of your own that picks one by path, or both kinds of listener in an object. */
  handler: WebListener | WebMount;
  /**
   * Speaks HTTPS, with the options of `node:https` (`cert`, `key` and so on), or with certificates that can be replaced while it
   * runs: `createCertificates` in `@metanode/actors/tcp`.
   */
  tls?: TlsServerOptions | Certificates;
  /** Further options of `node:http`, for example its own timeouts. */
  http?: ServerOptions;
}

const MAX_PORT = 65_535;
/** Longest handshake of TLS, in milliseconds. */
const TLS_HANDSHAKE_MS = 15_000;

/**
 * A web server as a meta-process. Its end closes the listener: requests in progress finish, connections without one are
 * closed at once. Mail to it does nothing.
 */
export class WebServer extends MetaBehaviour {
  /** The port that it listens on. */
  readonly port: number;
  /** Where it listens, as `host:port`. */
  readonly address: string;
  readonly #server: Server;
  readonly #mount: WebMount;
  /** Open connections, each with the number of its requests in progress. */
  readonly #connections = new Map<Duplex, number>();
  #meta: MetaProcess | undefined = undefined;
  readonly #onClosed: () => void;
  #isClosed = false;
  #requests = 0;

  /** For {@link openWebServer}; `onClosed` is called once, at its end. */
  constructor(server: Server, mount: WebMount, onClosed: () => void) {
    super();
    this.#server = server;
    this.#mount = mount;
    this.#onClosed = onClosed;
    const { address: host, port } = server.address() as AddressInfo;
    this.port = port;
    this.address = textOf({ host, port });
    server.on("error", (error) => this.#meta?.report("the server cannot accept a connection", error));
    server.on("setSecureContext" in server ? "secureConnection" : "connection", (socket: Duplex) => this.#opened(socket));
    server.on("request", (request: IncomingMessage, response: ServerResponse) => this.#request(request, response));
    if (mount.upgrade !== undefined) {
      server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#upgrade(request, socket, head));
    }
  }

  override init(meta: MetaProcess): void {
    this.#meta = meta;
  }

  override start(meta: MetaProcess): Promise<void> {
    return new Promise((resolve) => meta.signal.addEventListener("abort", () => resolve(), { once: true }));
  }

  override handleCall(): never {
    return actorError("actor.unsupported", "a web server answers no calls") as never;
  }

  override handleInspect(): Readonly<Record<string, string>> {
    return { listener: this.address, connections: String(this.#connections.size), requests: String(this.#requests) };
  }

  /** Closes the listener. Also for a server that was opened and could not be spawned. Idempotent. */
  override terminate(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClosed();
    this.#server.close();
    for (const [socket, requests] of this.#connections) if (requests === 0) socket.destroy();
  }

  #opened(socket: Duplex): void {
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    this.#connections.set(socket, 0);
    socket.once("close", () => this.#connections.delete(socket));
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    this.#requests++;
    const { socket } = request;
    this.#count(socket, 1);
    response.once("close", () => this.#count(socket, -1));
    try {
      const given = this.#mount.listener?.(request, response);
      if (this.#mount.listener === undefined) answerStatus(response, 404);
      if (given instanceof Promise) given.catch((error) => this.#failed(error, response));
    } catch (error) {
      this.#failed(error, response);
    }
  }

  #count(socket: Duplex, by: number): void {
    const requests = this.#connections.get(socket);
    if (requests === undefined) return;
    this.#connections.set(socket, requests + by);
    if (this.#isClosed && requests + by === 0) socket.end();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#requests++;
    this.#connections.delete(socket);
    try {
      this.#mount.upgrade?.(request, socket, head);
    } catch (error) {
      this.#meta?.report("the listener of an upgrade threw", error);
      socket.destroy();
    }
  }

  #failed(error: unknown, response: ServerResponse): void {
    this.#meta?.report("the listener of a request threw", error);
    if (!response.headersSent) answerStatus(response, 500);
    else if (!response.writableEnded) response.destroy();
  }
}

/**
 * Listens, then gives the server, to be spawned with `spawnMeta`; it answers from now on. One that is not spawned in the end
 * is closed by its `terminate`.
 * @throws actor.port_in_use; actor.listen_failed – the address is not of this machine, or the port may not be opened; actor.incorrect – an option that is unknown or wrong
 */
export async function openWebServer(options: WebServerOptions): Promise<WebServer> {
  knownOptions("web", options, ["port", "host", "handler", "tls", "http"]);
  if (wholeNumber("web.port", options.port, 0) > MAX_PORT) {
    throw actorError("actor.incorrect", `web.port is ${options.port}, expected ${MAX_PORT} or less`);
  }
  const { handler, tls, host = "127.0.0.1", port } = options;
  const mount: WebMount = typeof handler === "function" ? { listener: handler } : handler;
  if (typeof mount !== "object" || mount === null) throw actorError("actor.incorrect", "web.handler is missing");
  const http = { ...(mount.upgrade && { shouldUpgradeCallback: isWebSocket }), ...options.http };
  const { server, stop } = tls === undefined ? { server: createServer(http), stop: () => undefined } : tlsServer(http, tls);
  return new Promise((resolve, reject) => {
    const refuse = (cause: Error): void => {
      stop();
      reject(listenError(textOf({ host, port }), cause));
    };
    server.once("error", refuse);
    server.listen({ host, port }, () => {
      server.off("error", refuse);
      resolve(new WebServer(server, mount, stop));
    });
  });
}

/** A server of HTTPS; `stop` ends its hearing of new certificates. */
function tlsServer(http: ServerOptions, tls: TlsServerOptions | Certificates): { server: TlsServer; stop: () => void } {
  const common = { handshakeTimeout: TLS_HANDSHAKE_MS, ...http } as TlsServerOptions;
  if (!(tls instanceof Certificates)) return { server: createTlsServer({ ...common, ...tls }), stop: () => undefined };
  const { options, stop } = Certificates.follow(tls, (pems) => server.setSecureContext(pems as object));
  const server = createTlsServer({ ...common, ...(options as object) });
  return { server, stop };
}

/** Other upgrades that clients offer by themselves (`h2c`) are not taken: their requests are answered as they are. */
function isWebSocket(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === "websocket";
}
