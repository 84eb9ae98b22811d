import type { Timer } from "@metanode/core/clock";
import { actorError, knownOptions, wholeNumber } from "../errors.ts";
import { isReason, PID, type Reason, reasonOfOutcome, Terminate } from "../identity/index.ts";
import { type LogLevel, startLevel } from "../log/index.ts";
import { isPriority, type KeptMail, type Priority } from "../mailbox/index.ts";
import { type Behaviour, BIND, START } from "../process/behaviour.ts";
import { type Compression, extrasOf, type Fallback } from "../process/extras.ts";
import { type Heritage, overlay } from "../process/heritage.ts";
import { isThenable, Process, type ProcessHost } from "../process/process.ts";
import { WatchList } from "../relations/watch-list.ts";
import { abandon } from "./end.ts";
import { registerName } from "./names.ts";
import type { FarSpawn } from "./network.ts";
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
  /** Priority of what it sends; an unknown one is the default. @default "normal" */
  priority?: Priority;
  /** @default the leader of the parent */
  leader?: PID<never, never>;
  /** Laid over the environment of the parent; `undefined` takes a variable away. Names are not case-sensitive. */
  env?: Readonly<Record<string, unknown>>;
  /** Where mail goes that does not fit; needs a `mailboxLimit`. */
  fallback?: Fallback;
  /** The end of the parent ends this process, also when it traps exits. Nothing where the kernel spawns. @default false */
  linkParent?: boolean;
  /** The end of this process ends the parent, unless it traps exits; it is never lost. Nothing where the kernel spawns. @default false */
  linkChild?: boolean;
  /** From which level on it logs; only here it can be `trace`. @default that of the parent, at the spawn */
  logLevel?: LogLevel;
  /** Longest start, in milliseconds, where it waits for something. @default 5_000 */
  initTimeoutMs?: number;
  /** Makes large messages to other nodes smaller. @default they go as they are */
  compression?: Compression;
  /**
   * Whether the mail that waits when the process ends otherwise than by `normal` or `shutdown` is kept in the reason, an
   * error `actor.mailbox_kept` with the reason itself as its cause. A supervisor (one-for-one, simple one-for-one) hands
   * that mail to the replacement, before all other. The message that was being handled is not kept. @default false
   */
  preserveMailbox?: boolean;
}

const KNOWN = Object.keys({
  name: true,
  mailboxLimit: true,
  priority: true,
  leader: true,
  env: true,
  fallback: true,
  linkParent: true,
  linkChild: true,
  initTimeoutMs: true,
  compression: true,
  preserveMailbox: true,
  logLevel: true,
  args: true,
} satisfies Record<keyof SpawnOptions | "args", true>);

/** Less than this gains nothing by compression. @source spec of the actor model, §1.4 */
const MIN_THRESHOLD_BYTES = 1_024;
const NO_OPTIONS: SpawnOptions = Object.freeze({});
const NO_ARGS: readonly unknown[] = Object.freeze([]);

/** How to spawn on another node; `args` are those of `init`. */
export type RemoteSpawnOptions = Omit<SpawnOptions, "leader"> & { args?: readonly unknown[] };

/** Spawns on another node. Rejects with actor.not_allowed – to the own node, actor.no_route, what the other node says. */
export async function remoteSpawn(tables: Tables, spawn: FarSpawn): Promise<PID> {
  if (spawn.parent !== undefined) allowed(spawn.parent);
  if (tables.isHere(spawn.node)) throw actorError("actor.not_allowed", "a remote spawn goes to another node");
  if (tables.network === undefined) throw actorError("actor.no_route", `the node cannot be reached: ${spawn.node}`);
  return tables.network.spawn(spawn);
}

/** Whoever asked for a spawn on another node: parent and leader of the process. */
export interface FarParent {
  readonly pid: PID;
  /** Called right before the process reads its first mail. */
  readonly onStarted: (process: Process) => void;
}

/** Everything needed for a spawn. */
export interface Birth {
  readonly tables: Tables;
  readonly host: ProcessHost;
  /** Undefined = the kernel, or {@link far}. */
  readonly parent: Process | undefined;
  /** A spawn that another node asked for. */
  readonly far?: FarParent;
  /** @default that of the parent */
  readonly heritage?: Heritage<Process>;
  /** Mail that waits for it from the beginning. */
  readonly mail?: readonly KeptMail[];
}

/**
 * Makes a process and runs its start; gives a promise only when the start gives one. Throws what the start throws, and then
 * nothing is left of it.
 * @throws actor.node_terminated, actor.incorrect – an option, or nothing to run; actor.not_allowed – the parent is ending;
 * actor.parent_unknown – no such leader; actor.name_taken; actor.timeout
 */
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
    if (birth.mail !== undefined) for (const { queue, from, payload } of birth.mail) process.put(queue, from, payload);
    started = process.behaviour[START](args);
  } catch (error) {
    throw failed(birth, process, error);
  }
  if (isThenable(started)) return finishLater(birth, process, options, started);
  return complete(birth, process, options, started);
}

function create(birth: Birth, make: new () => Behaviour, options: SpawnOptions): Process {
  const { tables, host, parent, far } = birth;
  if (tables.state !== "running") throw actorError("actor.node_terminated");
  if (parent !== undefined) allowed(parent);
  if (options !== NO_OPTIONS) checkOptions(tables, options);
  if (typeof make !== "function") throw actorError("actor.incorrect", `a spawn needs the class of an actor, not ${String(make)}`);
  const behaviour = new make();
  if (typeof behaviour[BIND] !== "function") throw actorError("actor.incorrect", `${make.name} is no class of actors`);
  const limit = options.mailboxLimit ?? 0;
  const heritage = handDown(birth.heritage ?? parent?.heritage ?? tables.heritage, options);
  if (heritage.application?.isClosed === true) {
    throw actorError("actor.application_stopping", `application ${heritage.application.name} takes no new processes`);
  }
  const pid = tables.makePid();
  const process = new Process({
    pid,
    host,
    behaviour,
    parent: far?.pid ?? parent?.pid ?? tables.core,
    leader: (options.leader as PID | undefined) ?? far?.pid ?? parent?.leader ?? tables.core,
    limit,
    priority: isPriority(options.priority) ? options.priority : "normal",
    startedMs: Math.round(tables.clock.now() - tables.startMs),
    heritage,
  });
  PID.bind(pid, process);
  tables.processes.set(pid.id, process);
  heritage.application?.joined(process);
  if (options.fallback !== undefined && limit > 0) extrasOf(process).fallback = options.fallback;
  if (options.compression !== undefined) extrasOf(process).compression = options.compression;
  if (options.preserveMailbox === true) extrasOf(process).preservesMailbox = true;
  behaviour[BIND](process, host);
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

function checkOptions(tables: Tables, options: SpawnOptions): void {
  knownOptions("spawn", options, KNOWN);
  const { leader, mailboxLimit, initTimeoutMs } = options;
  if (leader !== undefined && tables.byPid(leader) === undefined) {
    throw actorError("actor.parent_unknown", `the leader ${leader} does not exist`);
  }
  if (mailboxLimit !== undefined) wholeNumber("spawn.mailboxLimit", mailboxLimit, 0);
  if (initTimeoutMs !== undefined && !(initTimeoutMs > 0)) {
    throw actorError("actor.incorrect", `spawn.initTimeoutMs is ${initTimeoutMs}, expected more than 0`);
  }
  if (options.compression !== undefined) checkCompression(options.compression);
}

function checkCompression(compression: Compression): void {
  knownOptions("spawn.compression", compression, ["type", "level", "thresholdBytes"]);
  const { type = "gzip", level = 1, thresholdBytes = MIN_THRESHOLD_BYTES } = compression;
  if (type !== "gzip" && type !== "zlib") {
    throw actorError("actor.incorrect", `spawn.compression.type is ${type}, expected gzip or zlib`);
  }
  if (wholeNumber("spawn.compression.level", level, 1) > 9) {
    throw actorError("actor.incorrect", `spawn.compression.level is ${level}, expected 9 at most`);
  }
  wholeNumber("spawn.compression.thresholdBytes", thresholdBytes, MIN_THRESHOLD_BYTES);
}

function complete(birth: Birth, process: Process, options: SpawnOptions, started: unknown): PID {
  if (process.state !== "init") throw failed(birth, process, new Terminate("kill"));
  if (started !== undefined) throw failed(birth, process, new Terminate(reasonOfOutcome(started)));
  const { parent } = birth;
  if (parent !== undefined && options.linkParent === true) {
    // The parent has ended during a start that took its time: there is nobody to link to, and nobody else would end it.
    if (parent.state === "terminated")
      throw failed(birth, process, actorError("actor.process_terminated", "the parent has ended"));
    link(process, parent, false);
  }
  if (parent !== undefined && options.linkChild === true && parent.state !== "terminated") link(parent, process, true);
  birth.far?.onStarted(process);
  process.activate();
  return process.pid;
}

/** A link that the consumer made itself during the start is as good. */
function link(consumer: Process, target: Process, toChild: boolean): void {
  target.watchers ??= new WatchList();
  if (!target.watchers.has("link", consumer)) target.watchers.add("link", consumer, target.pid, toChild);
}

async function finishLater(birth: Birth, process: Process, options: SpawnOptions, started: PromiseLike<unknown>): Promise<PID> {
  let timer: Timer | undefined;
  const timeoutMs = options.initTimeoutMs ?? DEFAULT_INIT_MS;
  const late = new Promise<never>((_, reject) => {
    timer = birth.tables.clock.setTimer(timeoutMs, () =>
      reject(actorError("actor.timeout", `the start took longer than ${timeoutMs} ms`)),
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

/**
 * Clears away a process whose start failed, and gives the error that the spawn throws. The same error is the reason for
 * what the process has spawned already.
 */
function failed({ tables }: Birth, process: Process, thrown: unknown): Error {
  const cause = process.state === "zombie" ? "kill" : thrown instanceof Terminate ? thrown.reason : thrown;
  const error =
    cause instanceof Error ? cause : actorError("actor.process_terminated", `the process ended in its start: ${String(cause)}`);
  const reason: Reason = isReason(cause) ? cause : error;
  abandon(tables, process, reason);
  return error;
}
