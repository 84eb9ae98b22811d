export {
  MessageSse,
  MessageSseConnect,
  MessageSseDisconnect,
  MessageSseLastEventId,
  type SseAlias,
  type SseCommand,
  type SseContent,
  type SseEvent,
  type SseProcess,
} from "./messages.ts";
export { createSseClient, SseClient, type SseClientOptions } from "./sse-client.ts";
export { createSseHandler, SseHandler, type SseHandlerOptions } from "./sse-handler.ts";
export { SseStream } from "./sse-stream.ts";
