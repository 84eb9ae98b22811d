export {
  MessageWebSocket,
  MessageWebSocketConnect,
  MessageWebSocketDisconnect,
  type WebSocketAlias,
  type WebSocketCommand,
  type WebSocketEvent,
  type WebSocketMessageType,
  type WebSocketProcess,
} from "./messages.ts";
export { openWebSocketConnection, type WebSocketConnectionOptions } from "./open-websocket-connection.ts";
export { WebSocketConnection } from "./websocket-connection.ts";
export { createWebSocketHandler, WebSocketHandler, type WebSocketHandlerOptions } from "./websocket-handler.ts";
export type { WebSocketOptions } from "./websocket-options.ts";
