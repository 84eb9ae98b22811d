import type { Clock } from "../clock.ts";
import { coreError, type MetanodeError } from "../errors.ts";
import type { Channel } from "./channel.ts";
import { type Frame, type Hello, PROTOCOL_VERSION, type Welcome } from "./frames.ts";

/** A channel whose first frame was read ahead; the rest goes to whoever listens next. */
class Handover implements Channel {
  readonly #channel: Channel;
  #target: Parameters<Channel["listen"]>[0] | undefined;
  #early: (readonly Frame[])[] = [];
  #closed: { error?: MetanodeError } | undefined;
  #first: ((frame: Frame | undefined, error?: MetanodeError) => void) | undefined;

  constructor(channel: Channel, first: (frame: Frame | undefined, error?: MetanodeError) => void) {
    this.#channel = channel;
    this.#first = first;
    channel.listen({ onFrames: (frames) => this.#frames(frames), onClosed: (error) => this.#end(error) });
  }

  listen(events: Parameters<Channel["listen"]>[0]): void {
    this.#target = events;
    const early = this.#early;
    this.#early = [];
    for (const frames of early) events.onFrames(frames);
    if (this.#closed) events.onClosed(this.#closed.error);
  }

  send(frames: readonly Frame[]): void {
    this.#channel.send(frames);
  }

  close(error?: MetanodeError): void {
    this.#channel.close(error);
  }

  #frames(frames: readonly Frame[]): void {
    let rest = frames;
    const first = this.#first;
    if (first !== undefined && frames.length > 0) {
      this.#first = undefined;
      rest = frames.slice(1);
      first(frames[0]);
    }
    if (rest.length === 0) return;
    if (this.#target) this.#target.onFrames(rest);
    else this.#early.push(rest);
  }

  #end(error?: MetanodeError): void {
    this.#closed = error === undefined ? {} : { error };
    this.#first?.(undefined, error);
    this.#first = undefined;
    this.#target?.onClosed(error);
  }
}

export interface Greeted<T> {
  readonly channel: Channel;
  readonly greeting: T;
}

interface WaitOptions {
  clock: Clock;
  timeoutMs: number;
}

/** Versions of the protocol that a side speaks, both ends included. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

function firstFrame(channel: Channel, options: WaitOptions): Promise<Greeted<Frame>> {
  return new Promise((resolve, reject) => {
    const timer = options.clock.setTimer(options.timeoutMs, () => {
      const error = coreError("processor.protocol", `no greeting came within ${options.timeoutMs} ms`);
      channel.close(error);
      reject(error);
    });
    const handover = new Handover(channel, (frame, error) => {
      timer.cancel();
      if (frame) resolve({ channel: handover, greeting: frame });
      else reject(error ?? coreError("processor.protocol", "the other side ended the link before its greeting"));
    });
  });
}

/**
 * The dialling side's half of the handshake. A version that it has not offered ends the link.
 * @throws {MetanodeError} what the other side refused with: `protocol.version`, `auth.unauthenticated`, `processor.protocol` …
 */
export async function greet(channel: Channel, hello: Hello, options: WaitOptions): Promise<Greeted<Welcome>> {
  channel.send([{ hello }]);
  const { channel: next, greeting } = await firstFrame(channel, options);
  const welcome = greeting.welcome;
  if (!welcome) {
    const error = coreError("processor.protocol", "the first frame of the other side was no welcome");
    channel.close(error);
    throw error;
  }
  if (welcome.version < hello.versionMin || welcome.version > hello.versionMax) {
    const error = coreError(
      "protocol.version",
      `the other side chose protocol version ${welcome.version} of ${hello.versionMin} to ${hello.versionMax}; use a library of a matching release`,
      { details: { theirs: [welcome.version, welcome.version], ours: [hello.versionMin, hello.versionMax] } },
    );
    channel.close(error);
    throw error;
  }
  return { channel: next, greeting: welcome };
}

/**
 * The listening side's half: reads the hello, settles the version, asks `admit`, answers with a welcome.
 * `admit` returns the rest of the welcome, or throws the error to refuse with.
 */
export async function receive(
  channel: Channel,
  admit: (hello: Hello) => Omit<Welcome, "version">,
  { versions = PROTOCOL_VERSION, ...options }: WaitOptions & { versions?: VersionRange | undefined },
): Promise<Greeted<Hello>> {
  const { channel: next, greeting } = await firstFrame(channel, options);
  try {
    const { hello } = greeting;
    if (!hello) throw coreError("processor.protocol", "the first frame was no hello");
    const version = Math.min(hello.versionMax, versions.max);
    if (version < Math.max(hello.versionMin, versions.min)) {
      throw coreError(
        "protocol.version",
        `the other side speaks protocol versions ${hello.versionMin} to ${hello.versionMax}, this node ${versions.min} to ${versions.max}; use a library of a matching release`,
        { details: { theirs: [hello.versionMin, hello.versionMax], ours: [versions.min, versions.max] } },
      );
    }
    next.send([{ welcome: { ...admit(hello), version } }]);
    return { channel: next, greeting: hello };
  } catch (error) {
    next.close(error as MetanodeError);
    throw error;
  }
}
