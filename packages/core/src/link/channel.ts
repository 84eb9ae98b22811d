import type { MetanodeError } from "../errors.ts";
import type { Frame } from "./frames.ts";

/** What a channel tells its owner. */
export interface ChannelEvents {
  /** Frames arrived, in the order of sending. */
  onFrames(frames: readonly Frame[]): void;
  /** No more will come, either way. Called once. Without an error the other side ended in an orderly way. */
  onClosed(error?: MetanodeError): void;
}

/** What the other side shows of itself where links have certificates: its own (DER), if it has one. */
export interface Shown {
  readonly certificate?: Uint8Array | undefined;
}

/**
 * Carries frames between two sides, in order, neither losing nor doubling one while it is open.
 * Implementations: gRPC, memory, and NATS. `transportConformance` holds them against each other.
 */
export interface Channel {
  /** Absent over links without certificates. */
  readonly shown?: Shown;
  /** Sets who listens. What arrived before is delivered then. */
  listen(events: ChannelEvents): void;
  /** Sends frames as one batch. After the close they go nowhere. */
  send(frames: readonly Frame[]): void;
  /** Ends the channel; what was sent before still arrives. The error, if any, is told to the other side. Idempotent. */
  close(error?: MetanodeError): void;
}

class MemoryEnd implements Channel {
  #events: ChannelEvents | undefined;
  #early: (readonly Frame[])[] = [];
  #peer: MemoryEnd | undefined;
  #closed = false;
  #closeReason: { error?: MetanodeError } | undefined;

  join(peer: MemoryEnd): void {
    this.#peer = peer;
  }

  listen(events: ChannelEvents): void {
    this.#events = events;
    const early = this.#early;
    this.#early = [];
    for (const frames of early) events.onFrames(frames);
    if (this.#closeReason) events.onClosed(this.#closeReason.error);
  }

  send(frames: readonly Frame[]): void {
    const peer = this.#peer;
    if (this.#closed || peer === undefined) return;
    // As over a network: the other side hears of it in a later turn.
    setImmediate(() => peer.#receive(frames));
  }

  close(error?: MetanodeError): void {
    if (this.#closed) return;
    this.#closed = true;
    setImmediate(() => {
      this.#end(error);
      this.#peer?.close(error);
    });
  }

  #receive(frames: readonly Frame[]): void {
    if (this.#closed) return;
    if (this.#events === undefined) this.#early.push(frames);
    else this.#events.onFrames(frames);
  }

  #end(error?: MetanodeError): void {
    if (this.#events === undefined) this.#closeReason = error === undefined ? {} : { error };
    else this.#events.onClosed(error);
  }
}

/** Two joined ends in one process: the in-process mode of processors, and links in tests. */
export function createMemoryChannel(): [Channel, Channel] {
  const left = new MemoryEnd();
  const right = new MemoryEnd();
  left.join(right);
  right.join(left);
  return [left, right];
}

/** What dialling is answered with where there is nothing to dial. */
export function endedChannel(error: MetanodeError): Channel {
  return { listen: (events) => events.onClosed(error), send: () => undefined, close: () => undefined };
}
