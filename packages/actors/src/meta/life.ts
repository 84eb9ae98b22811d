import { isClean, type Outcome, type Reason, type Ref, reasonOfOutcome, reasonOfThrow } from "../identity/index.ts";
import type { Envelope } from "../mailbox/index.ts";
import { pendingOf } from "../process/pending.ts";
import type { Process, ProcessHost } from "../process/process.ts";
import type { Scheduler } from "../process/scheduler.ts";
import { answerCall } from "../runtime/calls.ts";
import type { Tables } from "../runtime/tables.ts";
import { tellEnd } from "../runtime/watch.ts";
import type { MetaBehaviour, MetaProcess } from "./behaviour.ts";
import type { MetaRun } from "./run.ts";

/** How long `start` and `terminate` may go on after the end before that is told. */
export const LEAK_MS = 5_000;

/**
 * The life of a meta-process after its `init`.
 *
 *  M1. Its alias leads to it from the end of a successful `init` to its end, and is given to no other ever.
 *  M2. It ends once, by whichever comes first: the return of `start`, a handler, an exit, the end of its process. From then
 *      on it has no timer and no open request.
 *  M3. At the end: state, alias, watchers, signal, then `terminate`, once.
 *  M4. It stays in the list of its process until `start` and `terminate` have come back.
 *  M5. `start` is entered before the first mail is handled, unless an exit came first: then it is not entered at all.
 */
export class MetaHost implements ProcessHost {
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
    run.state = "terminated";
    const entry = tables.aliases.get(run.alias.id);
    tables.aliases.delete(run.alias.id);
    run.release();
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
    run.abort(reason);
    void this.#terminate(run, reason);
  }

  async #terminate(run: MetaRun, reason: Reason): Promise<void> {
    const { tables } = this;
    run.isTerminateBusy = true;
    const timer = tables.clock.setTimer(LEAK_MS, () => {
      const busy = run.isTerminateBusy ? "terminate" : "start";
      const text = `${run.alias} (${nameOf(run.meta)}): ${busy} goes on ${LEAK_MS} ms after the end; terminate must make start return`;
      tables.report({ kind: "meta_leaked", pid: run.pid, by: run, text });
    });
    run.onGone = () => timer.cancel();
    try {
      await run.meta.terminate(reason);
    } catch (error) {
      tables.report({ kind: "terminate_failed", pid: run.pid, by: run, text: `terminate of ${run.alias} threw`, error });
    }
    run.isTerminateBusy = false;
    leave(tables, run);
  }
}

/** The main activity. */
export async function main(tables: Tables, run: MetaRun, handle: MetaProcess): Promise<void> {
  if (run.state === "terminated") return;
  if (run.isExiting) {
    run.activate();
    return;
  }
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
  run.end(reason);
  leave(tables, run);
}

/** Takes an ended meta-process off the lists when nothing of it goes on. */
function leave(tables: Tables, run: MetaRun): void {
  if (run.isStartBusy || run.isTerminateBusy) return;
  run.onGone?.();
  run.owner.extras?.metas.delete(run);
  tables.metas.delete(run);
  tables.onGone?.();
}

/** The class of a behaviour, for people. */
export function nameOf(behaviour: MetaBehaviour<never, never>): string {
  return behaviour.constructor.name;
}
