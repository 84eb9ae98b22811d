import { type Clock, systemClock, wait } from "@metanode/core/clock";
import {
  type ApplicationInfo,
  type ApplicationSpec,
  Applications,
  type StartApplicationOptions,
  type StopApplicationOptions,
} from "../application/index.ts";
import { CronJobs } from "../cron/index.ts";
import { actorError, knownOptions, wholeNumber } from "../errors.ts";
import type { EventOptions } from "../events/event.ts";
import {
  type Address,
  type Alias,
  type AnswerOf,
  type AnyCall,
  checkName,
  type PID,
  type Reason,
  type Ref,
  type RequestOf,
} from "../identity/index.ts";
import { startLevel } from "../log/index.ts";
import { MessageExit, type Priority } from "../mailbox/index.ts";
import { type MetaInfo, metaInfo, sendExitMeta } from "../meta/control.ts";
import type { MetaRun } from "../meta/run.ts";
import type { Behaviour } from "../process/behaviour.ts";
import { overlay } from "../process/heritage.ts";
import type { Process } from "../process/process.ts";
import type { RemoteStartOptions } from "../remote/application-starts.ts";
import type { Link } from "../remote/link.ts";
import { RemoteNetwork } from "../remote/network.ts";
import { type NetworkOptions, type NetworkSettings, resolveNetworkOptions } from "../remote/options.ts";
import type { NodeInfo } from "../remote/peer.ts";
import { CORE_EVENT, openBus } from "../runtime/bus.ts";
import * as calls from "../runtime/calls.ts";
import { deliver, missing, putExit, sendExit, sendImportant, undeliverable } from "../runtime/deliver.ts";
import { Host } from "../runtime/host.ts";
import * as names from "../runtime/names.ts";
import { type RemoteSpawnOptions, remoteSpawn, spawn } from "../runtime/spawn.ts";
import { type KernelReport, Tables } from "../runtime/tables.ts";
import type { ActorShape, SpawnedPid, SpawnRest } from "../runtime/typed.ts";
import * as watching from "../runtime/watch.ts";
import { type EventInfo, eventInfo, type KernelInfo, kernelInfo, type ProcessInfo, processInfo } from "./info.ts";
import { KernelLog, type KernelLogOptions } from "./kernel-log.ts";
import { asLogger } from "./report.ts";
import { close, tellWaiting, within } from "./stop.ts";
import { processTree, type TreeNode } from "./tree.ts";

/** How long a stop waits for processes before it kills them. */
const DEFAULT_STOP_MS = 10_000;
/** How long it waits before that for each application. */
const APPLICATION_STOP_MS = 5_000;
const NAME = /^[^@]+@[^@]+$/;

/** How to make a kernel. */
export interface KernelOptions {
  /** `name@host`, at most 255 bytes. @default "node@localhost" */
  name?: string;
  /** @default the machine's clock */
  clock?: Clock;
  /** What the kernel and its processes log, and where it goes. @default level info, nobody gets it */
  log?: KernelLogOptions;
  /** A logger for what the kernel itself reports, whatever else is logged. One that throws is not called again. */
  onReport?: (report: KernelReport) => void;
  /** Variables that its processes begin with. Names are not case-sensitive. */
  env?: Readonly<Record<string, unknown>>;
  /** How it meets kernels on other nodes. */
  network?: NetworkOptions;
  /** Events of the kernel, by their names; open ones unless they say otherwise, so that everybody may publish. @default none */
  events?: Readonly<Record<string, EventOptions>>;
}

/** A kernel: it runs processes. It is no process itself; what it sends comes from its own PID. */
export class Kernel implements AsyncDisposable {
  readonly #tables: Tables;
  readonly #host: Host;
  readonly #network: RemoteNetwork;
  #stopping: Promise<void> | undefined;
  /** Logs in the name of the kernel, and holds the loggers. */
  readonly log: KernelLog;
  /** What it does at times of the day. */
  readonly cron: CronJobs;
  readonly #applications: Applications;
  readonly #closed = Promise.withResolvers<void>();

  constructor(tables: Tables, network: NetworkSettings) {
    this.#tables = tables;
    this.log = new KernelLog(tables);
    this.#host = new Host(tables);
    this.#applications = new Applications(tables, this.#host);
    this.cron = new CronJobs(tables, this.#host);
    this.#network = new RemoteNetwork(tables, network, {
      host: this.#host,
      startApplication: (name, options) => this.#applications.start(name, options),
    });
    tables.network = this.#network;
  }

  get name(): string {
    return this.#tables.node;
  }

  /** The address that it sends from. */
  get core(): PID {
    return this.#tables.core;
  }

  /** Spawns a process whose parent is the kernel. Gives a promise if, and only if, the `init` of the actor does. */
  spawn<A extends ActorShape>(make: new () => A, ...rest: SpawnRest<A>): SpawnedPid<A> {
    const options = rest[0];
    const birth = { tables: this.#tables, host: this.#host, parent: undefined };
    return spawn(birth, make as unknown as new () => Behaviour, options, options?.args) as SpawnedPid<A>;
  }

  /** @throws actor.process_unknown, actor.mailbox_full, actor.node_terminated */
  send<M>(to: Address<M, never>, message: NoInfer<M>, priority: Priority = "normal"): void {
    const problem = deliver(this.#tables, this.#tables.core, to as Address, message, priority);
    if (problem !== undefined) throw undeliverable(problem, to as Address);
  }

  /** Sends, and resolves when the message is in the mailbox, wherever that is. Rejects with what keeps it from it. */
  sendImportant<M>(to: Address<M, never>, message: NoInfer<M>, priority: Priority = "normal"): Promise<void> {
    return sendImportant(this.#tables, undefined, to as Address, message, priority);
  }

  /** Asks, and gives the answer or rejects with the callee's error or `actor.*`. */
  call<C extends AnyCall, const R extends RequestOf<C>>(
    to: Address<never, C>,
    request: R,
    options?: calls.CallOptions,
  ): Promise<AnswerOf<C, R>> {
    return calls.call(this.#tables, undefined, to as Address, request, options) as Promise<AnswerOf<C, R>>;
  }

  /** Asks a process or a meta-process about itself, for people. */
  inspect(
    pid: PID<never, never> | Alias<never, never>,
    items: readonly string[] = [],
  ): Promise<Readonly<Record<string, string>>> {
    return calls.inspect(this.#tables, undefined, pid, items) as Promise<Readonly<Record<string, string>>>;
  }

  /** Sends an exit signal that cannot be trapped. */
  exit(pid: PID<never, never>, reason: Reason): void {
    sendExit(this.#tables, undefined, pid, reason);
  }

  /** Sends an exit to a meta-process, which ends with `reason`. @throws actor.alias_unknown, actor.meta_unknown, actor.meta_mailbox_full */
  exitMeta(alias: Alias<never, never>, reason: Reason): void {
    sendExitMeta(this.#tables, undefined, alias, reason);
  }

  /** @throws actor.process_unknown, actor.meta_unknown – the alias of a process */
  metaInfo(alias: Alias<never, never>): MetaInfo {
    return metaInfo(this.#tables, alias);
  }

  /** All meta-processes, oldest first; also those that have ended and whose `start` goes on. */
  metas(): Alias[] {
    return [...this.#tables.metas].map((meta) => (meta as MetaRun).alias);
  }

  /** Ends a process without asking it. @throws actor.process_unknown */
  kill(pid: PID<never, never>): void {
    this.#get(pid).kill();
  }

  /** @throws actor.name_taken, actor.process_unknown */
  registerName(name: string, pid: PID<never, never>): void {
    names.registerName(this.#tables, this.#get(pid), name);
  }

  /** @throws actor.name_unknown */
  unregisterName(name: string): void {
    names.unregisterName(this.#tables, name);
  }

  /** The process with this name. */
  whereIs(name: string): PID | undefined {
    return this.#tables.names.get(name)?.process.pid;
  }

  /** Whether the process lives. */
  isAlive(pid: PID<never, never>): boolean {
    return this.#tables.byPid(pid) !== undefined;
  }

  /** The name of the process, if it has one. @throws actor.process_unknown */
  nameOf(pid: PID<never, never>): string | undefined {
    return this.#get(pid).name;
  }

  /**
   * A ref that no other equals. With a deadline, in milliseconds since the Unix epoch, it is alive up to it.
   * @throws actor.incorrect – the deadline is past or no time
   */
  makeRef(deadlineMs?: number): Ref {
    if (deadlineMs === undefined) return this.#tables.makeRef();
    if (!(deadlineMs > 0 && deadlineMs >= this.#tables.clock.now())) {
      throw actorError("actor.incorrect", `the deadline of a ref is ahead, and ${deadlineMs} is not`);
    }
    return this.#tables.makeRef(deadlineMs);
  }

  /** Registers an event of the kernel; gives the token that publishing needs. */
  registerEvent(name: string, options?: EventOptions): Ref {
    return watching.registerEvent(this.#tables, undefined, name, options);
  }

  unregisterEvent(name: string): void {
    if (name === CORE_EVENT) throw actorError("actor.event_owner", `the event ${name} stays as long as the kernel runs`);
    watching.unregisterEvent(this.#tables, undefined, name);
  }

  sendEvent(name: string, token: Ref | undefined, payload: unknown): void {
    watching.sendEvent(this.#tables, undefined, name, token, payload);
  }

  /** Ends one wait of a process, which gets `actor.canceled`. */
  cancelWaitResponse(pid: PID<never, never>, ref: Ref): void {
    calls.cancelWaitResponse(this.#tables, pid, ref);
  }

  /**
   * Connects with another kernel: over a link, or by the route to its name. Gives its name; if both are connected already,
   * that connection stays. Rejects with `actor.no_route`, `actor.name_taken`, `auth.unauthenticated`, `protocol.version` …
   */
  connect(to: Link | string): Promise<string> {
    return this.#network.connect(to);
  }

  /** Ends the connection to a node: whoever watches something there is told. @throws actor.no_connection */
  disconnect(node: string): void {
    this.#network.disconnect(node);
  }

  /** The nodes that this one is connected with, in the order of their connections. */
  nodes(): NodeInfo[] {
    return this.#network.nodes();
  }

  /**
   * Lets other nodes spawn this actor by `name`; `nodes` are those that may, besides those that may already.
   * @default all nodes @throws actor.name_taken – another actor has the name
   */
  enableSpawn(name: string, make: new () => ActorShape, options: { nodes?: readonly string[] } = {}): void {
    this.#network.spawnable.enable(name, make as unknown as new () => Behaviour, options.nodes);
  }

  /** Takes that back from `nodes` (default from all). When the last one is gone, nobody may. @throws actor.name_unknown */
  disableSpawn(name: string, options: { nodes?: readonly string[] } = {}): void {
    this.#network.spawnable.disable(name, options.nodes);
  }

  /** Spawns a process on another node, which must have enabled `name`; its parent and leader is this kernel. */
  remoteSpawn(node: string, name: string, options: RemoteSpawnOptions = {}): Promise<PID> {
    return remoteSpawn(this.#tables, { parent: undefined, node, name, options });
  }

  /**
   * Lets other nodes start this application, whether it is loaded yet or not; `nodes` are those that may, besides those that
   * may already. @default all nodes
   */
  enableApplicationStart(name: string, options: { nodes?: readonly string[] } = {}): void {
    this.#network.startable.enable(name, name, options.nodes);
  }

  /** Takes that back from `nodes` (default from all). When the last one is gone, nobody may. @throws actor.name_unknown */
  disableApplicationStart(name: string, options: { nodes?: readonly string[] } = {}): void {
    this.#network.startable.disable(name, options.nodes);
  }

  /**
   * Starts an application on another node, which must have enabled it; resolves when it runs there. Rejects with
   * actor.name_unknown, actor.not_allowed, and what `startApplication` says there.
   */
  remoteStartApplication(node: string, name: string, options: RemoteStartOptions = {}): Promise<void> {
    return this.#network.remoteStart(node, name, options);
  }

  info(): KernelInfo {
    return kernelInfo(this.#tables);
  }

  /** @throws actor.process_unknown */
  processInfo(pid: PID<never, never>): ProcessInfo {
    return processInfo(this.#tables, this.#get(pid));
  }

  /** @throws actor.event_unknown */
  eventInfo(name: string): EventInfo {
    return eventInfo(this.#tables, watching.eventOf(this.#tables, name));
  }

  /** The processes, oldest first: at most `limit` of them, from the one with the id `from` on. */
  processes(options: { from?: number; limit?: number } = {}): PID[] {
    const { from = 0, limit = Number.MAX_SAFE_INTEGER } = options;
    wholeNumber("processes.from", from, 0);
    wholeNumber("processes.limit", limit, 0);
    const found: PID[] = [];
    for (const { pid } of this.#tables.processes.values()) {
      if (found.length >= limit) break;
      if (pid.id >= from) found.push(pid);
    }
    return found;
  }

  /** The processes below those that have spawned them, supervisors with what they do. */
  tree(): readonly TreeNode[] {
    return processTree(this.#tables);
  }

  /**
   * Resolves when the kernel has stopped, and not before.
   * @throws actor.timeout – it still runs after `timeoutMs`; actor.node_terminated – with `timeoutMs`, if it had stopped before
   */
  wait(timeoutMs?: number): Promise<void> {
    const stopped = this.#closed.promise;
    if (timeoutMs === undefined) return stopped;
    if (this.#tables.state === "stopped") return Promise.reject(actorError("actor.node_terminated"));
    return within(this.#tables.clock, timeoutMs, stopped);
  }

  /** Kills every process and waits for none. Idempotent. */
  stopForce(): void {
    for (const process of [...this.#tables.processes.values()]) process.kill();
    this.#stopping ??= Promise.resolve();
    this.#close();
  }

  /**
   * Makes an application known; it starts nothing.
   * @throws actor.application_spec, actor.application_taken, actor.incorrect, actor.not_allowed – a member may start for too long
   */
  loadApplication(spec: ApplicationSpec): void {
    this.#applications.load(spec);
  }

  /** @throws actor.application_unknown, actor.application_running – it does not stand still */
  unloadApplication(name: string): void {
    this.#applications.unload(name);
  }

  /**
   * Starts what an application depends on, then the application: `init`, the members of its group in their order, `start`.
   * Rejects, and nothing of it is left, if a member does not start or one whose end stops the application ends meanwhile.
   * @throws actor.application_unknown, actor.application_depends, actor.application_running, actor.application_state,
   * actor.application_stopping, and what `init` or the start of a member throws
   */
  startApplication(name: string, options?: StartApplicationOptions): Promise<void> {
    return this.#applications.start(name, options);
  }

  /**
   * Stops an application: `stop`, an exit `shutdown` to its members, the end of all its processes, `terminate`.
   * @throws actor.application_unknown; actor.application_stopping – it has not ended in time, and goes on ending
   */
  stopApplication(name: string, options?: StopApplicationOptions): Promise<void> {
    return this.#applications.stop(name, options);
  }

  /** All applications with the trees of their processes, in the order of their loading. */
  applications(): ApplicationInfo[] {
    return this.#applications.list();
  }

  /** @throws actor.application_unknown */
  applicationInfo(name: string): ApplicationInfo {
    return this.#applications.info(name);
  }

  /**
   * Stops the applications, the last started first, each within 5 s, or `graceMs` if that is less.
   * Then it ends every process by an exit `shutdown` of its own parent, and waits for it; kills what is left after `graceMs`
   * (default 10_000), and reports every five seconds whom it waits for. Not to be awaited in a callback of an actor:
   * it waits for that callback. Idempotent.
   */
  stop(options: { graceMs?: number } = {}): Promise<void> {
    this.#stopping ??= this.#stop(options.graceMs ?? DEFAULT_STOP_MS);
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(graceMs: number): Promise<void> {
    const tables = this.#tables;
    if (this.#applications.isBusy) await this.#applications.close(Math.min(APPLICATION_STOP_MS, graceMs));
    if (tables.state !== "running") return; // it was stopped by force meanwhile
    tables.state = "stopping";
    this.cron.close();
    for (const process of [...tables.processes.values()]) {
      if (!putExit(process, new MessageExit("pid", process.parent, "shutdown"))) process.kill();
    }
    const late = new AbortController();
    const telling = tellWaiting(tables);
    const grace = wait(tables.clock, graceMs, late.signal).then(
      () => this.#killAll(),
      () => undefined,
    );
    await Promise.race([this.#empty(), grace, this.#closed.promise]);
    late.abort();
    telling.cancel();
    this.#close();
  }

  #close(): void {
    if (this.#tables.state === "stopped") return;
    this.cron.close();
    this.#network.close();
    close(this.#tables);
    this.#tables.logging.close();
    this.#closed.resolve();
  }

  #killAll(): void {
    for (const process of [...this.#tables.processes.values()]) {
      this.#tables.report({ kind: "stop_late", pid: process.pid, text: `did not stop in time, was ${process.state}` });
      process.kill();
    }
    for (const meta of [...this.#tables.metas]) {
      const text = `${(meta as MetaRun).alias} did not stop in time, was ${meta.state}`;
      this.#tables.report({ kind: "stop_late", pid: meta.pid, text });
      meta.end("kill");
    }
  }

  #empty(): Promise<void> {
    const tables = this.#tables;
    return new Promise((resolve) => {
      const check = (): void => {
        if (tables.processes.size === 0 && tables.terminating === 0 && tables.metas.size === 0) resolve();
      };
      tables.onGone = check;
      check();
    });
  }

  #get(pid: PID<never, never>): Process {
    const process = this.#tables.byPid(pid);
    if (this.#tables.elsewhere(pid as PID) !== undefined) throw actorError("actor.not_allowed", `${pid} is on another node`);
    if (process === undefined) throw undeliverable(missing(this.#tables, pid as PID), pid as PID);
    return process;
  }
}

const KNOWN = Object.keys({
  name: true,
  clock: true,
  log: true,
  onReport: true,
  env: true,
  network: true,
  events: true,
} satisfies Record<keyof KernelOptions, true>);

/** Makes a kernel. It needs no stop while it runs nothing. @throws actor.incorrect, actor.name_too_long – a wrong option */
export function createKernel(options: KernelOptions = {}): Kernel {
  knownOptions("kernel", options, KNOWN);
  const name = checkName(options.name ?? "node@localhost");
  if (!NAME.test(name)) {
    throw actorError("actor.incorrect", `the name of a kernel is name@host, not ${JSON.stringify(name)}`);
  }
  const network = resolveNetworkOptions(options.network);
  const tables = new Tables(name, options.clock ?? systemClock);
  const env = options.env === undefined ? undefined : overlay(undefined, options.env);
  tables.heritage = { env, logLevel: startLevel(options.log?.level ?? "info"), application: undefined };
  const kernel = new Kernel(tables, network);
  for (const [logger, write] of Object.entries(options.log?.loggers ?? {})) kernel.log.addLogger(logger, write);
  if (options.onReport !== undefined) kernel.log.addLogger("onReport", asLogger(options.onReport, tables.core));
  openBus(tables);
  for (const [event, how] of Object.entries(options.events ?? {})) {
    watching.registerEvent(tables, undefined, event, { open: true, ...how });
  }
  return kernel;
}
