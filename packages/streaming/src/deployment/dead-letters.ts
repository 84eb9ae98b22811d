import { createMessage, type Message } from "@metanode/core";
import type { Consumer, Delivery, Log, LogStream } from "@metanode/core/log";
import { streamError } from "../errors.ts";
import type { FailedRecord } from "../stage/stage.ts";

/** The type of messages that are records which a stage gave up on. */
export const FAILED_TYPE = "metanode.stream.failed";

interface Opened {
  readonly stream: LogStream;
  readonly consumer: Consumer;
}

/** Puts a record into a stage once more; resolves when it is through. */
export type Inject = (stage: string, record: unknown, trace?: string) => Promise<void>;

/**
 * The records that the stages of one graph gave up on, as dead letters of the log: they are listed, edited, replayed and
 * dropped like any other. A replayed one goes into its stage again; while the graph does not run, it waits.
 */
export class GraphDeadLetters implements AsyncDisposable {
  readonly #graph: string;
  readonly #log: Log;
  /** Reasons of those that are on their way into the log. What comes without one was replayed. */
  readonly #reasons = new Map<string, Error>();
  readonly #inject: () => Inject | undefined;
  #opening: Promise<Opened> | undefined;

  private constructor(graph: string, log: Log, inject: () => Inject | undefined) {
    this.#graph = graph;
    this.#log = log;
    this.#inject = inject;
  }

  /** A graph that has not given up on anything yet has no stream, and asks nothing of the log: one that is never used takes no memory. */
  static async open(graph: string, log: Log, inject: () => Inject | undefined): Promise<GraphDeadLetters> {
    const letters = new GraphDeadLetters(graph, log, inject);
    if ((await log.streams()).includes(streamOf(graph))) await letters.#open();
    return letters;
  }

  /** Keeps a record. Resolves when it is stored. */
  async keep(failed: FailedRecord, stage: string): Promise<void> {
    const message = messageOf(failed, this.#graph, stage);
    const { stream } = await this.#open();
    this.#reasons.set(message.id, reasonOf(failed, stage));
    await stream.append(message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined);
    await opened?.consumer.close();
  }

  #open(): Promise<Opened> {
    // A failure is told to whoever asked; the next one tries again.
    this.#opening ??= this.#openStream().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #openStream(): Promise<Opened> {
    const stream = await this.#log.stream(streamOf(this.#graph));
    const consumer = await stream.consume({
      name: "failed",
      maxAttempts: 1_000_000,
      onDelivery: (delivery) => this.#delivered(delivery),
    });
    return { stream, consumer };
  }

  #delivered(delivery: Delivery): void {
    const { id } = delivery.message;
    const reason = this.#reasons.get(id);
    if (reason !== undefined) {
      this.#reasons.delete(id);
      delivery.term(reason);
      return;
    }
    const inject = this.#inject();
    if (inject === undefined) delivery.release(1_000);
    else {
      const { subject = "", traceparent } = delivery.message;
      inject(subject, recordOf(delivery.message), traceparent).then(
        () => delivery.ack(),
        () => delivery.release(1_000),
      );
    }
  }
}

function streamOf(graph: string): string {
  return `graph.${graph}.failed`;
}

function messageOf({ record, id, trace, attempts }: FailedRecord, graph: string, stage: string): Message {
  const isBytes = record instanceof Uint8Array;
  const datacontenttype = isBytes ? "application/octet-stream" : typeof record === "string" ? "text/plain" : "application/json";
  return createMessage({
    source: `/graphs/${graph}/${stage}`,
    type: FAILED_TYPE,
    subject: stage,
    traceparent: trace,
    datacontenttype,
    data: record,
    extensions: { record: id.slice(0, 1_000), attempts },
  });
}

function reasonOf({ error, stderr, attempts }: FailedRecord, stage: string): Error {
  const found = error instanceof Error ? error.message : String(error);
  const said = stderr === undefined || stderr.trim() === "" ? "" : `\n${stderr.trim()}`;
  return streamError("stream.action_failed", `${stage} gave up after ${attempts} attempts: ${found}${said}`, { cause: error });
}

/** What a dead letter is as a record again, also after it was edited. */
function recordOf({ data }: Message): unknown {
  return data instanceof Uint8Array ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : data;
}
