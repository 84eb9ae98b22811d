import { defineErrorCodes, type ErrorInfo, MetanodeError } from "@metanode/core/errors";

const wrong = { http: 400, grpc: 3, exit: 2, retryable: false } as const;

const streamRows = defineErrorCodes({
  "stream.syntax": { ...wrong, meaning: "The expression of a graph is wrong; `details.errors` lists every place." },
  "stream.graph": { ...wrong, meaning: "The graph is wrong; `details.issues` lists every fault." },
  "stream.scheme": { ...wrong, meaning: "The scheme document is wrong; `details.issues` lists every fault." },
  "stream.too_large": { ...wrong, http: 413, meaning: "The graph is over its limit of edges." },
});

/** A code of `@metanode/streaming`. */
export type StreamErrorCode = keyof typeof streamRows;

/** A `MetanodeError` with a code of this package. */
export function streamError(code: StreamErrorCode, message: string, info?: ErrorInfo): MetanodeError<StreamErrorCode> {
  return new MetanodeError(code, message, info);
}
