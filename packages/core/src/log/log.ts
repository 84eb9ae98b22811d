import type { Message } from "../message/message.ts";

/**
 * The log: append-only streams of messages with named durable consumers. Delivery is at least once.
 *
 * Promises that every implementation keeps (the conformance suite in `@metanode/core/testing` has a test for each):
 *  L1. When `append` resolves, the messages are stored durably; when it rejects, none of that call is.
 *  L2. A stream keeps the order of appends; its sequence numbers grow and are never used twice.
 *  L3. A message whose dedup key was appended to the stream within the window is not stored again; the result says so
 *      and carries the sequence of the first.
 *  L4. Every message a consumer is responsible for is delivered until it is acked, terminated or dead-lettered, over
 *      any number of restarts. An attempt that nobody settled within `ackWaitMs` counts and is delivered again.
 *      Acks and failed attempts are stored in groups, shortly after they are given: the crash of a whole node may
 *      forget the last of them, so that a message comes again or with a lower attempt, but never loses a message.
 *  L5. `nak` delivers again after its delay, else after the consumer's backoff; never at once by default.
 *  L6. After `maxAttempts` the message becomes a dead letter, with the last reason. It is never dropped silently.
 *  L7. Closing a consumer or the log releases what is in flight: no attempt is counted as failed for it.
 *  L8. Retention never removes a message that a consumer of a `keep: "until-consumed"` stream still needs. In a
 *      `by-limits` stream it may: a message that is gone is no longer delivered, nor delivered again.
 */
export interface Log extends AsyncDisposable {
  /**
   * Opens a stream, creating it on first use. Options given later replace all earlier ones; without options, those of
   * the last time stay, also over restarts.
   * @throws {MetanodeError} config.invalid – name or option out of range; log.storage, node.closed.
   */
  stream(name: string, options?: StreamOptions): Promise<LogStream>;
  /** The names of all streams, sorted. */
  streams(): Promise<string[]>;
  /** The messages that were given up on. */
  readonly deadLetters: DeadLetters;
  /** Ends all consumers (L7) and waits for appends under way. Idempotent. */
  close(): Promise<void>;
}

export interface StreamOptions {
  /**
   * `until-consumed`: a message stays until every consumer is done with it, and a full stream refuses appends. A
   * stream that has no consumer yet keeps everything.
   * `by-limits`: a full stream drops its oldest messages.
   * @default "until-consumed"
   */
  keep?: "until-consumed" | "by-limits";
  /** Messages older than this are removed, as far as L8 lets them. 0 keeps them for ever. @default 604_800_000 (7 days) for by-limits, else 0 */
  maxAgeMs?: number;
  /** Bytes held, attributes and payloads, before the stream counts as full. @default 8 GiB */
  maxBytes?: number;
  /** Messages held before the stream counts as full. @default 50_000_000 */
  maxMessages?: number;
  /** How long a dedup key is remembered, in milliseconds; 0 remembers none. @default 120_000, as in JetStream */
  dedupWindowMs?: number;
  /** Largest message, attributes and payload, in bytes. @default 8 MiB, the most that NATS advises */
  maxMessageBytes?: number;
}

export interface Appended {
  /** Position in the stream. */
  readonly sequence: number;
  /** Whether the message was there already (L3). */
  readonly duplicate: boolean;
}

export interface StreamInfo {
  readonly name: string;
  readonly messages: number;
  readonly bytes: number;
  /** 0 when the stream is empty and never had a message. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly consumers: readonly ConsumerInfo[];
}

export interface ConsumerInfo {
  readonly name: string;
  /** Appended and not yet delivered. */
  readonly pending: number;
  /** Delivered and not yet settled, or waiting for another attempt. */
  readonly unsettled: number;
  /** Deliveries beyond the first since the consumer was opened. */
  readonly redelivered: number;
}

export interface LogStream {
  readonly name: string;
  /**
   * Stores one message, or several in their order and all or none (L1). Concurrent appends are committed together.
   * @throws {MetanodeError} log.full, log.storage, node.closed, message.too_large, message.invalid
   */
  append(message: Message): Promise<Appended>;
  append(messages: readonly Message[]): Promise<Appended[]>;
  /** Messages from a position on, in order, at most `limit`; for people and for replays. */
  read(fromSequence: number, limit: number): Promise<Stored[]>;
  /**
   * Opens a named durable consumer, creating it on first use.
   * @throws {MetanodeError} state.conflict – one of that name is open; config.invalid, log.storage, node.closed.
   */
  consume(options: ConsumerOptions): Promise<Consumer>;
  /** Closes a consumer and forgets its position. Its dead letters stay. @throws {MetanodeError} resource.not_found */
  removeConsumer(name: string): Promise<void>;
  /** Removes every message; consumers move past them, also past those in flight. Returns how many. Dead letters stay. */
  purge(): Promise<number>;
  info(): Promise<StreamInfo>;
}

export interface Stored {
  readonly sequence: number;
  /** When it was appended, in milliseconds since the Unix epoch. */
  readonly storedAtMs: number;
  readonly message: Message;
}

export interface ConsumerOptions {
  /** Durable: position and attempts survive restarts under this name. */
  name: string;
  /** Called for each delivery, in stream order for first attempts; must not throw. Settle the delivery once. */
  onDelivery: (delivery: Delivery) => void;
  /** Where a new consumer begins. @default "first" */
  from?: "first" | "new";
  /** Deliveries that may be unsettled at a time. @default 256 */
  maxInFlight?: number;
  /**
   * Messages that may wait for another attempt at a time; while that many wait, no further message gets its first
   * attempt. It bounds what failing handlers can pile up. @default 10_000
   */
  maxWaiting?: number;
  /** How long a delivery may stay unsettled before it counts as a failed attempt and comes again at once. @default 30_000 */
  ackWaitMs?: number;
  /** Attempts before a message becomes a dead letter. @default 10 */
  maxAttempts?: number;
  /** Delay before attempt n + 1 is backoffMs[n - 1], the last one repeating. @default [100, 500, 2_000, 10_000, 30_000] */
  backoffMs?: readonly number[];
}

export interface Consumer {
  readonly name: string;
  info(): ConsumerInfo;
  /** Stops deliveries; resolves when what is in flight is settled or `graceMs` (default 10_000) is over, then closes. */
  drain(options?: { graceMs?: number }): Promise<void>;
  /** Stops now and releases what is in flight (L7). Idempotent. */
  close(): Promise<void>;
}

/**
 * One attempt at one message. The first call of `ack`, `nak`, `term`, `release` settles it; later ones do nothing. After
 * the ack wait only `ack` still counts; after the consumer was closed nothing does.
 */
export interface Delivery {
  readonly message: Message;
  readonly sequence: number;
  /** 1 for the first. */
  readonly attempt: number;
  /** Done: never again. */
  ack(): void;
  /** Failed: again after `delayMs`, or after the consumer's backoff. The reason is kept for the dead letter. */
  nak(options?: { delayMs?: number; reason?: unknown }): void;
  /** Hopeless: a dead letter at once. */
  term(reason: unknown): void;
  /** Not an attempt: put back without counting, delivered again after `delayMs` (default 100). For a closing handler. */
  release(delayMs?: number): void;
  /** Still working: the ack wait begins anew. */
  inProgress(): void;
}

/** Why a message was given up on, and what it was. */
export interface DeadLetter {
  readonly id: string;
  readonly stream: string;
  readonly consumer: string;
  readonly sequence: number;
  readonly attempts: number;
  /** The last reason as a wire error. */
  readonly error: { readonly code: string; readonly message: string };
  readonly atMs: number;
  readonly message: Message;
  /** Whether the message was changed since it was given up on. */
  readonly edited: boolean;
}

export interface DeadLetters {
  /** Oldest first, at most `limit` (default 100, at most 1_000). `cursor` is what the last page returned. */
  list(options?: {
    stream?: string;
    consumer?: string;
    limit?: number;
    cursor?: string;
  }): Promise<{ items: DeadLetter[]; next: string | undefined }>;
  count(): Promise<number>;
  /** @throws {MetanodeError} resource.not_found */
  get(id: string): Promise<DeadLetter>;
  /** Replaces payload or attributes; the id of the message stays. @throws {MetanodeError} resource.not_found, message.invalid */
  edit(id: string, change: Partial<Message>): Promise<DeadLetter>;
  /**
   * Gives the message back to the consumer that gave up on it, with its attempts at 0, and removes the dead letter:
   * both or neither. Only that consumer sees it again.
   * @throws {MetanodeError} resource.not_found – no such dead letter, or its consumer was removed.
   */
  replay(id: string): Promise<void>;
  /** Forgets the message for good. @throws {MetanodeError} resource.not_found */
  drop(id: string): Promise<void>;
}
