import { gather, isAsyncIterable, isThenable } from "../message/answer.ts";
import type { Message } from "../message/message.ts";
import type { CallContext, Member, MemberState } from "./member.ts";

/** Answers a message in this process: with a value, a promise, or an async iterable for a streamed type. */
export type Handler = (message: Message, context: CallContext) => unknown;

class HandlerMember implements Member {
  readonly id: string;
  readonly state: MemberState = "ready";
  readonly #handler: Handler;
  #inFlight = 0;

  constructor(id: string, handler: Handler) {
    this.id = id;
    this.#handler = handler;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  call(message: Message, context: CallContext): unknown {
    const answer = this.#handler(message, context);
    if (isAsyncIterable(answer)) return this.#counted(gather(answer));
    // Members answer with promises proper, whatever the handler uses.
    return isThenable(answer) ? this.#counted(Promise.resolve(answer)) : answer;
  }

  async *stream(message: Message, context: CallContext): AsyncGenerator<unknown> {
    const answer = await this.#handler(message, context);
    if (isAsyncIterable(answer)) yield* answer;
    else yield answer;
  }

  #counted(answer: Promise<unknown>): Promise<unknown> {
    this.#inFlight++;
    const leave = (): void => {
      this.#inFlight--;
    };
    answer.then(leave, leave);
    return answer;
  }
}

/** A function as a member: no isolation, no process. For what a host program answers itself, and for tests. */
export function handlerMember(id: string, handler: Handler): Member {
  return new HandlerMember(id, handler);
}
