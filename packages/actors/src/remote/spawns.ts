import { actorError } from "../errors.ts";
import { type PID, ProcessName, type Reason, type Ref } from "../identity/index.ts";
import { MessageExit } from "../mailbox/index.ts";
import type { Behaviour } from "../process/behaviour.ts";
import type { Process, ProcessHost } from "../process/process.ts";
import { putExit, undeliverable } from "../runtime/deliver.ts";
import type { FarSpawn, Network } from "../runtime/network.ts";
import { DEFAULT_INIT_MS, type RemoteSpawnOptions, spawn } from "../runtime/spawn.ts";
import type { Tables } from "../runtime/tables.ts";
import { attach } from "../runtime/watch.ts";
import type { AccessTable } from "./access.ts";
import { ask, ROUND_TRIP_MS } from "./ask.ts";
import type { FarWatcher } from "./far-watcher.ts";
import { FRAME } from "./frames.ts";
import type { NetworkSettings } from "./options.ts";
import type { Peer } from "./peer.ts";

/** Longest start that may be asked for from elsewhere. @source spec of the actor model, §1.4 */
const MAX_INIT_MS = 15_000;

/** What spawns need of the network. */
export interface Spawning extends Pick<Network, "watch"> {
  readonly tables: Tables;
  readonly settings: NetworkSettings;
  readonly host: ProcessHost;
  readonly spawnable: AccessTable<new () => Behaviour>;
  answer(to: PID, ref: Ref, answer: { value: unknown } | { error: Error }): void;
}

/** A spawn that another node asks for. */
export interface StartFrame {
  readonly kind: number;
  readonly ref: Ref;
  readonly from: PID;
  readonly name: string;
  /** The number under which the other node watches what is spawned; 0 = it does not. */
  readonly watch: number;
  readonly options: unknown;
}

/** Asks another node for a spawn. Rejects with actor.not_allowed, actor.timeout, and what the other node says. */
export function askSpawn(network: Spawning, peer: Peer, { parent, name, options }: FarSpawn): Promise<PID> {
  const { tables, settings } = network;
  const given = options as RemoteSpawnOptions;
  const initMs = given.initTimeoutMs ?? DEFAULT_INIT_MS;
  if (peer.hello?.flags.spawn === false) throw actorError("actor.not_allowed", `node ${peer.node} spawns for nobody`);
  if (initMs > MAX_INIT_MS) {
    throw actorError("actor.not_allowed", `initTimeoutMs is ${initMs}, another node takes ${MAX_INIT_MS} at most`);
  }
  const inherited = settings.exposeEnv.spawn ? Object.fromEntries((parent?.heritage ?? tables.heritage).env ?? []) : {};
  const { linkChild, linkParent, ...rest } = given;
  const env = { ...inherited, ...given.env };
  const sent = { ...rest, env, linkParent: linkParent === true && parent !== undefined };
  const watch = linkChild === true && parent !== undefined ? peer.watches.reserve() : 0;
  return new Promise((resolve, reject) => {
    const to = new ProcessName(name, peer.node);
    const problem = ask(tables, {
      to,
      waiter: parent ?? tables.outside,
      // The start has its time, and the way there and back too.
      timeoutMs: initMs + ROUND_TRIP_MS,
      settler: {
        resolve: (pid) => {
          if (watch > 0) peer.watches.adopt(watch, parent as Process, pid as PID);
          resolve(pid as PID);
        },
        reject: (error) => {
          if (watch > 0) peer.sender.unwatch(watch);
          reject(error);
        },
      },
      write: (ref) => peer.sender.start(FRAME.spawn, ref, { from: parent?.pid ?? tables.core, name, watch, options: sent }),
    });
    if (problem !== undefined) reject(undeliverable(problem, to));
  });
}

/** Spawns for the node of `peer`, and answers it. `watcher` makes that node a consumer. */
export function spawnFor(network: Spawning, peer: Peer, start: StartFrame, watcher: (watch: number) => FarWatcher): void {
  const { tables, host } = network;
  const { from, ref, name, watch } = start;
  const fail = (error: unknown): void => network.answer(from, ref, { error: error as Error });
  const succeed = (pid: PID): void => network.answer(from, ref, { value: pid });
  try {
    if (!network.settings.flags.spawn) throw actorError("actor.not_allowed", `node ${tables.node} spawns for nobody`);
    const make = network.spawnable.get(name, peer.node);
    const { args = [], linkParent, ...options } = start.options as RemoteSpawnOptions;
    if ((options.initTimeoutMs ?? 0) > MAX_INIT_MS) throw actorError("actor.not_allowed", "the start may take too long");
    const onStarted = (process: Process): void => {
      if (watch > 0 && peer.state === "up") {
        const node = watcher(watch);
        attach(tables, node, "monitor", process.pid);
        peer.watchers.set(watch, node);
      }
      // A parent that cannot be watched any more has ended.
      const end = (reason: Reason): void => void putExit(process, new MessageExit("pid", from, reason));
      if (linkParent) network.watch(process, "link", from).catch(end);
    };
    const spawned = spawn({ tables, host, parent: undefined, far: { pid: from, onStarted } }, make, options, args);
    if (spawned instanceof Promise) spawned.then(succeed, fail);
    else succeed(spawned);
  } catch (error) {
    fail(error);
  }
}
