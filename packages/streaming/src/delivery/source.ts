import type { Content } from "../record/batch.ts";
import type { Lineage } from "../record/lineage.ts";

/** Where and how to read. */
export interface ReadOptions {
  /** The last position that was committed; `undefined` at the very beginning. */
  readonly position: string | undefined;
  /** Records handed over up to that position. */
  readonly sequence: number;
  /** Aborted when nothing more is wanted. */
  readonly signal: AbortSignal;
}

/** Records of a source, with the position behind them. */
export type SourceBatch = Content & {
  /** Where to read on after these records; opaque to everybody else. */
  readonly position: string;
  /** The identities of the records, where the source knows better than by counting. */
  readonly lineage?: Lineage;
  /** Called once these records have reached every sink; never called for records that are given up with the run. */
  readonly onSettled?: () => void;
};

/**
 * Where records come from.
 *
 *  S1. Read from a position, a source gives the same records in the same order as it gave after that position before. One
 *      that cannot says so by `replays: false` of its action; then records that were in flight at a crash are lost.
 *  S2. It is asked for the next batch only when there is credit for it; so a slow sink slows it.
 *  S3. When its iterator ends, it is finished for good: that ends the graph as completed once every record is through.
 *  S4. A throw fails the run; the next one reads on from what was committed.
 */
export interface Source {
  read(options: ReadOptions): AsyncIterable<SourceBatch>;
  /** The records up to this position are through, and that is stored. They are never asked for again. */
  commit?(position: string): void | Promise<void>;
  /** Lets go of what it holds. Called once, after the iterator has ended or was left. */
  close?(): Promise<void>;
}
