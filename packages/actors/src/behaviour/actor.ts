import { actorError } from "../errors.ts";
import type { EventOptions } from "../events/event.ts";
import {
  type Address,
  type Alias,
  type AnswerOf,
  type AnyCall,
  bareReason,
  type EventName,
  later,
  type PID,
  type Reason,
  type Ref,
  type RequestOf,
  Terminate,
} from "../identity/index.ts";
import { Log, type LogRecord } from "../log/index.ts";
import {
  Envelope,
  isPriority,
  type KeptMail,
  type MessageEvent,
  type MessageExit,
  type MessageResponse,
  type Priority,
} from "../mailbox/index.ts";
import type { MetaOptions, MetaShape, SpawnedAlias } from "../meta/behaviour.ts";
import { sendExitMeta, sendExitMetaAfter } from "../meta/control.ts";
import { spawnMeta } from "../meta/spawn.ts";
import { type Behaviour, BIND, ENDING, EXIT, NOTICE, START } from "../process/behaviour.ts";
import { extrasOf } from "../process/extras.ts";
import { overlay } from "../process/heritage.ts";
import type { Process } from "../process/process.ts";
import * as calls from "../runtime/calls.ts";
import { isSame, send, sendExit, sendImportant } from "../runtime/deliver.ts";
import type { Host } from "../runtime/host.ts";
import * as names from "../runtime/names.ts";
import type { Done } from "../runtime/network.ts";
import { type RemoteSpawnOptions, remoteSpawn, type SpawnOptions, spawn } from "../runtime/spawn.ts";
import * as timers from "../runtime/timers.ts";
import type { ActorShape, Ended, Given, SpawnedPid, SpawnRest } from "../runtime/typed.ts";
import * as watching from "../runtime/watch.ts";

/** For behaviours of this package: the end of a child that hears nothing, mail to itself, which queues are read. */
export const KILL: unique symbol = Symbol("kill");
export const NOTIFY: unique symbol = Symbol("notify");
export const READ_URGENT: unique symbol = Symbol("read urgent");
/** Throws unless the process may act; a spawn of what is known only at run time. */
export const CHECK: unique symbol = Symbol("check");
export const SPAWN: unique symbol = Symbol("spawn");

/** What {@link SPAWN} needs besides the class. */
export interface SpawnPlan {
  readonly options: SpawnOptions;
  readonly args: readonly unknown[];
  /** Mail that waits for the process from the beginning. */
  readonly mail: readonly KeptMail[] | undefined;
}

/**
 * The base of all actors. `Messages` is what it can be sent (with `MessageDown`, `MessageExit` and the like, if it watches
 * others or traps exits), `Calls` what it can be asked: a union of `Call<Request, Answer>`.
 *
 * A callback that returns or throws {@link Terminate}, or returns a reason, ends the process with it; any other throw ends
 * it with the reason `actor.panic`. A callback that returns a promise is waited for before the next message is read. What
 * the methods below cannot do, they throw as `actor.*`.
 */
export abstract class Actor<Messages = unknown, Calls extends AnyCall = never> implements Behaviour {
  #process!: Process;
  #host!: Host;

  /** Begins the process, with the arguments of its spawn. A throw makes the spawn fail; `terminate` does not run then. */
  init(..._args: never[]): unknown {
    // An actor without an init starts at once.
    return undefined;
  }

  /** A message. */
  handleMessage(from: PID, message: Messages): Ended {
    this.#unhandled("message", from, message);
  }

  /** A request: returns the answer, or {@link later} if somebody answers by `respond` in the end. */
  handleCall(from: PID, _ref: Ref, request: RequestOf<Calls>): Given<AnswerOf<Calls>> {
    this.#unhandled("call", from, request);
    return later;
  }

  /** A message to the name of the process, if it splits its mail ({@link setSplitHandle}). */
  handleMessageName(name: string, from: PID, message: Messages): Ended {
    this.#unhandled(`message to the name ${name}`, from, message);
  }

  /** A request to the name of the process, if it splits its mail. */
  handleCallName(name: string, from: PID, _ref: Ref, request: RequestOf<Calls>): Given<AnswerOf<Calls>> {
    this.#unhandled(`call to the name ${name}`, from, request);
    return later;
  }

  /** A message to an alias of the process, if it splits its mail. */
  handleMessageAlias(alias: Alias<Messages, Calls>, from: PID, message: Messages): Ended {
    this.#unhandled(`message to ${alias}`, from, message);
  }

  /** A request to an alias of the process, if it splits its mail. */
  handleCallAlias(alias: Alias<Messages, Calls>, from: PID, _ref: Ref, request: RequestOf<Calls>): Given<AnswerOf<Calls>> {
    this.#unhandled(`call to ${alias}`, from, request);
    return later;
  }

  /** What an event that the process is subscribed to has published. */
  handleEvent(event: MessageEvent): Ended {
    this.#unhandled("event", this.#process.pid, event.event.name);
  }

  /** What became of a `sendRequest`. */
  handleResponse(response: MessageResponse): Ended {
    this.#unhandled("response", this.#process.pid, response.label);
  }

  /** Tells what the process is about, for people. */
  handleInspect(
    _from: PID,
    _items: readonly string[],
  ): Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>> {
    return {};
  }

  /** A record of the log, if the process was added as a logger. Read when no other mail waits. */
  handleLog(_record: LogRecord): Ended {
    return undefined;
  }

  /** The process has ended; whoever watches it knows already. */
  terminate(_reason: Reason): void | Promise<void> {
    // Nothing to give back.
  }

  /** The own address. */
  get self(): PID<Messages, Calls> {
    return this.#process.pid as PID<Messages, Calls>;
  }

  /** The process that spawned this one. */
  get parent(): PID {
    return this.#process.parent;
  }

  get leader(): PID {
    return this.#process.leader;
  }

  /** The name that the process is registered by. */
  get name(): string | undefined {
    return this.#process.name;
  }

  /** The log, in the name of this process. */
  get log(): Log {
    return new Log(this.#host.tables.logging, this.#process);
  }

  /** The application that the process belongs to: that of its parent. */
  get application(): string | undefined {
    return this.#process.heritage.application?.name;
  }

  /** Priority of what the process sends. */
  get sendPriority(): Priority {
    return this.#process.priority;
  }

  get trapExit(): boolean {
    return this.#process.trapExit;
  }

  get splitHandle(): boolean {
    return this.#process.splits;
  }

  /** Whether a process of this kernel lives. */
  isAlive(pid: PID<never, never>): boolean {
    return this.#host.tables.byPid(pid) !== undefined;
  }

  /** Milliseconds since the Unix epoch, of the kernel's clock. */
  now(): number {
    return this.#host.tables.clock.now();
  }

  /** Sends. @throws actor.process_unknown, actor.mailbox_full, actor.not_allowed */
  send<M>(to: Address<M, never>, message: NoInfer<M>, priority?: Priority): void {
    send(this.#host.tables, this.#process, to as Address, message, priority ?? this.#process.priority);
  }

  /**
   * Sends, and resolves when the message is in the mailbox, wherever that is; says nothing about its handling.
   * Rejects with what keeps it from it; with `actor.timeout` after 5 seconds, when it may have arrived or not.
   */
  sendImportant<M>(to: Address<M, never>, message: NoInfer<M>, priority?: Priority): Promise<void> {
    const used = priority ?? this.#process.priority;
    return sendImportant(this.#host.tables, this.#process, to as Address, message, used);
  }

  /** Asks and waits for the answer; no other mail is read meanwhile if the callback awaits it. */
  call<C extends AnyCall, const R extends RequestOf<C>>(
    to: Address<never, C>,
    request: R,
    options?: calls.CallOptions,
  ): Promise<AnswerOf<C, R>> {
    return calls.call(this.#host.tables, this.#process, to as Address, request, options) as Promise<AnswerOf<C, R>>;
  }

  /** Asks without waiting; exactly one `handleResponse` follows, unless the request is cancelled. */
  sendRequest<C extends AnyCall>(to: Address<never, C>, request: RequestOf<C>, options?: calls.RequestOptions): Ref {
    return calls.sendRequest(this.#host.tables, this.#process, to as Address, request, options);
  }

  /** @throws actor.request_unknown */
  cancelRequest(ref: Ref): void {
    calls.cancelRequest(this.#process, ref);
  }

  /** Answers a request that `handleCall` left for later; any process may. */
  respond(to: PID, ref: Ref, value: unknown, options?: calls.RespondOptions): Done {
    watching.allowed(this.#process);
    return calls.respond(this.#host.tables, to, ref, { value }, options?.important, this.#process);
  }

  /** Answers with an error, which the caller's `call` rejects with. */
  respondError(to: PID, ref: Ref, error: Error, options?: calls.RespondOptions): Done {
    watching.allowed(this.#process);
    return calls.respond(this.#host.tables, to, ref, { error }, options?.important, this.#process);
  }

  /**
   * Hands a request on to a process, of any node; whoever gets it answers the original caller. Return {@link later}
   * afterwards. @throws actor.process_unknown, actor.process_terminated, actor.mailbox_full
   */
  forward<C extends AnyCall>(to: Address<never, C>, from: PID, ref: Ref, request: RequestOf<C>, priority?: Priority): void {
    watching.allowed(this.#process);
    calls.forward(this.#host.tables, to as Address, { from, ref, payload: request }, priority);
  }

  /** Hands a message on to a process, of any node, which gets it from the original sender. */
  forwardMessage<M>(to: Address<M, never>, from: PID, message: NoInfer<M>, priority?: Priority): void {
    watching.allowed(this.#process);
    calls.forward(this.#host.tables, to as Address, { from, payload: message }, priority);
  }

  /** Spawns a child. Gives a promise if, and only if, the `init` of the child does. */
  spawn<A extends ActorShape>(make: new () => A, ...rest: SpawnRest<A>): SpawnedPid<A> {
    const options = rest[0];
    const birth = { tables: this.#host.tables, host: this.#host, parent: this.#process };
    return spawn(birth, make as unknown as new () => Behaviour, options, options?.args) as SpawnedPid<A>;
  }

  /**
   * Spawns a process on another node, which must have enabled `name`; its parent and leader is this process.
   * Rejects with actor.name_unknown, actor.not_allowed, actor.name_taken, what its `init` throws …
   */
  remoteSpawn(node: string, name: string, options: RemoteSpawnOptions = {}): Promise<PID> {
    return remoteSpawn(this.#host.tables, { parent: this.#process, node, name, options });
  }

  /** Spawns a meta-process of this process. Gives a promise if, and only if, its `init` does. */
  spawnMeta<B extends MetaShape>(behaviour: B, options?: MetaOptions): SpawnedAlias<B> {
    return spawnMeta(this.#host.tables, this.#process, behaviour, options) as SpawnedAlias<B>;
  }

  /** Ends a meta-process, also of another process. @throws actor.alias_unknown, actor.meta_unknown, actor.meta_mailbox_full */
  sendExitMeta(alias: Alias<never, never>, reason: Reason): void {
    sendExitMeta(this.#host.tables, this.#process, alias, reason);
  }

  sendExitMetaAfter(alias: Alias<never, never>, reason: Reason, delayMs: number): timers.CancelTimer {
    return sendExitMetaAfter(this.#host.tables, this.#process, alias, reason, delayMs);
  }

  /** Asks a process or a meta-process about itself, for people. */
  inspect(
    target: PID<never, never> | Alias<never, never>,
    items: readonly string[] = [],
  ): Promise<Readonly<Record<string, string>>> {
    return calls.inspect(this.#host.tables, this.#process, target, items) as Promise<Readonly<Record<string, string>>>;
  }

  /** Sends once, later, also when this process has ended by then; what cannot be delivered then is lost. */
  sendAfter<M>(to: Address<M, never>, message: NoInfer<M>, delayMs: number, priority?: Priority): timers.CancelTimer {
    const used = priority ?? this.#process.priority;
    return timers.sendAfter(this.#host.tables, this.#process, to as Address, message, delayMs, used);
  }

  /** Sends at a fixed rate until cancelled or the process ends. @throws actor.incorrect – a period of 0 or less */
  sendEvery<M>(to: Address<M, never>, message: NoInfer<M>, periodMs: number, priority?: Priority): timers.CancelTimer {
    return timers.sendEvery(this.#host.tables, this.#process, to as Address, message, periodMs, priority);
  }

  /** @throws actor.not_allowed – to itself, its parent or its leader */
  sendExit(to: PID<never, never>, reason: Reason): void {
    sendExit(this.#host.tables, this.#process, to, reason);
  }

  sendExitAfter(to: PID<never, never>, reason: Reason, delayMs: number): timers.CancelTimer {
    return timers.sendExitAfter(this.#host.tables, this.#process, to, reason, delayMs);
  }

  /** Ends this process; does not return. */
  exit(reason: Reason): never {
    throw new Terminate(reason);
  }

  /** The end of `target` ends this process. Goes one way. Gives a promise if, and only if, `target` is on another node. */
  link(target: Address): Done {
    return watching.watch(this.#host.tables, this.#process, "link", target);
  }

  unlink(target: Address): void {
    watching.unwatch(this.#host.tables, this.#process, "link", target);
  }

  /** The end of `target` comes as one `MessageDown`. Gives a promise if, and only if, `target` is on another node. */
  monitor(target: Address): Done {
    return watching.watch(this.#host.tables, this.#process, "monitor", target);
  }

  demonitor(target: Address): void {
    watching.unwatch(this.#host.tables, this.#process, "monitor", target);
  }

  /** The loss of the connection to a node ends this process; connects first if need be. */
  linkNode(node: string): Promise<void> {
    return watching.watchNode(this.#host.tables, this.#process, "link", node);
  }

  unlinkNode(node: string): void {
    watching.unwatchNode(this.#host.tables, this.#process, "link", node);
  }

  /** The loss of the connection to a node comes as one `MessageDown`; connects first if need be. */
  monitorNode(node: string): Promise<void> {
    return watching.watchNode(this.#host.tables, this.#process, "monitor", node);
  }

  demonitorNode(node: string): void {
    watching.unwatchNode(this.#host.tables, this.#process, "monitor", node);
  }

  /**
   * Subscribes; the end of the event ends this process. Gives the last events, oldest first: a promise of them if the
   * event is on another node.
   */
  linkEvent(event: string): MessageEvent[];
  linkEvent(event: EventName | string): MessageEvent[] | Promise<MessageEvent[]>;
  linkEvent(event: EventName | string): MessageEvent[] | Promise<MessageEvent[]> {
    return watching.subscribe(this.#host.tables, this.#process, "link", event);
  }

  unlinkEvent(event: EventName | string): void {
    watching.unsubscribe(this.#host.tables, this.#process, "link", event);
  }

  /**
   * Subscribes; the end of the event comes as one `MessageDown`. Gives the last events, oldest first: a promise of them if
   * the event is on another node.
   */
  monitorEvent(event: string): MessageEvent[];
  monitorEvent(event: EventName | string): MessageEvent[] | Promise<MessageEvent[]>;
  monitorEvent(event: EventName | string): MessageEvent[] | Promise<MessageEvent[]> {
    return watching.subscribe(this.#host.tables, this.#process, "monitor", event);
  }

  demonitorEvent(event: EventName | string): void {
    watching.unsubscribe(this.#host.tables, this.#process, "monitor", event);
  }

  /** Gives the token that publishing needs. @throws actor.event_taken */
  registerEvent(name: string, options?: EventOptions): Ref {
    return watching.registerEvent(this.#host.tables, this.#process, name, options);
  }

  unregisterEvent(name: string): void {
    watching.unregisterEvent(this.#host.tables, this.#process, name);
  }

  /** Publishes; whoever holds the token may. */
  sendEvent(name: string, token: Ref | undefined, payload: unknown): void {
    watching.sendEvent(this.#host.tables, this.#process, name, token, payload);
  }

  registerName(name: string): void {
    names.registerName(this.#host.tables, this.#process, name);
  }

  createAlias(): Alias<Messages, Calls> {
    return names.createAlias(this.#host.tables, this.#process);
  }

  deleteAlias(alias: Alias<never, never>): void {
    names.deleteAlias(this.#host.tables, this.#process, alias);
  }

  /** Makes exits come as `MessageExit`, except those of the parent and of the kernel. */
  setTrapExit(trap: boolean): void {
    watching.allowed(this.#process);
    this.#process.trapExit = trap;
  }

  /**
   * Makes requests to other nodes fail at once when nobody gets them, and tells people (`onReport`) of messages and answers
   * to other nodes that did not arrive. To be told itself, the process uses `sendImportant`. Off at first.
   */
  setImportantDelivery(important: boolean): void {
    watching.allowed(this.#process);
    extrasOf(this.#process).isImportant = important;
  }

  /**
   * Gives mail that is addressed to the name or to an alias of the process to callbacks of their own from now on
   * (`handleMessageName` …); mail to its PID still comes to `handleMessage` and `handleCall`. @default false
   */
  setSplitHandle(split: boolean): void {
    watching.allowed(this.#process);
    this.#process.splits = split;
  }

  /** @throws actor.incorrect – no such priority */
  setSendPriority(priority: Priority): void {
    watching.allowed(this.#process);
    if (!isPriority(priority)) {
      throw actorError("actor.incorrect", `a priority is normal, high or max, not ${String(priority)}`);
    }
    this.#process.priority = priority;
  }

  env(name: string): unknown {
    return this.#process.heritage.env?.get(name.toUpperCase());
  }

  /** Sets a variable for this process and for what it spawns from now on; `undefined` takes it away. */
  setEnv(name: string, value: unknown): void {
    if (this.#process.state === "terminated" || this.#process.state === "zombie") return;
    const { heritage } = this.#process;
    this.#process.heritage = { ...heritage, env: overlay(heritage.env, { [name]: value }) };
  }

  [BIND](process: Process, host: Host): void {
    this.#process = process;
    this.#host = host;
  }

  [START](args: readonly unknown[]): unknown {
    return (this.init as (...given: readonly unknown[]) => unknown)(...args);
  }

  [EXIT](exit: MessageExit): unknown {
    const { trapExit, parent } = this.#process;
    const { core } = this.#host.tables;
    const isForced = exit.kind === "pid" && [parent, core].some((pid) => isSame(exit.target as PID, pid));
    if (!trapExit || isForced) return bareReason(exit.reason);
    return this.handleMessage(exit.kind === "pid" ? (exit.target as PID) : this.#process.pid, exit as Messages);
  }

  [ENDING](_reason: Reason): boolean {
    return false;
  }

  [NOTICE](_notice: unknown): unknown {
    return undefined;
  }

  [CHECK](): void {
    watching.allowed(this.#process);
  }

  [SPAWN](make: new () => ActorShape, { options, args, mail }: SpawnPlan): PID | Promise<PID> {
    const birth = { tables: this.#host.tables, host: this.#host, parent: this.#process, ...(mail && { mail }) };
    return spawn(birth, make as unknown as new () => Behaviour, options, args);
  }

  /** Ends a process without asking. */
  [KILL](pid: PID<never, never>): void {
    this.#host.tables.byPid(pid)?.kill();
  }

  /** Puts a notice behind the ordinary mail that waits. */
  [NOTIFY](notice: unknown): void {
    this.#process.put("normal", undefined, new Envelope("notice", this.#process.pid, notice));
  }

  /** Reads nothing but exits and inspections, or everything again. */
  [READ_URGENT](only: boolean): void {
    this.#process.urgentOnly = only;
  }

  #unhandled(what: string, from: PID, error: unknown): void {
    this.#host.tables.report({ kind: "unhandled", pid: this.#process.pid, text: `unhandled ${what} from ${from}`, error });
  }
}
