import type { IncomingMessage } from "node:http";
import type { Address, Alias } from "../identity/index.ts";
import type { TcpAddress } from "../tcp/messages.ts";

/** The address of a WebSocket, as its handler gets it. */
export type WebSocketAlias = Alias<WebSocketCommand, never>;
/**
 * What the handler of a WebSocket is sent: one `MessageWebSocketConnect`, then messages of type `text` and `binary`, and one
 * `MessageWebSocketDisconnect`.
 */
export type WebSocketEvent = MessageWebSocketConnect | MessageWebSocket | MessageWebSocketDisconnect;
/** What a WebSocket can be sent: a message, or that it shall close when everything before has been written. */
export type WebSocketCommand = MessageWebSocket | MessageWebSocketDisconnect;
/** Who handles a WebSocket. A name is looked up at each message. */
export type WebSocketProcess = Address<WebSocketEvent, never>;

/** What a message is; the last three are for sending alone: pings of the peer are answered, pongs taken, without the handler. */
export type WebSocketMessageType = "text" | "binary" | "ping" | "pong" | "close";

/** To the handler: a WebSocket is open. The first message about it. */
export class MessageWebSocketConnect {
  /** The WebSocket: where messages for the peer are sent to. */
  readonly id: WebSocketAlias;
  readonly remote: TcpAddress;
  readonly local: TcpAddress;
  /** The request that was upgraded, with its path and headers; undefined where this side dialled. */
  readonly request: IncomingMessage | undefined;

  constructor(id: WebSocketAlias, remote: TcpAddress, local: TcpAddress, request?: IncomingMessage) {
    this.id = id;
    this.remote = remote;
    this.local = local;
    this.request = request;
  }
}

/** To the handler: what the peer sent. To the WebSocket: what to send. */
export class MessageWebSocket {
  /** The WebSocket. Means nothing when it is sent to one. */
  readonly id: WebSocketAlias;
  /**
   * Text of a text message, else bytes. Of a ping or pong at most 125 bytes. Of a `close`: text that tells why, at most 123
   * bytes, with the code 1000; or bytes, of which the first two are the code.
   */
  readonly body: string | Uint8Array;
  readonly type: WebSocketMessageType;

  /** Without a type, a text is sent as text and bytes as binary. */
  constructor(id: WebSocketAlias, body: string | Uint8Array, type?: WebSocketMessageType) {
    this.id = id;
    this.body = body;
    this.type = type ?? (typeof body === "string" ? "text" : "binary");
  }

  /** The body as text. */
  get text(): string {
    return typeof this.body === "string" ? this.body : Buffer.from(this.body).toString();
  }
}

/** To the handler: the WebSocket has closed. Its last message. To the WebSocket: close after what was sent before. */
export class MessageWebSocketDisconnect {
  readonly id: WebSocketAlias;

  constructor(id: WebSocketAlias) {
    this.id = id;
  }
}
