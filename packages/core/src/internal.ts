/** What sibling packages may use beyond the public names. Published as `./internal`; no promises between releases. */

export { DeadlineQueue, Expiring } from "./clock.ts";
export { asMetanodeError, type CoreErrorCode, codeOf } from "./errors.ts";
export { type Channel, type ChannelEvents, createMemoryChannel } from "./link/channel.ts";
export { dialLink, openLinkServer } from "./link/grpc.ts";
export { greet, receive } from "./link/handshake.ts";
export { Session, type SessionOptions } from "./link/session.ts";
export type { LinkServer } from "./link/transport.ts";
export { seededRandom } from "./member/random.ts";
export { BATCH_TYPE, STRUCTURED_TYPE } from "./message/http.ts";
export { isOfPlatform, isOrder } from "./message/orders.ts";
export { protoFolder } from "./message/proto-root.ts";
export { decodeProtobufEvent, encodeProtobufEvent, PROTOBUF_TYPE } from "./message/protobuf.ts";
export { intWithin, nearest, rejectUnknownKeys, textOf } from "./options.ts";
export type { ProcessorHost } from "./processor/host.ts";
export type { LogLine } from "./processor/launch.ts";
export type { PoolInfo } from "./processor/pool.ts";
export type { RouteInfo, Router } from "./router/router.ts";
export { ownCard } from "./tree/own-card.ts";
