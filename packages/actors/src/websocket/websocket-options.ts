import { wholeNumber } from "../splitting/splitting.ts";

/** How a WebSocket behaves, whoever opened it. */
export interface WebSocketOptions {
  /** Agrees with the peer on compressing messages of 1 KiB and more: less to send, more memory and work. @default false */
  compression?: boolean;
  /** Longest message of the peer, in bytes, after decompression; a longer one ends with `actor.too_large`. @default 1_048_576 */
  maxPayloadBytes?: number;
  /** How long the opening handshake may take, in milliseconds. @default 15_000 */
  handshakeTimeoutMs?: number;
  /** How long a peer may take to answer a close with a close, in milliseconds; then it is cut off. @default 2_000 */
  closeTimeoutMs?: number;
  /**
   * When the mailbox of the handler is full: whether reading waits until there is room, with nothing lost, instead of the
   * WebSocket ending. @default false
   */
  pauseWhenFull?: boolean;
}

/** Options of a WebSocket, checked and complete. */
export type ResolvedWebSocketOptions = Readonly<Required<WebSocketOptions>>;

/** Their names, for checking. */
export const WEBSOCKET_OPTIONS: readonly (keyof WebSocketOptions)[] = [
  "compression",
  "maxPayloadBytes",
  "handshakeTimeoutMs",
  "closeTimeoutMs",
  "pauseWhenFull",
];

/** @throws actor.incorrect – a number that is out of range */
export function resolveWebSocketOptions(given: WebSocketOptions): ResolvedWebSocketOptions {
  return Object.freeze({
    compression: given.compression ?? false,
    maxPayloadBytes: wholeNumber("websocket.maxPayloadBytes", given.maxPayloadBytes ?? 1_048_576, 1),
    handshakeTimeoutMs: wholeNumber("websocket.handshakeTimeoutMs", given.handshakeTimeoutMs ?? 15_000, 1),
    closeTimeoutMs: wholeNumber("websocket.closeTimeoutMs", given.closeTimeoutMs ?? 2_000, 1),
    pauseWhenFull: given.pauseWhenFull ?? false,
  });
}

/** What the library is given, on both sides. */
export function libraryOptions(options: ResolvedWebSocketOptions) {
  return {
    perMessageDeflate: options.compression && { threshold: 1_024 },
    maxPayload: options.maxPayloadBytes,
    closeTimeout: options.closeTimeoutMs,
  };
}
