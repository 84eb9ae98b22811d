import type { Clock } from "../clock.ts";
import { coreError } from "../errors.ts";
import type { Message } from "../message/message.ts";
import { intWithin } from "../options.ts";
import type { Appendable, Committer } from "./committer.ts";
import { HostedConsumer } from "./consumer.ts";
import type { Appended, Consumer, ConsumerInfo, ConsumerOptions, LogStream, Stored, StreamInfo } from "./log.ts";
import { checkName, type ResolvedStreamOptions, resolveConsumerOptions } from "./options.ts";
import { decodeRecord, encodeRecord, type NewRecord, type StoredRecord } from "./record.ts";
import type { LogStore, StreamRecord } from "./store.ts";

/** Records of one read by a person or a replay. */
const MAX_READ = 10_000;

/** What a stream stands on. */
export interface StreamGround {
  readonly store: LogStore;
  readonly clock: Clock;
  readonly committer: Committer;
  /** @throws {MetanodeError} node.closed */
  assertOpen(): void;
}

/** A name under which a consumer is open or being opened. */
interface Seat {
  consumer: HostedConsumer | undefined;
  id: number | undefined;
}

/** A stream of the embedded log, with the consumers that are open on it. */
export class HostedStream implements LogStream, Appendable {
  readonly name: string;
  readonly id: number;
  readonly #ground: StreamGround;
  #options: ResolvedStreamOptions;
  readonly #seats = new Map<string, Seat>();
  /** Of `#seats`, what is open: appends go through it. */
  #open: HostedConsumer[] = [];
  /** The last sequence that was heard of: an append may be heard of while a consumer is being opened. */
  #lastSequence = 0;

  constructor(name: string, record: StreamRecord, ground: StreamGround) {
    this.name = name;
    this.id = record.id;
    this.#options = record.options;
    this.#ground = ground;
  }

  setOptions(options: ResolvedStreamOptions): void {
    this.#options = options;
  }

  append(message: Message): Promise<Appended>;
  append(messages: readonly Message[]): Promise<Appended[]>;
  append(given: Message | readonly Message[]): Promise<Appended | Appended[]> {
    try {
      this.#ground.assertOpen();
      if (isList(given)) {
        if (given.length === 0) return Promise.resolve([]);
        return this.#ground.committer.append(
          this,
          given.map((message) => this.#encode(message)),
        );
      }
      return this.#ground.committer.appendOne(this, this.#encode(given));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #encode(message: Message): NewRecord {
    const record = encodeRecord(message);
    const limitBytes = Math.min(this.#options.maxMessageBytes, this.#options.maxBytes);
    if (record.bytes > limitBytes) {
      throw coreError(
        "message.too_large",
        `message ${message.id} has ${record.bytes} bytes, stream ${this.name} takes ${limitBytes}; send a reference to the payload, or raise maxMessageBytes`,
        { details: { id: message.id, bytes: record.bytes, limitBytes } },
      );
    }
    return record;
  }

  async read(fromSequence: number, limit: number): Promise<Stored[]> {
    this.#ground.assertOpen();
    let after = intWithin("read.fromSequence", fromSequence, 0) - 1;
    const wanted = intWithin("read.limit", limit, 1, MAX_READ);
    const found: Stored[] = [];
    while (found.length < wanted) {
      const page = await this.#ground.store.read(this.id, after, wanted - found.length, this.#nowMs());
      for (const record of page.records) found.push(toStored(record));
      if (page.records.length === 0) break;
      after = page.throughSequence;
    }
    return found;
  }

  async consume(given: ConsumerOptions): Promise<Consumer> {
    const options = resolveConsumerOptions(given);
    this.#ground.assertOpen();
    if (this.#seats.has(options.name)) {
      throw coreError("state.conflict", `consumer ${options.name} of stream ${this.name} is open already; close it first`, {
        details: { stream: this.name, consumer: options.name },
      });
    }
    const seat: Seat = { consumer: undefined, id: undefined };
    this.#seats.set(options.name, seat);
    try {
      const { store, clock, committer } = this.#ground;
      const record = await store.openConsumer(this.id, options.name, options.from, this.#nowMs());
      this.#ground.assertOpen();
      const onClosed = (): void => this.#leave(options.name, seat);
      const consumer = new HostedConsumer(
        { store, clock, committer, stream: this, options, onClosed },
        {
          ...record,
          lastSequence: Math.max(record.lastSequence, this.#lastSequence),
        },
      );
      seat.id = record.id;
      seat.consumer = consumer;
      this.#open.push(consumer);
      return consumer;
    } catch (error) {
      this.#leave(options.name, seat);
      throw error;
    }
  }

  #leave(name: string, seat: Seat): void {
    if (this.#seats.get(name) === seat) this.#seats.delete(name);
    this.#open = this.#open.filter((consumer) => consumer !== seat.consumer);
  }

  async removeConsumer(name: string): Promise<void> {
    this.#ground.assertOpen();
    checkName("consumer.name", name);
    const seat = this.#seats.get(name);
    if (seat !== undefined && seat.consumer === undefined) {
      throw coreError("state.conflict", `consumer ${name} of stream ${this.name} is being opened; remove it when that is done`, {
        details: { stream: this.name, consumer: name },
      });
    }
    await seat?.consumer?.close();
    if (await this.#ground.store.removeConsumer(this.id, name)) return;
    throw coreError("resource.not_found", `stream ${this.name} has no consumer ${name}`, {
      details: { stream: this.name, consumer: name },
    });
  }

  async purge(): Promise<number> {
    this.#ground.assertOpen();
    const { removed, lastSequence } = await this.#ground.store.purge(this.id);
    for (const consumer of this.#open) consumer.skipTo(lastSequence);
    return removed;
  }

  async info(): Promise<StreamInfo> {
    this.#ground.assertOpen();
    await this.#ground.committer.flush();
    const { consumers, ...stats } = await this.#ground.store.streamStats(this.id, this.#nowMs());
    const infos = consumers.map((stored): ConsumerInfo => {
      return this.#seats.get(stored.name)?.consumer?.info() ?? { ...stored, redelivered: 0 };
    });
    return { name: this.name, ...stats, consumers: infos };
  }

  /** Closes the consumers that are open; rejects if the state of one could not be saved. */
  async close(): Promise<void> {
    const closed = await Promise.allSettled(this.#open.map((consumer) => consumer.close()));
    const failed = closed.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  onStored(records: readonly StoredRecord[]): void {
    this.#lastSequence = records.at(-1)?.sequence ?? this.#lastSequence;
    for (const consumer of this.#open) consumer.offer(records);
  }

  onFirstSequence(sequence: number): void {
    for (const consumer of this.#open) consumer.moveFirst(sequence);
  }

  /** A dead letter was given back to the consumer with this id, perhaps one of another stream. */
  restore(consumer: number, sequence: number): void {
    for (const seat of this.#seats.values()) if (seat.id === consumer) seat.consumer?.restore(sequence);
  }

  #nowMs(): number {
    return Math.floor(this.#ground.clock.now());
  }
}

function isList(given: Message | readonly Message[]): given is readonly Message[] {
  return Array.isArray(given);
}

function toStored(record: StoredRecord): Stored {
  return { sequence: record.sequence, storedAtMs: record.storedAtMs, message: decodeRecord(record) };
}
