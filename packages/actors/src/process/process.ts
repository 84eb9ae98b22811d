import { actorError } from "../errors.ts";
import { type Address, type Outcome, PID, ProcessName, type Reason, reasonOfOutcome, reasonOfThrow } from "../identity/index.ts";
import type { LogLevel, LogRecord, LogSource, LogSubject } from "../log/index.ts";
import {
  Envelope,
  isCertain,
  type KeptMail,
  type MessageEvent,
  type MessageExit,
  type MessageResponse,
  type Priority,
  Ring,
} from "../mailbox/index.ts";
import type { Consumer, Relation, WatchList } from "../relations/watch-list.ts";
import { type Behaviour, ENDING, EXIT, NOTICE, ROUTE } from "./behaviour.ts";
import { type Extras, extrasOf } from "./extras.ts";
import type { Heritage } from "./heritage.ts";
import { failAll, type Pending, type Waiter } from "./pending.ts";
import type { Runnable, Scheduler } from "./scheduler.ts";

/**
 * A process: a behaviour, its mail, and the loop that brings them together.
 *
 *  K1. One callback at a time; one that returned a promise is running until the promise settles.
 *  K2. The queues are looked at anew before each message: urgent, system, main, log.
 *  K3. A process with mail that neither runs nor has ended stands in the scheduler.
 *  K4. It ends once; `finished` of its host is called once, after the last callback but `terminate`.
 *  K5. A queue at its limit takes nothing but what the process was promised (`isCertain`); a zombie takes nothing at all.
 */

/** What a process is doing. A `zombie` was killed while it ran and ends when its callback returns. */
export type ProcessState = "init" | "sleep" | "running" | "terminated" | "zombie";

/** What a process needs of its kernel. */
export interface ProcessHost {
  readonly scheduler: Scheduler;
  /** Takes a process that ends off every table, tells who watches it, then runs `terminate`. */
  finished(process: Process, reason: Reason): void;
  /** Answers the call in `envelope` with what `handleCall` gave back. */
  answerCall(process: Process, envelope: Envelope, given: unknown): Outcome;
  /** Answers an inspection. */
  answerInspect(envelope: Envelope, given: unknown): void;
}

/** What is fixed at the spawn. */
export interface ProcessSetup {
  readonly pid: PID;
  readonly host: ProcessHost;
  readonly behaviour: Behaviour;
  readonly parent: PID;
  readonly leader: PID;
  /** Longest queue, per queue; 0 = no limit. */
  readonly limit: number;
  readonly priority: Priority;
  readonly startedMs: number;
  readonly heritage: Heritage<Process>;
}

/** One process of a kernel. */
export class Process implements Runnable, Consumer, Waiter, LogSubject {
  readonly pid: PID;
  readonly host: ProcessHost;
  readonly behaviour: Behaviour;
  readonly parent: PID;
  readonly leader: PID;
  /** Longest queue, per queue; 0 = no limit, -1 = it takes nothing any more. */
  limit: number;
  heritage: Heritage<Process>;
  startedMs: number;
  priority: Priority;
  state: ProcessState = "init";
  name: string | undefined = undefined;
  trapExit = false;
  /** Reads nothing but the urgent queue. */
  urgentOnly = false;
  /** Whether mail to its name or an alias goes to callbacks of their own. */
  splits = false;
  /** Ordinary mail goes to `ROUTE` of the behaviour. */
  isRouting = false;
  messagesIn = 0;
  messagesOut = 0;
  watchers: WatchList | undefined = undefined;
  relations: Set<Relation> | undefined = undefined;
  pending: Pending | undefined = undefined;
  extras: Extras<Process> | undefined = undefined;
  #urgent: Ring | undefined = undefined;
  #system: Ring | undefined = undefined;
  #main: Ring | undefined = undefined;
  #log: Ring | undefined = undefined;
  #scheduled = false;

  constructor(setup: ProcessSetup) {
    this.pid = setup.pid;
    this.host = setup.host;
    this.behaviour = setup.behaviour;
    this.parent = setup.parent;
    this.leader = setup.leader;
    this.limit = setup.limit;
    this.heritage = setup.heritage;
    this.priority = setup.priority;
    this.startedMs = setup.startedMs;
  }

  /** The error of mail that finds no room. */
  get fullCode(): "actor.mailbox_full" | "actor.meta_mailbox_full" | "actor.process_terminated" {
    return this.state === "zombie" ? "actor.process_terminated" : "actor.mailbox_full";
  }

  /** A process that is a logger logs nothing itself. */
  get logLevel(): LogLevel {
    return this.extras?.loggerName === undefined ? this.heritage.logLevel : "disabled";
  }

  set logLevel(logLevel: LogLevel) {
    this.heritage = { ...this.heritage, logLevel };
  }

  get logger(): string | undefined {
    return this.extras?.logger;
  }

  set logger(name: string | undefined) {
    if (name !== this.logger) extrasOf<Process>(this).logger = name;
  }

  get logSource(): LogSource {
    return { kind: "process", pid: this.pid, name: this.name, behaviour: this.behaviour.constructor.name };
  }

  /** Puts ordinary mail in; false if the queue is full. */
  mail(from: PID, message: unknown): boolean {
    let main = this.#main;
    if (main === undefined) {
      main = new Ring();
      this.#main = main;
    }
    if (this.limit !== 0 && main.size >= this.limit) return false;
    main.push(from, message);
    if (this.state === "sleep" && !this.#scheduled) this.#schedule();
    return true;
  }

  /** Puts mail into a queue of its choice; false if that is full. Without a sender the payload is an {@link Envelope}. */
  put(queue: Priority | "log", from: PID | undefined, payload: unknown): boolean {
    const ring = this.#ring(queue);
    if (this.limit !== 0 && ring.size >= this.limit && !this.#mustTake(from, payload)) return false;
    ring.push(from, payload);
    if (this.state === "sleep" && !this.#scheduled) this.#schedule();
    return true;
  }

  /** Calls `read` when the mail that waits now has been read. Needs no room, and is forgotten at the end. */
  mark(read: () => void): void {
    this.#ring("normal").push(undefined, new Envelope("mark", this.pid, read));
    if (this.state === "sleep" && !this.#scheduled) this.#schedule();
  }

  /** Leaves all mail but the urgent unread, or reads it again. */
  hold(held: boolean): void {
    this.urgentOnly = held;
    if (!held && this.state === "sleep" && this.#first() !== undefined) this.#schedule();
  }

  /** Lets the process handle the ordinary mail that waits, and then the exit in `envelope`, which no limit keeps out. */
  endAfterMail(envelope: Envelope): void {
    this.#ring("normal").push(undefined, envelope);
    if (this.state === "sleep" && !this.#scheduled) this.#schedule();
  }

  /** How much mail waits, per queue. */
  waiting(): { urgent: number; system: number; main: number; log: number } {
    return {
      urgent: this.#urgent?.size ?? 0,
      system: this.#system?.size ?? 0,
      main: this.#main?.size ?? 0,
      log: this.#log?.size ?? 0,
    };
  }

  /** The start went well: mail is read from now on. */
  activate(): void {
    this.state = "sleep";
    if (this.#first() !== undefined) this.#schedule();
  }

  run(share: number): number {
    this.#scheduled = false;
    if (this.state !== "sleep") return 0;
    this.state = "running";
    for (let handled = 0; handled < share; ) {
      const ring = this.#first();
      if (ring === undefined) {
        this.state = "sleep";
        this.#main?.shrink();
        return handled;
      }
      handled++;
      if (!this.#handle(ring)) return handled;
    }
    this.#rest();
    return share;
  }

  /** Ends the process because something outside of its callbacks wants it. */
  end(reason: Reason): void {
    if (this.state === "terminated") return;
    this.host.finished(this, this.state === "zombie" ? "kill" : reason);
  }

  /** Ends it without asking: at once while idle, else when its callback returns. */
  kill(): void {
    if (this.state === "terminated" || this.state === "zombie") return;
    if (this.state === "sleep") {
      this.host.finished(this, "kill");
      return;
    }
    this.state = "zombie";
    this.limit = -1;
    failAll(this, actorError("actor.process_terminated", `process ${this.pid} was killed while it waited`));
  }

  /** Takes out all mail that waits, in the order in which it would have been read. */
  takeMail(): KeptMail[] {
    const all: KeptMail[] = [];
    for (const queue of ["max", "high", "normal", "log"] as const) {
      const ring = this.#ring(queue);
      while (ring.size > 0) all.push({ queue, from: ring.peekFrom(), payload: ring.take() });
    }
    return all;
  }

  /** Handles one message. False if the loop is not to go on. */
  #handle(ring: Ring): boolean {
    this.messagesIn++;
    const from = ring.peekFrom();
    const payload = ring.take();
    let given: unknown;
    try {
      if (this.isRouting && ring === this.#main) given = this.#route(from, payload);
      else given = from === undefined ? this.#open(payload as Envelope) : this.behaviour.handleMessage(from, payload as never);
    } catch (error) {
      this.#stop(reasonOfThrow(error));
      return false;
    }
    return (given === undefined && this.state === "running") || this.#after(given);
  }

  /** What is addressed to the process alone, such as answers to its own requests, is not handed on. */
  #route(from: PID | undefined, payload: unknown): unknown {
    if (from === undefined && !isHandedOn(payload as Envelope)) return this.#open(payload as Envelope);
    return this.behaviour[ROUTE]?.(from, payload);
  }

  #open(envelope: Envelope): unknown {
    switch (envelope.kind) {
      case "call": {
        const given = this.splits
          ? this.#splitCall(envelope)
          : this.behaviour.handleCall(envelope.from, envelope.ref as never, envelope.payload as never);
        if (isThenable(given)) return given.then((value) => this.host.answerCall(this, envelope, value));
        return this.host.answerCall(this, envelope, given);
      }
      case "exit":
      case "child_exit":
        return this.behaviour[EXIT](envelope.payload as MessageExit);
      case "event":
        return this.behaviour.handleEvent(envelope.payload as MessageEvent);
      case "response":
        return this.behaviour.handleResponse(envelope.payload as MessageResponse);
      case "log":
        return this.behaviour.handleLog(envelope.payload as LogRecord);
      case "notice":
        return this.behaviour[NOTICE](envelope.payload);
      case "mark":
        this.messagesIn--;
        (envelope.payload as () => void)();
        return undefined;
      case "inspect": {
        const given = this.behaviour.handleInspect(envelope.from, envelope.payload as readonly string[]);
        if (isThenable(given)) return given.then((value) => this.host.answerInspect(envelope, value));
        this.host.answerInspect(envelope, given);
        return undefined;
      }
      default:
        return this.#splitMessage(envelope);
    }
  }

  #splitMessage({ to, from, payload }: Envelope): unknown {
    const { behaviour } = this;
    if (!this.splits) return behaviour.handleMessage(from, payload as never);
    const name = nameIn(to);
    if (name !== undefined) return behaviour.handleMessageName?.(name, from, payload as never);
    return behaviour.handleMessageAlias?.(to as never, from, payload as never);
  }

  #splitCall(envelope: Envelope): unknown {
    const { behaviour } = this;
    const { to, from, payload } = envelope;
    const ref = envelope.ref as never;
    if (to instanceof PID) return behaviour.handleCall(from, ref, payload as never);
    const name = nameIn(to);
    if (name !== undefined) return behaviour.handleCallName?.(name, from, ref, payload as never);
    return behaviour.handleCallAlias?.(to as never, from, ref, payload as never);
  }

  #mustTake(from: PID | undefined, payload: unknown): boolean {
    return from === undefined && this.limit !== -1 && isCertain((payload as Envelope).kind);
  }

  /** A callback gave something back, or the process was killed in it. False if the loop is not to go on. */
  #after(given: unknown): boolean {
    if (isThenable(given)) {
      given.then(
        (value) => this.#resume(value),
        (error) => this.#stop(reasonOfThrow(error)),
      );
      return false;
    }
    if (given === undefined && this.state === "running") return true;
    this.#stop(given === undefined ? "kill" : reasonOfOutcome(given));
    return false;
  }

  #resume(value: unknown): void {
    if (value === undefined && this.state === "running") this.#rest();
    else this.#stop(value === undefined ? "kill" : reasonOfOutcome(value));
  }

  /** Ends the process, unless its behaviour has something to finish first. */
  #stop(reason: Reason): void {
    if (this.state === "terminated") return;
    if (this.state === "zombie") this.host.finished(this, "kill");
    else if (this.behaviour[ENDING](reason)) this.#rest();
    else this.host.finished(this, reason);
  }

  /** Between two messages, or two shares. */
  #rest(): void {
    if (this.state !== "running") return;
    this.state = "sleep";
    if (this.#first() !== undefined) this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.host.scheduler.add(this);
  }

  #first(): Ring | undefined {
    if (this.#urgent !== undefined && this.#urgent.size > 0) return this.#urgent;
    if (this.urgentOnly) return undefined;
    if (this.#system !== undefined && this.#system.size > 0) return this.#system;
    if (this.#main !== undefined && this.#main.size > 0) return this.#main;
    return this.#log !== undefined && this.#log.size > 0 ? this.#log : undefined;
  }

  #ring(queue: Priority | "log"): Ring {
    switch (queue) {
      case "max":
        this.#urgent ??= new Ring();
        return this.#urgent;
      case "high":
        this.#system ??= new Ring();
        return this.#system;
      case "normal":
        this.#main ??= new Ring();
        return this.#main;
      case "log":
        this.#log ??= new Ring();
        return this.#log;
      default:
        throw actorError("actor.incorrect", `a priority is normal, high or max, not ${String(queue)}`);
    }
  }
}

/** The name in an address, if it is one. */
function nameIn(to: Address | undefined): string | undefined {
  return typeof to === "string" ? to : to instanceof ProcessName ? to.name : undefined;
}

function isHandedOn({ kind }: Envelope): boolean {
  return kind === "message" || kind === "call" || kind === "event";
}

/** Whether `value` is to be waited for. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
