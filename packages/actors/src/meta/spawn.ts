import { actorError } from "../errors.ts";
import { type Alias, type Reason, reasonOfOutcome, reasonOfThrow, Terminate } from "../identity/index.ts";
import { extrasOf } from "../process/extras.ts";
import { isThenable, type Process } from "../process/process.ts";
import type { Tables } from "../runtime/tables.ts";
import { allowed } from "../runtime/watch.ts";
import { MetaBehaviour, type MetaOptions, type MetaShape } from "./behaviour.ts";
import { Handle } from "./handle.ts";
import { MetaHost, main } from "./life.ts";
import { resolveMetaOptions } from "./options.ts";
import { MetaRun } from "./run.ts";

/** Makes a meta-process of `owner`; gives a promise only when `init` gives one. `by` is the meta-process that asks for it. */
export function spawnMeta(
  tables: Tables,
  owner: Process,
  given: MetaShape,
  options: MetaOptions = {},
  by?: MetaRun,
): Alias | Promise<Alias> {
  if (by !== undefined) allowed(by);
  allowed(owner);
  const { mailboxLimit, priority, initTimeoutMs } = resolveMetaOptions(options);
  const behaviour = given as MetaBehaviour<never, never>;
  if (typeof behaviour?.start !== "function")
    throw actorError("actor.incorrect", "a meta-process needs a behaviour with a start");
  const run = new MetaRun({
    alias: tables.makeAlias(),
    owner,
    behaviour,
    host: new MetaHost(tables),
    limit: mailboxLimit,
    priority,
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
  if (isThenable(begun)) return completeLater(tables, run, handle, begun, initTimeoutMs);
  return complete(tables, run, handle, begun);
}

/** `init` went well, unless it gave a reason back: the alias leads to it from now on, and `start` follows in a turn of its own. */
function complete(tables: Tables, run: MetaRun, handle: Handle, given: unknown): Alias {
  if (given !== undefined) throw failed(run, reasonOfOutcome(given));
  const { alias, owner } = run;
  if (owner.state === "terminated") throw failed(run, ownerEnded());
  if (tables.aliases.has(alias.id)) throw failed(run, actorError("actor.alias_taken"));
  tables.aliases.set(alias.id, { address: alias, process: run, watchers: undefined });
  extrasOf(owner).metas.add(run);
  tables.metas.add(run);
  queueMicrotask(() => void main(tables, run, handle));
  return alias;
}

/** The same for an `init` that waits for something: until it is through, its time is over or its process has ended. */
async function completeLater(
  tables: Tables,
  run: MetaRun,
  handle: Handle,
  begun: PromiseLike<unknown>,
  timeoutMs: number,
): Promise<Alias> {
  const late = Promise.withResolvers<never>();
  const onOwnerEnd = (): void => late.reject(new Terminate(ownerEnded()));
  const onTimeout = (): void => late.reject(new Terminate(actorError("actor.timeout", `init took over ${timeoutMs} ms`)));
  const timer = tables.clock.setTimer(timeoutMs, onTimeout);
  extrasOf(run.owner).onEnd.add(onOwnerEnd);
  let given: unknown;
  try {
    given = await Promise.race([begun, late.promise]);
  } catch (thrown) {
    throw failed(run, reasonOfThrow(thrown));
  } finally {
    timer.cancel();
    run.owner.extras?.onEnd.delete(onOwnerEnd);
  }
  return complete(tables, run, handle, given);
}

function ownerEnded(): Error {
  return actorError("actor.process_terminated", "the process of the meta-process ended before its init was through");
}

/** The error of a spawn whose `init` did not go well; nothing is left of it. */
function failed(run: MetaRun, reason: Reason): Error {
  run.state = "terminated";
  run.release();
  run.abort(reason);
  if (reason instanceof Error) return reason;
  return actorError("actor.process_terminated", `the meta-process ended in its init: ${reason}`);
}
