import type { Clock } from "@metanode/core/clock";
import { actorError } from "../errors.ts";
import type { Address, Alias, AnyCall, PID, Ref, RequestOf } from "../identity/index.ts";
import { Log } from "../log/index.ts";
import { isPriority, type Priority } from "../mailbox/index.ts";
import * as calls from "../runtime/calls.ts";
import { send, whenRead } from "../runtime/deliver.ts";
import type { Done } from "../runtime/network.ts";
import type { Tables } from "../runtime/tables.ts";
import * as timers from "../runtime/timers.ts";
import { allowed } from "../runtime/watch.ts";
import type { MetaOptions, MetaProcess, MetaShape, SpawnedAlias } from "./behaviour.ts";
import type { MetaRun } from "./run.ts";

/** Spawns a sibling, or gives a promise of it. */
export type SpawnSibling = (behaviour: MetaShape, options?: MetaOptions) => Alias | Promise<Alias>;

/** The handle that `init` and `start` get. */
export class Handle implements MetaProcess {
  readonly #tables: Tables;
  readonly #run: MetaRun;
  readonly #spawn: SpawnSibling;

  constructor(tables: Tables, run: MetaRun, spawn: SpawnSibling) {
    this.#tables = tables;
    this.#run = run;
    this.#spawn = spawn;
  }

  get id(): Alias {
    return this.#run.alias;
  }

  get parent(): PID {
    return this.#run.pid;
  }

  get signal(): AbortSignal {
    return this.#run.signal;
  }

  get exiting(): AbortSignal {
    return this.#run.exiting;
  }

  get clock(): Clock {
    return this.#tables.clock;
  }

  now(): number {
    return this.#tables.clock.now();
  }

  send<M>(to: Address<M, never>, message: NoInfer<M>, priority: Priority = this.#run.priority): void {
    send(this.#tables, this.#run, to as Address, message, priority);
    this.#run.owner.messagesOut++;
  }

  sendAfter<M>(
    to: Address<M, never>,
    message: NoInfer<M>,
    delayMs: number,
    priority: Priority = this.#run.priority,
  ): timers.CancelTimer {
    const run = this.#run;
    allowed(run.owner);
    const scope = run.timers();
    const cancel = timers.sendAfter(this.#tables, run, to as Address, message, delayMs, priority, () => scope.delete(cancel));
    scope.add(cancel);
    return () => {
      scope.delete(cancel);
      return cancel();
    };
  }

  sendEvery<M>(to: Address<M, never>, message: NoInfer<M>, periodMs: number, priority?: Priority): timers.CancelTimer {
    allowed(this.#run.owner);
    this.#run.timers();
    return timers.sendEvery(this.#tables, this.#run, to as Address, message, periodMs, priority);
  }

  sendRequest<C extends AnyCall>(to: Address<never, C>, request: RequestOf<C>, options?: calls.RequestOptions): Ref {
    const target = this.#tables.find(to as Address);
    if (target !== undefined && (target === this.#run || target === this.#run.owner)) {
      throw actorError("actor.not_allowed", "a meta-process asks neither itself nor its own process");
    }
    const ref = calls.sendRequest(this.#tables, this.#run, to as Address, request, options);
    this.#run.owner.messagesOut++;
    return ref;
  }

  cancelRequest(ref: Ref): void {
    calls.cancelRequest(this.#run, ref);
  }

  respond(to: PID, ref: Ref, value: unknown, options?: calls.RespondOptions): Done {
    allowed(this.#run);
    return calls.respond(this.#tables, to, ref, { value }, options?.important, this.#run);
  }

  respondError(to: PID, ref: Ref, error: Error, options?: calls.RespondOptions): Done {
    allowed(this.#run);
    return calls.respond(this.#tables, to, ref, { error }, options?.important, this.#run);
  }

  spawn<B extends MetaShape>(behaviour: B, options?: MetaOptions): SpawnedAlias<B> {
    return this.#spawn(behaviour, options) as SpawnedAlias<B>;
  }

  whenRead(to: Address): Promise<void> {
    return whenRead(this.#tables, to);
  }

  holdMail(held: boolean): void {
    this.#run.hold(held);
  }

  env(name: string): unknown {
    return this.#run.owner.heritage.env?.get(name.toUpperCase());
  }

  envList(): ReadonlyMap<string, unknown> {
    return this.#run.owner.heritage.env ?? new Map();
  }

  get sendPriority(): Priority {
    return this.#run.priority;
  }

  set sendPriority(priority: Priority) {
    if (!isPriority(priority)) throw actorError("actor.incorrect", `there is no priority ${String(priority)}`);
    this.#run.priority = priority;
  }

  get log(): Log {
    return new Log(this.#tables.logging, this.#run);
  }

  report(text: string, error?: unknown): void {
    this.#tables.report({ kind: "meta", pid: this.#run.pid, by: this.#run, text: `${this.#run.alias}: ${text}`, error });
  }
}
