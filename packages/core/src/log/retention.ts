/**
 * Which messages of a `keep: "until-consumed"` stream nobody needs any more.
 *
 * A consumer needs what lies after its cursor and what it has open; the stream keeps what any consumer needs.
 */

/** Where a consumer stands. */
export interface Position {
  readonly cursor: number;
  /** Sequences up to the cursor that are not settled. */
  readonly open: ReadonlySet<number>;
}

/** Both ends included. */
export type Range = readonly [from: number, to: number];

/** Where a consumer stands that needs nothing: one that was removed. */
export const DONE: Position = { cursor: Number.POSITIVE_INFINITY, open: new Set() };

/**
 * The ranges that became free when one consumer moved from `before` to `after`, in no particular order; they may hold
 * sequences that are gone already. `others` are the stream's other consumers.
 */
export function freedRanges(others: readonly Position[], before: Position, after: Position): Range[] {
  const otherLow = others.reduce((low, other) => Math.min(low, other.cursor), Number.POSITIVE_INFINITY);
  const oldLow = Math.min(before.cursor, otherLow);
  const low = Math.min(after.cursor, otherLow);
  if (low === Number.POSITIVE_INFINITY) return []; // the last consumer went: without one, everything stays
  const freed: Range[] = [];
  for (const sequence of before.open) {
    if (sequence > oldLow || after.open.has(sequence)) continue;
    if (!others.some((other) => other.open.has(sequence))) freed.push([sequence, sequence]);
  }
  addGaps(freed, [oldLow + 1, low], [after, ...others]);
  return freed;
}

/** Adds the parts of `range` that none of `positions` has open. */
function addGaps(freed: Range[], [from, to]: Range, positions: readonly Position[]): void {
  const kept: number[] = [];
  for (const { open } of positions) {
    for (const sequence of open) if (sequence >= from && sequence <= to) kept.push(sequence);
  }
  kept.sort((a, b) => a - b);
  let next = from;
  for (const sequence of kept) {
    if (sequence > next) freed.push([next, sequence - 1]);
    next = sequence + 1; // the same sequence twice only moves `next` to where it is
  }
  if (next <= to) freed.push([next, to]);
}
