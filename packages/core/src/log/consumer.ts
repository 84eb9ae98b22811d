import type { Clock, Timer } from "../clock.ts";
import { asMetanodeError } from "../errors.ts";
import type { Appendable, Committer, Saver } from "./committer.ts";
import { Attempt, type Settler } from "./delivery.ts";
import { Inlet } from "./inlet.ts";
import type { Consumer, ConsumerInfo, DeadLetter } from "./log.ts";
import type { ResolvedConsumerOptions } from "./options.ts";
import { decodeRecord, type StoredRecord } from "./record.ts";
import type { ConsumerRecord, ConsumerSave, HeldRecord, LogStore, NewDead } from "./store.ts";
import { type Held, WaitingRoom } from "./waiting.ts";

/**
 * The consumer of the embedded log: which message is delivered when, and what has to be remembered of it.
 *
 *  C1. Every message up to the cursor is settled, in flight, or waiting for another attempt; nothing else is remembered,
 *      so the state is bounded by `maxInFlight` and `maxWaiting`, however long one message takes.
 *  C2. A message leaves the state only by ack, as a dead letter (which is saved together with the state), by a purge,
 *      or because a by-limits stream no longer has it.
 *  C3. First attempts are made in stream order; ready further attempts go before them.
 *  C4. The map of what is in flight is ordered by the end of the ack wait, so one timer serves all.
 *  C5. A failed attempt is counted in the next save; before that, only a crash can forget it.
 */

const DEFAULT_RELEASE_MS = 100;
const DEFAULT_GRACE_MS = 10_000;
/** How long after a failed read the next is tried. */
const READ_RETRY_MS = 1_000;
/** A longer reason says nothing more to a reader, and dead letters should stay small. */
const MAX_REASON_LENGTH = 8_192;

/** What a consumer stands on. */
export interface ConsumerGround {
  readonly store: LogStore;
  readonly clock: Clock;
  readonly committer: Committer;
  readonly stream: Appendable;
  readonly options: ResolvedConsumerOptions;
  readonly onClosed: () => void;
}

/** See the top of the file. */
export class HostedConsumer implements Consumer, Saver, Settler {
  readonly name: string;
  readonly #id: number;
  readonly #ground: ConsumerGround;
  readonly #options: ResolvedConsumerOptions;
  readonly #clock: Clock;
  readonly #inlet: Inlet;
  readonly #waiting: WaitingRoom;
  readonly #inFlight = new Map<number, Attempt>();
  readonly #hold = new Map<number, Held | HeldRecord>();
  readonly #unhold = new Set<number>();
  #dead: NewDead[] = [];
  #cursor: number;
  #redelivered = 0;
  #state: "running" | "draining" | "closed" = "running";
  #isPumping = false;
  #isReadingHeld = false;
  #ackTimer: Timer | undefined;
  #retryTimer: Timer | undefined;
  #onDrained: (() => void) | undefined;
  #draining: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  /** Messages that were in flight when the consumer was last closed; none is new until they are under way again (C3). */
  #before = 0;

  constructor(ground: ConsumerGround, record: ConsumerRecord) {
    this.#ground = ground;
    this.#options = ground.options;
    this.#clock = ground.clock;
    this.name = ground.options.name;
    this.#id = record.id;
    this.#cursor = record.cursor;
    this.#inlet = new Inlet(
      (after, limit) => ground.store.read(ground.stream.id, after, limit, Math.floor(ground.clock.now())),
      record,
    );
    this.#waiting = new WaitingRoom(ground.clock, () => this.#pumpSoon());
    for (const sequence of record.open.toSorted((a, b) => a - b)) this.#waiting.addReady(heldOf(sequence));
    this.#before = record.open.length;
    for (const { sequence, failures, dueMs } of record.held)
      this.#resume({ ...heldOf(sequence), failures, dueMs, isStored: true });
    this.#pumpSoon();
  }

  info(): ConsumerInfo {
    return {
      name: this.name,
      pending: this.#inlet.pending(this.#cursor),
      unsettled: this.#inFlight.size + this.#waiting.size,
      redelivered: this.#redelivered,
    };
  }

  drain(options: { graceMs?: number } = {}): Promise<void> {
    this.#draining ??= this.#drain(options.graceMs ?? DEFAULT_GRACE_MS);
    return this.#draining;
  }

  async #drain(graceMs: number): Promise<void> {
    if (this.#state === "running") this.#state = "draining";
    if (this.#state === "draining" && this.#inFlight.size > 0) await this.#settledWithin(graceMs);
    await this.close();
  }

  #settledWithin(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(graceMs, resolve);
      this.#onDrained = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#state = "closed";
    this.#ackTimer?.cancel();
    this.#retryTimer?.cancel();
    this.#onDrained?.();
    // From here on only an ack counts, as after the ack wait, and only until the state is on its way: a handler that
    // fails because everything closes has not failed (L7).
    for (const attempt of this.#inFlight.values()) attempt.state = "expired";
    const { committer } = this.#ground;
    committer.touch(this, true);
    try {
      await committer.flush();
    } finally {
      // Not before: a save that failed is made anew from what is in flight and waiting.
      for (const { held } of this.#inFlight.values()) held.isDone = true;
      for (const held of this.#waiting.all()) held.isDone = true;
      committer.forget(this);
      this.#waiting.clear();
      this.#ground.onClosed();
    }
  }

  // -- What the stream tells --

  /** Records that were appended. */
  offer(records: readonly StoredRecord[]): void {
    this.#inlet.offer(records);
    this.#pump();
  }

  /** Everything before `sequence` is gone. */
  moveFirst(sequence: number): void {
    this.#inlet.moveFirst(sequence);
  }

  /** A dead letter was given back. */
  restore(sequence: number): void {
    if (this.#waiting.get(sequence) !== undefined || this.#inFlight.has(sequence)) return;
    this.#waiting.addReady({ ...heldOf(sequence), isStored: true });
    this.#pumpSoon();
  }

  /** Every message up to `lastSequence` was removed. */
  skipTo(lastSequence: number): void {
    for (const { held } of this.#inFlight.values()) this.#forget(held);
    for (const held of this.#waiting.all()) this.#forget(held);
    this.#inFlight.clear();
    this.#waiting.clear();
    this.#before = 0;
    this.#inlet.skipTo(lastSequence);
    this.#cursor = Math.max(this.#cursor, lastSequence);
    this.#changed(false);
  }

  // -- What deliveries tell --

  onAck(attempt: Attempt): void {
    const { held } = attempt;
    const { sequence } = held;
    const current = this.#inFlight.get(sequence);
    if (current?.held === held) {
      // A late ack settles the attempt that is under way by now as well.
      current.state = "settled";
      this.#inFlight.delete(sequence);
    } else {
      this.#waiting.delete(sequence);
    }
    attempt.state = "settled";
    this.#forget(held);
    this.#changed(false);
  }

  onNak(attempt: Attempt, options: { delayMs?: number; reason?: unknown } | undefined): void {
    this.#end(attempt, "settled");
    this.#fail(attempt.held, errorOf(options?.reason, "the handler failed and gave no reason"), options?.delayMs);
  }

  onTerm(attempt: Attempt, reason: unknown): void {
    this.#end(attempt, "settled");
    attempt.held.failures++;
    this.#bury(attempt.held, errorOf(reason, "the handler gave the message up and gave no reason"));
  }

  onRelease(attempt: Attempt, delayMs = DEFAULT_RELEASE_MS): void {
    this.#end(attempt, "settled");
    this.#wait(attempt.held, delayMs);
    this.#changed(false);
  }

  onProgress(attempt: Attempt): void {
    attempt.deadlineMs = this.#clock.now() + this.#options.ackWaitMs;
    this.#inFlight.delete(attempt.sequence);
    this.#inFlight.set(attempt.sequence, attempt);
  }

  #end(attempt: Attempt, state: "expired" | "settled"): void {
    attempt.state = state;
    this.#inFlight.delete(attempt.sequence);
  }

  /** Counts a failed attempt. Without `delayMs`, the next one comes after the backoff. */
  #fail(held: Held, error: DeadLetter["error"], delayMs?: number): void {
    held.failures++;
    if (held.failures >= this.#options.maxAttempts) {
      this.#bury(held, error);
      return;
    }
    const { backoffMs } = this.#options;
    held.error = error;
    held.isStored = true;
    this.#wait(held, delayMs ?? backoffMs[Math.min(held.failures, backoffMs.length) - 1] ?? 0);
    this.#hold.set(held.sequence, held);
    this.#changed(false);
  }

  #wait(held: Held, delayMs: number): void {
    held.record = undefined;
    held.dueMs = this.#clock.now() + Math.max(0, delayMs);
    this.#waiting.add(held);
  }

  #bury(held: Held, error: DeadLetter["error"]): void {
    const { record, sequence, failures } = held;
    if (record === undefined) return; // unreachable: only what is in flight fails, and that has its record
    this.#dead.push({ sequence, attempts: failures, error, atMs: Math.floor(this.#clock.now()), body: record });
    this.#forget(held);
    this.#changed(true);
  }

  #forget(held: Held): void {
    held.isDone = true;
    if (!held.isStored) return;
    this.#hold.delete(held.sequence);
    this.#unhold.add(held.sequence);
  }

  #changed(isUrgent: boolean): void {
    this.#ground.committer.touch(this, isUrgent);
    if (this.#inFlight.size === 0) this.#onDrained?.();
    this.#pump();
  }

  // -- Deliveries --

  #pumpSoon(): void {
    queueMicrotask(() => this.#pump());
  }

  /** Delivers what there is room for. A handler may settle at once, which comes back here: the loop goes on instead. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#state === "running" && this.#inFlight.size < this.#options.maxInFlight) {
      const held = this.#waiting.takeNext() ?? this.#takeNew();
      if (held === undefined) break;
      this.#deliver(held);
    }
    this.#isPumping = false;
    if (this.#state === "running") this.#refill();
  }

  #takeNew(): Held | undefined {
    if (this.#before > 0 || this.#waiting.size >= this.#options.maxWaiting) return undefined;
    const record = this.#inlet.take();
    if (record === undefined) return undefined;
    this.#cursor = record.sequence;
    return heldOf(record.sequence, record);
  }

  #deliver(held: Held): void {
    const { record } = held;
    if (record === undefined) return;
    if (held.wasDelivered || held.failures > 0) this.#redelivered++;
    else if (!held.isStored && this.#before > 0) this.#before--;
    held.wasDelivered = true;
    const deadlineMs = this.#clock.now() + this.#options.ackWaitMs;
    const attempt = new Attempt(this, held, decodeRecord(record), deadlineMs);
    this.#inFlight.set(held.sequence, attempt);
    if (this.#ackTimer === undefined) this.#watch(deadlineMs);
    try {
      this.#options.onDelivery(attempt);
    } catch (thrown) {
      attempt.nak({ reason: thrown }); // "must not throw", but one that does must not stop the others
    }
  }

  #watch(deadlineMs: number): void {
    this.#ackTimer = this.#clock.setTimer(deadlineMs - this.#clock.now(), () => this.#expire());
  }

  /** Ends the attempts whose ack wait is over; the map is in the order of their deadlines (C4). */
  #expire(): void {
    this.#ackTimer = undefined;
    if (this.#state === "closed") return;
    const nowMs = this.#clock.now();
    const expired: Attempt[] = [];
    for (const attempt of this.#inFlight.values()) {
      if (attempt.deadlineMs > nowMs) {
        this.#watch(attempt.deadlineMs);
        break;
      }
      expired.push(attempt);
    }
    const message = `nobody settled the delivery within ${this.#options.ackWaitMs} ms`;
    for (const attempt of expired) {
      // Failing one lets further deliveries begin, whose handlers may settle the next of these.
      if (attempt.state !== "open") continue;
      this.#end(attempt, "expired");
      this.#fail(attempt.held, { code: "call.deadline", message }, 0);
    }
  }

  #refill(): void {
    this.#readHeld();
    if (!this.#inlet.isLow) return;
    this.#inlet.read().then(
      () => this.#pump(),
      () => this.#retryReads(),
    );
  }

  /** Reads the records of ready messages, as many as there is room for. */
  #readHeld(): void {
    if (this.#isReadingHeld) return;
    const wanted = this.#waiting.unread(this.#options.maxInFlight - this.#inFlight.size);
    if (wanted.length === 0) return;
    this.#isReadingHeld = true;
    const sequences = wanted.map((held) => held.sequence);
    this.#ground.store.readHeld(this.#id, sequences).then(
      (records) => {
        this.#isReadingHeld = false;
        this.#onHeld(wanted, records);
      },
      () => {
        this.#isReadingHeld = false;
        this.#retryReads();
      },
    );
  }

  #onHeld(wanted: readonly Held[], records: readonly StoredRecord[]): void {
    const found = new Map(records.map((record) => [record.sequence, record]));
    for (const held of wanted) {
      if (this.#waiting.get(held.sequence) !== held) continue; // acked late, or purged
      held.record = found.get(held.sequence);
      if (held.record !== undefined) continue;
      this.#waiting.delete(held.sequence); // only a by-limits stream loses what is waited for (C2)
      if (!held.wasDelivered && !held.isStored) this.#before--;
      this.#forget(held);
      this.#ground.committer.touch(this, false);
    }
    this.#pump();
  }

  /** The storage fails: the committer reports it, reading only waits for better days. */
  #retryReads(): void {
    if (this.#state === "closed") return;
    this.#retryTimer?.cancel();
    this.#retryTimer = this.#clock.setTimer(READ_RETRY_MS, () => this.#pump());
  }

  /** Takes up what failed before this consumer was opened: at its time, if that is still to come. */
  #resume(held: Held): void {
    if (held.dueMs > this.#clock.now()) this.#waiting.add(held);
    else this.#waiting.addReady(held);
  }

  // -- State --

  takeSave(): ConsumerSave {
    const open: number[] = [];
    for (const { held } of this.#inFlight.values()) if (!held.isStored) open.push(held.sequence);
    for (const held of this.#waiting.all()) if (!held.isStored) open.push(held.sequence);
    const save: ConsumerSave = {
      consumer: this.#id,
      cursor: this.#cursor,
      open,
      hold: [...this.#hold.values()].map(({ sequence, failures, dueMs }) => ({ sequence, failures, dueMs })),
      unhold: [...this.#unhold],
      dead: this.#dead,
    };
    this.#hold.clear();
    this.#unhold.clear();
    this.#dead = [];
    return save;
  }

  restoreSave(save: ConsumerSave): void {
    for (const record of save.hold) {
      const { sequence } = record;
      if (!this.#hold.has(sequence) && !this.#unhold.has(sequence)) this.#hold.set(sequence, record);
    }
    for (const sequence of save.unhold) if (!this.#hold.has(sequence)) this.#unhold.add(sequence);
    this.#dead = [...save.dead, ...this.#dead];
  }
}

function heldOf(sequence: number, record?: StoredRecord): Held {
  return {
    sequence,
    failures: 0,
    error: undefined,
    isStored: false,
    wasDelivered: false,
    dueMs: 0,
    record,
    isDone: false,
  };
}

function errorOf(reason: unknown, otherwise: string): DeadLetter["error"] {
  if (reason === undefined) return { code: "processor.failed", message: otherwise };
  const { code, message } = asMetanodeError(reason, "processor.failed");
  return { code, message: message.slice(0, MAX_REASON_LENGTH) };
}
