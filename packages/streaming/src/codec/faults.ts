import type { MetanodeError } from "@metanode/core/errors";
import { streamError } from "../errors.ts";

/** A record over its limit. */
export function tooLarge(bytes: number, maxRecordBytes: number): MetanodeError {
  return streamError(
    "stream.record_too_large",
    `a record of ${bytes} bytes or more, at most ${maxRecordBytes} are allowed; is the codec the right one?`,
    { details: { bytes, maxRecordBytes } },
  );
}

/** Bytes that end in the middle of a record. */
export function truncated(found: number, expected: number): MetanodeError {
  return streamError("stream.codec", `the stream ended ${found} bytes into a record, expected ${expected}`, {
    details: { found, expected },
  });
}
