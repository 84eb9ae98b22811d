import { defineErrorCodes, type ErrorInfo, MetanodeError } from "@metanode/core/errors";

const wrong = { http: 400, grpc: 3, exit: 2, retryable: false } as const;
const missing = { http: 404, grpc: 5, exit: 3, retryable: false } as const;
const refused = { http: 409, grpc: 9, exit: 4, retryable: false } as const;
const exists = { http: 409, grpc: 6, exit: 4, retryable: false } as const;
const down = { http: 503, grpc: 14, exit: 6, retryable: true } as const;

const natureRows = defineErrorCodes({
  "meta.syntax": { ...wrong, meaning: "A meta-string or state expression is malformed; `details.column` says where." },
  "meta.invalid": { ...wrong, meaning: "The settings of a meta contradict its type or each other." },
  "meta.unknown": { ...missing, meaning: "No enabled meta has this meta-string." },
  "meta.exists": { ...exists, meaning: "A meta of this meta-string exists already." },
  "meta.in_use": { ...refused, meaning: "The meta is used by relations, other metas or instances." },
  "relation.invalid": { ...wrong, meaning: "The settings of a relation are wrong for its metas." },
  "relation.unknown": { ...missing, meaning: "There is no such relation." },
  "relation.exists": { ...exists, meaning: "There is a relation between these metas already." },
  "instance.invalid": { ...wrong, meaning: "The instance breaks a rule of its meta; `details.path` says where." },
  "instance.state": { ...wrong, meaning: "A state is unknown to the meta, or two states exclude each other." },
  "instance.version_gap": { ...refused, meaning: "The version before this one is not stored." },
  "instance.conflict": { ...refused, meaning: "Another instance with this id and version, but other data, is stored already." },
  "instance.too_large": { ...wrong, http: 413, meaning: "Content or contexts are over their limit." },
  "instance.unknown": { ...missing, meaning: "No such instance is stored." },
  "task.unknown": { ...missing, meaning: "No such task waits; it is probably done." },
  "task.credential": {
    http: 403,
    grpc: 7,
    exit: 5,
    retryable: false,
    meaning: "The credential of a callback does not fit the task.",
  },
  "task.attempts": {
    http: 500,
    grpc: 10,
    exit: 1,
    retryable: false,
    meaning: "A task was tried as often as allowed, and failed each time.",
  },
  "executor.environment": { ...down, meaning: "An executor could not be reached or asked for another try." },
  "executor.logic": {
    http: 422,
    grpc: 9,
    exit: 1,
    retryable: false,
    meaning: "An executor refused its input, or answered what its relation does not allow.",
  },
  "executor.unknown": { ...missing, meaning: "There is no executor of this protocol and name." },
  "executor.timeout": { http: 504, grpc: 4, exit: 7, retryable: true, meaning: "An executor did not answer in time." },
  "store.unavailable": {
    ...down,
    meaning: "The database cannot be reached, or has no room; what was not answered is not accepted.",
  },
  "store.unusable": {
    http: 500,
    grpc: 13,
    exit: 1,
    retryable: false,
    meaning: "The database is damaged, newer than this program, another program's, or refuses this one.",
  },
});

/** A code of `@metanode/nature`. */
export type NatureErrorCode = keyof typeof natureRows;

/** A `MetanodeError` with a code of this package; without a text it says what the code means. */
export function natureError(code: NatureErrorCode, message?: string, info?: ErrorInfo): MetanodeError<NatureErrorCode> {
  return new MetanodeError(code, message ?? natureRows[code].meaning, info);
}
