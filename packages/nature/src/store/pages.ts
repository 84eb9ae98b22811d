import { MetanodeError } from "@metanode/core/errors";
import { intWithin } from "@metanode/core/internal";
import type { PageQuery, ReadPage } from "./reads.ts";
import type { Cell } from "./rows.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

/** How many items a page has. @throws config.invalid */
export function limitOf({ limit }: PageQuery): number {
  return intWithin("limit", limit ?? DEFAULT_LIMIT, 1, MAX_LIMIT);
}

/** What was last on the page before: as many cells as the order has columns. @throws usage.invalid – it is none of ours */
export function afterOf({ cursor }: PageQuery, sample: readonly ("text" | "number")[]): readonly Cell[] | undefined {
  if (cursor === undefined) return undefined;
  let cells: unknown;
  try {
    cells = JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    cells = undefined;
  }
  const isOurs = Array.isArray(cells) && cells.length === sample.length && cells.every((cell, at) => fits(cell, sample[at]));
  if (isOurs) return cells as Cell[];
  throw new MetanodeError("usage.invalid", `the cursor ${JSON.stringify(cursor)} is none that a page gave; begin without one`, {
    details: { cursor },
  });
}

function fits(cell: unknown, kind: "text" | "number" | undefined): boolean {
  return kind === "text" ? typeof cell === "string" : Number.isSafeInteger(cell);
}

/** A page of what was read: one more than its limit says that there is another page. */
export function pageOf<T>(items: readonly T[], limit: number, cellsOf: (item: T) => readonly Cell[]): ReadPage<T> {
  const last = items[limit - 1];
  if (items.length <= limit || last === undefined) return { items, cursor: undefined };
  return { items: items.slice(0, limit), cursor: Buffer.from(JSON.stringify(cellsOf(last))).toString("base64url") };
}
