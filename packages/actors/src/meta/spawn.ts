import { actorError } from "../errors.ts";
import { type Alias, isClean, type Outcome, type Reason, type Ref, reasonOfOutcome, reasonOfThrow } from "../identity/index.ts";
import type { Envelope } from "../mailbox/index.ts";
import { extrasOf } from "../process/extras.ts";
import { abandonAll, pendingOf } from "../process/pending.ts";
import type { Process, ProcessHost } from "../process/process.ts";
import type { Scheduler } from "../process/scheduler.ts";
import { answerCall } from "../runtime/calls.ts";
import type { Tables } from "../runtime/tables.ts";
import { allowed, tellEnd } from "../runtime/watch.ts";
import { MetaBehaviour, type MetaOptions, type MetaShape } from "./behaviour.ts";
import { Handle } from "./handle.ts";
import { MetaRun } from "./run.ts";

/** How long `start` may go on after `terminate` before that is told. */
export const LEAK_MS = 5_000;

/**
 * The life of a meta-process.
 *
 *  M1. Its alias leads to it from the end of a successful `init` to its end, and is given to no other ever.
 *  M2. It ends once, by whichever comes first: the return of `start`, a handler, an exit, the end of its process.
 *  M3. At the end: state, alias, watchers, then `terminate`.
 *  M4. It stays in the list of its process until `start` has come back.
 */
class MetaHost implements ProcessHost {
  readonly scheduler: Scheduler;
  readonly tables: Tables;

  constructor(tables: Tables) {
    this.tables = tables;
    this.scheduler = tables.scheduler;
  }

  answerCall(_run: Process, envelope: Envelope, given: unknown): Outcome {
    return answerCall(envelope, given);
  }

  answerInspect(envelope: Envelope, given: unknown): void {
    pendingOf(envelope.ref as Ref)?.answer(given ?? {});
  }

  finished(process: Process, reason: Reason): void {
    const run = process as MetaRun;
    const { tables } = this;
    if (run.state === "terminated") return;
    run.state = "terminated";
    const entry = tables.aliases.get(run.alias.id);
    tables.aliases.delete(run.alias.id);
    run.owner.messagesIn += run.messagesIn;
    abandonAll(run);
    if (run.extras !== undefined) for (const ended of [...run.extras.onEnd]) ended(reason);
    tellEnd(entry?.watchers, "alias", run.pid, reason);
    if (!isClean(reason)) {
      const text = typeof reason === "string" ? reason : reason.message;
      tables.report({
        kind: "ended",
        pid: run.pid,
        by: run,
        text: `${run.alias} (${nameOf(run.meta)}) ended: ${text}`,
        error: reason,
      });
    }
    run.ending.abort(reason);
    void this.#terminate(run, reason);
  }

  async #terminate(run: MetaRun, reason: Reason): Promise<void> {
    const { tables } = this;
    try {
      await run.meta.terminate(reason);
    } catch (error) {
      tables.report({ kind: "terminate_failed", pid: run.pid, by: run, text: `terminate of ${run.alias} threw`, error });
    }
    if (!run.isStartBusy) {
      forget(tables, run);
      return;
    }
    const timer = tables.clock.setTimer(LEAK_MS, () => {
      const text = `${run.alias} (${nameOf(run.meta)}): start goes on ${LEAK_MS} ms after terminate`;
      tables.report({ kind: "meta_leaked", pid: run.pid, by: run, text });
    });
    run.onStartBack = () => timer.cancel();
  }
}

function forget(tables: Tables, run: MetaRun): void {
  run.owner.extras?.metas.delete(run);
  tables.metas.delete(run);
  tables.onGone?.();
}

/** The class of a behaviour, for people. */
export function nameOf(behaviour: MetaBehaviour<never, never>): string {
  return behaviour.constructor.name;
}

/** Makes a meta-process of `owner`; gives a promise only when `init` gives one. `by` is the meta-process that asks for it. */
export function spawnMeta(
  tables: Tables,
  owner: Process,
  given: MetaShape,
  options: MetaOptions = {},
  by?: MetaRun,
): Alias | Promise<Alias> {
  allowed(by ?? owner);
  if (by !== undefined) allowed(owner);
  const behaviour = given as MetaBehaviour<never, never>;
  if (typeof behaviour?.start !== "function")
    throw actorError("actor.incorrect", "a meta-process needs a behaviour with a start");
  const limit = options.mailboxLimit ?? 0;
  if (!Number.isInteger(limit) || limit < 0) throw actorError("actor.incorrect", "mailboxLimit is an integer from 0");
  const run = new MetaRun({
    alias: tables.makeAlias(),
    owner,
    behaviour,
    host: new MetaHost(tables),
    limit,
    priority: options.priority ?? "normal",
    startedMs: Math.round(tables.clock.now() - tables.startMs),
    logLevel: options.logLevel,
  });
  const handle = new Handle(tables, run, (sibling, siblingOptions) => spawnMeta(tables, owner, sibling, siblingOptions, run));
  MetaBehaviour.bind(behaviour, (what, value) => {
    tables.report({ kind: "unhandled", pid: owner.pid, by: run, text: `${run.alias}: unhandled ${what}`, error: value });
  });
  let begun: unknown;
  try {
    begun = behaviour.init(handle);
  } catch (thrown) {
    throw failed(run, reasonOfThrow(thrown));
  }
  if (begun instanceof Promise) {
    return begun.then(
      (outcome) => complete(tables, run, handle, outcome),
      (thrown) => {
        throw failed(run, reasonOfThrow(thrown));
      },
    );
  }
  return complete(tables, run, handle, begun);
}

/** `init` went well, unless it gave a reason back: the alias leads to it from now on, and `start` follows in a turn of its own. */
function complete(tables: Tables, run: MetaRun, handle: Handle, given: unknown): Alias {
  if (given !== undefined) throw failed(run, reasonOfOutcome(given));
  const { alias, owner } = run;
  if (owner.state === "terminated") throw failed(run, actorError("actor.process_terminated"));
  if (tables.aliases.has(alias.id)) throw failed(run, actorError("actor.alias_taken"));
  tables.aliases.set(alias.id, { address: alias, process: run, watchers: undefined });
  extrasOf(owner).metas.add(run);
  tables.metas.add(run);
  queueMicrotask(() => void main(tables, run, handle));
  return alias;
}

/** The main activity. */
async function main(tables: Tables, run: MetaRun, handle: Handle): Promise<void> {
  if (run.state === "terminated") return;
  run.isStartBusy = true;
  run.startedMs = Math.round(tables.clock.now() - tables.startMs);
  run.activate();
  let reason: Reason = "normal";
  try {
    const given = await run.meta.start(handle);
    if (given !== undefined) reason = reasonOfOutcome(given);
  } catch (thrown) {
    reason = reasonOfThrow(thrown);
  }
  run.isStartBusy = false;
  run.onStartBack?.();
  if (run.ending.signal.aborted) forget(tables, run);
  else run.end(reason);
}

/** The error of a spawn whose `init` did not go well; nothing is left of it. */
function failed(run: MetaRun, reason: Reason): Error {
  run.state = "terminated";
  abandonAll(run);
  if (run.extras !== undefined) for (const ended of [...run.extras.onEnd]) ended(reason);
  if (reason instanceof Error) return reason;
  return actorError("actor.process_terminated", `the meta-process ended in its init: ${reason}`);
}
