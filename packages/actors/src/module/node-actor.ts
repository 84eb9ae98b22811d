import {
  type Accepted,
  type CallContext,
  coreError,
  hasCode,
  type Message,
  type MessageInit,
  type MetanodeError,
} from "@metanode/core";
import { asMetanodeError } from "@metanode/core/internal";
import { Actor } from "../behaviour/actor.ts";
import { actorError } from "../errors.ts";
import { type Call, later, PID, ProcessName, type Reason, type Ref } from "../identity/index.ts";
import { MessageDown, type MessageEvent, type MessageResponse } from "../mailbox/index.ts";
import { CORE_EVENT, type CoreMessage } from "../runtime/bus.ts";
import { NODE_NAME } from "./options.ts";

/** Mail to the node's router: at most once, or stored durably and handled at least once. Failures are told to the node's log. */
export type NodeMail = { readonly cast: MessageInit } | { readonly send: MessageInit };

/** What can be asked of the node's router: the answer of whoever handles a message, or that one is stored durably. */
export type NodeCalls = Call<{ readonly call: MessageInit }, unknown> | Call<{ readonly send: MessageInit }, Accepted>;

/**
 * The node that an actor or a meta-process lives on, as an actor: mail to it goes to the node's router.
 *
 * ```ts
 * this.send(nodeRouter, { cast: { type: "mail.send", data: { to } } });
 * const price = await this.call(nodeRouter, { call: following(message, { type: "order.price", data }) });
 * ```
 */
export const nodeRouter: ProcessName<NodeMail, NodeCalls> = new ProcessName(NODE_NAME);

/** A message that comes of another one: it has the same trace and deadline, and one more hop, unless `init` says otherwise. */
export function following(message: Message, init: MessageInit): MessageInit {
  const { traceparent, tracestate, deadline, hops = 0 } = message;
  return { traceparent, tracestate, deadline, hops: hops + 1, ...init };
}

/** The router, as far as actors use it. */
export interface RouterDoor {
  call(init: MessageInit): Promise<unknown>;
  cast(init: MessageInit): unknown;
  send(init: MessageInit): Promise<Accepted>;
  /** Something that came by plain mail came to nothing. */
  onLost(init: MessageInit, error: unknown): void;
  /** What the kernel has published. */
  onCore(message: CoreMessage): void;
}

/** A message on its way to an actor. */
export interface Errand {
  readonly actor: string;
  readonly request: unknown;
  readonly context: CallContext;
}

interface InFlight {
  readonly errand: Errand;
  readonly ref: Ref;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The end of a target, behind the answers that it gave before. */
class Gone {
  readonly pid: PID<never, never>;
  readonly reason: Reason;
  constructor(pid: PID<never, never>, reason: Reason) {
    this.pid = pid;
    this.reason = reason;
  }
}

/**
 * Stands for the node among its actors, both ways.
 *
 *  B1. An errand ends once: by the answer, by its deadline, by its caller's abort, by the end of the actor, or by the end of this one.
 *  B2. The end of an actor counts behind every answer that it gave before: the notice of it goes to the end of the own queue.
 *  B3. An error says `dispatched: false` if, and only if, the message never got into a mailbox.
 */
export class NodeActor extends Actor<NodeMail | MessageDown | Gone, NodeCalls> {
  #door!: RouterDoor;
  #inFlight = new Map<number, InFlight>();
  /** By the id of the asked process: the ids of the refs that wait for it. Each is monitored once. */
  #targets = new Map<number, Set<number>>();
  #onIdle: (() => void) | undefined;

  override init(door: RouterDoor, found: (self: NodeActor) => void): void {
    this.#door = door;
    this.monitorEvent(CORE_EVENT);
    found(this);
  }

  /** Errands that wait for an answer of `actor`; undefined = of any. */
  inFlight(actor?: string): number {
    if (actor === undefined) return this.#inFlight.size;
    let count = 0;
    for (const { errand } of this.#inFlight.values()) if (errand.actor === actor) count++;
    return count;
  }

  /** Resolves when no errand waits for an answer. */
  idle(): Promise<void> {
    return this.#inFlight.size === 0 ? Promise.resolve() : new Promise((resolve) => (this.#onIdle = resolve));
  }

  /** Tells an actor. @throws {MetanodeError} processor.down, actor.mailbox_full – B3 */
  tell({ actor, request }: Errand, target: PID | undefined): void {
    if (target === undefined) throw down(actor);
    try {
      this.send(target, request);
    } catch (error) {
      throw undelivered(actor, error);
    }
  }

  /** Asks an actor, by the deadline of the context. @throws {MetanodeError} processor.down, actor.mailbox_full – B3 */
  ask(errand: Errand, target: PID | undefined): Promise<unknown> {
    const { actor, request, context } = errand;
    if (target === undefined) throw down(actor);
    if (context.signal?.aborted) throw withdrawn(context.signal);
    const leftMs = context.deadlineMs - this.now();
    if (leftMs <= 0) throw outOfTime(errand);
    let ref: Ref;
    try {
      ref = this.sendRequest(target as PID<unknown, Call<unknown, unknown>>, request, { timeoutMs: leftMs });
    } catch (error) {
      throw undelivered(actor, error);
    }
    return new Promise((resolve, reject) => {
      const { signal } = context;
      const onAbort = (): void => {
        if (!this.#forget(ref.id, target)) return;
        this.cancelRequest(ref);
        reject(withdrawn(signal));
      };
      const leave = (settle: (value: unknown) => void) => (value: unknown) => {
        signal?.removeEventListener("abort", onAbort);
        this.#forget(ref.id, target);
        settle(value);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#inFlight.set(ref.id, { errand, ref, resolve: leave(resolve), reject: leave(reject) });
      this.#watch(target).add(ref.id);
    });
  }

  override handleMessage(from: PID, mail: NodeMail | MessageDown | Gone): void {
    if (mail instanceof MessageDown) {
      if (mail.target instanceof PID) this.send(this.self, new Gone(mail.target, mail.reason));
    } else if (mail instanceof Gone) this.#gone(mail);
    else if (isMail(mail, "cast")) this.#hand(mail.cast, async (init) => this.#door.cast(init));
    else if (isMail(mail, "send")) this.#hand(mail.send, (init) => this.#door.send(init));
    else this.#door.onLost({ type: "unknown" }, misspelt(`mail from ${from}`));
  }

  override handleEvent({ message }: MessageEvent): undefined {
    this.#door.onCore(message as CoreMessage);
  }

  override handleCall(from: PID, ref: Ref, request: NodeCalls["request"]): typeof later {
    this.#answer(ref, request).then(
      (value) => this.#reply(() => this.respond(from, ref, value)),
      (error) => this.#reply(() => this.respondError(from, ref, error)),
    );
    return later;
  }

  override handleResponse({ ref, result, error }: MessageResponse): void {
    const waiting = this.#inFlight.get(ref.id);
    if (waiting === undefined) return;
    if (error === undefined) waiting.resolve(result);
    else if (hasCode(error, "actor.timeout") && this.now() >= waiting.errand.context.deadlineMs)
      waiting.reject(outOfTime(waiting.errand));
    else waiting.reject(error);
  }

  override handleInspect(): Record<string, string> {
    return { "in flight": String(this.#inFlight.size), watched: String(this.#targets.size) };
  }

  override terminate(): void {
    for (const { errand, reject } of [...this.#inFlight.values()]) {
      reject(
        coreError("node.closed", `the actors of this node stopped before ${errand.actor} answered`, { retryAfterMs: 1_000 }),
      );
    }
  }

  async #answer(ref: Ref, request: NodeCalls["request"]): Promise<unknown> {
    if (isMail(request, "send")) return this.#door.send(request.send);
    if (!isMail(request, "call")) throw misspelt("the request");
    const { deadline = Number.POSITIVE_INFINITY } = request.call;
    const until = Math.min(deadline, ref.deadlineMs || Number.POSITIVE_INFINITY);
    return this.#door.call(Number.isFinite(until) ? { ...request.call, deadline: until } : request.call);
  }

  async #hand(init: MessageInit, hand: (init: MessageInit) => Promise<unknown>): Promise<void> {
    try {
      await hand(init);
    } catch (error) {
      this.#door.onLost(init, error);
    }
  }

  /** Whoever asked may be gone, or this actor may be ending: nobody is left to tell. */
  #reply(reply: () => void): void {
    try {
      reply();
    } catch {
      // See above.
    }
  }

  #watch(target: PID): Set<number> {
    let waiting = this.#targets.get(target.id);
    if (waiting === undefined) {
      waiting = new Set();
      this.#targets.set(target.id, waiting);
      this.monitor(target);
    }
    return waiting;
  }

  #forget(ref: number, target: PID): boolean {
    this.#targets.get(target.id)?.delete(ref);
    const isOpen = this.#inFlight.delete(ref);
    if (this.#inFlight.size === 0) this.#onIdle?.();
    return isOpen;
  }

  #gone({ pid, reason }: Gone): void {
    const refs = this.#targets.get(pid.id) ?? [];
    this.#targets.delete(pid.id);
    for (const id of [...refs]) {
      const waiting = this.#inFlight.get(id);
      if (waiting === undefined) continue;
      const { actor } = waiting.errand;
      const why = reason instanceof Error ? reason.message : reason;
      const info = { retryAfterMs: 100, origin: [`actor:${actor}`], details: { actor } };
      const cause = reason instanceof Error ? { cause: reason } : {};
      waiting.reject(coreError("processor.down", `actor ${actor} ended before it answered: ${why}`, { ...info, ...cause }));
      this.#cancel(waiting.ref);
    }
  }

  /** No answer is wanted any more. One that is on its way already finds nobody. */
  #cancel(ref: Ref): void {
    try {
      this.cancelRequest(ref);
    } catch {
      // It has come meanwhile.
    }
  }
}

function isMail<K extends string>(mail: unknown, key: K): mail is { readonly [P in K]: MessageInit } {
  return typeof mail === "object" && mail !== null && key in mail && typeof (mail as Record<K, unknown>)[key] === "object";
}

function misspelt(what: string): Error {
  return actorError(
    "actor.incorrect",
    `${what} is none that ${NODE_NAME} knows: expected { cast }, { send } or a call { call } or { send }`,
  );
}

/** The error of a message for an actor that does not run. */
function down(actor: string, cause?: unknown): MetanodeError {
  return coreError("processor.down", `no actor named ${actor} runs on this node; \`metanode actor ls\` lists those that do`, {
    retryAfterMs: 1_000,
    origin: [`actor:${actor}`],
    details: { actor, dispatched: false },
    cause,
  });
}

function undelivered(actor: string, error: unknown): unknown {
  if (hasCode(error, "actor.process_unknown")) return down(actor, error);
  if (!hasCode(error, "actor.mailbox_full")) return error;
  return actorError("actor.mailbox_full", `the mailbox of actor ${actor} is full; send again when it has caught up`, {
    retryAfterMs: 100,
    origin: [`actor:${actor}`],
    details: { actor, dispatched: false },
    cause: error,
  });
}

function outOfTime({ actor, context }: Errand): MetanodeError {
  const { deadlineMs } = context;
  return coreError(
    "call.deadline",
    `actor ${actor} gave no answer by ${new Date(deadlineMs).toISOString()}, the deadline of the call`,
    {
      details: { member: `actor:${actor}`, deadlineMs },
    },
  );
}

function withdrawn(signal: AbortSignal | undefined): MetanodeError {
  return asMetanodeError(signal?.reason, "call.cancelled");
}
