import type { MetanodeError } from "@metanode/core/errors";
import { streamError } from "../errors.ts";

/** What a connector stands for is not there or did not do its part; that may pass. */
export function unreachable(what: string, cause: unknown): MetanodeError {
  const found = cause instanceof Error ? cause.message : String(cause);
  return streamError("stream.connector", `${what}: ${found}`, { cause });
}

/** Records that whoever was to take them will not take, however often they are sent. */
export function refused(what: string, cause?: unknown): MetanodeError {
  const found = cause === undefined ? "" : `: ${cause instanceof Error ? cause.message : String(cause)}`;
  return streamError("stream.record", `${what}${found}`, cause === undefined ? {} : { cause });
}
