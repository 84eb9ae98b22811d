import { coreError } from "../errors.ts";
import type { Message } from "../message/message.ts";
import type { CallContext, Member, MemberState } from "./member.ts";

/** A member in front of another, which lets through only so much at a time. */
class Limited implements Member {
  readonly id: string;
  readonly #inner: Member;
  readonly #maxInFlight: number;
  #inFlight = 0;

  constructor(inner: Member, maxInFlight: number) {
    this.id = inner.id;
    this.#inner = inner;
    this.#maxInFlight = maxInFlight;
  }

  get state(): MemberState {
    return this.#inner.state;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  call(message: Message, context: CallContext): unknown {
    this.#enter(message);
    const leave = (): void => {
      this.#inFlight--;
    };
    try {
      const answer = this.#inner.call(message, context);
      if (answer instanceof Promise) answer.then(leave, leave);
      else leave();
      return answer;
    } catch (error) {
      leave();
      throw error;
    }
  }

  async *stream(message: Message, context: CallContext): AsyncGenerator<unknown> {
    if (this.#inner.stream === undefined) throw coreError("call.unsupported", `${this.id} has no streamed answers`);
    this.#enter(message);
    try {
      yield* this.#inner.stream(message, context);
    } finally {
      this.#inFlight--;
    }
  }

  #enter(message: Message): void {
    if (this.#inFlight >= this.#maxInFlight) {
      throw coreError(
        "call.resource_exhausted",
        `${this.#maxInFlight} messages of ${message.type} are in flight, which is its limit; send more slowly`,
        { retryAfterMs: 100, details: { type: message.type, limit: this.#maxInFlight } },
      );
    }
    this.#inFlight++;
  }
}

/** Sheds what is over `maxInFlight` with `call.resource_exhausted` instead of letting it pile up. Integer >= 1. */
export function limited(member: Member, maxInFlight: number): Member {
  return new Limited(member, maxInFlight);
}
