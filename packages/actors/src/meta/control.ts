import { actorError } from "../errors.ts";
import { Alias, type PID, type Reason } from "../identity/index.ts";
import type { LogLevel } from "../log/index.ts";
import { Envelope, MessageExit } from "../mailbox/index.ts";
import type { Process } from "../process/process.ts";
import type { Tables } from "../runtime/tables.ts";
import { type CancelTimer, once } from "../runtime/timers.ts";
import { allowed } from "../runtime/watch.ts";
import { MetaRun } from "./run.ts";
import { nameOf } from "./spawn.ts";

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
  readonly priority: string;
  /** Since the main activity began. */
  readonly uptimeMs: number;
  readonly application: string | undefined;
  readonly logLevel: LogLevel;
}

/** The meta-process behind an alias. @throws actor.meta_unknown */
export function metaOf(tables: Tables, alias: Alias<never, never>): MetaRun {
  const found = tables.entryOfAlias(alias)?.process;
  if (found instanceof MetaRun) return found;
  throw actorError("actor.meta_unknown", `no meta-process has the alias ${alias}`);
}

/** Describes a meta-process. @throws actor.meta_unknown */
export function metaInfo(tables: Tables, alias: Alias<never, never>): MetaInfo {
  const run = metaOf(tables, alias);
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
 * @throws actor.incorrect – no reason; actor.alias_unknown; actor.meta_unknown – the alias of a process; actor.meta_mailbox_full
 */
export function sendExitMeta(tables: Tables, from: Process | undefined, alias: Alias<never, never>, reason: Reason): void {
  if (from !== undefined) allowed(from);
  if (reason === undefined || reason === null) throw actorError("actor.incorrect", "an exit signal needs a reason");
  const sender = from?.pid ?? tables.core;
  const exit = new Envelope("exit", sender, new MessageExit("pid", sender, reason));
  if (!target(tables, alias).put("max", undefined, exit))
    throw actorError("actor.meta_mailbox_full", `the mailbox is full: ${alias}`);
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
  if (reason === undefined || reason === null) throw actorError("actor.incorrect", "an exit signal needs a reason");
  target(tables, alias);
  return once(tables, delayMs, () => {
    const run = tables.entryOfAlias(alias)?.process;
    if (run instanceof MetaRun)
      run.put("max", undefined, new Envelope("exit", from.pid, new MessageExit("pid", from.pid, reason)));
  });
}

function target(tables: Tables, alias: Alias<never, never>): MetaRun {
  if (!(alias instanceof Alias)) throw actorError("actor.incorrect", "the exit of a meta-process goes to its alias");
  if (tables.entryOfAlias(alias) === undefined) throw actorError("actor.alias_unknown", `no such alias: ${alias}`);
  return metaOf(tables, alias);
}
