import { type ClientOptions, WebSocket } from "ws";
import {
  createWebSocketHandler,
  MessageWebSocket,
  MessageWebSocketConnect,
  type WebSocketAlias,
  type WebSocketHandlerOptions,
} from "../../src/websocket/index.ts";
import { until } from "../fixtures/until.ts";
import type { Probe } from "../probe.ts";
import { type WebStage, webStage } from "../web/tools.ts";

export interface SocketStage extends WebStage {
  readonly ws: string;
}

/** A web server whose WebSockets belong to the parent. */
export async function sockets(options: WebSocketHandlerOptions = {}): Promise<SocketStage & AsyncDisposable> {
  const web = await webStage((parent) => {
    const handler = createWebSocketHandler(options);
    parent.spawnMeta(handler);
    return handler;
  });
  return Object.assign(web, { ws: web.url.replace("http", "ws") });
}

/** What was told of WebSockets: kinds, and the bodies of messages. */
export function story(probe: Probe): unknown[] {
  return probe.got.map((message) => (message instanceof MessageWebSocket ? message.body : (message as object).constructor.name));
}

/** The alias of the WebSocket that a probe was told of. */
export async function connected(probe: Probe, index = 0): Promise<WebSocketAlias> {
  const all = (): unknown[] => probe.got.filter((message) => message instanceof MessageWebSocketConnect);
  return ((await until("a WebSocket", () => all()[index])) as MessageWebSocketConnect).id;
}

/** A client with what it got and how it was closed. */
export interface Client {
  readonly socket: WebSocket;
  readonly got: { readonly text: string; readonly isBinary: boolean }[];
  readonly closed: Promise<{ code: number; reason: string }>;
}

/** Dials with the `ws` package. */
export async function dial(url: string, options: ClientOptions = {}): Promise<Client> {
  const socket = new WebSocket(url, options);
  const got: { text: string; isBinary: boolean }[] = [];
  socket.on("message", (data, isBinary) => got.push({ text: String(data), isBinary }));
  socket.on("error", () => undefined);
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once("close", (code, reason) => resolve({ code, reason: String(reason) })),
  );
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return { socket, got, closed };
}

/** The head of an upgrade, by hand. */
export function upgradeHead(more: readonly string[] = []): string {
  const lines = ["GET / HTTP/1.1", "host: x", "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", ...more];
  return `${[...lines, "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="].join("\r\n")}\r\n\r\n`;
}

/** A frame of a client, masked with nothing. */
export function frame(opcode: number, payload: string): Buffer {
  const body = Buffer.from(payload);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | body.length, 0, 0, 0, 0]), body]);
}
