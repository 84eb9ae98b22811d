import type { Clock, Timer } from "../clock.ts";
import { coreError, type MetanodeError } from "../errors.ts";
import type { Channel, ChannelEvents } from "./channel.ts";
import { encodeBatch } from "./codec.ts";
import type { Frame } from "./frames.ts";
import { type Bus, type BusMember, isNobodyThere, type NatsConnectionLike, type NatsMessage } from "./nats-bus.ts";
import { Inflow, Outflow } from "./nats-flow.ts";
import {
  decodeGreeting,
  decodePacket,
  decodeReason,
  encodePacket,
  encodeReason,
  type Greeting,
  PACKET,
  type Packet,
  reasonOf,
} from "./nats-packet.ts";

/*
 * One end of a link over NATS: it receives on an inbox of its own, and sends to that of the other side.
 *
 * N1. It lives on one connection to the bus: whatever breaks that ends it, although the client makes the connection again. With F1
 *     nothing is lost or doubled in silence (T1).
 * N2. NATS tells nobody that a peer has vanished. Each side sends something at least every `heartbeatMs` of the other; silence of
 *     `silenceMs` ends the link, and at once does the server's answer that nobody receives there (T4).
 * N3. A close is told to the owner at once; what waits for the window still leaves, then the end, for as long as N2 allows.
 * N4. `opening` until the other side has said where it receives, then `open`; `closing` while N3 goes on; `gone` when nothing of it is
 *     left on the bus. Every way ends in `gone`.
 */

/** Times and sizes of links over NATS; see `NatsTransportOptions`. */
export interface NatsLimits {
  readonly heartbeatMs: number;
  readonly silenceMs: number;
  readonly windowBytes: number;
}

/** What a server allows by default (`max_payload`), for connections that do not say. */
const USUAL_MAX_PAYLOAD = 1024 * 1024;

/** More often than this nobody is told that we are there, whatever they ask for. */
const MIN_HEARTBEAT_MS = 10;

export interface NatsChannelOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly limits: NatsLimits;
  /** Where it receives. */
  readonly inbox: string;
  /** Names the other side in errors. */
  readonly peer: string;
  /** The first packet of the other side came: until then it may never have heard of us. */
  readonly onConfirmed?: (channel: NatsChannel) => void;
}

export class NatsChannel implements Channel, BusMember {
  readonly #options: NatsChannelOptions;
  readonly #in = new Inflow();
  readonly #out: Outflow;
  readonly #gone = Promise.withResolvers<void>();
  #phase: "opening" | "open" | "closing" | "gone" = "opening";
  #connection: NatsConnectionLike | undefined;
  #subscription: { unsubscribe(): void } | undefined;
  /** Where the other side receives; before it has answered, where one asks for it. */
  #to = "";
  #isConfirmed: boolean;
  #events: ChannelEvents | undefined;
  #early: Packet[] = [];
  /** Why it ended, for the owner. */
  #ended: { error: MetanodeError | undefined } | undefined;
  #toldTaken = 0;
  #heartbeatMs: number;
  #heardMs: number;
  #sentMs: number;
  #dueMs = 0;
  #timer: Timer | undefined;

  constructor(options: NatsChannelOptions) {
    this.#options = options;
    this.#isConfirmed = options.onConfirmed === undefined;
    this.#out = new Outflow(
      (packet) => this.#publish(packet),
      () => this.#in.taken,
    );
    this.#heartbeatMs = options.limits.heartbeatMs;
    this.#heardMs = options.clock.now();
    this.#sentMs = this.#heardMs;
    this.#arm();
  }

  /** Resolves when nothing of it is left on the bus. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Asks on a subject for whoever listens there. */
  ask(connection: NatsConnectionLike, subject: string, greeting: Buffer): void {
    if (!this.#receive(connection, subject)) return;
    this.#guard(() => connection.publish(subject, greeting, { reply: this.#options.inbox }));
  }

  /** Answers one who asked. */
  answer(connection: NatsConnectionLike, to: string, greetings: { readonly own: Buffer; readonly peer: Greeting }): void {
    if (!this.#receive(connection, to)) return;
    this.#publish({ kind: PACKET.accept, sequence: 0, taken: 0, body: greetings.own });
    this.#open(greetings.peer);
  }

  listen(events: ChannelEvents): void {
    this.#events = events;
    const ended = this.#ended;
    while (this.#early.length > 0) {
      const packet = this.#early.shift() as Packet;
      if (!this.#guard(() => this.#deliver(packet, events))) this.#early = [];
    }
    if (ended !== undefined) events.onClosed(ended.error);
  }

  send(frames: readonly Frame[]): void {
    if (this.#ended === undefined) this.#out.batch(encodeBatch(frames));
  }

  close(error?: MetanodeError): void {
    this.#early = [];
    if (this.#ended !== undefined) return;
    if (error === undefined && !this.#out.isEmpty) this.#phase = "closing";
    else this.#finish(error);
    this.#tell(error);
  }

  lost(error: MetanodeError): void {
    this.#dispose();
    this.#tell(error);
  }

  refused(subject: string, error: MetanodeError): void {
    if (subject === this.#to) this.lost(error);
  }

  /** Ends it for a reason that arose here. */
  fail(error: MetanodeError): void {
    this.#finish(error);
    this.#tell(error);
  }

  #receive(connection: NatsConnectionLike, to: string): boolean {
    if (this.#phase === "gone") return false;
    this.#connection = connection;
    this.#to = to;
    return this.#guard(() => {
      this.#subscription = connection.subscribe(this.#options.inbox, {
        callback: (error, message) => this.#guard(() => this.#take(error, message)),
      });
    });
  }

  /** What goes wrong in here ends the link, and throws at nobody. */
  #guard(act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      this.fail(reasonOf(error));
      return false;
    }
  }

  #take(error: Error | null, message: NatsMessage): void {
    if (this.#phase === "gone") return;
    const { peer, inbox } = this.#options;
    if (error !== null) {
      this.lost(coreError("auth.denied", `NATS does not let this node receive on ${inbox}`, { cause: error }));
      return;
    }
    if (isNobodyThere(message)) {
      const isNew = this.#phase === "opening" || !this.#isConfirmed;
      this.lost(coreError("node.unreachable", isNew ? `nobody listens on ${peer}` : `${peer} is gone from the bus`));
      return;
    }
    const packet = decodePacket(message.data);
    if (packet.kind === PACKET.accept) {
      this.#accepted(packet, message.reply);
      return;
    }
    if (!this.#in.check(packet)) return;
    this.#heardMs = this.#options.clock.now();
    this.#out.acknowledge(packet.taken);
    this.#flushed();
    this.#confirm(packet);
    this.#handle(packet);
  }

  #accepted(packet: Packet, to: string | undefined): void {
    if (to === undefined || to === this.#to) return;
    if (this.#subscription === undefined || this.#connection === undefined) return;
    const isOpen = this.#phase === "open" || this.#out.isOpen;
    if (isOpen) {
      // A second one listens there, who is told that it was not chosen; its owner never hears of this link.
      const body = encodeReason(coreError("state.conflict", "another one was faster"));
      this.#connection.publish(to, encodePacket({ kind: PACKET.end, sequence: 1, taken: 0, body }), {
        reply: this.#options.inbox,
      });
      return;
    }
    this.#to = to;
    this.#heardMs = this.#options.clock.now();
    const peer = decodeGreeting(packet.body);
    this.#out.note();
    this.#open(peer);
  }

  #open({ heartbeatMs, windowBytes }: Greeting): void {
    const { limits, clock } = this.#options;
    this.#heartbeatMs = Math.max(MIN_HEARTBEAT_MS, Math.min(limits.heartbeatMs, heartbeatMs));
    if (this.#phase === "opening") this.#phase = "open";
    this.#heardMs = clock.now();
    this.#arm();
    this.#out.open(windowBytes, this.#connection?.info?.max_payload ?? USUAL_MAX_PAYLOAD);
    this.#flushed();
  }

  /** The owner hears of a link only when the other side is known to hear it, and not of one that it left at once. */
  #confirm({ kind }: Packet): void {
    if (this.#isConfirmed) return;
    this.#isConfirmed = true;
    if (kind !== PACKET.end) toOwner(() => this.#options.onConfirmed?.(this));
  }

  #handle(packet: Packet): void {
    if (packet.kind === PACKET.end) {
      this.#dispose();
      this.#tell(decodeReason(packet.body));
    } else if (packet.kind === PACKET.batch || packet.kind === PACKET.part) {
      if (this.#ended !== undefined) return;
      if (this.#events === undefined) this.#early.push(packet);
      else this.#deliver(packet, this.#events);
    }
  }

  #deliver(packet: Packet, events: ChannelEvents): void {
    const frames = this.#in.batch(packet);
    this.#in.took(packet);
    if (frames !== undefined) toOwner(() => events.onFrames(frames));
    // Half a window: the other side never runs dry while we keep up, and hears of it seldom.
    const untold = this.#in.taken - this.#toldTaken;
    if (this.#phase === "open" && untold * 2 >= this.#options.limits.windowBytes) this.#out.note();
  }

  #publish(packet: Packet): void {
    const connection = this.#connection;
    if (connection === undefined || this.#phase === "gone") return;
    this.#sentMs = this.#options.clock.now();
    this.#toldTaken = packet.taken;
    try {
      connection.publish(this.#to, encodePacket(packet), { reply: this.#options.inbox });
    } catch (error) {
      this.lost(reasonOf(error)); // and not `fail`, which would publish again
    }
  }

  /** An end that waited for what was sent before it leaves (N3). */
  #flushed(): void {
    if (this.#phase === "closing" && this.#out.isOpen && this.#out.isEmpty) this.#finish(undefined);
  }

  /** Tells the other side, as far as it can be told, and leaves the bus. */
  #finish(reason: MetanodeError | undefined): void {
    if (this.#phase === "gone") return;
    if (this.#out.isOpen) {
      this.#phase = "closing";
      this.#out.end(encodeReason(reason));
    }
    this.#dispose();
  }

  #dispose(): void {
    if (this.#phase === "gone") return;
    this.#phase = "gone";
    this.#timer?.cancel();
    this.#subscription?.unsubscribe();
    void this.#options.bus.leave(this).then(() => this.#gone.resolve());
  }

  #tell(error: MetanodeError | undefined): void {
    if (this.#ended !== undefined) return;
    this.#ended = { error };
    const events = this.#events;
    if (events !== undefined) toOwner(() => events.onClosed(error));
  }

  #arm(): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#dueMs = clock.now() + this.#heartbeatMs / 2;
    this.#timer = clock.setTimer(this.#heartbeatMs / 2, () => this.#beat());
  }

  #beat(): void {
    const { clock, limits, peer } = this.#options;
    const nowMs = clock.now();
    // A process that stood still itself first reads what came meanwhile.
    const isLate = nowMs - this.#dueMs > this.#heartbeatMs;
    if (!isLate && nowMs - this.#heardMs >= limits.silenceMs) {
      this.fail(coreError("node.unreachable", `nothing was heard of ${peer} for ${limits.silenceMs} ms`));
      return;
    }
    if (this.#out.isOpen && nowMs - this.#sentMs >= this.#heartbeatMs / 2) this.#out.note();
    if (this.#phase !== "gone") this.#arm();
  }
}

/** What the owner throws is no matter of the link, and the client of NATS would stop reading: it is thrown where nobody catches it. */
function toOwner(tell: () => void): void {
  try {
    tell();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}
