import type { Clock, Timer } from "../clock.ts";
import { asMetanodeError } from "../errors.ts";
import { DEFAULT_MAX_MESSAGE_BYTES } from "../link/session.ts";
import type { Consumer, Delivery, Log, LogStream } from "../log/log.ts";
import type { Message } from "../message/message.ts";
import type { Accepted, RouteInfo, Router } from "../router/router.ts";

/*
 * Durable sends: accepted into the log, then dispatched until handled.
 *
 * D1. A message is acked only after its member has answered.
 * D2. What never reached a handler is put back without counting an attempt; what failed in a handler is tried again
 *     with backoff, and after `maxAttempts` it is a dead letter.
 * D3. For an ordered type, a message waits until the earlier ones of its subject are handled or dead letters.
 */

export interface DurableOptions {
  /** How long one attempt may take, waiting for a free process included. @default 30_000 */
  timeoutMs?: number;
  /** Attempts before a message becomes a dead letter. @default 10 */
  maxAttempts?: number;
  /** Delay before attempt n + 1 is backoffMs[n - 1], the last one repeating. @default [100, 500, 2_000, 10_000, 30_000] */
  backoffMs?: readonly number[];
  /** Messages of one type that are being handled at a time. @default 256 */
  maxInFlight?: number;
  /** Largest message, attributes and payload; more is refused before it is stored. @default the node's */
  maxMessageBytes?: number;
}

/** One stream of the log per message type, so that types never wait for each other. */
const STREAM_PREFIX = "send.";
const CONSUMER = "dispatch";
/** Until the next look whether a message that could not be dispatched now can be. */
const NOT_NOW_MS = 250;
/** Room between the end of an attempt and the log's own judgement that nobody works on it any more. */
const ACK_MARGIN_MS = 15_000;

interface Lane {
  readonly waiting: Delivery[];
  /** The sequence that the lane waits for: being handled, or failed and to be delivered again. */
  at: number | undefined;
}

interface Channel {
  readonly stream: LogStream;
  consumer: Consumer | undefined;
  readonly lanes: Map<string, Lane>;
}

export class DurableDispatch {
  readonly #log: Log;
  readonly #router: Router;
  readonly #clock: Clock;
  readonly #options: Required<DurableOptions>;
  readonly #channels = new Map<string, Promise<Channel>>();
  #closing = false;
  #refreshing: Timer | undefined;

  constructor(log: Log, router: Router, clock: Clock, options: DurableOptions = {}) {
    this.#log = log;
    this.#router = router;
    this.#clock = clock;
    this.#options = {
      timeoutMs: options.timeoutMs ?? 30_000,
      maxAttempts: options.maxAttempts ?? 10,
      backoffMs: options.backoffMs ?? [100, 500, 2_000, 10_000, 30_000],
      maxInFlight: options.maxInFlight ?? 256,
      maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
    };
  }

  /** Goes on with what an earlier life of the node accepted. */
  async start(): Promise<void> {
    for (const name of await this.#log.streams()) {
      if (name.startsWith(STREAM_PREFIX)) await this.#channel(name.slice(STREAM_PREFIX.length));
    }
  }

  /** Stores a message; it is dispatched from the log, in this life of the node or a later one. */
  async accept(message: Message): Promise<Accepted> {
    const { stream } = await this.#channel(message.type);
    const { sequence, duplicate } = await stream.append(message);
    return { id: message.id, sequence, duplicate };
  }

  /** Messages accepted and not yet handled, by type. */
  async backlog(): Promise<Record<string, number>> {
    const backlog: Record<string, number> = {};
    for (const [type, channel] of this.#channels) {
      const { consumer } = await channel;
      const info = consumer?.info();
      backlog[type] = (info?.pending ?? 0) + (info?.unsettled ?? 0);
    }
    return backlog;
  }

  /** Takes no more deliveries; finishes those under way for at most `graceMs`, then gives the rest back to the log. */
  async drain(graceMs: number): Promise<void> {
    this.#closing = true;
    this.#refreshing?.cancel();
    const channels = await Promise.all(this.#channels.values());
    await Promise.all(channels.map(({ consumer }) => consumer?.drain({ graceMs })));
  }

  #channel(type: string): Promise<Channel> {
    let channel = this.#channels.get(type);
    if (channel === undefined) {
      channel = this.#open(type);
      this.#channels.set(type, channel);
      // A failure to open is told to whoever asked; the next one tries again.
      channel.catch(() => this.#channels.delete(type));
    }
    return channel;
  }

  async #open(type: string): Promise<Channel> {
    const stream = await this.#log.stream(STREAM_PREFIX + type, {
      keep: "until-consumed",
      maxMessageBytes: this.#options.maxMessageBytes,
    });
    const channel: Channel = { stream, consumer: undefined, lanes: new Map() };
    channel.consumer = await stream.consume({
      name: CONSUMER,
      maxInFlight: this.#options.maxInFlight,
      maxAttempts: this.#options.maxAttempts,
      backoffMs: this.#options.backoffMs,
      ackWaitMs: this.#options.timeoutMs + ACK_MARGIN_MS,
      onDelivery: (delivery) => this.#deliver(channel, delivery),
    });
    return channel;
  }

  #deliver(channel: Channel, delivery: Delivery): void {
    let route: RouteInfo;
    try {
      route = this.#router.resolve(delivery.message);
    } catch {
      delivery.release(NOT_NOW_MS); // its processor is not here (yet): the message waits
      return;
    }
    const { subject } = delivery.message;
    if (!route.ordered || subject === undefined) {
      void this.#handle(route, delivery);
      return;
    }
    const lane = channel.lanes.get(subject) ?? { waiting: [], at: undefined };
    channel.lanes.set(subject, lane);
    if (lane.at === undefined || lane.at === delivery.sequence) void this.#handleInLane(channel, subject, delivery);
    else {
      lane.waiting.push(delivery);
      this.#refreshing ??= this.#refreshLater();
    }
  }

  /** Waiting for one's turn is no failure: the log is told in good time that these are being worked on. */
  #refreshLater(): Timer {
    return this.#clock.setTimer(ACK_MARGIN_MS, () => {
      this.#refreshing = undefined;
      void this.#refresh();
    });
  }

  async #refresh(): Promise<void> {
    let isWaiting = false;
    for (const channel of await Promise.all(this.#channels.values())) {
      for (const { waiting } of channel.lanes.values()) {
        for (const delivery of waiting) delivery.inProgress();
        isWaiting ||= waiting.length > 0;
      }
    }
    if (isWaiting && !this.#closing) this.#refreshing ??= this.#refreshLater();
  }

  async #handleInLane(channel: Channel, subject: string, first: Delivery): Promise<void> {
    const lane = channel.lanes.get(subject);
    if (lane === undefined) return;
    let delivery: Delivery | undefined = first;
    while (delivery !== undefined) {
      lane.at = delivery.sequence;
      let isDone = false;
      try {
        isDone = await this.#handle(this.#router.resolve(delivery.message), delivery);
      } catch {
        delivery.release(NOT_NOW_MS);
      }
      if (!isDone) return; // the same message comes again, and the lane waits for it
      delivery = lane.waiting.shift();
    }
    channel.lanes.delete(subject);
  }

  /** One attempt. True when the message is settled for good. */
  async #handle(route: RouteInfo, delivery: Delivery): Promise<boolean> {
    const { message, attempt } = delivery;
    const version = message.typeversion ?? (route.version === "1" ? undefined : route.version);
    try {
      const deadlineMs = this.#clock.now() + this.#options.timeoutMs;
      await this.#router.dispatch(route, { ...message, typeversion: version, deadline: deadlineMs }, { deadlineMs, attempt });
      delivery.ack();
      return true;
    } catch (error) {
      return this.#failed(delivery, error);
    }
  }

  #failed(delivery: Delivery, error: unknown): boolean {
    const { code, details, retryAfterMs } = asMetanodeError(error, "processor.failed");
    const neverDispatched = details?.dispatched === false || code === "call.resource_exhausted" || code === "node.maintenance";
    if (this.#closing || neverDispatched) {
      delivery.release(Math.min(retryAfterMs ?? NOT_NOW_MS, NOT_NOW_MS));
      return false;
    }
    // No later attempt can mend these: the message itself is wrong for its type.
    if (code === "message.schema" || code === "message.too_large" || code === "message.invalid") {
      delivery.term(error);
      return true;
    }
    delivery.nak({ reason: error });
    return delivery.attempt >= this.#options.maxAttempts;
  }
}
