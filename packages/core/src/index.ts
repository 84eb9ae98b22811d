/**
 * The ground of Metanode: messages, members, selection x reduction, routing, the log, processors, and the node that
 * holds them. Groups come from `@metanode/core/group`, logs from `@metanode/core/log`, what an author of processors
 * needs from `@metanode/core/processor`.
 *
 * ```ts
 * await using node = await createNode({
 *   name: "shop",
 *   folder: ".metanode",
 *   modules: [processors([{ name: "pricing", file: "pricing.ts" }])],
 * });
 * const price = await node.call({ type: "order.price", data: { sku: "tea", amount: 2 } });
 * ```
 */

export { type Clock, systemClock, type Timer, wait } from "./clock.ts";
export {
  coreError,
  defineErrorCodes,
  type ErrorInfo,
  type ErrorRow,
  errorRow,
  errorTable,
  fromWire,
  hasCode,
  MetanodeError,
  toWire,
  type WireError,
} from "./errors.ts";
export type { DeadLetter, DeadLetters, Log } from "./log/log.ts";
export { handlerMember } from "./member/handler.ts";
export type { CallContext, Member, MemberState } from "./member/member.ts";
export { fromHttp, toBinaryHttp, toStructuredHttp } from "./message/http.ts";
export { fromJsonEvent, toJsonEvent } from "./message/json.ts";
export { createMessage, type Message, type MessageInit } from "./message/message.ts";
export { Journal, type NewStep, type Step, type StepKind, traceIdOf } from "./node/journal.ts";
export type { ModuleHealth, ModuleHost, NodeModule } from "./node/module.ts";
export { createNode, type MetaNode, type NodeHealth, type NodeOptions, type TypedClient } from "./node/node.ts";
export { type ProcessorsModule, processors } from "./node/processors.ts";
export type { ProcessorSpec } from "./processor/options.ts";
export type { Accepted, CallOptions, Route } from "./router/router.ts";
