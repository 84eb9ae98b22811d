import { actorError } from "../errors.ts";
import { bareReason, isClean, PID, type Reason } from "../identity/index.ts";
import { Envelope, MailboxKept, MessageExit } from "../mailbox/index.ts";
import { failAll } from "../process/pending.ts";
import type { Process } from "../process/process.ts";
import { purge } from "../relations/watch-list.ts";
import { exitFrom } from "./deliver.ts";
import type { Tables } from "./tables.ts";
import { tellEnd, withdraw } from "./watch.ts";

/**
 * The end of a process, in the order of the specification (§1.6): state, table, watchers of the PID, name, aliases, events,
 * what it owns; then `terminate`.
 */
export function finish(tables: Tables, process: Process, reason: Reason): void {
  if (process.state === "terminated") return;
  remove(tables, process, keptWith(process, reason));
  if (!isClean(reason))
    tables.report({ kind: "ended", pid: process.pid, by: process, text: `ended: ${text(reason)}`, error: reason });
  tables.terminating++;
  runTerminate(tables, process, reason).then(() => {
    tables.terminating--;
    process.heritage.application?.left(process);
    tables.onGone?.();
  });
}

/** The end of a process whose start failed: nothing is left, and `terminate` does not run. */
export function abandon(tables: Tables, process: Process, reason: Reason): void {
  for (const relation of process.relations ?? []) {
    if (!relation.toChild) continue;
    exitFrom(tables, process.pid, relation.address as PID, reason);
  }
  remove(tables, process, reason);
  process.heritage.application?.left(process);
  tables.onGone?.();
}

/** What those who watch are told: the reason, and with it the mail that waited if the process was to preserve it. */
function keptWith(process: Process, reason: Reason): Reason {
  if (process.extras?.preservesMailbox !== true || isClean(reason)) return reason;
  return new MailboxKept(process.pid, reason, process.takeMail());
}

function remove(tables: Tables, process: Process, reason: Reason): void {
  const { pid, name, extras } = process;
  process.state = "terminated";
  tables.processes.delete(pid.id);
  PID.bind(pid, undefined);
  tellEnd(process.watchers, "pid", pid, reason);
  if (name !== undefined) {
    const entry = tables.names.get(name);
    tables.names.delete(name);
    tellEnd(entry?.watchers, "name", pid, reason);
  }
  if (extras !== undefined) {
    for (const alias of extras.aliases) {
      const entry = tables.aliases.get((alias as { id: number }).id);
      tables.aliases.delete((alias as { id: number }).id);
      tellEnd(entry?.watchers, "alias", pid, reason);
    }
    for (const event of extras.events) withdraw(tables, event, reason);
    const bare = bareReason(reason);
    const exit = new Envelope("exit", pid, new MessageExit("pid", pid, bare));
    for (const meta of extras.metas) if (!meta.put("max", undefined, exit)) meta.end(bare);
    for (const ended of [...extras.onEnd]) ended(bare);
  }
  process.heritage.application?.ended(process, reason);
  purge(process);
  failAll(process, actorError("actor.process_terminated", `process ${pid} ended while it waited`));
}

async function runTerminate(tables: Tables, process: Process, reason: Reason): Promise<void> {
  try {
    await process.behaviour.terminate(reason);
  } catch (error) {
    tables.report({ kind: "terminate_failed", pid: process.pid, by: process, text: "terminate threw", error });
  }
}

function text(reason: Reason): string {
  return typeof reason === "string" ? reason : reason.message;
}
