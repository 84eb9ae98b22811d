import type { EventEntry } from "../events/event.ts";
import type { PID } from "../identity/index.ts";
import type { LogLevel } from "../log/index.ts";
import type { Priority } from "../mailbox/index.ts";
import type { Fallback } from "../process/extras.ts";
import type { Process, ProcessState } from "../process/process.ts";
import type { Consumer } from "../relations/watch-list.ts";
import type { Tables } from "../runtime/tables.ts";

/** One process, as data. */
export interface ProcessInfo {
  readonly pid: PID;
  readonly name: string | undefined;
  readonly behaviour: string;
  readonly parent: PID;
  readonly leader: PID;
  readonly state: ProcessState | "wait_response";
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly mailbox: { readonly urgent: number; readonly system: number; readonly main: number; readonly log: number };
  /** Longest queue; -1 = no limit, 0 = it was killed and takes nothing. */
  readonly mailboxLimit: number;
  readonly uptimeMs: number;
  readonly trapExit: boolean;
  readonly splitHandle: boolean;
  readonly sendPriority: Priority;
  readonly fallback: Fallback | undefined;
  readonly preserveMailbox: boolean;
  readonly aliases: readonly string[];
  /** The aliases of its meta-processes. */
  readonly metas: readonly string[];
  readonly events: readonly string[];
  readonly links: readonly string[];
  readonly monitors: readonly string[];
  readonly application: string | undefined;
  readonly logLevel: LogLevel;
  /** The only logger that gets its records; undefined = all. */
  readonly logger: string | undefined;
}

/** Describes a process. */
export function processInfo(tables: Tables, process: Process): ProcessInfo {
  const relations = [...(process.relations ?? [])];
  const targets = (kind: "link" | "monitor"): string[] => relations.filter((r) => r.kind === kind).map((r) => String(r.address));
  return {
    pid: process.pid,
    name: process.name,
    behaviour: process.behaviour.constructor.name,
    parent: process.parent,
    leader: process.leader,
    state: process.state === "running" && process.pending?.blocking === true ? "wait_response" : process.state,
    messagesIn: process.messagesIn,
    messagesOut: process.messagesOut,
    mailbox: process.waiting(),
    mailboxLimit: process.limit === 0 ? -1 : Math.max(process.limit, 0),
    uptimeMs: Math.round(tables.clock.now() - tables.startMs) - process.startedMs,
    trapExit: process.trapExit,
    splitHandle: process.splits,
    sendPriority: process.priority,
    fallback: process.extras?.fallback,
    preserveMailbox: process.extras?.preservesMailbox ?? false,
    aliases: [...(process.extras?.aliases ?? [])].map(String),
    metas: [...(process.extras?.metas ?? [])].map((meta) => String((meta as Process & { alias: unknown }).alias)),
    events: [...(process.extras?.events ?? [])].map((event) => event.name.name),
    links: targets("link"),
    monitors: targets("monitor"),
    application: process.heritage.application?.name,
    logLevel: process.logLevel,
    logger: process.logger,
  };
}

/** The kernel, as data. */
export interface KernelInfo {
  readonly node: string;
  readonly creation: number;
  readonly state: "running" | "stopping" | "stopped";
  readonly uptimeMs: number;
  readonly processes: number;
  readonly names: number;
  readonly aliases: number;
  readonly metas: number;
  /** Messages and signals that wait for their time; those of `sendEvery` are not among them. */
  readonly timers: number;
  readonly events: readonly EventInfo[];
}

/** One event, as data. */
export interface EventInfo {
  readonly name: string;
  readonly producer: PID;
  readonly open: boolean;
  /** Links and monitors together. */
  readonly subscribers: number;
  readonly published: number;
  /** To how many mailboxes, all events together; one that was full is not counted. */
  readonly delivered: number;
  readonly buffered: number;
}

/** Describes an event. */
export function eventInfo(tables: Tables, event: EventEntry<Consumer, Process>): EventInfo {
  return {
    name: event.name.name,
    producer: event.producer?.pid ?? tables.core,
    open: event.open,
    subscribers: event.subscribers.size,
    published: event.published,
    delivered: event.delivered,
    buffered: event.buffered().length,
  };
}

/** Describes the kernel. */
export function kernelInfo(tables: Tables): KernelInfo {
  return {
    node: tables.node,
    creation: tables.creation,
    state: tables.state,
    uptimeMs: tables.state === "stopped" ? 0 : tables.clock.now() - tables.startMs,
    processes: tables.processes.size,
    names: tables.names.size,
    aliases: tables.aliases.size,
    metas: tables.metas.size,
    timers: tables.timers.size,
    events: [...tables.events.values()].map((event) => eventInfo(tables, event)),
  };
}
