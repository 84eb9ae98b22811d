import { hasCode } from "@metanode/core/errors";
import { actorError } from "../errors.ts";
import { Alias, EventName, type PID, ProcessName, type Reason } from "../identity/index.ts";
import { Envelope, MessageEvent, type MessageExit, type Priority } from "../mailbox/index.ts";
import { type Pending, pendingOf, SettledPending } from "../process/pending.ts";
import type { Process } from "../process/process.ts";
import { type RelationKind, WatchList } from "../relations/watch-list.ts";
import { undeliverable } from "../runtime/deliver.ts";
import type { FarTarget, Problem } from "../runtime/network.ts";
import type { Tables } from "../runtime/tables.ts";
import { tellEnd } from "../runtime/watch.ts";
import { ROUND_TRIP_MS } from "./ask.ts";

/** Longer than the round trip itself, which ends the waits behind it. */
const WAIT_MS = 2 * ROUND_TRIP_MS;

/** Asks the peer to begin or end a watch; settles when it has answered. */
export interface WatchLine {
  ask(
    number: number,
    target: FarTarget | EventName,
    settle: (value: unknown, error: Error | undefined) => void,
  ): Problem | undefined;
  unwatch(number: number): void;
}

/** Somebody who waits until a watch is held. */
interface Waiting {
  readonly pending: Pending;
  readonly consumer: Process;
  readonly kind: RelationKind;
}

/** One target on another node, and who watches it here. */
class Watch {
  readonly number: number;
  readonly target: FarTarget | EventName;
  readonly list: WatchList;
  /** Whether the other node has said yes. */
  isHeld = false;
  #waiting: Waiting[] = [];
  /** Of an event: the last ones, and how many the producer keeps. */
  events: MessageEvent[] = [];
  bufferLimit = 0;

  constructor(number: number, target: FarTarget | EventName, onEmpty: (watch: Watch) => void) {
    this.number = number;
    this.target = target;
    this.list = new WatchList((size) => {
      if (size === 0) onEmpty(this);
    });
  }

  wait(one: Waiting): void {
    this.#waiting.push(one);
  }

  /** Ends the waits that `isMeant`, by default all. */
  settle(end: (pending: Pending) => void, isMeant: (one: Waiting) => boolean = () => true): void {
    const all = this.#waiting;
    this.#waiting = all.filter((one) => !isMeant(one));
    for (const one of all) if (isMeant(one) && pendingOf(one.pending.ref) === one.pending) end(one.pending);
  }
}

/**
 * What processes of this node watch on one other node.
 *
 *  F1. There is one watch per target, whoever many watch it here, by link or by monitor: the first asks the other node, the
 *      last one's leaving tells it. What the other node says comes once and is passed on here.
 *  F2. A watch is asked for, held, or gone. While it is asked for, those who want it wait for the same answer; if that is
 *      no, or none, nothing is left of it, and nobody hears of an end.
 *  F3. Watches are numbered and numbers are not used again, so what crosses on the way is never taken for another.
 */
export class Watches {
  readonly #tables: Tables;
  readonly #line: WatchLine;
  readonly #byTarget = new Map<string, Watch>();
  readonly #byNumber = new Map<number, Watch>();
  #last = 0;

  constructor(tables: Tables, line: WatchLine) {
    this.#tables = tables;
    this.#line = line;
  }

  /** Watches held or asked for. */
  get size(): number {
    return this.#byNumber.size;
  }

  /** A number for a watch that the other node begins by itself. */
  reserve(): number {
    return ++this.#last;
  }

  /** A watch by {@link reserve} is held. */
  adopt(number: number, consumer: Process, target: PID): void {
    const watch = this.#open(number, target);
    watch.isHeld = true;
    watch.list.add("link", consumer, target, true);
  }

  /** Rejects with actor.target_exists and what the other node says. Resolves with the last events. */
  add(consumer: Process, kind: RelationKind, target: FarTarget | EventName): Promise<MessageEvent[]> {
    const known = this.#byTarget.get(keyOf(target));
    const watch = known ?? this.#open(++this.#last, target);
    try {
      watch.list.add(kind, consumer, target);
    } catch (error) {
      return Promise.reject(error);
    }
    if (watch.isHeld) return Promise.resolve([...watch.events]);
    const answer = this.#wait(watch, consumer, kind);
    if (known === undefined) this.#ask(watch);
    return answer;
  }

  /** @throws actor.target_unknown */
  remove(consumer: Process, kind: RelationKind, target: FarTarget | EventName): void {
    const watch = this.#byTarget.get(keyOf(target));
    if (watch === undefined) throw actorError("actor.target_unknown", `there is no ${kind} to ${target}`);
    watch.list.remove(kind, consumer, target);
    watch.settle(cancel, (one) => one.consumer === consumer && one.kind === kind);
  }

  /** The other node says that a target has ended. */
  ended(number: number, owner: PID, reason: Reason): void {
    const watch = this.#byNumber.get(number);
    if (watch === undefined) return;
    this.#forget(watch);
    tellEnd(watch.list, kindOf(watch.target), owner, reason);
  }

  /** The other node publishes. */
  published(number: number, from: PID, queue: Priority, { timeMs, message }: { timeMs: number; message: unknown }): void {
    const watch = this.#byNumber.get(number);
    if (watch === undefined) return;
    const event = new MessageEvent(watch.target as EventName, timeMs, message);
    if (watch.bufferLimit > 0) {
      watch.events.push(event);
      if (watch.events.length > watch.bufferLimit) watch.events.shift();
    }
    const envelope = new Envelope("event", from, event);
    watch.list.forEach((subscriber) => void subscriber.put(queue, undefined, envelope));
  }

  /** The other node is lost. */
  lose(reason: Error): void {
    for (const watch of [...this.#byNumber.values()]) {
      if (!watch.isHeld) this.#refuse(watch, reason);
      else {
        this.#forget(watch);
        tellEnd(watch.list, kindOf(watch.target), this.#tables.core, reason);
      }
    }
  }

  #open(number: number, target: FarTarget | EventName): Watch {
    const watch = new Watch(number, target, (empty) => this.#leave(empty));
    this.#byTarget.set(keyOf(target), watch);
    this.#byNumber.set(number, watch);
    return watch;
  }

  #ask(watch: Watch): void {
    const problem = this.#line.ask(watch.number, watch.target, (value, error) => {
      if (this.#byNumber.get(watch.number) !== watch) return;
      if (error === undefined) this.#hold(watch, value);
      else {
        // No answer in time: should the other node have taken it, it is told that nobody wants it.
        if (hasCode(error, "actor.timeout")) this.#line.unwatch(watch.number);
        this.#refuse(watch, error);
      }
    });
    if (problem !== undefined) this.#refuse(watch, undeliverable(problem, String(watch.target)));
  }

  #hold(watch: Watch, value: unknown): void {
    watch.isHeld = true;
    if (watch.target instanceof EventName) {
      const { events, bufferLimit } = value as { events: MessageEvent[]; bufferLimit: number };
      watch.events = events;
      watch.bufferLimit = bufferLimit;
    }
    watch.settle((pending) => pending.answer([...watch.events]));
  }

  #refuse(watch: Watch, error: Error): void {
    this.#forget(watch);
    watch.list.drain();
    watch.settle((pending) => pending.fail(error));
  }

  /** Nobody here watches any more. */
  #leave(watch: Watch): void {
    if (this.#byNumber.get(watch.number) !== watch) return;
    this.#forget(watch);
    this.#line.unwatch(watch.number);
    watch.settle(cancel);
  }

  #forget(watch: Watch): void {
    this.#byNumber.delete(watch.number);
    this.#byTarget.delete(keyOf(watch.target));
  }

  #wait(watch: Watch, consumer: Process, kind: RelationKind): Promise<MessageEvent[]> {
    const { clock, deadlines } = this.#tables;
    return new Promise((resolve, reject) => {
      const settler = { resolve: resolve as (value: unknown) => void, reject };
      const ref = this.#tables.makeRef(clock.now() + WAIT_MS);
      const pending = new SettledPending(ref, String(watch.target), consumer, settler);
      deadlines.add(pending, ref.deadlineMs);
      watch.wait({ pending, consumer, kind });
    });
  }
}

function cancel(pending: Pending): void {
  pending.fail(actorError("actor.canceled", `the watch of ${pending.to} was taken back before it was confirmed`));
}

/** The same for all values that name the same target. */
function keyOf(target: FarTarget | EventName): string {
  if (target instanceof EventName) return `event ${target.name}`;
  if (target instanceof ProcessName) return `name ${target.name}`;
  return `${kindOf(target)} ${target.id} ${target.creation}`;
}

function kindOf(target: FarTarget | EventName): MessageExit["kind"] {
  if (target instanceof EventName) return "event";
  if (target instanceof ProcessName) return "name";
  return target instanceof Alias ? "alias" : "pid";
}
