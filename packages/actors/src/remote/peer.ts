import type { Timer } from "@metanode/core/clock";
import { actorError } from "../errors.ts";
import { type Address, EventName, type PID, type Ref } from "../identity/index.ts";
import { WatchList } from "../relations/watch-list.ts";
import type { FarTarget, Problem } from "../runtime/network.ts";
import type { Tables } from "../runtime/tables.ts";
import { tellEnd } from "../runtime/watch.ts";
import { ask } from "./ask.ts";
import { Reader } from "./codec/reader.ts";
import { Writer, type WriterSide } from "./codec/writer.ts";
import type { FarWatcher } from "./far-watcher.ts";
import type { Hello } from "./handshake.ts";
import type { Link } from "./link.ts";
import type { NetworkSettings, NodeFlags } from "./options.ts";
import { BATCH_SLACK_BYTES, Outbox } from "./outbox.ts";
import { Sender } from "./sender.ts";
import { Watches } from "./watches.ts";

/** Signs of life that may be missed one after the other. */
const MAX_MISSED = 3;
/** How long a node may take to show that it lives, when another one comes under its name. */
export const PROBE_MS = 2_000;

/** One node that this one is connected with, as data. */
export interface NodeInfo {
  readonly node: string;
  readonly state: "connecting" | "up" | "down";
  /** The start of the node, in seconds since the Unix epoch; 0 until it is known. */
  readonly creation: number;
  readonly flags: NodeFlags | undefined;
  /** Largest message that it takes. */
  readonly maxMessageBytes: number;
  /** Frames: messages, calls, answers, events, relations. */
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Bytes that wait for room on the link. */
  readonly waitingBytes: number;
  /** Targets on the node that are watched from here, and targets here that the node watches. */
  readonly watches: number;
  readonly watched: number;
  readonly uptimeMs: number;
}

/** What a peer tells the network. */
export interface PeerEvents {
  /** A frame stands at the reader's place. */
  onFrame(peer: Peer, reader: Reader): void;
  onDown(peer: Peer, reason: Error): void;
}

/** What belongs to the writing side of every connection of a node. */
export type SharedSide = Omit<WriterSide, "peer" | "peerCreation"> & {
  ownPid(id: number): PID | undefined;
  ownRef(id: number): Ref | undefined;
};

/**
 * One connection with another node.
 *
 *  P1. It is connecting, up, or down, in this order; a later connection is another peer. What is written while it is
 *      connecting leaves when it is up.
 *  P2. Reader and writer begin and end with it.
 *  P3. When it goes down everything that waits for the node ends, every watch on it is told once, and nothing that the
 *      node watched here is left.
 */
export class Peer {
  readonly node: string;
  readonly outbox: Outbox;
  readonly sender: Sender;
  readonly watches: Watches;
  /** What the node watches here, by its numbers. */
  readonly watchers = new Map<number, FarWatcher>();
  /** Processes that watch the connection itself. */
  readonly nodeWatchers = new WatchList();
  state: NodeInfo["state"] = "connecting";
  hello: Hello | undefined;
  messagesIn = 0;
  /** Resolves when it is up, rejects when it never comes up. */
  readonly ready: Promise<void>;
  readonly #tables: Tables;
  readonly #settings: NetworkSettings;
  readonly #events: PeerEvents;
  readonly #side: SharedSide;
  readonly #writerSide: WriterSide;
  readonly #ready = Promise.withResolvers<void>();
  #link: Link | undefined;
  #bytesIn = 0;
  #heard = false;
  #missed = 0;
  #timer: Timer | undefined;
  #upSinceMs = 0;
  #probes: ((isAlive: boolean) => void)[] = [];

  constructor(node: string, setup: { tables: Tables; settings: NetworkSettings; side: SharedSide; events: PeerEvents }) {
    this.node = node;
    this.#tables = setup.tables;
    this.#settings = setup.settings;
    this.#events = setup.events;
    this.#side = setup.side;
    this.#writerSide = { ...setup.side, peer: node, peerCreation: undefined };
    this.outbox = new Outbox(new Writer(this.#writerSide), setup.settings.maxOutgoingBytes);
    this.sender = new Sender(this.outbox, setup.settings.maxMessageBytes);
    this.watches = new Watches(setup.tables, {
      ask: (number, target, settle) => this.#askWatch(number, target, settle),
      unwatch: (number) => this.sender.unwatch(number),
    });
    this.ready = this.#ready.promise;
    this.ready.catch(() => undefined);
  }

  /** Both nodes know each other: frames go over `link` from now on. */
  up(link: Link, hello: Hello): void {
    if (this.state !== "connecting") throw actorError("actor.no_connection", `the connection to ${this.node} is ${this.state}`);
    this.state = "up";
    this.hello = hello;
    this.#link = link;
    this.#upSinceMs = this.#tables.clock.now();
    this.#writerSide.peerCreation = hello.creation;
    this.sender.maxMessageBytes = Math.min(hello.maxMessageBytes, link.maxBatchBytes - BATCH_SLACK_BYTES);
    const reader = new Reader({ ...this.#side, peer: this.node, peerCreation: hello.creation });
    link.listen({
      onBatch: (batch) => this.#receive(reader, batch),
      onDrain: () => this.outbox.drain(),
      onClosed: (error) => this.down(error),
    });
    // The link may have ended meanwhile.
    if ((this.state as string) !== "up") return;
    this.outbox.attach(link);
    this.#keepAlive();
    this.#ready.resolve();
  }

  /** The connection is lost, given up, or never came up. Idempotent. */
  down(cause?: Error): void {
    if (this.state === "down") return;
    const wasUp = this.state === "up";
    this.outbox.close();
    this.state = "down";
    this.#timer?.cancel();
    this.#link?.close(wasUp && cause !== undefined ? cause : undefined);
    const reason = wasUp ? lost(this.node, cause) : unreachable(this.node, cause);
    for (const told of this.#probes) told(false);
    this.#probes = [];
    this.#ready.reject(reason);
    this.#events.onDown(this, reason);
    this.watches.lose(reason);
    for (const watcher of this.watchers.values()) watcher.end();
    this.watchers.clear();
    tellEnd(this.nodeWatchers, "node", this.#tables.core, reason);
  }

  /** Whether the node shows that it lives, within {@link PROBE_MS}. */
  probe(): Promise<boolean> {
    if (this.state !== "up") return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = this.#tables.clock.setTimer(PROBE_MS, () => told(false));
      const told = (isAlive: boolean): void => {
        timer.cancel();
        this.#probes = this.#probes.filter((other) => other !== told);
        resolve(isAlive);
      };
      this.#probes.push(told);
      this.sender.ping();
    });
  }

  info(): NodeInfo {
    const { hello } = this;
    return {
      node: this.node,
      state: this.state,
      creation: hello?.creation ?? 0,
      flags: hello?.flags,
      maxMessageBytes: this.sender.maxMessageBytes,
      messagesIn: this.messagesIn,
      messagesOut: this.outbox.messages,
      bytesIn: this.#bytesIn,
      bytesOut: this.outbox.bytes,
      waitingBytes: this.outbox.waitingBytes,
      watches: this.watches.size,
      watched: this.watchers.size,
      uptimeMs: this.state === "up" ? this.#tables.clock.now() - this.#upSinceMs : 0,
    };
  }

  #receive(reader: Reader, batch: Uint8Array): void {
    if (this.state !== "up") return;
    this.#heard = true;
    this.#missed = 0;
    this.#bytesIn += batch.byteLength;
    if (this.#probes.length > 0) for (const told of [...this.#probes]) told(true);
    reader.open(batch);
    try {
      while (!reader.isAtEnd && this.state === "up") {
        this.messagesIn++;
        this.#events.onFrame(this, reader);
      }
    } catch (error) {
      this.down(error as Error);
    }
  }

  /** One timer per connection: whoever says nothing is asked, and is lost in the end. */
  #keepAlive(): void {
    const { keepAliveMs } = this.#settings;
    if (keepAliveMs === 0) return;
    this.#timer = this.#tables.clock.setTimer(keepAliveMs, () => {
      if (!this.#heard) {
        if (this.#missed >= MAX_MISSED) {
          this.down(
            actorError("actor.timeout", `node ${this.node} gave no sign of life for ${keepAliveMs * (MAX_MISSED + 1)} ms`),
          );
          return;
        }
        this.#missed++;
        this.sender.ping();
      }
      this.#heard = false;
      this.#keepAlive();
    });
  }

  #askWatch(
    number: number,
    target: FarTarget | EventName,
    settle: (value: unknown, error: Error | undefined) => void,
  ): Problem | undefined {
    return ask(this.#tables, {
      to: target as Address,
      waiter: this.#tables.outside,
      settler: { resolve: (value) => settle(value, undefined), reject: (error) => settle(undefined, error as Error) },
      write: (ref) =>
        target instanceof EventName ? this.sender.subscribe(ref, number, target) : this.sender.watch(ref, number, target),
    });
  }
}

function lost(node: string, cause: Error | undefined): Error {
  return actorError("actor.no_connection", `the connection to ${node} was lost`, cause === undefined ? {} : { cause });
}

function unreachable(node: string, cause: Error | undefined): Error {
  const text = cause === undefined ? "" : `: ${cause.message}`;
  return actorError("actor.no_route", `the node ${node} cannot be reached${text}`, cause === undefined ? {} : { cause });
}
