import { Actor } from "../behaviour/actor.ts";
import { actorError } from "../errors.ts";
import { type Address, type Alias, type AnyCall, later, type PID, type Ref } from "../identity/index.ts";
import type { MessageEvent } from "../mailbox/index.ts";
import { MetaBehaviour, type MetaOptions, type MetaProcess, type MetaShape } from "../meta/behaviour.ts";
import { isLike, type NameOf, valueText } from "./actions.ts";
import type { ActorClass } from "./recorder.ts";

/** What a stand-in got. */
export interface Received {
  readonly kind: "message" | "call" | "event";
  readonly from: PID;
  /** The message, the request, or what was published. */
  readonly value: unknown;
}

interface Stub {
  readonly wanted: unknown;
  readonly answer: unknown;
}

/**
 * Somebody for an actor to deal with: a real process that writes down what it gets and answers as it is told to. A stand-in
 * for a class is one per spawn, all under the same rules.
 */
export class StandIn {
  readonly label: string;
  /** Everything that it got, in order. */
  readonly received: Received[] = [];
  /** The arguments of each spawn in the place of a class, in order. */
  readonly spawned: (readonly unknown[])[] = [];
  readonly #addresses: (PID | Alias)[] = [];
  readonly #stubs: Stub[] = [];
  readonly #nameOf: NameOf;
  #actor: Actor | undefined;

  constructor(label: string, nameOf: NameOf) {
    this.label = label;
    this.#nameOf = nameOf;
  }

  /** Its address; of several the first. */
  get pid(): PID {
    const [first] = this.#addresses;
    if (first === undefined) throw new Error(`nothing was spawned in the place of ${this.label} yet`);
    return first as PID;
  }

  /** One address per spawn. */
  get addresses(): readonly (PID | Alias)[] {
    return this.#addresses;
  }

  /** The messages that it got, in order. */
  get messages(): unknown[] {
    return this.received.flatMap(({ kind, value }) => (kind === "message" ? [value] : []));
  }

  /** The requests that it got, in order. */
  get requests(): unknown[] {
    return this.received.flatMap(({ kind, value }) => (kind === "call" ? [value] : []));
  }

  /**
   * Answers requests that are deeply equal to `wanted`, or satisfy it where it is a function. `answer` is the answer: an
   * `Error` makes the call reject with it, `later` leaves it without one, a function is called with the request. What was
   * said last counts. A request without an answer is refused with `actor.unsupported`.
   */
  answer(wanted: unknown, answer: unknown): this {
    this.#stubs.unshift({ wanted, answer });
    return this;
  }

  /** Sends in its own name: what comes back is written down here. */
  send<M>(to: Address<M, never>, message: NoInfer<M>): void {
    this.#own().send(to, message);
  }

  /** Asks in its own name. */
  call(to: Address<never, AnyCall>, request: unknown, options?: { timeoutMs?: number }): Promise<unknown> {
    return this.#own().call(to, request, options);
  }

  /** For the stage: spawns a meta-process that belongs to it. */
  owns(behaviour: MetaShape, options: MetaOptions): Alias | Promise<Alias> {
    return this.#own().spawnMeta(behaviour, options) as Alias | Promise<Alias>;
  }

  /** For the stage: the actor that stands in. */
  joins(address: PID | Alias, args: readonly unknown[], actor?: Actor): void {
    this.#addresses.push(address);
    this.spawned.push(args);
    this.#actor ??= actor;
  }

  /** For the stage: what the actor that stands in does with a request. */
  replyTo(request: unknown): { value: unknown } | { error: Error } {
    const stub = this.#stubs.find(({ wanted }) => isLike(request, wanted));
    if (stub === undefined) {
      const asked = valueText(request, this.#nameOf);
      return { error: actorError("actor.unsupported", `the stand-in ${this.label} has no answer to ${asked}; give it one`) };
    }
    const { answer } = stub;
    try {
      const value: unknown = typeof answer === "function" ? answer(request) : answer;
      return value instanceof Error ? { error: value } : { value };
    } catch (error) {
      return { error: error as Error };
    }
  }

  #own(): Actor {
    if (this.#actor === undefined) throw new Error(`the stand-in ${this.label} is no actor that could send`);
    return this.#actor;
  }
}

/** The class of actors that stand in. */
export function standInActor(standIn: StandIn): ActorClass<Actor<never, never>> {
  class Actors extends Actor<unknown, AnyCall> {
    override init(...args: unknown[]): void {
      standIn.joins(this.self as PID, args, this as unknown as Actor);
    }
    override handleMessage(from: PID, value: unknown): void {
      standIn.received.push({ kind: "message", from, value });
    }
    override handleCall(from: PID, ref: Ref, value: unknown): unknown {
      standIn.received.push({ kind: "call", from, value });
      const reply = standIn.replyTo(value);
      if ("value" in reply) return reply.value;
      this.respondError(from, ref, reply.error);
      return later;
    }
    override handleEvent(event: MessageEvent): void {
      standIn.received.push({ kind: "event", from: this.self as PID, value: event.message });
    }
  }
  Object.defineProperty(Actors, "name", { value: standIn.label });
  return Actors as unknown as ActorClass<Actor<never, never>>;
}

/** A meta-process that stands in: it does nothing until it is ended. */
export class StandInMeta extends MetaBehaviour<unknown, AnyCall> {
  readonly #standIn: StandIn;
  readonly #inPlaceOf: object;
  readonly #end = Promise.withResolvers<void>();
  #meta!: MetaProcess;

  constructor(standIn: StandIn, inPlaceOf: object) {
    super();
    this.#standIn = standIn;
    this.#inPlaceOf = inPlaceOf;
  }

  override init(meta: MetaProcess): void {
    this.#meta = meta;
    this.#standIn.joins(meta.id, [this.#inPlaceOf]);
  }
  override start(): Promise<void> {
    return this.#end.promise;
  }
  override handleMessage(from: PID, value: unknown): void {
    this.#standIn.received.push({ kind: "message", from, value });
  }
  override handleCall(from: PID, ref: Ref, value: unknown): unknown {
    this.#standIn.received.push({ kind: "call", from, value });
    const reply = this.#standIn.replyTo(value);
    if ("value" in reply) return reply.value;
    this.#meta.respondError(from, ref, reply.error);
    return later;
  }
  override terminate(): void {
    this.#end.resolve();
  }
}
