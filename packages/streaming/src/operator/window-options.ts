import type { KeyOf } from "../record/key.ts";
import type { Aggregate } from "./aggregate.ts";
import type { TimeOf } from "./event-time.ts";

/** Which windows there are. Times in milliseconds. */
export type WindowShape =
  /** One after the other, each as long. */
  | { readonly kind: "tumbling"; readonly sizeMs: number }
  /** Each as long, beginning every so often; a record is in several. */
  | { readonly kind: "sliding"; readonly sizeMs: number; readonly everyMs: number }
  /** As long as records of a key follow each other closely enough: the next one less than or exactly the gap behind. */
  | { readonly kind: "session"; readonly gapMs: number }
  /** So many records of a key. */
  | { readonly kind: "count"; readonly count: number };

export interface WindowOptions {
  readonly shape: WindowShape;
  readonly aggregate: Aggregate;
  /** @default all records have one key */
  readonly keyOf?: KeyOf;
  /** @default the time at which a record is handled */
  readonly timeOf?: TimeOf;
  /** How much out of order records may come, in milliseconds. @default 0 */
  readonly disorderMs?: number;
  /**
   * What becomes of records whose window has been given: dropped and counted; given on by themselves with `late: true`; or taken
   * into their window, which is given once more with what it comes to now. The last only for windows of one length, and only
   * for `keepMs`; what comes later still is dropped and counted. @default "drop"
   */
  readonly late?: "drop" | "emit" | "update";
  /** How long windows are kept for late records that update them, in milliseconds of event time. @default 60_000 */
  readonly keepMs?: number;
  /**
   * An upstream that has been silent for so long does not hold up the others; when all of them have, time goes on by the
   * clock, so that windows end. @default neither
   */
  readonly idleMs?: number;
}

/** What a window gives. */
export interface WindowResult {
  readonly key: string;
  /** In milliseconds since the Unix epoch. Of windows of so many records: the number of the window of its key, from 0. */
  readonly start: number;
  readonly end: number;
  readonly count: number;
  readonly value: unknown;
  /** How often the window was given before, where late records update it. */
  readonly update?: number;
}
