import { DeadlineQueue, Expiring } from "../clock.ts";
import { coreError, type MetanodeError } from "../errors.ts";
import { isAsyncIterable, isThenable } from "../message/answer.ts";
import type { Message } from "../message/message.ts";
import { CALL_MODE, type CallMode, type Frame, fromWireMessage, type RequestBody, toFailure, toReply } from "./frames.ts";
import type { Line } from "./line.ts";

/** What the answering side knows of a call besides its message. */
export interface IncomingContext {
  readonly mode: CallMode;
  readonly attempt: number;
  /** In milliseconds of our clock; `Number.MAX_SAFE_INTEGER` for none. */
  readonly deadlineMs: number;
  /** Aborted at the deadline, when the caller withdraws and when the link ends. Made on first use. */
  readonly signal: AbortSignal;
}

/** Answers calls: a value or a promise of one, or for `stream` an async iterable. Throwing answers with that error. */
export type CallHandler = (message: Message, context: IncomingContext) => unknown;

class IncomingCall extends Expiring implements IncomingContext {
  readonly mode: CallMode;
  readonly attempt: number;
  readonly deadlineMs: number;
  readonly number: number;
  readonly #owner: IncomingCalls;
  ended = false;
  #controller: AbortController | undefined;
  #abortReason: unknown;
  /** Items that may still be sent; streamed calls only. */
  window: number;
  wake: (() => void) | undefined;

  constructor(owner: IncomingCalls, number: number, body: RequestBody, deadlineMs: number) {
    super();
    this.#owner = owner;
    this.number = number;
    this.mode = body.mode ?? CALL_MODE.unary;
    this.attempt = body.attempt || 1;
    this.window = body.window ?? 0;
    this.deadlineMs = deadlineMs;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#abortReason !== undefined && !this.#controller.signal.aborted) this.#controller.abort(this.#abortReason);
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#abortReason = reason;
    this.#controller?.abort(reason);
    this.wake?.();
  }

  expire(): void {
    this.#owner.giveUp(this, coreError("call.deadline", "the deadline of the call has passed"));
  }
}

/** The calls of the other side that are being answered. */
export class IncomingCalls {
  readonly #session: Line;
  readonly #handler: CallHandler;
  readonly #limit: number;
  readonly #onIdle: () => void;
  readonly #calls = new Map<number, IncomingCall>();

  constructor(session: Line, handler: CallHandler, options: { limit: number; onIdle: () => void }) {
    this.#session = session;
    this.#handler = handler;
    this.#limit = options.limit;
    this.#onIdle = options.onIdle;
  }

  get size(): number {
    return this.#calls.size;
  }

  begin(number: number, body: RequestBody): void {
    const session = this.#session;
    const refusal = this.#refusal(number, body);
    if (refusal !== undefined) {
      session.send({ call: number, failure: toFailure(refusal) });
      return;
    }
    const timeoutMs = body.timeoutMs ?? 0;
    const deadlineMs = timeoutMs === 0 ? Number.MAX_SAFE_INTEGER : session.clock.now() + timeoutMs;
    const call = new IncomingCall(this, number, body, deadlineMs);
    this.#calls.set(number, call);
    if (timeoutMs !== 0) session.deadlines.add(call, deadlineMs);
    try {
      const message = fromWireMessage(body.message, timeoutMs === 0 ? undefined : deadlineMs);
      const answer = this.#handler(message, call);
      if (call.mode === CALL_MODE.stream) void this.#stream(call, message, answer);
      else if (isThenable(answer)) {
        answer.then(
          (value) => this.#reply(call, message.type, value),
          (error: unknown) => this.#fail(call, error),
        );
      } else this.#reply(call, message.type, answer);
    } catch (error) {
      this.#fail(call, error);
    }
  }

  /** What the link rules forbid; a caller that keeps them never sees it. */
  #refusal(number: number, body: RequestBody): MetanodeError | undefined {
    const { peer } = this.#session;
    if (!body.message) return coreError("processor.protocol", `${peer} sent a request without a message`);
    if (this.#calls.has(number)) return coreError("processor.protocol", `${peer} has a call ${number} open already`);
    if (this.#calls.size < this.#limit) return undefined;
    return coreError("call.resource_exhausted", `${peer} has ${this.#limit} calls open, which is all its credit`, {
      retryAfterMs: 100,
    });
  }

  /** The caller withdrew: the handler hears of it, and the call ends at once (rule 4). */
  cancel(number: number, reason: string): void {
    const call = this.#calls.get(number);
    if (call === undefined) return;
    const code = reason === "deadline" ? "call.deadline" : "call.cancelled";
    this.giveUp(call, coreError(code, "the caller withdrew the call"));
  }

  credit(number: number, items: number): void {
    const call = this.#calls.get(number);
    if (call === undefined) return;
    call.window += items;
    call.wake?.();
  }

  giveUp(call: IncomingCall, reason: Error): void {
    call.abort(reason);
    this.#fail(call, reason);
  }

  abortAll(reason: Error): void {
    for (const call of this.#calls.values()) {
      call.ended = true;
      call.abort(reason);
      DeadlineQueue.remove(call);
    }
    this.#calls.clear();
  }

  async #stream(call: IncomingCall, message: Message, answer: unknown): Promise<void> {
    try {
      const source: unknown = isThenable(answer) ? await answer : answer;
      if (!isAsyncIterable(source)) {
        throw coreError("call.unsupported", `${message.type} answers with one value, not with a stream; call it without stream`);
      }
      for await (const value of source) {
        while (call.window <= 0 && !call.ended) {
          await new Promise<void>((resolve) => {
            call.wake = resolve;
          });
          call.wake = undefined;
        }
        if (call.ended) return; // leaving the loop runs the handler's finally blocks
        call.window--;
        const item = toReply(value, message.type, this.#session.maxMessageBytes);
        this.#session.send({ call: call.number, item }, item.data?.byteLength);
      }
      this.#reply(call, message.type, undefined);
    } catch (error) {
      this.#fail(call, error);
    }
  }

  #reply(call: IncomingCall, type: string, value: unknown): void {
    if (call.ended) return;
    try {
      const reply = toReply(value, type, this.#session.maxMessageBytes);
      this.#end(call, { call: call.number, reply }, reply.data?.byteLength);
    } catch (error) {
      this.#fail(call, error);
    }
  }

  #fail(call: IncomingCall, error: unknown): void {
    if (call.ended) return;
    this.#end(call, { call: call.number, failure: toFailure(error) });
  }

  #end(call: IncomingCall, last: Frame, bytes?: number): void {
    call.ended = true;
    this.#calls.delete(call.number);
    DeadlineQueue.remove(call);
    call.wake?.();
    this.#session.send(last, bytes);
    if (this.#calls.size === 0) this.#onIdle();
  }
}
