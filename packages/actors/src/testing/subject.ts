import { AssertionError } from "node:assert";
import { settle } from "@metanode/core/testing/clock";
import type { Address, Alias, AnswerOf, AnyCall, PID, Reason, RequestOf } from "../identity/index.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { AliasOf, MetaShape } from "../meta/behaviour.ts";
import type { CallOptions } from "../runtime/calls.ts";
import type { ActorShape, PidOf } from "../runtime/typed.ts";
import { type Action, isLike, type Operation, type Pattern, valueText } from "./actions.ts";
import type { Journal } from "./journal.ts";

/** What a subject stands on. */
export interface Ground {
  readonly kernel: Kernel;
  readonly journal: Journal;
}

/** One actor or meta-process under test. */
export class Subject<T extends object, A, Messages, Calls extends AnyCall> {
  readonly address: A;
  /** The object of your own class. */
  readonly instance: T;
  readonly #ground: Ground;
  #reason: Reason | undefined;

  constructor(ground: Ground, address: A, instance: T) {
    this.#ground = ground;
    this.address = address;
    this.instance = instance;
  }

  /** Why it ended; undefined while it lives. */
  get reason(): Reason | undefined {
    return this.#reason;
  }

  /** Sends it a message from the kernel, and lets everything that follows from it happen. */
  async tell(message: Messages): Promise<void> {
    this.#ground.kernel.send(this.address as Address<Messages, never>, message);
    await settle();
  }

  /** Asks it from the kernel, and gives its answer. A wait ends when the stage's clock says so. */
  ask<R extends RequestOf<Calls>>(request: R, options?: CallOptions): Promise<AnswerOf<Calls, R>> {
    return this.#ground.kernel.call<Calls, R>(this.address as Address<never, Calls>, request, options);
  }

  /** What it did of one kind, in order. */
  did<K extends Operation>(kind: K, pattern?: Pattern<K>): Action<K>[] {
    return this.#ground.journal.find(this.#who, kind, pattern);
  }

  /** Gives the actions that are meant. @throws AssertionError – it did not do this, or not `times` times. */
  should<K extends Operation>(kind: K, pattern: Pattern<K> = {}, times?: number): Action<K>[] {
    return this.#ground.journal.expect(this.#who, kind, pattern, times);
  }

  /** @throws AssertionError – it did this. */
  shouldNot<K extends Operation>(kind: K, pattern: Pattern<K> = {}): void {
    this.#ground.journal.expect(this.#who, kind, pattern, 0);
  }

  /**
   * The first action that is meant, now or later: for what real sockets and programs bring about.
   * Rejects with an AssertionError if it ends without it.
   */
  until<K extends Operation>(kind: K, pattern?: Pattern<K>): Promise<Action<K>> {
    return this.#ground.journal.until(this.#who, kind, pattern);
  }

  /** @throws AssertionError – it lives, or ended for another reason. A text is a reason, or the code of an error. */
  shouldHaveEnded(reason?: string | Error | ((reason: Reason) => boolean)): void {
    const found = this.#reason;
    const { nameOf } = this.#ground.journal;
    const wanted = reason === undefined ? "" : ` with ${valueText(reason, nameOf)}`;
    const fail = (what: string): never => {
      const message = `expected ${nameOf(this.#who)} to have ended${wanted}, ${what}\n${this.#ground.journal.text(this.#who)}`;
      throw new AssertionError({ message, actual: found, expected: reason });
    };
    if (found === undefined) fail("it lives");
    else if (reason !== undefined && !isReason(found, reason)) fail(`it ended with ${valueText(found, nameOf)}`);
  }

  /** For the stage. */
  ended(reason: Reason): void {
    this.#reason ??= reason;
  }

  get #who(): PID | Alias {
    return this.address as PID | Alias;
  }
}

function isReason(found: Reason, wanted: string | Error | ((reason: Reason) => boolean)): boolean {
  if (typeof wanted === "string" && found instanceof Error) return (found as { code?: unknown }).code === wanted;
  return isLike(found, wanted);
}

/** Any subject, as an address that the types do not know leads to it. */
export type AnySubject = Subject<object, PID | Alias, unknown, AnyCall>;

/** An actor under test. */
export type ActorSubject<A extends ActorShape> =
  PidOf<A> extends PID<infer M, infer C extends AnyCall> ? Subject<A, PidOf<A>, M, C> : never;

/** A meta-process under test. */
export type MetaSubject<B extends MetaShape> =
  AliasOf<B> extends Alias<infer M, infer C extends AnyCall> ? Subject<B, AliasOf<B>, M, C> : never;
