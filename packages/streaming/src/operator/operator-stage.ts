import { Batch } from "../record/batch.ts";
import type { Lineage } from "../record/lineage.ts";
import type { Stage, StageHost, StageState } from "../stage/stage.ts";

/**
 * Puts a record out. With an id of its own where it stems from many, and then with the trace of the first of them; else both
 * come from the record that is being handled.
 */
export type Emit = (record: unknown, id?: string, trace?: string) => void;

/** What is known of the record that is being handled. */
export interface Input {
  /** The upstream that it comes from. */
  readonly from: string;
  /** Its stable identity; made when it is asked for. */
  readonly id: string;
  /** The W3C traceparent that it belongs to; looked for when it is asked for. */
  readonly trace: string | undefined;
  readonly emit: Emit;
}

/** What an operator does; all of it at once, without waiting. */
export interface Operator {
  /** A throw counts as a record that cannot be handled; it has to leave the state as it was. */
  onRecord(record: unknown, input: Input): void;
  /** An upstream has ended, others go on. */
  onUpstreamEnded?(from: string, emit: Emit): void;
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
    const outputs = new Outputs(this.#host.node.name, batch, from);
    const { records } = batch;
    for (let index = 0; index < records.length; index++) {
      outputs.index = index;
      try {
        this.#operator.onRecord(records[index], outputs);
      } catch (error) {
        this.#failed(batch, index, { from, error });
      }
    }
    outputs.give(this.#host, batch);
  }

  settle(): Promise<void> {
    return this.#failing === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  upstreamEnded(from: string): void {
    if (this.#operator.onUpstreamEnded !== undefined) this.give((emit) => this.#operator.onUpstreamEnded?.(from, emit));
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
    const outputs = new Outputs(this.#host.node.name, empty, this.#host.node.name);
    try {
      work(outputs.emit);
    } catch (error) {
      this.#host.fail(error); // there is no record that could be given up on
    }
    outputs.give(this.#host, empty);
  }

  #failed(batch: Batch, index: number, { from, error }: { from: string; error: unknown }): void {
    this.#host.count("errors");
    this.#failing++;
    batch.receipt.hold();
    const failed = { record: batch.records[index], id: batch.idOf(index), trace: batch.traceOf(index), from, attempts: 1, error };
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
class Outputs implements Input {
  /** The record that is being handled. */
  index = 0;
  readonly from: string;
  readonly #stage: string;
  readonly #batch: Batch;
  readonly #records: unknown[] = [];
  readonly #origins: (Origin | number)[] = [];

  constructor(stage: string, batch: Batch, from: string) {
    this.#stage = stage;
    this.#batch = batch;
    this.from = from;
  }

  get id(): string {
    return this.#batch.idOf(this.index);
  }

  get trace(): string | undefined {
    return this.#batch.traceOf(this.index);
  }

  readonly emit: Emit = (record, id, trace) => {
    this.#records.push(record);
    this.#origins.push(id === undefined ? this.index : { id, trace });
  };

  /** Passes it on under the receipt of the batch, or releases that. */
  give(host: StageHost, { receipt }: Batch): void {
    if (this.#records.length === 0) receipt.release();
    else host.outlet.push(new Batch({ records: this.#records }, { receipt, lineage: this.#lineage() }));
  }

  #lineage(): Lineage {
    const parents = this.#batch.lineage;
    const stage = this.#stage;
    const origins = this.#origins;
    return {
      idOf: (index) => gatheredId({ parents, stage, origins, index }),
      traceOf: (index) => {
        const origin = origins[index] ?? 0;
        return typeof origin === "number" ? parents.traceOf?.(origin) : origin.trace;
      },
    };
  }
}

/** Of what stems from many. */
interface Origin {
  readonly id: string;
  readonly trace: string | undefined;
}

/** An id of its own with the stage in front; or that of the parent, the stage, and how many it has given before. */
function gatheredId({
  parents,
  stage,
  origins,
  index,
}: {
  parents: Lineage;
  stage: string;
  origins: readonly (Origin | number)[];
  index: number;
}) {
  const origin = origins[index] ?? 0;
  if (typeof origin !== "number") return `${stage}:${origin.id}`;
  let mark = 0;
  for (let before = index - 1; before >= 0; before--) {
    const other = origins[before];
    if (other === origin) mark++;
    else if (typeof other === "number") break; // of one parent they stand together
  }
  return `${parents.idOf(origin)}/${stage}${mark === 0 ? "" : `.${mark}`}`;
}
