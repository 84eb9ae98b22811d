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

/** What is known of one subject of an ordered type. */
interface Lane {
  /**
   * Messages that are not settled, oldest first, by sequence. Those without a delivery are in the log's hands (failed,
   * or put back) and will be delivered again.
   */
  readonly entries: Map<number, Delivery | undefined>;
  isBusy: boolean;
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
    const { subject } = delivery.message;
    let route: RouteInfo;
    try {
      route = this.#router.resolve(delivery.message);
    } catch {
      // Its processor is not here (yet): the message waits, and keeps its place should the type turn out to be ordered.
      if (subject !== undefined) laneOf(channel, subject).entries.set(delivery.sequence, undefined);
      delivery.release(NOT_NOW_MS);
      return;
    }
    if (!route.ordered || subject === undefined) {
      if (subject !== undefined) forgetPlace(channel, subject, delivery.sequence);
      void this.#handle(route, delivery);
      return;
    }
    const lane = laneOf(channel, subject);
    lane.entries.set(delivery.sequence, delivery);
    if (lane.isBusy) this.#refreshing ??= this.#refreshLater();
    else void this.#runLane(channel, subject, lane);
  }

  /**
   * Waiting for one's turn is no failure: the log is told in good time that these are being worked on. And a message whose
   * turn it is may be gone, because somebody purged the stream: nobody must wait for it.
   */
  #refreshLater(): Timer {
    return this.#clock.setTimer(ACK_MARGIN_MS, () => {
      this.#refreshing = undefined;
      void this.#refresh();
    });
  }

  async #refresh(): Promise<void> {
    let isWaiting = false;
    for (const channel of await Promise.all(this.#channels.values())) {
      if (channel.lanes.size === 0) continue;
      const { firstSequence, lastSequence, messages } = await channel.stream.info();
      const kept = messages === 0 ? lastSequence + 1 : firstSequence;
      for (const [subject, { entries, isBusy }] of channel.lanes) {
        for (const [sequence, delivery] of entries) {
          if (delivery === undefined && sequence < kept) entries.delete(sequence);
          else delivery?.inProgress();
        }
        if (entries.size === 0 && !isBusy) channel.lanes.delete(subject);
        isWaiting ||= entries.size > 0;
      }
    }
    if (isWaiting && !this.#closing) this.#refreshing ??= this.#refreshLater();
  }

  /** Handles what is there of a lane, in order, until it is empty or its oldest message has to come again first (D3). */
  async #runLane(channel: Channel, subject: string, lane: Lane): Promise<void> {
    lane.isBusy = true;
    for (let head = first(lane); head !== undefined; head = first(lane)) {
      const [sequence, delivery] = head;
      if (delivery === undefined) break;
      if (await this.#handleHead(delivery)) lane.entries.delete(sequence);
      else if (lane.entries.get(sequence) === delivery) lane.entries.set(sequence, undefined);
    }
    lane.isBusy = false;
    if (lane.entries.size === 0) channel.lanes.delete(subject);
    else {
      putBack(lane);
      this.#refreshing ??= this.#refreshLater();
    }
  }

  async #handleHead(delivery: Delivery): Promise<boolean> {
    try {
      return await this.#handle(this.#router.resolve(delivery.message), delivery);
    } catch {
      delivery.release(NOT_NOW_MS);
      return false;
    }
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

function laneOf(channel: Channel, subject: string): Lane {
  const lane = channel.lanes.get(subject) ?? { entries: new Map(), isBusy: false };
  channel.lanes.set(subject, lane);
  return lane;
}

function first(lane: Lane): [number, Delivery | undefined] | undefined {
  for (const entry of lane.entries) return entry;
  return undefined;
}

/** Whatever waits behind a message that has to come again goes back as well: held, it would take that one's place in flight. */
function putBack(lane: Lane): void {
  for (const [sequence, delivery] of lane.entries) {
    delivery?.release(NOT_NOW_MS);
    lane.entries.set(sequence, undefined);
  }
}

function forgetPlace(channel: Channel, subject: string, sequence: number): void {
  const lane = channel.lanes.get(subject);
  lane?.entries.delete(sequence);
  if (lane?.entries.size === 0 && !lane.isBusy) channel.lanes.delete(subject);
}
