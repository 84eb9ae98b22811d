import { type Descent, type Lineage, PickedLineage, StageLineage } from "./lineage.ts";
import type { Receipt } from "./receipt.ts";
import { sizeOf } from "./value.ts";

/** Whole records as a program wrote them, not cut apart: between two programs of one codec they pass as they are. */
export interface Block {
  /** The name of the codec in which the bytes are written. */
  readonly codec: string;
  readonly bytes: Buffer;
  /** Records in it. */
  readonly count: number;
  /** Cuts it apart: the values of the records, in order. */
  values(): unknown[];
}

/** What a batch is made of. */
export type Content = { readonly records: readonly unknown[] } | { readonly block: Block };

/**
 * Records that travel together, in order, under one receipt. Whoever takes a batch owns one hold of its receipt and releases
 * it when done. A batch never changes.
 */
export class Batch {
  readonly receipt: Receipt;
  readonly lineage: Lineage;
  readonly block: Block | undefined;
  /** How many records. */
  readonly count: number;
  #records: readonly unknown[] | undefined;
  #bytes = -1;

  constructor(content: Content, { receipt, lineage }: { receipt: Receipt; lineage: Lineage }) {
    this.receipt = receipt;
    this.lineage = lineage;
    if ("block" in content) {
      this.block = content.block;
      this.count = content.block.count;
    } else {
      this.#records = content.records;
      this.count = content.records.length;
    }
  }

  /** The records, one by one; a block is cut apart at the first look. */
  get records(): readonly unknown[] {
    this.#records ??= this.block?.values() ?? [];
    return this.#records;
  }

  /** About how much memory the records take, in bytes. */
  get bytes(): number {
    if (this.#bytes < 0) this.#bytes = this.block?.bytes.length ?? totalSize(this.records);
    return this.#bytes;
  }

  /** The stable identity of the record at `index`. */
  idOf(index: number): string {
    return this.lineage.idOf(index);
  }

  /** The W3C traceparent that the record at `index` belongs to, if its source knows one. */
  traceOf(index: number): string | undefined {
    return this.lineage.traceOf?.(index);
  }

  /** What `stage` made of this batch, under the same receipt; the hold passes over to it. */
  derive(content: Content, stage: string, descent?: Descent): Batch {
    return new Batch(content, { receipt: this.receipt, lineage: new StageLineage(this.lineage, stage, descent) });
  }

  /** Some of the records under the same receipt, which is not held for it. */
  pick(indexes: readonly number[]): Batch {
    const records = indexes.map((index) => this.records[index]);
    return new Batch({ records }, { receipt: this.receipt, lineage: new PickedLineage(this.lineage, indexes) });
  }
}

function totalSize(records: readonly unknown[]): number {
  let total = 0;
  for (const record of records) total += sizeOf(record);
  return total;
}
