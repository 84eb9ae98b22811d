import type { Message } from "../message/message.ts";
import type { CallContext, Member, MemberState } from "./member.ts";

/*
 * O1. Messages with the same subject are handed on one at a time, in the order of `call`: the next goes when the last
 *     has its answer, its error, or has run out of its time.
 * O2. Messages with different subjects, and those without one, do not wait for each other.
 */
class Ordered implements Member {
  readonly id: string;
  readonly #inner: Member;
  /** The last message of each subject that has not ended; the next one waits for it. */
  readonly #tails = new Map<string, Promise<unknown>>();
  #waiting = 0;

  constructor(inner: Member) {
    this.id = inner.id;
    this.#inner = inner;
  }

  get state(): MemberState {
    return this.#inner.state;
  }

  get inFlight(): number {
    return this.#inner.inFlight + this.#waiting;
  }

  call(message: Message, context: CallContext): unknown {
    const { subject } = message;
    if (subject === undefined) return this.#inner.call(message, context);
    const tail = this.#tails.get(subject);
    const answer = tail === undefined ? this.#begin(message, context) : this.#after(tail, message, context);
    if (answer instanceof Promise) this.#follow(subject, answer);
    return answer;
  }

  async *stream(message: Message, context: CallContext): AsyncGenerator<unknown> {
    const { subject } = message;
    const before = subject === undefined ? undefined : this.#tails.get(subject);
    const end = Promise.withResolvers<void>();
    if (subject !== undefined) this.#follow(subject, end.promise);
    try {
      await before?.catch(() => undefined);
      if (this.#inner.stream === undefined) yield await this.#inner.call(message, context);
      else yield* this.#inner.stream(message, context);
    } finally {
      end.resolve();
    }
  }

  #begin(message: Message, context: CallContext): unknown {
    return this.#inner.call(message, context);
  }

  #after(tail: Promise<unknown>, message: Message, context: CallContext): Promise<unknown> {
    this.#waiting++;
    const begin = (): unknown => {
      this.#waiting--;
      return this.#inner.call(message, context);
    };
    return tail.then(begin, begin);
  }

  #follow(subject: string, answer: Promise<unknown>): void {
    this.#tails.set(subject, answer);
    const forget = (): void => {
      if (this.#tails.get(subject) === answer) this.#tails.delete(subject);
    };
    answer.then(forget, forget);
  }
}

/** A member that keeps the order of messages per subject (O1, O2), over however many processes stand behind it. */
export function ordered(member: Member): Member {
  return new Ordered(member);
}
