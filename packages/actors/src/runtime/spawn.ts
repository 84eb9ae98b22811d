import type { Timer } from "@metanode/core/clock";
import { actorError } from "../errors.ts";
import { PID, type Reason, reasonOfOutcome, reasonOfThrow, Terminate } from "../identity/index.ts";
import { type LogLevel, startLevel } from "../log/index.ts";
import type { Priority } from "../mailbox/index.ts";
import { type Behaviour, BIND, START } from "../process/behaviour.ts";
import { extrasOf, type Fallback } from "../process/extras.ts";
import { type Heritage, overlay } from "../process/heritage.ts";
import { Process, type ProcessHost } from "../process/process.ts";
import { WatchList } from "../relations/watch-list.ts";
import { abandon } from "./end.ts";
import { registerName } from "./names.ts";
import type { Tables } from "./tables.ts";
import { allowed } from "./watch.ts";

/** How long a start may take unless it says otherwise. */
export const DEFAULT_INIT_MS = 5_000;

/** How to spawn. */
export interface SpawnOptions {
  /** Registers the process under this name before its start. */
  name?: string;
  /** Longest queue, for each of the four; 0 = no limit. @default 0 */
  mailboxLimit?: number;
  /** Priority of what it sends. @default "normal" */
  priority?: Priority;
  /** @default the leader of the parent */
  leader?: PID<never, never>;
  /** Laid over the environment of the parent; `undefined` takes a variable away. Names are not case-sensitive. */
  env?: Readonly<Record<string, unknown>>;
  /** Where mail goes that does not fit; needs a `mailboxLimit`. */
  fallback?: Fallback;
  /** The end of the parent ends this process, also when it traps exits. @default false */
  linkParent?: boolean;
  /** The end of this process ends the parent, unless it traps exits. @default false */
  linkChild?: boolean;
  /** From which level on it logs; only here it can be `trace`. @default that of the parent, at the spawn */
  logLevel?: LogLevel;
  /** Longest start, in milliseconds, where it waits for something. @default 5_000 */
  initTimeoutMs?: number;
}

const NO_OPTIONS: SpawnOptions = Object.freeze({});
const NO_ARGS: readonly unknown[] = Object.freeze([]);

/** Everything needed for a spawn. */
export interface Birth {
  readonly tables: Tables;
  readonly host: ProcessHost;
  /** Undefined = the kernel. */
  readonly parent: Process | undefined;
  /** @default that of the parent */
  readonly heritage?: Heritage<Process>;
}

/** Makes a process and runs its start; gives a promise only when the start gives one. Throws what the start throws. */
export function spawn(
  birth: Birth,
  make: new () => Behaviour,
  options: SpawnOptions = NO_OPTIONS,
  args = NO_ARGS,
): PID | Promise<PID> {
  const process = create(birth, make, options);
  let started: unknown;
  try {
    if (options.name !== undefined) registerName(birth.tables, process, options.name);
    started = process.behaviour[START](args);
  } catch (error) {
    throw failed(birth, process, error);
  }
  if (started instanceof Promise) return finishLater(birth, process, options, started);
  return complete(birth, process, options, started);
}

function create({ tables, host, parent, heritage: given }: Birth, make: new () => Behaviour, options: SpawnOptions): Process {
  if (tables.state !== "running") throw actorError("actor.node_terminated");
  if (parent !== undefined) allowed(parent);
  if (options.leader !== undefined && tables.byPid(options.leader) === undefined) throw actorError("actor.parent_unknown");
  const limit = options.mailboxLimit ?? 0;
  if (!Number.isInteger(limit) || limit < 0) throw actorError("actor.incorrect", "mailboxLimit is an integer from 0");
  const heritage = handDown(given ?? parent?.heritage ?? tables.heritage, options);
  if (heritage.application?.isClosed === true) {
    throw actorError("actor.application_stopping", `application ${heritage.application.name} takes no new processes`);
  }
  const pid = tables.makePid();
  const process = new Process({
    pid,
    host,
    behaviour: new make(),
    parent: parent?.pid ?? tables.core,
    leader: (options.leader as PID | undefined) ?? parent?.leader ?? tables.core,
    limit,
    priority: options.priority ?? "normal",
    startedMs: Math.round(tables.clock.now() - tables.startMs),
    heritage,
  });
  PID.bind(pid, process);
  tables.processes.set(pid.id, process);
  heritage.application?.joined(process);
  if (options.fallback !== undefined && limit > 0) extrasOf(process).fallback = options.fallback;
  process.behaviour[BIND](process, host);
  return process;
}

function handDown(heritage: Heritage<Process>, { env, logLevel }: SpawnOptions): Heritage<Process> {
  if (env === undefined && logLevel === undefined) return heritage;
  return {
    env: env === undefined ? heritage.env : overlay(heritage.env, env),
    logLevel: logLevel === undefined ? heritage.logLevel : startLevel(logLevel),
    application: heritage.application,
  };
}

function complete(birth: Birth, process: Process, options: SpawnOptions, started: unknown): PID {
  if (process.state !== "init") throw failed(birth, process, new Terminate("kill"));
  if (started !== undefined) throw failed(birth, process, new Terminate(reasonOfOutcome(started)));
  const { parent } = birth;
  if (parent?.state === "terminated" && options.linkParent) {
    throw failed(birth, process, actorError("actor.process_terminated", "its parent ended while the process started"));
  }
  if (parent !== undefined && options.linkParent) link(process, parent, false);
  if (parent !== undefined && options.linkChild) link(parent, process, true);
  process.activate();
  return process.pid;
}

function link(consumer: Process, target: Process, toChild: boolean): void {
  target.watchers ??= new WatchList<Process>();
  target.watchers.add("link", consumer, target.pid, toChild);
}

async function finishLater(birth: Birth, process: Process, options: SpawnOptions, started: Promise<unknown>): Promise<PID> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = birth.tables.clock.setTimer(options.initTimeoutMs ?? DEFAULT_INIT_MS, () =>
      reject(actorError("actor.timeout", "the start took too long")),
    );
  });
  let given: unknown;
  try {
    given = await Promise.race([started, late]);
  } catch (error) {
    throw failed(birth, process, error);
  } finally {
    timer?.cancel();
  }
  return complete(birth, process, options, given);
}

/** Clears away a process whose start failed; gives the error that the spawn throws. */
function failed({ tables }: Birth, process: Process, thrown: unknown): Error {
  const reason: Reason = process.state === "zombie" ? "kill" : reasonOfThrow(thrown);
  abandon(tables, process, reason);
  const cause = thrown instanceof Terminate ? thrown.reason : thrown;
  if (cause instanceof Error) return cause;
  return actorError("actor.process_terminated", `the process ended in its start: ${String(cause)}`);
}
