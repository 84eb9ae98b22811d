import type { Message } from "@metanode/core";
import type { Clock, Timer } from "@metanode/core/clock";
import type { Consumer, Delivery, LogStream, Stored } from "@metanode/core/log";
import { z } from "zod";
import type { ReadOptions, Source, SourceBatch } from "../delivery/source.ts";
import { defineBuiltIn, needService } from "../stage/built-in.ts";

const settings = z.object({
  stream: z.string().min(1).describe("The stream of the log."),
  consumer: z.string().min(1).optional().describe("The name of the durable consumer. @default <graph>-<node>"),
  from: z.enum(["first", "new"]).default("first").describe("Where a consumer begins that was not there before."),
  give: z.enum(["data", "message"]).default("data").describe("What a record is: the payload of a message, or all of it."),
  maxInFlight: z.int().min(1).max(65_536).default(10_000).describe("Messages under way at a time."),
});

/** How long the log waits for a message before it delivers it again; renewed as long as the graph has it. */
const ACK_WAIT_MS = 30_000;
/** Messages that are read at a time where the consumer does not give them in order. */
const READ_MESSAGES = 256;

/**
 * `log.read`: the messages of a stream of the log.
 *
 * Position: the sequence number in the stream. Replays: the same messages in the same order, whichever the log delivers first. A
 * message is acked once every sink has it and that is stored; so the stream keeps what is not through. The graph decides about
 * failures, so the log makes no dead letters here.
 */
export const logRead = defineBuiltIn({
  name: "log.read",
  summary: "Reads the messages of a stream of the log.",
  settings,
  make: (given, node, services) => {
    const log = needService(services, "log", node);
    return {
      source: async ({ graph, clock }) => {
        const stream = await log.stream(given.stream);
        return new LogSource(stream, { ...given, consumer: given.consumer ?? `${graph}-${node.name}`, clock });
      },
    };
  },
});

interface LogSourceOptions extends Omit<z.infer<typeof settings>, "consumer"> {
  readonly consumer: string;
  readonly clock: Clock;
}

/** Deliveries of the log in the order of the stream. */
class LogSource implements Source {
  readonly #stream: LogStream;
  readonly #options: LogSourceOptions;
  /** Everything that is not acked, by sequence number. */
  readonly #held = new Map<number, Delivery>();
  #incoming: Delivery[] = [];
  /** Of the last message that was given. */
  #last = 0;
  /** Up to here everything is through. */
  #through = 0;
  #consumer: Consumer | undefined;
  #timer: Timer | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: LogStream, options: LogSourceOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  async *read({ position, signal }: ReadOptions): AsyncGenerator<SourceBatch> {
    const { consumer, from, maxInFlight } = this.#options;
    signal.addEventListener("abort", () => this.#wake?.(), { once: true });
    const { lastSequence } = await this.#stream.info();
    this.#last = position === undefined ? (from === "new" ? lastSequence : 0) : Number(position);
    this.#through = this.#last;
    this.#consumer = await this.#stream.consume({
      name: consumer,
      from,
      maxInFlight,
      ackWaitMs: ACK_WAIT_MS,
      maxAttempts: Number.MAX_SAFE_INTEGER,
      onDelivery: (delivery) => this.#receive(delivery),
    });
    this.#keepHold();
    // What is appended from now on is wanted, also when the run ends before any of it has come.
    if (position === undefined) yield { records: [], position: String(this.#last) };
    while (!signal.aborted) {
      if (this.#incoming.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
      const deliveries = this.#incoming;
      this.#incoming = [];
      yield* this.#giveInOrder(deliveries);
    }
  }

  commit(position: string): void {
    this.#through = Number(position);
    for (const [sequence, delivery] of this.#held) {
      if (sequence > this.#through) continue;
      delivery.ack();
      this.#held.delete(sequence);
    }
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.#consumer?.close();
  }

  #receive(delivery: Delivery): void {
    if (delivery.sequence <= this.#through) {
      delivery.ack(); // it was through before, and the log has forgotten the ack in a crash
      return;
    }
    this.#held.set(delivery.sequence, delivery);
    if (delivery.sequence <= this.#last) return; // it is under way
    this.#incoming.push(delivery);
    this.#wake?.();
  }

  /** What failed before may be delivered late, and ahead of others: where numbers are missing, the stream itself is read. */
  async *#giveInOrder(deliveries: readonly Delivery[]): AsyncGenerator<SourceBatch> {
    let messages: Message[] = [];
    const batch = (): SourceBatch => {
      const records = this.#options.give === "message" ? messages : messages.map(({ data }) => data);
      messages = [];
      return { records, position: String(this.#last) };
    };
    for (const { sequence, message } of deliveries) {
      if (sequence <= this.#last) continue;
      if (sequence > this.#last + 1) {
        if (messages.length > 0) yield batch();
        for await (const stored of this.#missing(sequence)) {
          this.#last = stored.sequence;
          messages.push(stored.message);
          if (messages.length >= READ_MESSAGES) yield batch();
        }
      }
      this.#last = sequence;
      messages.push(message);
    }
    if (messages.length > 0) yield batch();
  }

  /** What the stream still has between the last one given and this one. */
  async *#missing(end: number): AsyncGenerator<Stored> {
    for (let next = this.#last + 1; next < end; ) {
      const found = await this.#stream.read(next, READ_MESSAGES);
      for (const stored of found) {
        if (stored.sequence >= end) return;
        yield stored;
        next = stored.sequence + 1;
      }
      if (found.length < READ_MESSAGES) return;
    }
  }

  /** A message that waits for a slow graph has not failed. */
  #keepHold(): void {
    this.#timer = this.#options.clock.setTimer(ACK_WAIT_MS / 3, () => {
      for (const delivery of this.#held.values()) delivery.inProgress();
      this.#keepHold();
    });
  }
}
