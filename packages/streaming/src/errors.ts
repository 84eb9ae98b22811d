import { defineErrorCodes, type ErrorInfo, MetanodeError } from "@metanode/core/errors";

const wrong = { http: 400, grpc: 3, exit: 2, retryable: false } as const;

const streamRows = defineErrorCodes({
  "stream.syntax": { ...wrong, meaning: "The expression of a graph is wrong; `details.errors` lists every place." },
  "stream.graph": { ...wrong, meaning: "The graph is wrong; `details.issues` lists every fault." },
  "stream.scheme": { ...wrong, meaning: "The scheme document is wrong; `details.issues` lists every fault." },
  "stream.too_large": { ...wrong, http: 413, meaning: "The graph is over its limit of edges." },
  "stream.action_unknown": {
    ...wrong,
    http: 404,
    grpc: 5,
    exit: 3,
    meaning: "A node names an action that is not there, or one that cannot work at its place in the graph.",
  },
  "stream.record": { ...wrong, http: 422, meaning: "A record has no form in which it could be passed on." },
  "stream.record_too_large": { ...wrong, http: 413, grpc: 8, meaning: "A record is longer than allowed." },
  "stream.codec": { ...wrong, http: 422, meaning: "Bytes of a program or a file are no records of the codec that was named." },
  "stream.program": {
    http: 502,
    grpc: 14,
    exit: 1,
    retryable: true,
    meaning: "A program ended or wrote what it should not; `details` has its exit code or signal.",
  },
  "stream.record_timeout": {
    http: 504,
    grpc: 4,
    exit: 7,
    retryable: true,
    meaning: "A stage gave no answer for a record within its time.",
  },
  "stream.action_failed": {
    http: 502,
    grpc: 9,
    exit: 1,
    retryable: true,
    meaning: "A stage failed on a record for the last time, and its policy is to end the run.",
  },
  "stream.stopped": { http: 409, grpc: 9, exit: 4, retryable: true, meaning: "The graph does not run." },
  "stream.fenced": {
    http: 409,
    grpc: 10,
    exit: 4,
    retryable: false,
    meaning: "A younger run of the same graph has taken over; this one may store nothing any more.",
  },
  "stream.storage": { http: 503, grpc: 14, exit: 1, retryable: true, meaning: "Progress or graphs could not be stored." },
  "stream.connector": {
    http: 502,
    grpc: 14,
    exit: 1,
    retryable: true,
    meaning: "What a connector stands for is not there or did not do its part: a file, a server, a table.",
  },
});

/** A code of `@metanode/streaming`. */
export type StreamErrorCode = keyof typeof streamRows;

/** A `MetanodeError` with a code of this package. */
export function streamError(code: StreamErrorCode, message: string, info?: ErrorInfo): MetanodeError<StreamErrorCode> {
  return new MetanodeError(code, message, info);
}
