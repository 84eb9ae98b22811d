import { DeadlineQueue, Expiring } from "../clock.ts";
import { asMetanodeError, coreError, type MetanodeError } from "../errors.ts";
import type { CallContext } from "../message/context.ts";
import type { Message } from "../message/message.ts";
import { type CallMode, fromReply, type ReplyBody } from "./frames.ts";
import type { Line } from "./line.ts";

/** The session as its outgoing calls see it. */
export interface OutgoingLine extends Line {
  /** The caller is gone: the other side is told, and the call keeps its credit until that has ended it. */
  withdraw(call: OutgoingCall, reason: string): void;
}

export interface OutgoingOptions {
  readonly session: OutgoingLine;
  readonly message: Message;
  readonly context: CallContext;
  readonly mode: CallMode;
}

/** One call from here to the other side, until it is settled. */
export abstract class OutgoingCall extends Expiring {
  readonly options: OutgoingOptions;
  /** Its number on the link; 0 while it waits for credit. */
  number = 0;
  isSettled = false;
  #onAbort: (() => void) | undefined;

  constructor(options: OutgoingOptions) {
    super();
    this.options = options;
  }

  /** Starts the deadline and listens to the caller's signal. False if the call is over before it began. */
  arm(): boolean {
    const { session, context } = this.options;
    if (context.signal !== undefined) {
      if (context.signal.aborted) {
        this.settle(cancelled(context.signal));
        return false;
      }
      this.#onAbort = () => this.#giveUp(cancelled(context.signal), "cancelled");
      context.signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    if (context.deadlineMs <= session.clock.now()) {
      this.settle(this.#deadlineError());
      return false;
    }
    if (context.deadlineMs < Number.MAX_SAFE_INTEGER) session.deadlines.add(this, context.deadlineMs);
    return true;
  }

  expire(): void {
    this.#giveUp(this.#deadlineError(), "deadline");
  }

  settle(error: MetanodeError | undefined, reply?: ReplyBody): void {
    if (this.isSettled) return;
    this.isSettled = true;
    DeadlineQueue.remove(this);
    if (this.#onAbort) this.options.context.signal?.removeEventListener("abort", this.#onAbort);
    this.ended(error, reply);
  }

  /** One item of a streamed answer. */
  abstract item(item: ReplyBody): void;

  /** The call is settled; told once. */
  protected abstract ended(error: MetanodeError | undefined, reply: ReplyBody | undefined): void;

  /** Settles for the caller and tells the other side. */
  protected withdraw(error: MetanodeError, reason: string): void {
    this.#giveUp(error, reason);
  }

  #giveUp(error: MetanodeError, reason: string): void {
    if (this.isSettled) return;
    this.settle(error);
    this.options.session.withdraw(this, reason);
  }

  #deadlineError(): MetanodeError {
    const { session, message } = this.options;
    return coreError("call.deadline", `${session.peer} did not answer ${message.type} (message ${message.id}) by its deadline`, {
      origin: [session.peer],
    });
  }
}

/** The error for a caller that withdrew; the signal's reason is its cause. */
export function cancelled(signal: AbortSignal | undefined): MetanodeError {
  const reason: unknown = signal?.reason;
  return coreError("call.cancelled", "the caller withdrew the call", { cause: reason });
}

/** A call with one answer. A class and not a closure: there is one per message on the hot path. */
export class OutgoingUnary extends OutgoingCall {
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;

  constructor(options: OutgoingOptions, resolve: (value: unknown) => void, reject: (error: unknown) => void) {
    super(options);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  override item(): void {
    this.withdraw(coreError("processor.protocol", `${this.options.session.peer} streamed an answer to a plain call`), "protocol");
  }

  protected override ended(error: MetanodeError | undefined, reply: ReplyBody | undefined): void {
    if (error !== undefined) this.#reject(error);
    else if (reply === undefined) this.#resolve(undefined);
    else {
      const { message, session } = this.options;
      try {
        this.#resolve(fromReply(reply));
      } catch (cause) {
        this.#reject(
          coreError("processor.protocol", `the answer of ${session.peer} to ${message.type} is unreadable`, { cause }),
        );
      }
    }
  }
}

/** Items that may come before any was seen, and so before it is known how large they are. */
const FIRST_WINDOW = 16;
/** Bytes of a streamed answer that should be under way at a time: items of 64 KiB come 8 at a time, small ones as many as the session takes. */
const WINDOW_BYTES = 512 * 1024;
/** Below two, the sender would wait for every single credit. */
const LEAST_WINDOW = 2;
/** The mean size follows the last eight items or so. */
const MEAN_ITEMS = 8;

/** A call whose answer is a stream. Holds at most one window of items; the window is narrower for larger ones. */
export class OutgoingStream extends OutgoingCall implements AsyncIterable<unknown> {
  /** Items that the other side may send before it gets credit. */
  readonly window: number;
  readonly #items: ReplyBody[] = [];
  #wake: (() => void) | undefined;
  #ended: { error: MetanodeError | undefined } | undefined;
  /** Items that the other side may still send. */
  #credit: number;
  #meanBytes = 0;

  constructor(options: OutgoingOptions) {
    super(options);
    this.window = Math.min(FIRST_WINDOW, options.session.streamWindow);
    this.#credit = this.window;
  }

  protected override ended(error: MetanodeError | undefined): void {
    this.#ended = { error };
    this.#wake?.();
  }

  override item(item: ReplyBody): void {
    if (this.#credit <= 0) {
      this.withdraw(
        coreError("processor.protocol", `${this.options.session.peer} sent more items than it had credit for`),
        "protocol",
      );
      return;
    }
    this.#credit--;
    this.#meanBytes += ((item.data?.byteLength ?? 0) - this.#meanBytes) / MEAN_ITEMS;
    this.#items.push(item);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
    try {
      while (true) {
        const item = this.#items.shift();
        if (item !== undefined) {
          this.#took();
          yield readItem(item, this.options);
        } else if (this.#ended) {
          if (this.#ended.error) throw this.#ended.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          this.#wake = undefined;
        }
      }
    } finally {
      this.withdraw(coreError("call.cancelled", "the reader left the stream"), "left");
    }
  }

  /** Gives credit in halves of the window: few frames, and the sender never runs dry while we keep up. */
  #took(): void {
    const { session } = this.options;
    const bySize = Math.max(LEAST_WINDOW, Math.floor(WINDOW_BYTES / Math.max(1, this.#meanBytes)));
    const window = Math.min(session.streamWindow, bySize);
    const items = window - this.#credit - this.#items.length;
    if (items * 2 < window || this.isSettled) return;
    session.send({ call: this.number, credit: { items } });
    this.#credit += items;
  }
}

function readItem(item: ReplyBody, options: OutgoingOptions): unknown {
  try {
    return fromReply(item);
  } catch (cause) {
    throw coreError("processor.protocol", `an item of ${options.session.peer} is unreadable: ${asMetanodeError(cause).message}`, {
      cause,
    });
  }
}
