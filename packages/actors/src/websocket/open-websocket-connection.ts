import type { Agent, ClientRequest, IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import { actorError } from "../errors.ts";
import { knownOptions } from "../splitting/splitting.ts";
import { endsOf, type SocketEnds } from "../web/addresses.ts";
import type { WebSocketProcess } from "./messages.ts";
import { WebSocketConnection } from "./websocket-connection.ts";
import { libraryOptions, resolveWebSocketOptions, WEBSOCKET_OPTIONS, type WebSocketOptions } from "./websocket-options.ts";

/** How to dial. */
export interface WebSocketConnectionOptions extends WebSocketOptions {
  /** `ws:` or `wss:`. */
  url: string | URL;
  /** Who handles the WebSocket. @default the process that it belongs to */
  process?: WebSocketProcess;
  headers?: Readonly<Record<string, string>>;
  /** Subprotocols that are offered. */
  protocols?: readonly string[];
  /** How to connect: a proxy, authorities to trust, and so on. @default a connection for this WebSocket */
  agent?: Agent;
  /** Gives up dialling. */
  signal?: AbortSignal;
}

/**
 * Dials, and gives the WebSocket, to be spawned with `spawnMeta`. What the peer sends before that waits.
 * @throws actor.connect_failed – nobody listens there, it is no WebSocket (`details.status` is the answer), or it took too
 *   long; actor.incorrect – an option that is unknown or wrong
 */
export async function openWebSocketConnection(options: WebSocketConnectionOptions): Promise<WebSocketConnection> {
  knownOptions("websocket", options, [...WEBSOCKET_OPTIONS, "url", "process", "headers", "protocols", "agent", "signal"]);
  const resolved = resolveWebSocketOptions(options);
  const { process, headers, agent, signal } = options;
  const url = urlOf(options.url);
  signal?.throwIfAborted();
  const socket = new WebSocket(url, [...(options.protocols ?? [])], {
    ...libraryOptions(resolved),
    handshakeTimeout: resolved.handshakeTimeoutMs,
    headers: { ...headers },
    ...(agent && { agent }),
  });
  const giveUp = (): void => socket.terminate();
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    const ends = await opened(socket);
    return new WebSocketConnection({ socket, ends, request: undefined, process, pauseWhenFull: resolved.pauseWhenFull });
  } catch (cause) {
    signal?.throwIfAborted();
    const { message, status } = cause as Error & { status?: number };
    throw actorError("actor.connect_failed", `${url}: ${message}`, { cause, ...(status && { details: { status } }) });
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}

/** Resolves when the handshake is over, with the socket paused; rejects with what kept it from it. */
function opened(socket: WebSocket): Promise<SocketEnds> {
  return new Promise((resolve, reject) => {
    let ends: SocketEnds | undefined;
    socket.once("upgrade", ({ socket: raw }: IncomingMessage) => {
      ends = endsOf(raw);
    });
    socket.once("unexpected-response", (request: ClientRequest, { statusCode }: IncomingMessage) => {
      reject(Object.assign(new Error(`the answer was ${statusCode}, expected 101`), { status: statusCode }));
      request.destroy();
    });
    socket.on("error", reject); // for good: what comes later without a listener would end the program
    socket.once("open", () => {
      socket.pause();
      resolve(ends as SocketEnds);
    });
  });
}

function urlOf(given: string | URL): URL {
  const url = URL.canParse(String(given)) ? new URL(given) : undefined;
  if ((url?.protocol === "ws:" || url?.protocol === "wss:") && url.hash === "") return url;
  throw actorError("actor.incorrect", `websocket.url is ${JSON.stringify(String(given))}, expected ws: or wss: and no fragment`);
}
