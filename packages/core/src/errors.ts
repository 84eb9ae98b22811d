/**
 * One error class and one closed set of stable codes, shared by TypeScript, HTTP, gRPC and the command line.
 * A code is API: codes are added, never renamed and never used for something else. Message texts may change.
 */

/** How one code shows itself at every face. */
export interface ErrorRow {
  /** HTTP status of the Problem Details answer. */
  readonly http: number;
  /** gRPC status number (https://grpc.io/docs/guides/status-codes). */
  readonly grpc: number;
  /** Exit status of the command line: 1 failed, 2 usage, 3 not found, 4 conflict, 5 not authorised, 6 unreachable, 7 timeout, 8 partial, 9 cancelled. */
  readonly exit: number;
  /** Whether the same request, sent again unchanged, can succeed. An error may overrule its row. */
  readonly retryable: boolean;
  /** What the code means, in one sentence. */
  readonly meaning: string;
}

const GRPC = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

function row(http: number, grpc: keyof typeof GRPC, exit: number, retryable: boolean, meaning: string): ErrorRow {
  return { http, grpc: GRPC[grpc], exit, retryable, meaning };
}

/** The codes of core. The first twenty answer to the meanings of the platform's error taxonomy. */
const coreRows = {
  "message.unknown_type": row(
    404,
    "unimplemented",
    3,
    false,
    "No member of this node handles the message's type (or that version of it).",
  ),
  "message.schema": row(
    422,
    "invalidArgument",
    2,
    false,
    "The payload does not fit the schema of its type; `details.path` says where.",
  ),
  "processor.down": row(503, "unavailable", 6, true, "The type is known, but no process that handles it can answer now."),
  "call.resource_exhausted": row(
    429,
    "resourceExhausted",
    1,
    true,
    "A limit of concurrency or of waiting messages is reached; the message was not accepted.",
  ),
  "call.deadline": row(504, "deadlineExceeded", 7, true, "No answer came before the deadline of the call."),
  "call.cancelled": row(499, "cancelled", 9, false, "The caller withdrew the call."),
  "auth.unauthenticated": row(401, "unauthenticated", 5, false, "The credential is missing, wrong, used up or expired."),
  "auth.denied": row(403, "permissionDenied", 5, false, "The credential is valid, but does not allow this."),
  "tree.not_managed": row(409, "failedPrecondition", 4, false, "The node is not managed by this one."),
  "tree.already_managed": row(409, "alreadyExists", 4, false, "The node already has a manager."),
  "tree.cycle": row(409, "failedPrecondition", 4, false, "Adopting this node would close a cycle."),
  "tree.stale_epoch": row(409, "aborted", 4, false, "The command comes from a manager of an older epoch."),
  "tree.moved": row(421, "failedPrecondition", 3, true, "The node lives under another path now."),
  "node.maintenance": row(503, "unavailable", 6, true, "The entity is in maintenance and takes nothing new."),
  "node.unreachable": row(503, "unavailable", 6, true, "The node or service cannot be reached."),
  "call.hop_limit": row(508, "failedPrecondition", 1, false, "The message passed more hops than its limit allows."),
  "protocol.version": row(426, "failedPrecondition", 1, false, "The two sides share no version of the protocol."),
  "call.unsupported": row(501, "unimplemented", 1, false, "The target exists, but cannot do this."),
  "state.conflict": row(409, "aborted", 4, true, "The state changed meanwhile, or the same thing exists already."),
  "core.internal": row(500, "internal", 1, false, "A defect of the platform; `details.errorId` finds it in the logs."),
  "message.invalid": row(400, "invalidArgument", 2, false, "The envelope is malformed; `details.path` says where."),
  "message.too_large": row(413, "invalidArgument", 2, false, "The message is over the size limit."),
  "message.content_type": row(415, "invalidArgument", 2, false, "The content type is not one that this face understands."),
  "processor.failed": row(500, "unknown", 1, false, "The handler of the message failed."),
  "processor.protocol": row(400, "invalidArgument", 1, false, "The other side broke the processor protocol."),
  "processor.start": row(
    500,
    "failedPrecondition",
    1,
    false,
    "The processor did not start: its command failed or its handshake never came.",
  ),
  "group.policy_unmet": row(
    502,
    "aborted",
    8,
    true,
    "Too few members answered for the policy of the group; `details.outcomes` names each.",
  ),
  "group.invalid_key": row(400, "invalidArgument", 2, false, "The key function gave no usable key for this message."),
  "group.empty": row(503, "unavailable", 6, true, "The group has no member that could be chosen."),
  "log.full": row(
    507,
    "resourceExhausted",
    1,
    true,
    "The log is at its limit of messages or bytes, and every message in it is still needed.",
  ),
  "log.storage": row(
    507,
    "unavailable",
    1,
    true,
    "The storage under the log failed, for example a full disk; nothing was accepted.",
  ),
  "resource.not_found": row(404, "notFound", 3, false, "The named thing does not exist."),
  "config.invalid": row(400, "invalidArgument", 2, false, "A setting has a wrong name or value."),
  "node.closed": row(503, "unavailable", 6, true, "The node is stopping or has stopped."),
  "node.port_in_use": row(409, "alreadyExists", 1, false, "Another program listens on the port."),
  "node.data_in_use": row(409, "alreadyExists", 1, false, "Another node uses the data folder."),
  "usage.invalid": row(400, "invalidArgument", 2, false, "The command line or request was used wrongly."),
  "state.precondition": row(
    412,
    "failedPrecondition",
    4,
    false,
    "The state is not the one that the change was meant for; `details.found` is its tag now.",
  ),
} satisfies Record<string, ErrorRow>;

/** A code of `@metanode/core`. */
export type CoreErrorCode = keyof typeof coreRows;

const rows = new Map<string, ErrorRow>(Object.entries(coreRows));

/**
 * Adds a package's codes to the one table. Called once, when the package is loaded; adding the same rows again (a second
 * copy of the package) changes nothing.
 */
export function defineErrorCodes<R extends Record<string, ErrorRow>>(added: R): R {
  for (const [code, value] of Object.entries(added)) rows.set(code, value);
  return added;
}

/** The row of a code; an unknown code (a newer peer's) is treated as `core.internal`, keeping its own name. */
export function errorRow(code: string): ErrorRow {
  return rows.get(code) ?? coreRows["core.internal"];
}

/** Every known code with its row, in the order of definition. */
export function errorTable(): ReadonlyMap<string, ErrorRow> {
  return rows;
}

/** What an error carries besides its code and message. */
export interface ErrorInfo {
  /** Overrules the row of the code. */
  retryable?: boolean;
  /** The earliest useful moment for a retry, in milliseconds from now. */
  retryAfterMs?: number;
  /** Facts for programs: what was found, what was expected. Must be JSON. */
  details?: Readonly<Record<string, unknown>>;
  /** Where it arose, innermost first: processor ids and node names. */
  origin?: readonly string[];
  /** The error behind this one. */
  cause?: unknown;
}

/** The one error class. Branch on `code` (see {@link hasCode}), never on the text and not on `instanceof`. */
export class MetanodeError<C extends string = string> extends Error {
  override name = "MetanodeError";
  readonly code: C;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly origin: readonly string[];

  constructor(code: C, message: string, info: ErrorInfo = {}) {
    super(message, info.cause === undefined ? undefined : { cause: info.cause });
    this.code = code;
    this.retryable = info.retryable ?? errorRow(code).retryable;
    this.retryAfterMs = info.retryAfterMs;
    this.details = info.details;
    this.origin = info.origin ?? [];
  }
}

/** A {@link MetanodeError} with a code of core; the type keeps misspelt codes out. */
export function coreError(code: CoreErrorCode, message: string, info?: ErrorInfo): MetanodeError<CoreErrorCode> {
  return new MetanodeError(code, message, info);
}

/** Whether `error` carries `code`. Works across processes, workers and second copies of a package. */
export function hasCode(error: unknown, code: string): boolean {
  return codeOf(error) === code;
}

/** The code that `error` carries, if it is one of ours: `area.what`. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  const { code } = error;
  return typeof code === "string" && /^[a-z]+\.[a-z_]+$/.test(code) ? code : undefined;
}

/** The form in which an error crosses a process or a network: plain JSON, identity kept. */
export interface WireError {
  code: string;
  message: string;
  retryable: boolean;
  retryAfterMs?: number;
  details?: Record<string, unknown>;
  origin?: string[];
  stack?: string;
  cause?: WireError;
}

/** How deep a chain of causes is carried; more says nothing to a reader. */
const MAX_CAUSES = 5;

/** Turns any thrown value into its wire form; a foreign error gets `fallback` as its code. */
export function toWire(error: unknown, fallback: CoreErrorCode = "core.internal", depth = 0): WireError {
  const ours = asMetanodeError(error, fallback);
  const wire: WireError = { code: ours.code, message: ours.message, retryable: ours.retryable };
  if (ours.retryAfterMs !== undefined) wire.retryAfterMs = ours.retryAfterMs;
  if (ours.details) wire.details = { ...ours.details };
  if (ours.origin.length > 0) wire.origin = [...ours.origin];
  if (ours.stack) wire.stack = ours.stack;
  // A foreign error became the cause of its own wrapping, whose text says the same; what is behind it is what counts.
  const cause = ours.cause === error ? (error as Error | null | undefined)?.cause : ours.cause;
  if (cause !== undefined && depth < MAX_CAUSES) wire.cause = toWire(cause, fallback, depth + 1);
  return wire;
}

/** The opposite of {@link toWire}. `hop` is added to the origin: the processor or node that the error came from. */
export function fromWire(wire: WireError, hop?: string): MetanodeError {
  const origin = hop === undefined ? (wire.origin ?? []) : [...(wire.origin ?? []), hop];
  const error = new MetanodeError(wire.code, wire.message, {
    retryable: wire.retryable,
    ...(wire.retryAfterMs === undefined ? {} : { retryAfterMs: wire.retryAfterMs }),
    ...(wire.details ? { details: wire.details } : {}),
    ...(wire.cause ? { cause: fromWire(wire.cause) } : {}),
    origin,
  });
  if (wire.stack) error.stack = wire.stack;
  return error;
}

/** Gives `error` back if it is ours (also of a second copy of this package), else wraps it once, as the cause. */
export function asMetanodeError(error: unknown, fallback: CoreErrorCode = "core.internal"): MetanodeError {
  if (error instanceof MetanodeError) return error;
  const code = codeOf(error);
  if (code !== undefined && error instanceof Error) {
    const { details, retryable, retryAfterMs, origin } = error as Partial<MetanodeError>;
    const copy = new MetanodeError(code, error.message, {
      ...(retryable === undefined ? {} : { retryable }),
      ...(details ? { details } : {}),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(origin ? { origin } : {}),
      cause: error.cause,
    });
    if (error.stack) copy.stack = error.stack;
    return copy;
  }
  const text = error instanceof Error ? error.message || error.name : String(error);
  const wrapped = new MetanodeError(fallback, text, { cause: error });
  if (error instanceof Error && error.stack) wrapped.stack = error.stack;
  return wrapped;
}
