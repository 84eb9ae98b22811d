import { type ActorErrorCode, actorError } from "../errors.ts";
import { Alias, type PID, type Reason } from "../identity/index.ts";
import type { LogLevel } from "../log/index.ts";
import { Envelope, MessageExit, type Priority } from "../mailbox/index.ts";
import type { Process } from "../process/process.ts";
import type { Tables } from "../runtime/tables.ts";
import { type CancelTimer, once } from "../runtime/timers.ts";
import { allowed } from "../runtime/watch.ts";
import { nameOf } from "./life.ts";
import { MetaRun } from "./run.ts";

/** What a meta-process is doing; `sleep` says only that no handler runs, `start` may be busy. */
export type MetaState = "created" | "sleep" | "running" | "terminated";

/** One meta-process, as data. */
export interface MetaInfo {
  readonly alias: Alias;
  readonly parent: PID;
  readonly behaviour: string;
  readonly state: MetaState;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly mailbox: { readonly main: number; readonly system: number };
  /** Longest queue; -1 = no limit. */
  readonly mailboxLimit: number;
  readonly priority: Priority;
  /** Since the main activity began. */
  readonly uptimeMs: number;
  readonly application: string | undefined;
  readonly logLevel: LogLevel;
}

/** Describes a meta-process. @throws actor.process_unknown – no such alias; actor.meta_unknown – the alias of a process */
export function metaInfo(tables: Tables, alias: Alias<never, never>): MetaInfo {
  const run = metaBehind(tables, alias, "actor.process_unknown");
  const { urgent, main } = run.waiting();
  return {
    alias: run.alias,
    parent: run.pid,
    behaviour: nameOf(run.meta),
    state: run.state === "init" ? "created" : (run.state as MetaState),
    messagesIn: run.messagesIn,
    messagesOut: run.messagesOut,
    mailbox: { main, system: urgent },
    mailboxLimit: run.limit === 0 ? -1 : run.limit,
    priority: run.priority,
    uptimeMs: run.state === "init" ? 0 : Math.round(tables.clock.now() - tables.startMs) - run.startedMs,
    application: run.heritage.application?.name,
    logLevel: run.logLevel,
  };
}

/**
 * Sends an exit to a meta-process of this node; it cannot be trapped.
 * @throws actor.incorrect – no reason; actor.alias_unknown; actor.meta_unknown – the alias of a process;
 * actor.process_terminated – its process has ended, and it is about to; actor.meta_mailbox_full
 */
export function sendExitMeta(tables: Tables, from: Process | undefined, alias: Alias<never, never>, reason: Reason): void {
  if (from?.state === "zombie") throw actorError("actor.not_allowed", `process ${from.pid} was killed`);
  const run = target(tables, alias, reason);
  if (!putExit(run, from?.pid ?? tables.core, reason)) {
    throw actorError("actor.meta_mailbox_full", `the mailbox is full: ${alias}`);
  }
}

/** The same, later. What the alias leads to is looked at now and again then. */
export function sendExitMetaAfter(
  tables: Tables,
  from: Process,
  alias: Alias<never, never>,
  reason: Reason,
  delayMs: number,
): CancelTimer {
  allowed(from);
  target(tables, alias, reason);
  return once(tables, delayMs, () => {
    const run = tables.entryOfAlias(alias)?.process;
    if (run instanceof MetaRun) putExit(run, from.pid, reason);
  });
}

/** Whom an exit goes to. */
function target(tables: Tables, alias: Alias<never, never>, reason: Reason): MetaRun {
  if (reason === undefined || reason === null) throw actorError("actor.incorrect", "an exit signal needs a reason");
  if (!(alias instanceof Alias)) throw actorError("actor.incorrect", "the exit of a meta-process goes to its alias");
  const run = metaBehind(tables, alias, "actor.alias_unknown");
  if (run.owner.state === "terminated") throw actorError("actor.process_terminated", `the process of ${alias} has ended`);
  return run;
}

function putExit(run: MetaRun, from: PID, reason: Reason): boolean {
  return run.put("max", undefined, new Envelope("exit", from, new MessageExit("pid", from, reason)));
}

/** The meta-process behind an alias. `unknown` is the error of one that leads nowhere. @throws actor.meta_unknown – the alias of a process */
export function metaBehind(tables: Tables, alias: Alias<never, never>, unknown: ActorErrorCode): MetaRun {
  const entry = tables.entryOfAlias(alias);
  if (entry === undefined) throw actorError(unknown, `no such alias: ${alias}`);
  if (entry.process instanceof MetaRun) return entry.process;
  throw actorError("actor.meta_unknown", `${alias} is the alias of a process, not of a meta-process`);
}
