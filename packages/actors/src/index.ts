export {
  type ApplicationContext,
  type ApplicationInfo,
  type ApplicationMember,
  type ApplicationMode,
  type ApplicationNode,
  type ApplicationSpec,
  defineApplication,
  type StartApplicationOptions,
  type StopApplicationOptions,
} from "./application/index.ts";
export { Actor } from "./behaviour/actor.ts";
export type { ChildInfo, RestartDecision, SupervisorInfo } from "./behaviour/children.ts";
export { Pool, type RejectedMail } from "./behaviour/pool.ts";
export type { PoolSpec } from "./behaviour/pool-spec.ts";
export { MessageRouteFailed, type RouteInfo, type RouterSpec, type RouteSpec } from "./behaviour/route.ts";
export { Router } from "./behaviour/router.ts";
export { Supervisor } from "./behaviour/supervisor.ts";
export { type ChildRestart, type ChildSpec, child, type SupervisorSpec } from "./behaviour/supervisor-spec.ts";
export {
  type CronAction,
  type CronJob,
  type CronJobInfo,
  type CronJobs,
  type CronRun,
  type CronSlot,
  MessageCron,
  MessageCronFallback,
} from "./cron/index.ts";
export type { ActorErrorCode } from "./errors.ts";
export type { EventOptions } from "./events/event.ts";
export {
  type Address,
  Alias,
  type AnswerOf,
  bareReason,
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
export type { EventInfo, KernelInfo, ProcessInfo } from "./kernel/info.ts";
export { createKernel, type Kernel, type KernelOptions } from "./kernel/kernel.ts";
export type { KernelLog, KernelLogOptions } from "./kernel/kernel-log.ts";
export { type OpenKernelOptions, openKernel } from "./kernel/open.ts";
export type { TreeNode } from "./kernel/tree.ts";
export type { Log, LogFields, Logger, LoggerOptions, LogLevel, LogRecord, LogSource, RecordLevel } from "./log/index.ts";
export {
  MailboxKept,
  MessageDown,
  MessageEvent,
  MessageEventStart,
  MessageEventStop,
  MessageExit,
  MessageFallback,
  type MessageResponse,
  type Priority,
} from "./mailbox/index.ts";
export { type AliasOf, MetaBehaviour, type MetaOptions, type MetaProcess, type MetaShape } from "./meta/behaviour.ts";
export type { MetaInfo } from "./meta/control.ts";
export type { Compression } from "./process/extras.ts";
export type { RemoteStartOptions } from "./remote/application-starts.ts";
export type { WireType, WireTypes } from "./remote/codec/types.ts";
export { createMemoryLinks, type Link, type LinkEvents } from "./remote/link.ts";
export type { NetworkOptions, NodeFlags } from "./remote/options.ts";
export type { NodeInfo } from "./remote/peer.ts";
export type { CoreMessage } from "./runtime/bus.ts";
export type { CallOptions, RequestOptions } from "./runtime/calls.ts";
export type { RemoteSpawnOptions, SpawnOptions } from "./runtime/spawn.ts";
export type { KernelReport } from "./runtime/tables.ts";
export type { CancelTimer } from "./runtime/timers.ts";
export type { Ended, Given, PidOf } from "./runtime/typed.ts";
