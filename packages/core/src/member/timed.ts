import { type Clock, DeadlineQueue, Expiring } from "../clock.ts";
import type { Message } from "../message/message.ts";
import type { CallContext, Member, MemberState } from "./member.ts";
import { outOfTime, withdrawn } from "./outcome.ts";

/**
 * T1. A call ends at its deadline or its caller's abort, whatever the member behind does; its signal is aborted then,
 *     and what it still says is ignored.
 */
class Timed implements Member {
  readonly id: string;
  readonly keepsDeadlines = true;
  readonly #inner: Member;
  readonly #clock: Clock;
  readonly #queue: DeadlineQueue;

  constructor(inner: Member, clock: Clock) {
    this.id = inner.id;
    this.#inner = inner;
    this.#clock = clock;
    this.#queue = new DeadlineQueue(clock);
  }

  get state(): MemberState {
    return this.#inner.state;
  }

  get inFlight(): number {
    return this.#inner.inFlight;
  }

  get stream(): Member["stream"] {
    const { stream } = this.#inner;
    return stream === undefined
      ? undefined
      : (message, context) => this.#guarded(stream.call(this.#inner, message, context), message, context);
  }

  call(message: Message, context: CallContext): unknown {
    if (context.signal?.aborted) throw withdrawn(context.signal.reason);
    if (context.deadlineMs <= this.#clock.now()) throw outOfTime(this.id, context.deadlineMs);
    const limit = new Limit(context);
    const answer = this.#inner.call(message, limit);
    return answer instanceof Promise ? limit.race(answer, this.#queue, this.id) : answer;
  }

  async *#guarded(source: AsyncIterable<unknown>, message: Message, context: CallContext): AsyncGenerator<unknown> {
    const iterator = source[Symbol.asyncIterator]();
    try {
      while (true) {
        const limit = new Limit(context);
        const next = (await limit.race(
          iterator.next(),
          this.#queue,
          `${this.id} (stream of ${message.type})`,
        )) as IteratorResult<unknown>;
        if (next.done) return;
        yield next.value;
      }
    } finally {
      // Not awaited: a member that hangs must not hold up a reader who leaves.
      void iterator.return?.()?.catch(() => undefined);
    }
  }
}

/** The context of one call, with a signal that is aborted when the call is over without an answer. */
class Limit extends Expiring implements CallContext {
  readonly deadlineMs: number;
  readonly attempt: number | undefined;
  readonly #outer: AbortSignal | undefined;
  #controller: AbortController | undefined;
  /** Ends the race with an error; undefined when it is over. */
  #lose: ((error: unknown) => void) | undefined;
  #who = "";

  constructor(context: CallContext) {
    super();
    this.deadlineMs = context.deadlineMs;
    this.attempt = context.attempt;
    this.#outer = context.signal;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  race(answer: Promise<unknown>, queue: DeadlineQueue, who: string): Promise<unknown> {
    this.#who = who;
    if (this.deadlineMs < Number.MAX_SAFE_INTEGER) queue.add(this, this.deadlineMs);
    const onAbort = (): void => this.#giveUp(withdrawn(this.#outer?.reason));
    this.#outer?.addEventListener("abort", onAbort, { once: true });
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        this.#lose = undefined;
        DeadlineQueue.remove(this);
        this.#outer?.removeEventListener("abort", onAbort);
      };
      this.#lose = (error) => {
        finish();
        reject(error);
      };
      answer.then(
        (value) => {
          finish();
          resolve(value);
        },
        (error: unknown) => {
          finish();
          reject(error);
        },
      );
    });
  }

  expire(): void {
    this.#giveUp(outOfTime(this.#who, this.deadlineMs));
  }

  #giveUp(error: unknown): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(error);
    this.#lose?.(error);
  }
}

/** Makes sure that a member keeps deadlines (T1). One that says it does so itself is given back as it is. */
export function timed(member: Member, clock: Clock): Member {
  return member.keepsDeadlines ? member : new Timed(member, clock);
}
