import { errorRow, type MetanodeError } from "@metanode/core/errors";
import { oneLine } from "./output/width.ts";

/** An error as Problem Details (RFC 9457), in the shape that the HTTP API gives. */
export function problemOf(error: MetanodeError): Record<string, unknown> {
  const row = errorRow(error.code);
  return {
    type: `/api/v1/errors/${error.code}`,
    title: row.meaning,
    status: row.http,
    detail: error.message,
    code: error.code,
    retryable: error.retryable,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(error.details === undefined ? {} : { details: error.details }),
    ...(error.origin.length === 0 ? {} : { origin: error.origin }),
  };
}

/** The one line that a person sees. */
export function failureLine(error: MetanodeError): string {
  return `error ${error.code}: ${oneLine(error.message)}`;
}
