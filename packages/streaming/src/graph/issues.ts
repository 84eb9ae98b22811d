import type { MetanodeError } from "@metanode/core/errors";
import { type StreamErrorCode, streamError } from "../errors.ts";
import type { GraphIssue } from "./form.ts";

const MAX_ISSUES = 100;

/** One error for all faults: its text is the first, its details are the list, at most 100 of it. */
export function issuesError(
  code: StreamErrorCode,
  issues: readonly GraphIssue[],
  more: Readonly<Record<string, unknown>> = {},
): MetanodeError<StreamErrorCode> {
  const [first] = issues;
  const text = first?.message ?? "";
  const lead = first?.path === undefined || text.startsWith(first.path) ? text : `${first.path}: ${text}`;
  const rest = issues.length === 1 ? "" : ` (and ${issues.length - 1} more)`;
  const hidden = issues.length - MAX_ISSUES;
  return streamError(code, `${lead}${rest}`, {
    details: { issues: issues.slice(0, MAX_ISSUES), ...(hidden > 0 ? { moreIssues: hidden } : {}), ...more },
  });
}

/** A value of a document as a message shows it: short, on one line. */
export function shown(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (typeof value !== "string") return String(value);
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
}
