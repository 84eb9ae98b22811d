import type { PID } from "../identity/index.ts";
import type { LogLevel } from "../log/index.ts";
import type { Process, ProcessState } from "../process/process.ts";
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
  /** Longest queue; -1 = no limit. */
  readonly mailboxLimit: number;
  readonly uptimeMs: number;
  readonly trapExit: boolean;
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
    mailboxLimit: process.limit === 0 ? -1 : process.limit,
    uptimeMs: Math.round(tables.clock.now() - tables.startMs) - process.startedMs,
    trapExit: process.trapExit,
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
  readonly events: readonly EventInfo[];
}

/** One event, as data. */
export interface EventInfo {
  readonly name: string;
  readonly producer: PID;
  readonly subscribers: number;
  readonly published: number;
  readonly delivered: number;
  readonly buffered: number;
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
    events: [...tables.events.values()].map((event) => ({
      name: event.name.name,
      producer: event.producer?.pid ?? tables.core,
      subscribers: event.subscribers.size,
      published: event.published,
      delivered: event.delivered,
      buffered: event.buffered().length,
    })),
  };
}
