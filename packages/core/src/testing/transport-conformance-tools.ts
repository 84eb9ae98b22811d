import { expect } from "vitest";
import type { MetanodeError } from "../errors.ts";
import type { Channel } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import type { CallHandler } from "../link/incoming.ts";
import { Session, type SessionOptions } from "../link/session.ts";
import type { LinkAddress, LinkServer } from "../link/transport.ts";
import type { CallContext } from "../message/context.ts";
import { createMessage, type Message } from "../message/message.ts";
import type { TransportHarness } from "./transport-harness.ts";

/** On top of what is waited for: a machine under load is late, and nothing is wrong. */
const PATIENCE_MS = 15_000;

/** A frame with a number that any transport carries. */
export function numbered(call: number): Frame {
  return { call, ping: {} };
}

/** A frame with a payload. */
export function loaded(call: number, bytes: number): Frame {
  return { call, reply: { data: Buffer.alloc(bytes, call % 251) } };
}

/** The whole numbers from 1 to `last`. */
export function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, n) => n + 1);
}

/** What a channel told. */
export interface Heard {
  readonly frames: Frame[];
  readonly ends: (MetanodeError | undefined)[];
}

/** The numbers of the frames, in the order of coming. */
export function callsOf({ frames }: Heard): number[] {
  return frames.map(({ call }) => call ?? 0);
}

/** Listens to a channel and keeps what it says. */
export function hear(channel: Channel, onFrames?: (frames: readonly Frame[]) => void): Heard {
  const heard: Heard = { frames: [], ends: [] };
  channel.listen({
    onFrames: (frames) => {
      heard.frames.push(...frames);
      onFrames?.(frames);
    },
    onClosed: (error) => void heard.ends.push(error),
  });
  return heard;
}

/** Resolves when `holds` does, `withinMs` later at most, a busy machine's lateness not counted. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>, withinMs = 0): Promise<void> {
  const limitMs = withinMs + PATIENCE_MS;
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Both ends of a new link. */
export interface Ends {
  readonly server: LinkServer;
  readonly address: LinkAddress;
  readonly dialled: Channel;
  readonly accepted: Channel;
}

/** Listens, dials, and has both ends. */
export async function openEnds(harness: TransportHarness): Promise<Ends> {
  const arrived = Promise.withResolvers<Channel>();
  const server = await harness.listening.listen(harness.freeAddress(), arrived.resolve);
  const dialled = harness.dialling.dial(server.address);
  return { server, address: server.address, dialled, accepted: await arrived.promise };
}

/** A session of the side that calls. */
export function callerOf(channel: Channel, options: Partial<SessionOptions> = {}): Session {
  return new Session({
    channel,
    peer: "answerer",
    handler: () => undefined,
    lostCode: "node.unreachable",
    concurrency: 10_000,
    ...options,
  });
}

/** Two sessions over a new link; the listening side answers by `handler`. */
export async function openSessions(
  harness: TransportHarness,
  handler: CallHandler,
  options: Partial<SessionOptions> = {},
): Promise<{ readonly caller: Session; readonly answerer: Session; readonly server: LinkServer }> {
  const { server, dialled, accepted } = await openEnds(harness);
  const answerer = new Session({ channel: accepted, peer: "caller", handler, lostCode: "node.unreachable", concurrency: 10_000 });
  return { caller: callerOf(dialled, options), answerer, server };
}

export function messageOf(type: string, data?: unknown): Message {
  return createMessage({ type, data }, "/conformance");
}

/** A context without a deadline. */
export function unlimited(signal?: AbortSignal): CallContext {
  return { deadlineMs: Number.MAX_SAFE_INTEGER, ...(signal ? { signal } : {}) };
}

/** How calls ended, each counted: nothing may end twice, or in a way that nobody knows. */
export class Outcomes {
  readonly ends: number[] = [];
  readonly wrong: unknown[] = [];
  answered = 0;
  lost = 0;

  /** Calls `test.echo` with a number that the answer has to be. */
  ask(session: Session, number: number, type = "test.echo"): void {
    this.ends[number] = 0;
    session.call(messageOf(type, number), unlimited()).then(
      (value) => {
        this.#end(number);
        this.answered++;
        if (value !== number) this.wrong.push(value);
      },
      (error: MetanodeError) => {
        this.#end(number);
        this.lost++;
        if (error.code !== "node.unreachable") this.wrong.push(error);
      },
    );
  }

  get ended(): number {
    return this.answered + this.lost;
  }

  /** Each has ended once, and as it should. */
  check(): void {
    expect(this.wrong).toEqual([]);
    expect(this.ends.filter((times) => times !== 1)).toEqual([]);
  }

  #end(number: number): void {
    this.ends[number] = (this.ends[number] ?? 0) + 1;
  }
}
