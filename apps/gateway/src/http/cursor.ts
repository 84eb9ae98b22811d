import { coreError } from "@metanode/core";
import { z } from "zod";

/** Where to go on, as the last page said. */
export const Cursor = z.string().optional().describe("What the last page returned as `next`.");

/** The number in a cursor; undefined on the first page. @throws {MetanodeError} usage.invalid */
export function numberIn(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw coreError("usage.invalid", `the cursor ${JSON.stringify(cursor)} is none that a page has returned`, {
    details: { path: "/query/cursor" },
  });
}
