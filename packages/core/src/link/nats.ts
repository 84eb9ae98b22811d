import { randomBytes } from "node:crypto";
import { type Clock, systemClock, type Timer } from "../clock.ts";
import { coreError } from "../errors.ts";
import { intWithin, rejectUnknownKeys, textOf } from "../options.ts";
import type { Channel } from "./channel.ts";
import { Bus, type BusMember, isNobodyThere, type NatsConnectionLike, type NatsMessage } from "./nats-bus.ts";
import { NatsChannel, type NatsLimits } from "./nats-channel.ts";
import { decodeGreeting, encodeGreeting, encodePacket, encodeReason, PACKET, reasonOf } from "./nats-packet.ts";
import type { LinkAddress, LinkServer, LinkTransport } from "./transport.ts";

export type { NatsConnectionLike, NatsMessage } from "./nats-bus.ts";
export type { Channel, ChannelEvents, LinkAddress, LinkServer, LinkTransport } from "./transport.ts";

/**
 * Links over the NATS bus: nodes that cannot dial each other meet on a server that both can.
 *
 * `listen` subscribes to `<prefix>.<name>.accept`. Whoever dials asks there, naming an inbox of its own; the listener answers with
 * one of its own, and packets (`nats-packet.ts`) go from inbox to inbox. The rules of a link are F1 to F3, N1 to N4 and B1, B2.
 */

/** What {@link natsTransport} needs: `servers` or `connection`, and what differs from the defaults. */
export interface NatsTransportOptions {
  /** Where NATS is, for example `nats://10.0.0.5:4222`, or `nats://user:password@…` with one user for all servers. The connection is made for the first link and closed after the last one. */
  servers?: string | readonly string[];
  /**
   * A connection that somebody else makes and closes: with credentials, TLS and the like. Should have `maxReconnectAttempts: -1`;
   * when it is closed, whoever listened on it listens no more.
   */
  connection?: NatsConnectionLike;
  /** Of the subjects on which nodes listen. @default "metanode.link" */
  subjectPrefix?: string;
  /** Of the subjects on which links receive; an account may be allowed no other. @default "_INBOX" */
  inboxPrefix?: string;
  /** How often each side of a link hears of the other at least, in milliseconds. At most half of `silenceMs`. @default 2_000 */
  heartbeatMs?: number;
  /** Silence after which a link has ended, and the longest wait for an answer to a dial, in milliseconds. @default 10_000 */
  silenceMs?: number;
  /** Bytes that may be under way to this side on one link; the server holds them while this side is slow. @default 2 MiB */
  windowBytes?: number;
  /** @default the machine's */
  clock?: Clock;
}

const KEYS = [
  "servers",
  "connection",
  "subjectPrefix",
  "inboxPrefix",
  "heartbeatMs",
  "silenceMs",
  "windowBytes",
  "clock",
] as const;

/** Of every address of NATS. */
const SCHEME = "nats:";

/** Letters, digits, `_` and `-`, in tokens joined by dots: what subjects can hold on every server. */
const TOKENS = /^[\w-]+(\.[\w-]+)*$/;
const MAX_NAME = 128;

interface Settings {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly subjectPrefix: string;
  readonly inboxPrefix: string;
  readonly limits: NatsLimits;
}

/**
 * Links over NATS. Addresses are `nats:<name>`; the name is letters, digits, `_`, `-` and dots between them, 128 at most, and belongs to
 * whoever listens on it first. Everybody who may use the same account of the server may listen, dial, and see what passes: who may do
 * what is for the handshake of the session to say, or for the permissions of the server.
 *
 * The package `@nats-io/transport-node` is loaded when the first link needs it, and not at all with a `connection`.
 * @throws {MetanodeError} config.invalid
 */
export function natsTransport(options: NatsTransportOptions): LinkTransport {
  return new NatsTransport(resolve(options));
}

function resolve(given: NatsTransportOptions): Settings {
  rejectUnknownKeys("nats", given, KEYS);
  const { servers, connection, clock = systemClock } = given;
  if ((servers === undefined) === (connection === undefined)) {
    throw coreError("config.invalid", "links over NATS need either nats.servers or nats.connection", {
      details: { path: "nats.servers" },
    });
  }
  if (servers !== undefined) for (const server of [servers].flat()) textOf("nats.servers", server);
  const heartbeatMs = intWithin("nats.heartbeatMs", given.heartbeatMs ?? 2_000, 10);
  const silenceMs = intWithin("nats.silenceMs", given.silenceMs ?? 10_000, 2 * heartbeatMs);
  return {
    bus: new Bus({ servers, connection, connectMs: silenceMs }),
    clock,
    subjectPrefix: tokens("nats.subjectPrefix", given.subjectPrefix ?? "metanode.link"),
    inboxPrefix: tokens("nats.inboxPrefix", given.inboxPrefix ?? "_INBOX"),
    limits: { heartbeatMs, silenceMs, windowBytes: intWithin("nats.windowBytes", given.windowBytes ?? 2 * 1024 * 1024, 4_096) },
  };
}

function tokens(path: string, value: string): string {
  if (TOKENS.test(value)) return value;
  throw coreError(
    "config.invalid",
    `${path} is ${JSON.stringify(value)}, expected letters, digits, _ and - in tokens with dots`,
    {
      details: { path },
    },
  );
}

/** @throws {MetanodeError} config.invalid */
function nameIn(address: LinkAddress): string {
  const name = address.startsWith(SCHEME) ? address.slice(SCHEME.length) : "";
  if (TOKENS.test(name) && name.length <= MAX_NAME) return name;
  throw coreError("config.invalid", `${JSON.stringify(address)} is no address of a node on NATS, which is nats:<name>`, {
    details: { address },
  });
}

class NatsTransport implements LinkTransport {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  async listen(address: LinkAddress, onChannel: (channel: Channel) => void): Promise<LinkServer> {
    const subject = acceptSubject(this.#settings, nameIn(address));
    const server = new NatsServer(this.#settings, address, onChannel);
    await server.open(subject);
    return server;
  }

  dial(address: LinkAddress): Channel {
    const { bus, clock, limits } = this.#settings;
    const channel = new NatsChannel({ bus, clock, limits, inbox: newInbox(this.#settings), peer: address });
    void (async () => {
      try {
        const subject = acceptSubject(this.#settings, nameIn(address));
        channel.ask(await bus.join(channel), subject, encodeGreeting(limits));
      } catch (error) {
        channel.lost(reasonOf(error));
      }
    })();
    return channel;
  }
}

function acceptSubject({ subjectPrefix }: Settings, name: string): string {
  return `${subjectPrefix}.${name}.accept`;
}

/** Nobody can guess it: whoever knows an inbox can send to it. */
function newInbox({ inboxPrefix }: Settings): string {
  return `${inboxPrefix}.${randomBytes(16).toString("hex")}`;
}

class NatsServer implements LinkServer, BusMember {
  readonly address: LinkAddress;
  readonly #settings: Settings;
  readonly #onChannel: (channel: Channel) => void;
  readonly #channels = new Set<NatsChannel>();
  #subscription: { unsubscribe(): void } | undefined;

  constructor(settings: Settings, address: LinkAddress, onChannel: (channel: Channel) => void) {
    this.#settings = settings;
    this.address = address;
    this.#onChannel = onChannel;
  }

  async open(subject: string): Promise<void> {
    const { bus } = this.#settings;
    const connection = await bus.join(this);
    try {
      if (await isTaken(connection, subject, this.#settings)) {
        throw coreError("node.port_in_use", `somebody on NATS listens on ${this.address} already`);
      }
      this.#subscription = connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null) this.#asked(connection, message);
        },
      });
      await connection.flush(); // from here on nobody who dials is missed
    } catch (error) {
      this.#subscription?.unsubscribe();
      await bus.leave(this);
      throw reasonOf(error);
    }
  }

  lost(): void {
    // The client subscribes again when it is connected again, and the channels have been told themselves.
  }

  refused(): void {
    // A server sends nothing but to those who asked.
  }

  async close(): Promise<void> {
    this.#subscription?.unsubscribe();
    const channels = [...this.#channels];
    for (const channel of channels) channel.close();
    await Promise.all(channels.map((channel) => channel.gone));
    await this.#settings.bus.leave(this);
  }

  /** Somebody dials; or, with nothing, wants to know whether the name is taken. */
  #asked(connection: NatsConnectionLike, { data, reply }: NatsMessage): void {
    if (reply === undefined) return;
    if (data.length === 0) {
      attempt(() => connection.publish(reply));
      return;
    }
    const { bus, clock, limits } = this.#settings;
    const inbox = newInbox(this.#settings);
    try {
      const greetings = { own: encodeGreeting(limits), peer: decodeGreeting(Buffer.from(data)) };
      const channel = new NatsChannel({ bus, clock, limits, inbox, peer: "the node that dialled", onConfirmed: this.#onChannel });
      this.#channels.add(channel);
      void channel.gone.then(() => this.#channels.delete(channel));
      bus.accompany(channel);
      channel.answer(connection, reply, greetings);
    } catch (error) {
      const body = encodeReason(reasonOf(error));
      attempt(() => connection.publish(reply, encodePacket({ kind: PACKET.end, sequence: 1, taken: 0, body })));
    }
  }
}

/** Answers that nobody can be given while the connection is broken; whoever asked asks again. */
function attempt(publish: () => void): void {
  try {
    publish();
  } catch {
    // the connection is closed
  }
}

/** Whether somebody listens on a subject. One who does not answer in time is taken for dead: the server notices that only after minutes. */
async function isTaken(connection: NatsConnectionLike, subject: string, settings: Settings): Promise<boolean> {
  const { clock, limits } = settings;
  const inbox = newInbox(settings);
  const answer = Promise.withResolvers<boolean>();
  const subscription = connection.subscribe(inbox, {
    callback: (error, message) => {
      if (error === null) answer.resolve(!isNobodyThere(message));
      else answer.reject(coreError("auth.denied", `NATS does not let this node receive on ${inbox}`, { cause: error }));
    },
  });
  const timer: Timer = clock.setTimer(limits.silenceMs, () => answer.resolve(false));
  try {
    connection.publish(subject, undefined, { reply: inbox });
    return await answer.promise;
  } finally {
    timer.cancel();
    subscription.unsubscribe();
  }
}
