import type { Consumer, Delivery, Log, LogStream } from "@metanode/core/log";
import type { Source, SourceBatch } from "../delivery/source.ts";
import { Batch } from "../record/batch.ts";
import { SourceLineage } from "../record/lineage.ts";
import { Receipt } from "../record/receipt.ts";
import type { Action, SourceHost } from "../stage/stage.ts";
import { batchMessage, contentOf, lineageOf } from "./wire.ts";

/** Deliveries of the log that may be under way. */
const MAX_IN_FLIGHT = 256;
/** How long one may take before the log gives it again: slow graphs are no reason. */
const ACK_WAIT_MS = 24 * 3_600_000;

/**
 * A source that cannot give its records again, behind a journal: what it hands over is stored in the log first, and read from
 * there. So what was stored survives any crash; what the source gave and the crash took before that is lost at most.
 */
export function journaled(action: Action, log: Log): Action {
  const { source } = action;
  if (source === undefined || action.replays !== false) return action;
  return {
    ...action,
    replays: true,
    source: async (host) => new JournalSource(await source(host), await log.stream(journalName(host)), host),
  };
}

function journalName({ graph, node }: SourceHost): string {
  return `graph.${graph}.${node.name}.journal`;
}

class JournalSource implements Source {
  readonly #inner: Source;
  readonly #stream: LogStream;
  readonly #host: SourceHost;

  constructor(inner: Source, stream: LogStream, host: SourceHost) {
    this.#inner = inner;
    this.#stream = stream;
    this.#host = host;
  }

  async *read({ signal, ...options }: Parameters<Source["read"]>[0]): AsyncGenerator<SourceBatch> {
    const inlet = new LogInlet(this.#stream, "graph");
    await inlet.open();
    const writing = this.#write({ ...options, signal }).then(
      () => inlet.finish(),
      (error) => inlet.fail(error),
    );
    signal.addEventListener("abort", () => void writing.then(() => inlet.stop()), { once: true });
    try {
      for await (const { content, delivery } of inlet) {
        const { sequence, message } = delivery;
        yield { ...content, lineage: lineageOf(message), position: String(sequence), onSettled: () => delivery.ack() };
      }
    } finally {
      await inlet.close();
    }
  }

  async close(): Promise<void> {
    await this.#inner.close?.();
  }

  /** Stores what the source gives. */
  async #write(options: Parameters<Source["read"]>[0]): Promise<void> {
    const { name } = this.#host.node;
    // Ids have to differ from those of earlier runs: the journal remembers them for a while.
    const lineage = new SourceLineage(`${name}@${this.#host.epoch}`, 0);
    let number = 0;
    for await (const given of this.#inner.read(options)) {
      const first = number;
      const own = {
        idOf: (index: number): string => lineage.idOf(first + index),
        traceOf: given.lineage?.traceOf?.bind(given.lineage),
      };
      const batch = new Batch(given, { receipt: new Receipt(() => undefined), lineage: own });
      number += batch.count;
      if (batch.count > 0) await this.#stream.append(batchMessage(batch, `/graphs/${this.#host.graph}/${name}`));
      given.onSettled?.(); // it is safe now
      await this.#inner.commit?.(given.position);
    }
  }
}

interface Delivered {
  readonly content: ReturnType<typeof contentOf>;
  readonly delivery: Delivery;
}

/** Deliveries of a consumer as something to iterate over. Unread ones wait in the log, not here: the consumer's limit is small. */
export class LogInlet implements AsyncIterable<Delivered> {
  readonly #stream: LogStream;
  readonly #name: string;
  #consumer: Consumer | undefined;
  readonly #waiting: Delivered[] = [];
  #wake: (() => void) | undefined;
  #isFinishing = false;
  #isStopped = false;
  #error: unknown;

  constructor(stream: LogStream, consumer: string) {
    this.#stream = stream;
    this.#name = consumer;
  }

  async open(): Promise<void> {
    this.#consumer = await this.#stream.consume({
      name: this.#name,
      maxInFlight: MAX_IN_FLIGHT,
      ackWaitMs: ACK_WAIT_MS,
      onDelivery: (delivery) => {
        try {
          this.#waiting.push({ content: contentOf(delivery.message), delivery });
        } catch (error) {
          delivery.term(error);
        }
        this.#wake?.();
      },
    });
  }

  /** Nothing more will be appended: ends behind what is there. */
  finish(): void {
    this.#isFinishing = true;
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#error = error;
    this.#wake?.();
  }

  /** Ends now; what was delivered and not taken goes back. */
  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
  }

  async close(): Promise<void> {
    await this.#consumer?.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Delivered> {
    while (!this.#isStopped) {
      const next = this.#waiting.shift();
      if (next !== undefined) yield next;
      else if (this.#error !== undefined) throw this.#error;
      else if (this.#isFinishing && this.#isDrained()) return;
      else await this.#more();
    }
  }

  #isDrained(): boolean {
    const info = this.#consumer?.info();
    return info === undefined || info.pending === 0;
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
