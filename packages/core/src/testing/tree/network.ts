import type { Clock } from "../../clock.ts";
import { coreError, type MetanodeError } from "../../errors.ts";
import type { Channel, ChannelEvents } from "../../link/channel.ts";
import type { Frame } from "../../link/frames.ts";
import type { LinkServer } from "../../link/transport.ts";
import type { Random } from "../../member/random.ts";
import type { NodeTransport } from "../../tree/means.ts";

/** How long frames take, at least and at most, in milliseconds. */
const FASTEST_MS = 1;
const SLOWEST_MS = 40;

/** One end of a simulated link. */
class End implements Channel {
  readonly owner: string;
  readonly #network: SimulatedNetwork;
  peer: End | undefined;
  #events: ChannelEvents | undefined;
  #early: (() => void)[] = [];
  #isClosed = false;
  #isTold = false;
  /** Frames keep their order, whatever each of them would take alone. */
  #lastArrivalMs = 0;

  constructor(network: SimulatedNetwork, owner: string) {
    this.#network = network;
    this.owner = owner;
  }

  listen(events: ChannelEvents): void {
    this.#events = events;
    const early = this.#early;
    this.#early = [];
    for (const tell of early) tell();
  }

  send(frames: readonly Frame[]): void {
    if (this.#isClosed) return;
    const copy = copyOf(frames);
    this.#carry(() => this.peer?.arrive(copy));
  }

  close(error?: MetanodeError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#carry(() => this.peer?.end(error));
    this.#tell(error);
  }

  /** The process of this end is gone: the other one hears of it, as from a closed socket. */
  cut(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isTold = true;
    this.#carry(() => this.peer?.end(coreError("node.unreachable", "the other side is gone")));
  }

  arrive(frames: readonly Frame[]): void {
    if (this.#isClosed) return;
    if (this.#events === undefined) this.#early.push(() => this.#events?.onFrames(frames));
    else this.#events.onFrames(frames);
  }

  end(error?: MetanodeError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#tell(error);
  }

  #tell(error?: MetanodeError): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const tell = (): void => this.#events?.onClosed(error);
    if (this.#events === undefined) this.#early.push(tell);
    else tell();
  }

  /** In order, after a while; held up for as long as the two are parted, as TCP does. */
  #carry(deliver: () => void): void {
    const { clock, random } = this.#network;
    const atMs = Math.max(this.#lastArrivalMs, clock.now() + FASTEST_MS + random() * (SLOWEST_MS - FASTEST_MS));
    this.#lastArrivalMs = atMs;
    clock.setTimer(atMs - clock.now(), () => this.#network.whenJoined(this.owner, this.peer?.owner ?? "", deliver));
  }
}

/** A network of nodes by name, all in one process, in a time that a test moves. */
export class SimulatedNetwork {
  readonly clock: Clock;
  readonly random: Random;
  readonly #listeners = new Map<string, (channel: Channel) => void>();
  readonly #ends = new Set<End>();
  readonly #parted = new Map<string, (() => void)[]>();

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.random = random;
  }

  /** The network as one node sees it. */
  of(owner: string): NodeTransport {
    return {
      listen: async (_address, onChannel): Promise<LinkServer> => {
        this.#listeners.set(owner, onChannel);
        return { address: owner, close: async () => void this.#listeners.delete(owner) };
      },
      dial: (address) => this.#dial(owner, address),
    };
  }

  /** Parts two nodes: what they send each other waits. */
  part(a: string, b: string): void {
    const key = pairOf(a, b);
    if (!this.#parted.has(key)) this.#parted.set(key, []);
  }

  /** Joins all that are parted. */
  join(): void {
    const waiting = [...this.#parted.values()].flat();
    this.#parted.clear();
    for (const deliver of waiting) deliver();
  }

  /** A node's process is gone. */
  crash(owner: string): void {
    this.#listeners.delete(owner);
    for (const end of [...this.#ends]) {
      if (end.owner !== owner) continue;
      this.#ends.delete(end);
      end.cut();
    }
  }

  whenJoined(a: string, b: string, deliver: () => void): void {
    const waiting = this.#parted.get(pairOf(a, b));
    if (waiting === undefined) deliver();
    else waiting.push(deliver);
  }

  #dial(owner: string, address: string): Channel {
    const near = new End(this, owner);
    const far = new End(this, address);
    near.peer = far;
    far.peer = near;
    this.#ends.add(near);
    this.clock.setTimer(FASTEST_MS, () =>
      this.whenJoined(owner, address, () => {
        const onChannel = this.#listeners.get(address);
        if (onChannel === undefined) {
          near.end(coreError("node.unreachable", `nobody listens at ${address}`));
          return;
        }
        this.#ends.add(far);
        onChannel(far);
      }),
    );
    return near;
  }
}

/** As a wire does: what a receiver changes is its own. Frames are plain data; structuredClone took a tenth of a simulation's time. */
function copyOf<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return value.slice() as T;
  if (Array.isArray(value)) return value.map(copyOf) as T;
  const copy: Record<string, unknown> = {};
  for (const key in value) copy[key] = copyOf(value[key]);
  return copy as T;
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}
