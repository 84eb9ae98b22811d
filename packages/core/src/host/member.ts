import { coreError } from "../errors.ts";
import { type Handler, handlerMember } from "../member/handler.ts";
import type { CallContext, Member, MemberState } from "../member/member.ts";
import type { Message } from "../message/message.ts";

/**
 * A streamed type as a member. Who calls instead of streaming gets all items in one answer, as of every streamed type; here
 * they are a file, or what a program writes, so there is a limit.
 */
class StreamMember implements Member {
  readonly id: string;
  readonly state: MemberState = "ready";
  readonly #inner: Member;
  readonly #maxBytes: number;
  #inFlight = 0;

  constructor(inner: Member, maxBytes: number) {
    this.id = inner.id;
    this.#inner = inner;
    this.#maxBytes = maxBytes;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  async call(message: Message, context: CallContext): Promise<unknown[]> {
    const items: unknown[] = [];
    let bytes = 0;
    for await (const item of this.stream(message, context)) {
      bytes += JSON.stringify(item).length;
      if (bytes > this.#maxBytes) {
        throw coreError(
          "message.too_large",
          `the whole answer of ${message.type} is over the limit of ${this.#maxBytes} bytes for one message; ask for a stream instead`,
          { details: { limit: this.#maxBytes } },
        );
      }
      items.push(item);
    }
    return items;
  }

  async *stream(message: Message, context: CallContext): AsyncGenerator<unknown> {
    this.#inFlight++;
    try {
      yield* this.#inner.stream?.(message, context) ?? [];
    } finally {
      this.#inFlight--;
    }
  }
}

/** A handler of one type as a member. */
export function hostMember(handler: Handler, { streaming, maxBytes }: { streaming: boolean; maxBytes: number }): Member {
  const member = handlerMember("host", handler);
  return streaming ? new StreamMember(member, maxBytes) : member;
}
