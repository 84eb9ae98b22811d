import type { Log, LogStream } from "@metanode/core/log";
import { Batch } from "../record/batch.ts";
import { Receipt } from "../record/receipt.ts";
import type { Action, Stage, StageHost } from "../stage/stage.ts";
import { LogInlet } from "./journal.ts";
import { batchMessage, lineageOf } from "./wire.ts";

/** Batches on their way into the log. */
const MAX_APPENDING = 1_024;

/**
 * An action whose node takes its records through the log: an upstream is done with a record once it is stored there, and the
 * node works at its own pace. A record that is stored twice, because an upstream came again, is known by its id and dropped.
 */
export function buffered(action: Action, log: Log): Action {
  const { stage, fuse: _alone, ...others } = action;
  if (stage === undefined) return action;
  return {
    ...others,
    stage: async (host) => {
      const replica = host.replica === 0 ? "" : `.${host.replica}`;
      const stream = await log.stream(`graph.${host.graph}.${host.node.name}${replica}.buffer`);
      return DurableStage.open(await stage(host), stream, host);
    },
  };
}

class DurableStage implements Stage {
  readonly #inner: Stage;
  readonly #stream: LogStream;
  readonly #host: StageHost;
  readonly #inlet: LogInlet;
  /** Records on their way into the log. */
  #appending = 0;
  #batches = 0;
  /** Records that the inner stage has, or whose outputs are not through. */
  #working = 0;
  readonly #waiters: (() => void)[] = [];
  #reading: Promise<void> = Promise.resolve();

  private constructor(inner: Stage, stream: LogStream, host: StageHost) {
    this.#inner = inner;
    this.#stream = stream;
    this.#host = host;
    this.#inlet = new LogInlet(stream, "graph");
  }

  static async open(inner: Stage, stream: LogStream, host: StageHost): Promise<DurableStage> {
    const stage = new DurableStage(inner, stream, host);
    await stage.#inlet.open();
    stage.#reading = stage.#read().catch((error) => host.signal.aborted || host.fail(error)) as Promise<void>;
    return stage;
  }

  get waiting(): number {
    return this.#appending + this.#inner.waiting;
  }

  hasRoom(): boolean {
    return this.#batches < MAX_APPENDING;
  }

  take(batch: Batch): void {
    if (batch.count === 0) {
      batch.receipt.release();
      return;
    }
    this.#appending += batch.count;
    this.#batches++;
    this.#stream.append(batchMessage(batch, `/graphs/${this.#host.graph}/${this.#host.node.name}`)).then(
      ({ duplicate }) => {
        if (duplicate) this.#host.count("duplicates", batch.count);
        this.#appending -= batch.count;
        this.#batches--;
        batch.receipt.release();
        this.#look();
        this.#host.wake();
      },
      (error) => this.#host.signal.aborted || this.#host.fail(error),
    );
  }

  /** What was taken is safe in the log; what the node has in hand is finished, for it may be about to be swapped. */
  async settle(): Promise<void> {
    await this.#until(() => this.#appending === 0);
    await this.#inner.settle();
  }

  async end(): Promise<void> {
    await this.#until(() => this.#appending === 0);
    this.#inlet.finish();
    await this.#reading;
    await this.#inner.end();
    await this.#until(() => this.#working === 0);
  }

  async close(): Promise<void> {
    this.#inlet.stop();
    await this.#inlet.close();
    await this.#inner.close();
    this.#look();
  }

  describe(): Readonly<Record<string, unknown>> {
    return { ...this.#inner.describe?.(), buffer: "durable", working: this.#working };
  }

  async #read(): Promise<void> {
    for await (const { content, delivery } of this.#inlet) {
      while (!this.#inner.hasRoom()) await this.#room();
      const receipt = new Receipt(() => {
        this.#working -= batch.count;
        delivery.ack();
        this.#look();
      });
      const batch: Batch = new Batch(content, { receipt, lineage: lineageOf(delivery.message) });
      this.#working += batch.count;
      this.#inner.take(batch, this.#host.upstreams[0] ?? this.#host.node.name);
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => this.#host.outlet.whenRoom(resolve));
  }

  #look(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.#host.signal.aborted) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }
}
