import type { Address } from "../identity/index.ts";
import { type ChunkOptions, resolveChunkOptions } from "../splitting/chunk.ts";
import { checkKeepAlive } from "../splitting/keep-alive.ts";
import { knownOptions, streamError, wholeNumber } from "../splitting/splitting.ts";
import { type CertificateOptions, Certificates, createCertificates } from "./certificates.ts";
import type { TcpEvent } from "./messages.ts";

/** Where the events of a connection go to. A name is looked up at each message: whoever bears it then is the handler. */
export type TcpHandler = Address<TcpEvent, never>;

/** How a connection behaves, whoever opened it. */
export interface TcpOptions {
  /** Cuts what is read into chunks, one message each. @default one message for each read */
  chunk?: ChunkOptions;
  /**
   * Most bytes of one read, and of what waits to be written before the connection leaves its mail unread.
   * @default 65_536, the most that Node reads at a time
   */
  readBufferSize?: number;
  /** Bytes that are written when nothing else was for the period, and once at the start. @default none */
  keepAlive?: { readonly bytes: Uint8Array; readonly periodMs: number };
  /** Silence after which the system asks whether the peer is there, in milliseconds; 0 = the system's own, false = never. @default 0 */
  tcpKeepAliveMs?: number | false;
  /** Sends small writes at once instead of waiting for more. @default true */
  noDelay?: boolean;
  /** Longest silence of the peer, in milliseconds: then the connection ends with `actor.timeout`. 0 = any. @default 0 */
  idleTimeoutMs?: number;
  /** How long a connection that closes may take to write what was written before, in milliseconds. @default 4_000 */
  closeTimeoutMs?: number;
  /**
   * When the mailbox of the handler is full: whether reading waits until there is room, with nothing lost, instead of the
   * connection ending. @default false
   */
  pauseWhenFull?: boolean;
  /** While the peer does not read what is written to it: whether nothing is read from it either. @default false */
  pauseWhenBlocked?: boolean;
}

/** How to listen. */
export interface TcpServerOptions extends TcpOptions {
  /** 0 = any free one. */
  port: number;
  /** An address of this machine; `"::"` = all of them. @default "127.0.0.1" */
  host?: string;
  /**
   * Who handles the connections, in turn: each gets every message of those that are his. A pool of workers is no handler, for
   * it would spread the messages of one connection. @default the process that spawns the server
   */
  processPool?: readonly TcpHandler[];
  /** Longest mailbox of a connection; 0 = no limit. @default 0 */
  mailboxLimit?: number;
  /** Speaks TLS. */
  tls?: TlsServerOptions;
}

/** How to dial. */
export interface TcpConnectionOptions extends TcpOptions {
  host: string;
  port: number;
  /** Who handles the connection. @default the process that spawns it */
  process?: TcpHandler;
  /** Speaks TLS; `true` = with Node's own authorities. */
  tls?: TlsClientOptions | true;
  /** Gives up dialling. */
  signal?: AbortSignal;
}

/** How a server speaks TLS. */
export interface TlsServerOptions {
  /** What it shows; can be replaced while it runs when given as {@link Certificates}. */
  certificates: Certificates | CertificateOptions;
  /** Lets only those in who show a certificate of an authority in `ca`. @default false */
  requireClientCertificate?: boolean;
  /** How long a peer may take to agree on keys, in milliseconds. @default 15_000 */
  handshakeTimeoutMs?: number;
}

/** How a client speaks TLS. */
export interface TlsClientOptions {
  /** Whom it trusts, and what it shows if it is asked. */
  certificates?: Certificates | CertificateOptions;
  /** The name that the server's certificate must bear. @default `host` */
  serverName?: string;
  /** Believes any server: for tests. @default false */
  insecureSkipVerify?: boolean;
}

/** Options of a connection, checked and complete. */
export interface ResolvedTcpOptions {
  readonly chunk: Readonly<ChunkOptions> | undefined;
  readonly readBufferSize: number;
  readonly keepAlive: { readonly bytes: Uint8Array; readonly periodMs: number } | undefined;
  readonly tcpKeepAliveMs: number | false;
  readonly noDelay: boolean;
  readonly idleTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly pauseWhenFull: boolean;
  readonly pauseWhenBlocked: boolean;
}

const COMMON = [
  "chunk",
  "readBufferSize",
  "keepAlive",
  "tcpKeepAliveMs",
  "noDelay",
  "idleTimeoutMs",
  "closeTimeoutMs",
  "pauseWhenFull",
  "pauseWhenBlocked",
] as const satisfies readonly (keyof TcpOptions)[];
const DEFAULT_READ_BYTES = 65_536;
const DEFAULT_CLOSE_MS = 4_000;
const DEFAULT_HANDSHAKE_MS = 15_000;
const MAX_PORT = 65_535;

/** @throws actor.incorrect */
export function resolveTcpServerOptions(given: TcpServerOptions) {
  knownOptions("tcp", given, [...COMMON, "port", "host", "processPool", "mailboxLimit", "tls"]);
  return {
    port: portOf(given.port, 0),
    host: given.host ?? "127.0.0.1",
    processPool: [...(given.processPool ?? [])],
    mailboxLimit: wholeNumber("tcp.mailboxLimit", given.mailboxLimit ?? 0, 0),
    tls: given.tls === undefined ? undefined : resolveTlsServer(given.tls),
    connection: resolveTcpOptions(given),
  };
}

/** @throws actor.incorrect */
export function resolveTcpConnectionOptions(given: TcpConnectionOptions) {
  knownOptions("tcp", given, [...COMMON, "host", "port", "process", "tls", "signal"]);
  if (typeof given.host !== "string" || given.host === "") {
    throw streamError("actor.incorrect", "tcp.host is empty, expected a name or an address", { option: "tcp.host" });
  }
  return {
    host: given.host,
    port: portOf(given.port, 1),
    process: given.process,
    tls: given.tls === undefined ? undefined : resolveTlsClient(given.tls === true ? {} : given.tls),
    signal: given.signal,
    connection: resolveTcpOptions(given),
  };
}

function resolveTcpOptions(given: TcpOptions): ResolvedTcpOptions {
  if (given.keepAlive !== undefined) {
    knownOptions("tcp.keepAlive", given.keepAlive, ["bytes", "periodMs"]);
    checkKeepAlive(given.keepAlive);
  }
  const { tcpKeepAliveMs = 0 } = given;
  return Object.freeze({
    chunk: given.chunk === undefined ? undefined : resolveChunkOptions(given.chunk),
    readBufferSize: wholeNumber("tcp.readBufferSize", given.readBufferSize ?? DEFAULT_READ_BYTES, 1),
    keepAlive: given.keepAlive,
    tcpKeepAliveMs: tcpKeepAliveMs === false ? false : wholeNumber("tcp.tcpKeepAliveMs", tcpKeepAliveMs, 0),
    noDelay: given.noDelay ?? true,
    idleTimeoutMs: wholeNumber("tcp.idleTimeoutMs", given.idleTimeoutMs ?? 0, 0),
    closeTimeoutMs: wholeNumber("tcp.closeTimeoutMs", given.closeTimeoutMs ?? DEFAULT_CLOSE_MS, 0),
    pauseWhenFull: given.pauseWhenFull ?? false,
    pauseWhenBlocked: given.pauseWhenBlocked ?? false,
  });
}

function resolveTlsServer(given: TlsServerOptions) {
  knownOptions("tcp.tls", given, ["certificates", "requireClientCertificate", "handshakeTimeoutMs"]);
  return {
    certificates: certificatesOf(given.certificates),
    requireClientCertificate: given.requireClientCertificate ?? false,
    handshakeTimeoutMs: wholeNumber("tcp.tls.handshakeTimeoutMs", given.handshakeTimeoutMs ?? DEFAULT_HANDSHAKE_MS, 1),
  };
}

function resolveTlsClient(given: TlsClientOptions) {
  knownOptions("tcp.tls", given, ["certificates", "serverName", "insecureSkipVerify"]);
  return {
    certificates: certificatesOf(given.certificates ?? {}),
    serverName: given.serverName,
    insecureSkipVerify: given.insecureSkipVerify ?? false,
  };
}

function certificatesOf(given: Certificates | CertificateOptions): Certificates {
  return given instanceof Certificates ? given : createCertificates(given);
}

function portOf(value: unknown, min: number): number {
  const port = wholeNumber("tcp.port", value, min);
  if (port <= MAX_PORT) return port;
  throw streamError("actor.incorrect", `tcp.port is ${port}, expected ${MAX_PORT} or less`, { option: "tcp.port" });
}

/** What of the options Node takes when a socket comes into being. */
export function socketOptions({ noDelay, tcpKeepAliveMs, readBufferSize }: ResolvedTcpOptions) {
  return {
    allowHalfOpen: true, // the connection itself decides when to answer an end with an end
    noDelay,
    keepAlive: tcpKeepAliveMs !== false,
    keepAliveInitialDelay: tcpKeepAliveMs === false ? 0 : tcpKeepAliveMs,
    highWaterMark: readBufferSize,
  };
}
