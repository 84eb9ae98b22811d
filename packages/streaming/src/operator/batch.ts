import type { Timer } from "@metanode/core/clock";
import { Batch } from "../record/batch.ts";
import { hashOf } from "../record/key.ts";
import type { Lineage } from "../record/lineage.ts";
import { jointReceipt, type Receipt } from "../record/receipt.ts";
import { sizeOf } from "../record/value.ts";
import type { Action, Stage, StageHost } from "../stage/stage.ts";

export interface BatchOptions {
  /** Records in a list at most. @default as many as come in time */
  readonly count?: number;
  /** About how much memory the records of a list take at most; one that is larger is alone. @default no limit */
  readonly maxBytes?: number;
  /** Longest time for which a record waits for its list to be full, in milliseconds. @default 1_000 */
  readonly afterMs?: number;
}

/**
 * Gathers records into lists, each given on as one record: what writes to somewhere does so less often. A list is given when
 * it is full, when its time is over, at the end, and whenever the run has to be quiet: before a checkpoint or a stop. Its id
 * is made of those of its records, so that after a crash lists that are cut in another way have other ids.
 */
export function batchAction({
  count = Number.POSITIVE_INFINITY,
  maxBytes = Number.POSITIVE_INFINITY,
  afterMs = 1_000,
}: BatchOptions): Action {
  return { stage: (host) => new BatchStage(host, { count, maxBytes, afterMs }) };
}

class BatchStage implements Stage {
  readonly #host: StageHost;
  readonly #options: Required<BatchOptions>;
  #list = new List();
  #timer: Timer | undefined;

  constructor(host: StageHost, options: Required<BatchOptions>) {
    this.#host = host;
    this.#options = options;
  }

  get waiting(): number {
    return this.#list.records.length;
  }

  hasRoom(): boolean {
    return this.#host.outlet.hasRoom();
  }

  take(batch: Batch): void {
    const { count, maxBytes, afterMs } = this.#options;
    const { records } = batch;
    for (let index = 0; index < records.length; index++) {
      const record = records[index];
      const bytes = sizeOf(record);
      if (this.#list.bytes + bytes > maxBytes) this.#give();
      this.#list.add(record, { batch, index, bytes });
      if (this.#list.records.length >= count || this.#list.bytes >= maxBytes) this.#give();
    }
    batch.receipt.release(); // every list has a hold of its own
    if (this.waiting > 0) this.#timer ??= this.#host.clock.setTimer(afterMs, () => this.#give());
  }

  async settle(): Promise<void> {
    this.#give();
  }

  async end(): Promise<void> {
    this.#give();
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
  }

  #give(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const list = this.#list;
    if (list.records.length === 0) return;
    this.#list = new List();
    const receipt = jointReceipt(list.receipts);
    this.#host.outlet.push(new Batch({ records: [list.records] }, { receipt, lineage: list.lineage(this.#host.node.name) }));
  }
}

/** What comes together. Holds the receipt of each batch that it has records of, once. */
class List {
  readonly records: unknown[] = [];
  readonly receipts: Receipt[] = [];
  bytes = 0;
  /** From where in a batch to where its records are. */
  readonly #parts: { readonly lineage: Lineage; readonly from: number; to: number }[] = [];
  #batch: Batch | undefined;

  add(record: unknown, { batch, index, bytes }: { batch: Batch; index: number; bytes: number }): void {
    this.records.push(record);
    this.bytes += bytes;
    const part = this.#parts.at(-1);
    if (this.#batch === batch && part !== undefined) part.to = index + 1;
    else {
      this.#batch = batch;
      batch.receipt.hold();
      this.receipts.push(batch.receipt);
      this.#parts.push({ lineage: batch.lineage, from: index, to: index + 1 });
    }
  }

  lineage(stage: string): Lineage {
    const parts = this.#parts;
    return {
      idOf: () => {
        const ids = parts.flatMap(({ lineage, from, to }) =>
          Array.from({ length: to - from }, (_, index) => lineage.idOf(from + index)),
        );
        return `${ids[0]}/${stage}~${ids.length}.${hashOf(ids.join()).toString(36)}`;
      },
      traceOf: () => parts[0]?.lineage.traceOf?.(parts[0].from),
    };
  }
}
