import { type Channel, type ChannelEvents, createMemoryChannel } from "../../src/link/channel.ts";
import type { Frame } from "../../src/link/frames.ts";
import type { CallHandler } from "../../src/link/incoming.ts";
import { Session, type SessionOptions } from "../../src/link/session.ts";
import type { CallContext } from "../../src/member/member.ts";
import { createMessage, type Message } from "../../src/message/message.ts";
import { settle, VirtualClock } from "../../src/testing/virtual-clock.ts";

/** A channel that shows each batch that passes. */
export class WatchedChannel implements Channel {
  readonly #inner: Channel;
  onSent: (frames: readonly Frame[]) => void = () => undefined;
  onReceived: (frames: readonly Frame[]) => void = () => undefined;

  constructor(inner: Channel) {
    this.#inner = inner;
  }

  listen(events: ChannelEvents): void {
    this.#inner.listen({
      onFrames: (frames) => {
        this.onReceived(frames);
        events.onFrames(frames);
      },
      onClosed: (error) => events.onClosed(error),
    });
  }

  send(frames: readonly Frame[]): void {
    this.onSent(frames);
    this.#inner.send(frames);
  }

  close(error?: Parameters<Channel["close"]>[0]): void {
    this.#inner.close(error);
  }
}

export interface Pair {
  readonly clock: VirtualClock;
  /** The calling side. */
  readonly caller: Session;
  /** The answering side. */
  readonly answerer: Session;
  /** The caller's end, watched. */
  readonly channel: WatchedChannel;
}

/** Two sessions over memory, in virtual time; the second answers by `handler`. */
export function openPair(handler: CallHandler, options: Partial<SessionOptions> = {}): Pair {
  const clock = new VirtualClock();
  const [left, right] = createMemoryChannel();
  const channel = new WatchedChannel(left);
  const common = { clock, lostCode: "processor.down" as const, concurrency: 8 };
  const caller = new Session({ ...common, channel, peer: "answerer", handler: () => "nobody asked", ...options });
  const answerer = new Session({ ...common, channel: right, peer: "caller", handler });
  return { clock, caller, answerer, channel };
}

/** The other end of a session as bare frames: whatever a test wants to say to it. */
export interface RawPeer {
  readonly clock: VirtualClock;
  readonly session: Session;
  readonly received: Frame[];
  send(...frames: Frame[]): void;
  close(error?: Parameters<Channel["close"]>[0]): void;
  /** The number of the n-th call that came. */
  callNumber(n: number): number;
}

/** One session, and its other end by hand. */
export function openRaw(options: Partial<SessionOptions> = {}): RawPeer {
  const clock = new VirtualClock();
  const [left, right] = createMemoryChannel();
  const received: Frame[] = [];
  right.listen({ onFrames: (frames) => void received.push(...frames), onClosed: () => undefined });
  const session = new Session({
    clock,
    channel: left,
    peer: "peer",
    lostCode: "processor.down",
    concurrency: 8,
    handler: () => "answer",
    ...options,
  });
  return {
    clock,
    session,
    received,
    send: (...frames) => right.send(frames),
    close: (error) => right.close(error),
    callNumber: (n) => received.filter(({ request }) => request)[n]?.call ?? 0,
  };
}

/** A context without a deadline, or with one `timeoutMs` from the clock's now. */
export function contextOf(clock: VirtualClock, timeoutMs?: number, signal?: AbortSignal): CallContext {
  return { deadlineMs: timeoutMs === undefined ? Number.MAX_SAFE_INTEGER : clock.now() + timeoutMs, signal };
}

export function messageOf(data?: unknown, type = "test.ask"): Message {
  return createMessage({ type, data }, "/test");
}

/** Lets a few questions and answers pass to and fro: each way takes turns of the event loop, and no time. */
export async function settleLink(): Promise<void> {
  for (let round = 0; round < 8; round++) await settle();
}
