import { Batch } from "../record/batch.ts";
import type { Lineage } from "../record/lineage.ts";
import type { Stage, StageHost, StageState } from "../stage/stage.ts";

/** Puts a record out. With an id of its own where it stems from many; else from the record that is being handled. */
export type Emit = (record: unknown, id?: string) => void;

/** What an operator does; all of it at once, without waiting. */
export interface Operator {
  /** A record of the upstream `from`. A throw counts as a record that cannot be handled. */
  onRecord(record: unknown, from: string, emit: Emit): void;
  /** There is nothing more to come. */
  onEnd?(emit: Emit): void;
  readonly state?: StageState;
  describe?(): Readonly<Record<string, unknown>>;
}

/**
 * An operator as a stage. A record that went into the state is done with at once: the state is stored in one commit with the
 * position of its source (G2 of the run), so that neither can be without the other.
 */
export class OperatorStage implements Stage {
  readonly #operator: Operator;
  readonly #host: StageHost;
  #failing = 0;
  readonly #waiters: (() => void)[] = [];

  constructor(operator: Operator, host: StageHost) {
    this.#operator = operator;
    this.#host = host;
  }

  get waiting(): number {
    return this.#failing;
  }

  get state(): StageState {
    return this.#operator.state ?? NO_STATE;
  }

  hasRoom(): boolean {
    return this.#failing < 1_000 && this.#host.outlet.hasRoom();
  }

  take(batch: Batch, from: string): void {
    const outputs = new Outputs(this.#host.node.name, batch);
    const { records } = batch;
    for (let index = 0; index < records.length; index++) {
      outputs.index = index;
      try {
        this.#operator.onRecord(records[index], from, outputs.emit);
      } catch (error) {
        this.#failed(batch, index, { from, error });
      }
    }
    outputs.give(this.#host, batch);
  }

  settle(): Promise<void> {
    return this.#failing === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  async end(): Promise<void> {
    await this.settle();
    this.give((emit) => this.#operator.onEnd?.(emit));
  }

  async close(): Promise<void> {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  describe(): Readonly<Record<string, unknown>> {
    return this.#operator.describe?.() ?? {};
  }

  /** Puts out what no record has called for: by a timer, or at the end. A checkpoint waits for it. */
  give(work: (emit: Emit) => void): void {
    const receipt = this.#host.receipt();
    const empty = new Batch({ records: [] }, { receipt, lineage: { idOf: () => this.#host.node.name } });
    const outputs = new Outputs(this.#host.node.name, empty);
    work(outputs.emit);
    outputs.give(this.#host, empty);
  }

  #failed(batch: Batch, index: number, { from, error }: { from: string; error: unknown }): void {
    this.#host.count("errors");
    this.#failing++;
    batch.receipt.hold();
    const failed = { record: batch.records[index], id: batch.idOf(index), from, attempts: 1, error };
    this.#host.giveUp(failed).then(
      (verdict) => {
        this.#failing--;
        if (verdict === "retry") this.take(batch.pick([index]), from);
        else batch.receipt.release();
        if (this.#failing === 0) for (const resolve of this.#waiters.splice(0)) resolve();
        this.#host.wake();
      },
      (reason) => this.#host.signal.aborted || this.#host.fail(reason),
    );
  }
}

const NO_STATE: StageState = { restore: () => undefined, changes: () => [] };

/** What comes out while one batch is handled. */
class Outputs {
  /** The record that is being handled. */
  index = 0;
  readonly #stage: string;
  readonly #batch: Batch;
  readonly #records: unknown[] = [];
  readonly #ids: (string | number)[] = [];

  constructor(stage: string, batch: Batch) {
    this.#stage = stage;
    this.#batch = batch;
  }

  readonly emit: Emit = (record, id) => {
    this.#records.push(record);
    this.#ids.push(id ?? this.index);
  };

  /** Passes it on under the receipt of the batch, or releases that. */
  give(host: StageHost, { receipt }: Batch): void {
    if (this.#records.length === 0) receipt.release();
    else host.outlet.push(new Batch({ records: this.#records }, { receipt, lineage: this.#lineage() }));
  }

  #lineage(): Lineage {
    return {
      idOf: (index) => {
        const id = this.#ids[index];
        if (typeof id === "string") return `${this.#stage}:${id}`;
        const mark = index - this.#ids.indexOf(id ?? 0);
        return `${this.#batch.idOf(id ?? 0)}/${this.#stage}${mark === 0 ? "" : `.${mark}`}`;
      },
    };
  }
}
