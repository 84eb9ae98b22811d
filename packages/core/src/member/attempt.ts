import { DeadlineQueue, Expiring } from "../clock.ts";
import { isThenable } from "../message/answer.ts";
import type { Message } from "../message/message.ts";
import type { CallContext, Member } from "./member.ts";
import { outOfTime } from "./outcome.ts";

/** Whoever waits for an attempt; told once, unless it cancels the attempt. */
export interface AttemptOwner {
  attemptAnswered(attempt: Attempt, value: unknown): void;
  attemptFailed(attempt: Attempt, error: unknown): void;
}

/**
 * One message on its way to one member, and the context that goes along with it: one object for both, because there is
 * one per message on a hot path.
 *
 *  A1. It ends once: answered, failed, expired or cancelled. What comes later is ignored.
 *  A2. When it ends before the member answered, the member's signal is aborted in the same turn.
 */
export class Attempt extends Expiring implements CallContext {
  readonly member: Member;
  readonly deadlineMs: number;
  /** Counts from 1; see {@link CallContext.attempt}. */
  readonly attempt: number;
  /** Undefined once it has ended. */
  #owner: AttemptOwner | undefined;
  #controller: AbortController | undefined;
  #reason: unknown;

  constructor(owner: AttemptOwner, member: Member, limits: { deadlineMs: number; attempt: number }) {
    super();
    this.#owner = owner;
    this.member = member;
    this.deadlineMs = limits.deadlineMs;
    this.attempt = limits.attempt;
  }

  /** Made when it is first asked for: most members never look. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Asks the member. The owner may be told before this returns. */
  send(message: Message, queue: DeadlineQueue): void {
    let answer: unknown;
    try {
      answer = this.member.call(message, this);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (!isThenable(answer)) {
      this.#answer(answer);
      return;
    }
    if (this.deadlineMs < Number.MAX_SAFE_INTEGER) {
      queue.add(this, this.deadlineMs);
    }
    answer.then(
      (value) => this.#answer(value),
      (error) => this.#fail(error),
    );
  }

  /** Called by the queue of deadlines. */
  expire(): void {
    const owner = this.#end();
    if (owner === undefined) return;
    const error = outOfTime(`member ${this.member.id}`, this.deadlineMs);
    this.#abort(error);
    owner.attemptFailed(this, error);
  }

  /** Withdraws the message; the owner is not told. */
  cancel(reason: unknown): void {
    if (this.#end() !== undefined) this.#abort(reason);
  }

  #answer(value: unknown): void {
    this.#end()?.attemptAnswered(this, value);
  }

  #fail(error: unknown): void {
    this.#end()?.attemptFailed(this, error);
  }

  #end(): AttemptOwner | undefined {
    const owner = this.#owner;
    this.#owner = undefined;
    DeadlineQueue.remove(this);
    return owner;
  }

  #abort(reason: unknown): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}
