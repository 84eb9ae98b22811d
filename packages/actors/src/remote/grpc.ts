/**
 * Links over gRPC, published as `@metanode/actors/grpc`; the package itself loads no gRPC. They run over the same sessions
 * as processors and nodes, and speak with kernels of the same release.
 */
import { type Clock, systemClock } from "@metanode/core/clock";
import { coreError } from "@metanode/core/errors";
import { type Channel, dialLink, greet, openLinkServer, receive, Session } from "@metanode/core/internal";
import { actorError, knownOptions } from "../errors.ts";
import type { Link } from "./link.ts";
import { BATCH_TYPE, MAX_BATCH_BYTES, SessionLink, WINDOW } from "./session-link.ts";

/** How long both sides of a stream may take for their first frames. */
const GREETING_MS = 5_000;
const NAME = "metanode-actors";

/** How to listen for kernels. */
export interface GrpcServerOptions {
  /**
   * `host:port` (port 0 = any free one), or `unix:/path` in a folder that only its user may enter. Others than users of this
   * machine can reach the former, so both kernels need a cookie then.
   */
  address: string;
  /** Told why a link did not become a connection. @default nobody is */
  onRefused?: (error: Error) => void;
}

/** Listens for kernels. */
export interface GrpcServer extends AsyncDisposable {
  /** Where it listens, as {@link dialGrpc} takes it. */
  readonly address: string;
  /** Ends all its links and listens no more. Idempotent. */
  close(): Promise<void>;
}

/** What takes links: a kernel. */
export interface LinkTaker {
  connect(link: Link): Promise<unknown>;
}

/**
 * Listens for other kernels and connects `kernel` with each that comes.
 * @throws node.port_in_use – the address is taken; actor.incorrect – no address
 */
export async function openGrpcServer(kernel: LinkTaker, options: GrpcServerOptions): Promise<GrpcServer> {
  knownOptions("grpc", options, ["address", "onRefused"]);
  const { address, onRefused } = options;
  checkAddress(address);
  const server = await openLinkServer(address, (channel) => {
    take(channel, isTrusted(address))
      .then((link) => kernel.connect(link))
      .catch((error: Error) => onRefused?.(error));
  });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= server.close();
    return closing;
  };
  return { address: server.address, close, [Symbol.asyncDispose]: close };
}

/** Dials another kernel's server; the link is for `kernel.connect`. Rejects with `node.unreachable`, `protocol.version` … */
export async function dialGrpc(address: string, options: { clock?: Clock } = {}): Promise<Link> {
  checkAddress(address);
  const { clock = systemClock } = options;
  const hello = { versionMin: 1, versionMax: 1, name: NAME, types: [], concurrency: WINDOW, pid: process.pid };
  const { channel, greeting } = await greet(dialLink(address), hello, { clock, timeoutMs: GREETING_MS });
  return link(channel, { concurrency: greeting.concurrency, isTrusted: isTrusted(address), peer: greeting.node });
}

/** The listening side of a stream. */
async function take(channel: Channel, trusted: boolean): Promise<Link> {
  const admit = ({ name }: { name: string }): { concurrency: number; maxBatchBytes: number; node: string } => {
    if (name !== NAME) throw coreError("processor.protocol", `${name} is no kernel`);
    return { concurrency: WINDOW, maxBatchBytes: MAX_BATCH_BYTES, node: NAME };
  };
  const taken = await receive(channel, admit, { clock: systemClock, timeoutMs: GREETING_MS });
  return link(taken.channel, { concurrency: taken.greeting.concurrency, isTrusted: trusted, peer: taken.greeting.name });
}

function link(channel: Channel, options: { concurrency: number; isTrusted: boolean; peer: string }): Link {
  const made = new SessionLink(options);
  const session = new Session({
    channel,
    peer: options.peer,
    lostCode: "node.unreachable",
    concurrency: options.concurrency,
    maxIncoming: WINDOW,
    maxMessageBytes: MAX_BATCH_BYTES,
    handler: ({ type, data }) => {
      if (type !== BATCH_TYPE) throw coreError("message.unknown_type", `a link of actors carries no ${type}`);
      made.receive(data);
    },
    onCredit: () => made.credit(),
    onClosed: (error) => made.ended(error),
  });
  made.open(session);
  return made;
}

function isTrusted(address: string): boolean {
  return address.startsWith("unix:");
}

function checkAddress(address: unknown): void {
  if (typeof address === "string" && (/^unix:./.test(address) || /^[^/]+:\d+$/.test(address))) return;
  throw actorError("actor.incorrect", `the address is ${String(address)}, expected host:port or unix:/path`);
}
