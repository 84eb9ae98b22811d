export { Actor } from "./behaviour/actor.ts";
export { Supervisor } from "./behaviour/supervisor.ts";
export type { ChildInfo, ChildSpec, SupervisorSpec } from "./behaviour/supervisor-spec.ts";
export type { ActorErrorCode } from "./errors.ts";
export type { EventOptions } from "./events/event.ts";
export {
  type Address,
  Alias,
  type AnswerOf,
  type Call,
  EventName,
  isClean,
  isPanic,
  later,
  PID,
  ProcessName,
  type Reason,
  Ref,
  Terminate,
} from "./identity/index.ts";
export type { CallOptions, RequestOptions } from "./kernel/calls.ts";
export type { KernelInfo, ProcessInfo } from "./kernel/info.ts";
export { createKernel, type Kernel, type KernelOptions } from "./kernel/kernel.ts";
export type { SpawnOptions } from "./kernel/spawn.ts";
export type { KernelReport } from "./kernel/tables.ts";
export type { CancelTimer } from "./kernel/timers.ts";
export type { Ended, Given, PidOf } from "./kernel/typed.ts";
export {
  MessageDown,
  MessageEvent,
  MessageEventStart,
  MessageEventStop,
  MessageExit,
  MessageFallback,
  type MessageResponse,
  type Priority,
} from "./mailbox/index.ts";
