import { actorError, knownOptions, wholeNumber } from "../errors.ts";
import { EventEntry, type EventOptions } from "../events/event.ts";
import { type Address, Alias, checkName, EventName, PID, ProcessName, type Reason, type Ref } from "../identity/index.ts";
import { Envelope, MessageDown, MessageEvent, MessageEventStart, MessageEventStop, MessageExit } from "../mailbox/index.ts";
import { extrasOf } from "../process/extras.ts";
import type { Process } from "../process/process.ts";
import { type Consumer, type Relation, type RelationKind, WatchList } from "../relations/watch-list.ts";
import { missing, undeliverable } from "./deliver.ts";
import type { Done, FarTarget } from "./network.ts";
import type { Entry, Tables } from "./tables.ts";

/** What can be linked to and monitored, besides events. A string is a name registered on the own node. */
export type WatchTarget = Address;

/**
 * Adds a link or monitor. Gives a promise if, and only if, the target is on another node.
 * @throws actor.target_exists, actor.not_allowed, actor.process_unknown, actor.alias_unknown, actor.process_terminated – it was
 * killed and is about to end; actor.unsupported – what cannot be watched so, such as an event
 */
export function watch(tables: Tables, consumer: Process, kind: RelationKind, to: WatchTarget): Done {
  allowed(consumer);
  const network = to instanceof EventName ? undefined : tables.elsewhere(to);
  if (network !== undefined) return network.watch(consumer, kind, to as FarTarget);
  attach(tables, consumer, kind, to);
}

/** Adds a link or monitor to a target of this node. */
export function attach(tables: Tables, consumer: Consumer, kind: RelationKind, to: WatchTarget): void {
  const found = locate(tables, to);
  if (found === undefined) throw unlocated(tables, to);
  if (found.process.state === "zombie") throw undeliverable("actor.process_terminated", to);
  if (found.process === consumer) throw actorError("actor.not_allowed", `a process cannot ${kind} itself`);
  found.watchers ??= new WatchList();
  found.watchers.add(kind, consumer, typeof to === "string" ? (found as Entry<never>).address : to);
}

/** Removes a link or monitor. @throws actor.target_unknown – it is not there, also because its target is not. */
export function unwatch(tables: Tables, consumer: Process, kind: RelationKind, to: WatchTarget): void {
  allowed(consumer);
  const network = to instanceof EventName ? undefined : tables.elsewhere(to);
  if (network !== undefined) {
    network.unwatch(consumer, kind, to as FarTarget);
    return;
  }
  const found = locate(tables, to);
  if (found?.watchers === undefined) {
    if (missing(tables, to) === "actor.unsupported") throw unlocated(tables, to);
    throw actorError("actor.target_unknown", `there is no ${kind} to ${to}`);
  }
  found.watchers.remove(kind, consumer, typeof to === "string" ? (found as Entry<never>).address : to);
}

interface Located {
  readonly process: Process;
  watchers: WatchList | undefined;
}

/** Where the watchers of an address are kept: with the process, the name or the alias. */
function locate(tables: Tables, to: WatchTarget): Located | undefined {
  if (to instanceof PID) {
    const process = tables.byPid(to);
    return process === undefined ? undefined : new Watched(process);
  }
  if (to instanceof Alias) return tables.entryOfAlias(to);
  if (typeof to === "string") return tables.names.get(to);
  return to instanceof ProcessName && tables.isHere(to.node) ? tables.names.get(to.name) : undefined;
}

function unlocated(tables: Tables, to: WatchTarget): Error {
  const problem = missing(tables, to);
  if (to instanceof Alias && problem === "actor.process_unknown")
    return actorError("actor.alias_unknown", `no such alias: ${to}`);
  return undeliverable(problem, to);
}

class Watched implements Located {
  readonly process: Process;
  constructor(process: Process) {
    this.process = process;
  }
  get watchers(): WatchList | undefined {
    return this.process.watchers;
  }
  set watchers(list: WatchList | undefined) {
    this.process.watchers = list;
  }
}

/**
 * Tells everybody in `list` of the end, and empties it. A parent comes last: what hangs on the process is told to end before
 * the parent starts it again, which would find the names of its children taken.
 */
export function tellEnd(list: WatchList | undefined, kind: MessageExit["kind"], owner: PID, reason: Reason): void {
  if (list === undefined) return;
  let parent: Relation | undefined;
  for (const relation of list.drain()) {
    if (relation.toChild) parent = relation;
    else tell(relation, "exit", kind, owner, reason);
  }
  // The end of a child that a parent linked to at the spawn finds room always.
  if (parent !== undefined) tell(parent, "child_exit", kind, owner, reason);
}

function tell(relation: Relation, envelope: "exit" | "child_exit", kind: MessageExit["kind"], owner: PID, reason: Reason): void {
  const { consumer, address } = relation;
  if (consumer.state === "terminated") return;
  if (relation.kind === "link") {
    consumer.put("max", undefined, new Envelope(envelope, owner, new MessageExit(kind, address, reason)));
  } else consumer.put("high", owner, new MessageDown(kind, address, reason));
}

/**
 * Subscribes by link or monitor and gives the last events, oldest first: a promise of them if the event is on another node.
 * @throws actor.event_unknown, actor.target_exists
 */
export function subscribe(
  tables: Tables,
  consumer: Process,
  kind: RelationKind,
  event: EventName | string,
): MessageEvent[] | Promise<MessageEvent[]> {
  allowed(consumer);
  const network = tables.elsewhere(event);
  if (network !== undefined) return network.subscribe(consumer, kind, event as EventName);
  const entry = eventOf(tables, event);
  entry.subscribers.add(kind, consumer, entry.name);
  return entry.buffered();
}

/** The opposite of {@link subscribe}. @throws actor.event_unknown, actor.target_unknown */
export function unsubscribe(tables: Tables, consumer: Process, kind: RelationKind, event: EventName | string): void {
  allowed(consumer);
  const network = tables.elsewhere(event);
  if (network !== undefined) {
    network.unsubscribe(consumer, kind, event as EventName);
    return;
  }
  const entry = eventOf(tables, event);
  entry.subscribers.remove(kind, consumer, entry.name);
}

/** Links to or monitors the connection to a node, after it stands. Rejects with actor.no_route, actor.target_exists … */
export async function watchNode(tables: Tables, consumer: Process, kind: RelationKind, node: string): Promise<void> {
  allowed(consumer);
  if (tables.isHere(node)) throw actorError("actor.not_allowed", `a process cannot ${kind} its own node`);
  if (tables.network === undefined) throw actorError("actor.no_route", `the node cannot be reached: ${node}`);
  await tables.network.watchNode(consumer, kind, node);
}

/** The opposite of {@link watchNode}. @throws actor.target_unknown */
export function unwatchNode(tables: Tables, consumer: Process, kind: RelationKind, node: string): void {
  allowed(consumer);
  if (tables.network === undefined) throw actorError("actor.target_unknown", `there is no ${kind} to node ${node}`);
  tables.network.unwatchNode(consumer, kind, node);
}

const EVENT_OPTIONS: readonly string[] = ["notify", "bufferLimit", "open"] satisfies (keyof EventOptions)[];

/** The event of this node. @throws actor.event_unknown, actor.node_terminated */
export function eventOf(tables: Tables, event: EventName | string): EventEntry<Consumer, Process> {
  if (tables.state === "stopped") throw actorError("actor.node_terminated");
  const name = typeof event === "string" ? event : event.name;
  const entry = typeof event === "string" || tables.isHere(event.node) ? tables.events.get(name) : undefined;
  if (entry === undefined) throw actorError("actor.event_unknown", `no such event: ${name}`);
  return entry;
}

/**
 * Registers an event of `producer`; undefined = of the kernel, which is told of no subscribers.
 * @throws actor.event_taken, actor.name_too_long, actor.incorrect
 */
export function registerEvent(tables: Tables, producer: Process | undefined, name: string, options: EventOptions = {}): Ref {
  if (producer !== undefined) allowed(producer);
  if (tables.state === "stopped") throw actorError("actor.node_terminated");
  checkName(name);
  knownOptions("event", options, EVENT_OPTIONS);
  wholeNumber("event.bufferLimit", options.bufferLimit ?? 0, 0);
  if (tables.events.has(name)) throw actorError("actor.event_taken", `event ${name} is registered already`);
  const tell = (size: number, before: number): void => {
    if (producer === undefined || producer.state === "terminated") return;
    if (before === 0 && size > 0) producer.put("high", tables.core, new MessageEventStart(name));
    if (before > 0 && size === 0) producer.put("high", tables.core, new MessageEventStop(name));
  };
  const list = new WatchList(options.notify === true ? tell : undefined);
  const entry = new EventEntry<Consumer, Process>(new EventName(name, tables.node), tables.makeRef(), producer, list, options);
  tables.events.set(name, entry);
  if (producer !== undefined) extrasOf(producer).events.add(entry);
  return entry.token;
}

/** Withdraws an event. @throws actor.event_unknown, actor.event_owner */
export function unregisterEvent(tables: Tables, producer: Process | undefined, name: string): void {
  if (producer !== undefined) allowed(producer);
  const entry = eventOf(tables, name);
  if (entry.producer !== producer) throw actorError("actor.event_owner", `event ${name} has another producer`);
  producer?.extras?.events.delete(entry);
  withdraw(tables, entry, actorError("actor.unregistered"));
}

/** Takes an event off the table and tells its subscribers. */
export function withdraw(tables: Tables, entry: EventEntry<Consumer, Process>, reason: Reason): void {
  tables.events.delete(entry.name.name);
  tellEnd(entry.subscribers, "event", entry.producer?.pid ?? tables.core, reason);
}

/** Publishes. A subscriber with a full mailbox misses it. @throws actor.event_unknown, actor.event_owner – wrong token */
export function sendEvent(
  tables: Tables,
  from: Process | undefined,
  name: string,
  token: Ref | undefined,
  payload: unknown,
): void {
  if (from !== undefined) allowed(from);
  const entry = eventOf(tables, name);
  if (!entry.open && !isToken(entry.token, token)) throw actorError("actor.event_owner", `wrong token for event ${name}`);
  const event = new MessageEvent(entry.name, tables.clock.now(), payload);
  const sender = entry.producer?.pid ?? tables.core;
  const queue = from?.priority ?? "normal";
  const envelope = new Envelope("event", sender, event);
  entry.keep(event);
  entry.subscribers.forEach((subscriber) => {
    if (subscriber.put(queue, undefined, envelope)) entry.delivered++;
  });
}

function isToken(token: Ref, given: Ref | undefined): boolean {
  if (given === undefined || given === token) return given === token;
  return given.id === token.id && given.creation === token.creation && given.node === token.node;
}

/** @throws actor.not_allowed – the process ends or was killed. */
export function allowed(process: Process): void {
  if (process.state === "terminated" || process.state === "zombie") {
    throw actorError("actor.not_allowed", `process ${process.pid} is ending`);
  }
}
