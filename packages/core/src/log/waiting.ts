import { type Clock, DeadlineQueue, Expiring } from "../clock.ts";
import type { DeadLetter } from "./log.ts";
import type { StoredRecord } from "./record.ts";

/** One message that a consumer has taken on and not settled, over all its attempts. */
export interface Held {
  readonly sequence: number;
  /** Attempts that failed. */
  failures: number;
  /** Why the last one did. */
  error: DeadLetter["error"] | undefined;
  /** Whether the store holds (or is about to hold) its failures; else it is only known as open. */
  isStored: boolean;
  /** Whether this consumer, since it was opened, has delivered it. */
  wasDelivered: boolean;
  dueMs: number;
  /** Read anew for each further attempt. */
  record: StoredRecord | undefined;
  /** Nothing that a delivery says counts any more. */
  isDone: boolean;
}

class Alarm extends Expiring {
  readonly #room: WaitingRoom;
  readonly held: Held;

  constructor(room: WaitingRoom, held: Held) {
    super();
    this.#room = room;
    this.held = held;
  }

  expire(): void {
    this.#room.wake(this);
  }
}

/** Messages that wait for another attempt: first for their time, then, in the order of it, for their turn. */
export class WaitingRoom {
  readonly #alarms = new Map<number, Alarm>();
  readonly #ready = new Map<number, Held>();
  readonly #deadlines: DeadlineQueue;
  readonly #onReady: () => void;

  constructor(clock: Clock, onReady: () => void) {
    this.#deadlines = new DeadlineQueue(clock);
    this.#onReady = onReady;
  }

  get size(): number {
    return this.#alarms.size + this.#ready.size;
  }

  /** Makes it ready at its `dueMs`, never before this call returns. */
  add(held: Held): void {
    const alarm = new Alarm(this, held);
    this.#alarms.set(held.sequence, alarm);
    this.#deadlines.add(alarm, held.dueMs);
  }

  /** Makes it ready now; the caller sees to its turn. */
  addReady(held: Held): void {
    this.#ready.set(held.sequence, held);
  }

  wake(alarm: Alarm): void {
    this.#alarms.delete(alarm.held.sequence);
    this.#ready.set(alarm.held.sequence, alarm.held);
    this.#onReady();
  }

  get(sequence: number): Held | undefined {
    return this.#ready.get(sequence) ?? this.#alarms.get(sequence)?.held;
  }

  delete(sequence: number): void {
    this.#ready.delete(sequence);
    const alarm = this.#alarms.get(sequence);
    if (alarm === undefined) return;
    this.#alarms.delete(sequence);
    DeadlineQueue.remove(alarm);
  }

  /** Takes the next ready one, if it has been read. */
  takeNext(): Held | undefined {
    for (const held of this.#ready.values()) {
      if (held.record === undefined) return undefined;
      this.#ready.delete(held.sequence);
      return held;
    }
    return undefined;
  }

  /** The first ready ones that are still to be read. */
  unread(limit: number): Held[] {
    const found: Held[] = [];
    if (this.#ready.size === 0) return found;
    for (const held of this.#ready.values()) {
      if (found.length >= limit) break;
      if (held.record === undefined) found.push(held);
    }
    return found;
  }

  /** All of them, ready ones first. */
  *all(): Iterable<Held> {
    yield* this.#ready.values();
    for (const alarm of this.#alarms.values()) yield alarm.held;
  }

  /** Forgets all of them and stops their timers. */
  clear(): void {
    for (const alarm of this.#alarms.values()) DeadlineQueue.remove(alarm);
    this.#alarms.clear();
    this.#ready.clear();
  }
}
