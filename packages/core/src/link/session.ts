import { type Clock, DeadlineQueue, systemClock } from "../clock.ts";
import { asMetanodeError, coreError, type MetanodeError } from "../errors.ts";
import type { CallContext } from "../message/context.ts";
import type { Message } from "../message/message.ts";
import type { Channel } from "./channel.ts";
import { CALL_MODE, type CallMode, type Frame, fromFailure, toWireMessage } from "./frames.ts";
import { type CallHandler, IncomingCalls } from "./incoming.ts";
import { type OutgoingCall, type OutgoingLine, OutgoingStream, OutgoingUnary } from "./outgoing.ts";

/*
 * A session: calls both ways over one channel. The same code runs in the node and in the processor, later between nodes.
 *
 * S1. Every call that was begun ends exactly once: with the answer, its failure, its deadline, the caller's abort, or
 *     the end of the channel (`lostCode`).
 * S2. At most `concurrency` outgoing calls are open; at most `maxWaiting` more wait in order, urgent ones first. A withdrawn call stays open for the credit,
 *     though not for its caller, until the other side has ended it.
 * S3. Frames leave in the order in which they were made, gathered into one batch per turn of the event loop.
 */

export interface SessionOptions {
  channel: Channel;
  /** Names the other side in the origin of errors. */
  peer: string;
  /** Answers the calls of the other side. */
  handler: CallHandler;
  /** The code of calls that were open when the channel ended. */
  lostCode: "processor.down" | "node.unreachable";
  /** Calls that the other side takes at a time. */
  concurrency: number;
  /** Calls that are taken from the other side at a time; what comes beyond is refused. @default no limit */
  maxIncoming?: number;
  /** Calls that may wait for credit; what comes beyond is refused with `call.resource_exhausted`. @default no limit */
  maxWaiting?: number;
  /** Calls that wait before all others, however many wait already, and in order among themselves. @default none */
  isUrgent?: (message: Message) => boolean;
  /** Largest payload either way, in bytes. @default 4 MiB */
  maxMessageBytes?: number;
  /** Items of a streamed answer that may be under way at a time; fewer when they are large. @default 64 */
  streamWindow?: number;
  clock?: Clock;
  /** A call ended, so another may begin. */
  onCredit?: () => void;
  /** A caller is gone before its call was ended by the other side. */
  onAbandoned?: () => void;
  /** Every call of the other side is answered, the last one just now. */
  onIdle?: () => void;
  /** The other side will take no new calls. */
  onDrain?: (graceMs: number) => void;
  /** The other side has finished after a drain. */
  onDrained?: () => void;
  /** Told once, when the channel has ended. */
  onClosed?: (error?: MetanodeError) => void;
}

export const DEFAULT_MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
export const DEFAULT_STREAM_WINDOW = 64;
/** Frames, and bytes of payload, after which a batch leaves without waiting for the end of the turn. */
const FLUSH_FRAMES = 128;
const FLUSH_BYTES = 256 * 1024;

function nothing(): void {
  // nobody asked to be told
}

export class Session implements OutgoingLine {
  readonly peer: string;
  readonly clock: Clock;
  readonly maxMessageBytes: number;
  readonly streamWindow: number;
  readonly deadlines: DeadlineQueue;
  readonly #channel: Channel;
  readonly #options: SessionOptions;
  readonly #incoming: IncomingCalls;
  readonly #open = new Map<number, OutgoingCall>();
  #waiting: OutgoingCall[] = [];
  #concurrency: number;
  #nextCall = 0;
  /** Withdrawn calls that the other side has not ended, with the moment of withdrawal; oldest first. */
  readonly #abandoned = new Map<number, number>();
  #answered = 0;
  #heardMs: number;
  #outgoing: Frame[] = [];
  #outgoingBytes = 0;
  #flushing = false;
  #pings = new Map<number, { resolve(): void; reject(error: MetanodeError): void }>();
  #closed: { error: MetanodeError } | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#channel = options.channel;
    this.#concurrency = options.concurrency;
    this.peer = options.peer;
    this.clock = options.clock ?? systemClock;
    this.#heardMs = this.clock.now();
    this.maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
    this.streamWindow = options.streamWindow ?? DEFAULT_STREAM_WINDOW;
    this.deadlines = new DeadlineQueue(this.clock);
    this.#incoming = new IncomingCalls(this, options.handler, {
      limit: options.maxIncoming ?? Number.POSITIVE_INFINITY,
      onIdle: options.onIdle ?? nothing,
    });
    this.#channel.listen({
      onFrames: (frames) => this.#receive(frames),
      onClosed: (error) => this.#end(error),
    });
  }

  /** Calls begun here that the other side has not ended. */
  get openCalls(): number {
    return this.#open.size + this.#waiting.length;
  }

  /** Of these, the ones whose callers are gone: their deadline passed or they withdrew. */
  get abandonedCalls(): number {
    return this.#abandoned.size;
  }

  /** When the oldest of them was withdrawn. */
  get abandonedSinceMs(): number | undefined {
    for (const atMs of this.#abandoned.values()) return atMs;
    return undefined;
  }

  /** Calls that the other side has ended, one way or the other. */
  get answeredCalls(): number {
    return this.#answered;
  }

  /** When frames of the other side came last; at first, the beginning of the session. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** Calls that can begin now without waiting. */
  get credit(): number {
    return this.#closed ? 0 : this.#concurrency - this.#open.size - this.#waiting.length;
  }

  /** Calls of the other side that are being answered here. */
  get incomingCalls(): number {
    return this.#incoming.size;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** Sends a message and waits for what `mode` promises (see `link.proto`). */
  call(message: Message, context: CallContext, mode: CallMode = CALL_MODE.unary): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#begin(new OutgoingUnary({ session: this, message, context, mode }, resolve, reject));
    });
  }

  /** Sends a message and reads its answer as a stream. Leaving the loop early withdraws the call. */
  stream(message: Message, context: CallContext): AsyncIterable<unknown> {
    const call = new OutgoingStream({ session: this, message, context, mode: CALL_MODE.stream });
    this.#begin(call);
    return call;
  }

  /** Resolves when the other side has answered a ping; rejects with `lostCode` when the channel ends first. */
  ping(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(this.#closed.error);
        return;
      }
      const call = this.#number();
      this.#pings.set(call, { resolve, reject });
      this.send({ call, ping: {} });
    });
  }

  /** Asks the other side to finish: no new calls, answers still come, then `drained`. */
  drain(graceMs: number): void {
    this.send({ drain: { graceMs: Math.ceil(graceMs) } });
  }

  /** Tells the other side that everything here is finished. */
  drained(): void {
    this.send({ drained: {} });
  }

  /** Ends the session: open calls fail with `lostCode`. Idempotent. */
  close(error?: MetanodeError): void {
    if (this.#closed) return;
    this.#flush();
    this.#channel.close(error);
    this.#end(error);
  }

  /** Puts a frame into the batch of this turn (S3). */
  send(frame: Frame, bytes = 0): void {
    if (this.#closed) return;
    this.#outgoing.push(frame);
    this.#outgoingBytes += bytes;
    if (this.#outgoing.length >= FLUSH_FRAMES || this.#outgoingBytes >= FLUSH_BYTES) this.#flush();
    else if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(this.#flush);
    }
  }

  /** Used by calls: the caller is gone, the other side is told. */
  withdraw(call: OutgoingCall, reason: string): void {
    if (call.number === 0) {
      this.#waiting = this.#waiting.filter((one) => one !== call);
      return;
    }
    if (!this.#open.has(call.number)) return;
    this.#abandoned.set(call.number, this.clock.now());
    this.send({ call: call.number, cancel: { reason } });
    this.#options.onAbandoned?.();
  }

  #flush = (): void => {
    this.#flushing = false;
    if (this.#outgoing.length === 0 || this.#closed) return;
    const frames = this.#outgoing;
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    this.#channel.send(frames);
  };

  #begin(call: OutgoingCall): void {
    if (this.#closed) {
      call.settle(this.#closed.error);
      return;
    }
    if (!call.arm()) return;
    if (this.#open.size < this.#concurrency) this.#start(call);
    else this.#wait(call);
  }

  #wait(call: OutgoingCall): void {
    const { isUrgent, maxWaiting = Number.POSITIVE_INFINITY } = this.#options;
    const waiting = this.#waiting;
    if (isUrgent?.(call.options.message)) {
      const behind = waiting.findIndex((other) => !isUrgent(other.options.message));
      waiting.splice(behind === -1 ? waiting.length : behind, 0, call);
    } else if (waiting.length < maxWaiting) waiting.push(call);
    else {
      call.settle(
        coreError("call.resource_exhausted", `${waiting.length} calls wait for ${this.peer} already; send more slowly`, {
          retryAfterMs: 1_000,
          details: { queued: waiting.length, limit: maxWaiting, dispatched: false },
        }),
      );
    }
  }

  #start(call: OutgoingCall): void {
    const { message, context, mode } = call.options;
    try {
      const wire = toWireMessage(message, this.maxMessageBytes);
      const number = this.#number();
      call.number = number;
      this.#open.set(number, call);
      const leftMs = context.deadlineMs - this.clock.now();
      this.send(
        {
          call: number,
          request: {
            message: wire,
            timeoutMs: leftMs > 0xffff_ffff ? 0 : Math.max(1, Math.ceil(leftMs)),
            mode,
            window: call instanceof OutgoingStream ? call.window : 0,
            attempt: context.attempt ?? 1,
          },
        },
        wire.data?.byteLength ?? 0,
      );
    } catch (error) {
      call.settle(asMetanodeError(error));
    }
  }

  #number(): number {
    do {
      this.#nextCall = this.#nextCall >= 0xffff_ffff ? 1 : this.#nextCall + 1;
    } while (this.#open.has(this.#nextCall) || this.#pings.has(this.#nextCall));
    return this.#nextCall;
  }

  #receive(frames: readonly Frame[]): void {
    this.#heardMs = this.clock.now();
    for (const frame of frames) {
      if (this.#closed) return;
      const call = frame.call ?? 0;
      if (frame.reply) this.#finish(call, undefined, frame);
      else if (frame.request) this.#incoming.begin(call, frame.request);
      else if (frame.failure) this.#finish(call, fromFailure(frame.failure, this.peer), frame);
      else if (frame.item) this.#item(call, frame);
      else this.#control(call, frame);
    }
  }

  #control(call: number, frame: Frame): void {
    if (frame.ping) this.send({ call, pong: {} });
    else if (frame.pong) {
      this.#pings.get(call)?.resolve();
      this.#pings.delete(call);
    } else if (frame.cancel) this.#incoming.cancel(call, frame.cancel.reason ?? "");
    else if (frame.credit) this.#incoming.credit(call, frame.credit.items ?? 0);
    else if (frame.drain) this.#options.onDrain?.(frame.drain.graceMs ?? 0);
    else if (frame.drained) this.#options.onDrained?.();
    // A frame of a newer minor version is passed over: the handshake keeps incompatible ones away.
  }

  #finish(number: number, error: MetanodeError | undefined, frame: Frame): void {
    const call = this.#open.get(number);
    if (call === undefined) return;
    this.#open.delete(number);
    this.#answered++;
    if (call.isSettled) this.#abandoned.delete(number);
    else call.settle(error, frame.reply ?? undefined);
    // One that fails to start (too large, say) leaves its credit to the next.
    while (this.#open.size < this.#concurrency) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#start(next);
    }
    if (this.#waiting.length === 0) this.#options.onCredit?.();
  }

  #item(number: number, frame: Frame): void {
    const call = this.#open.get(number);
    if (call === undefined || call.isSettled || !frame.item) return;
    call.item(frame.item);
  }

  #end(error?: MetanodeError): void {
    if (this.#closed) return;
    const lost = coreError(
      this.#options.lostCode,
      error === undefined
        ? `the link to ${this.peer} ended before the answer came`
        : `the link to ${this.peer} broke: ${error.message}`,
      { cause: error, origin: [this.peer] },
    );
    this.#closed = { error: lost };
    this.#outgoing = [];
    for (const call of this.#open.values()) if (!call.isSettled) call.settle(lost);
    for (const call of this.#waiting) call.settle(lost);
    this.#open.clear();
    this.#abandoned.clear();
    this.#waiting = [];
    for (const ping of this.#pings.values()) ping.reject(lost);
    this.#pings.clear();
    this.#incoming.abortAll(lost);
    this.#options.onClosed?.(error);
  }
}
