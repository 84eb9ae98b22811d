import { defineErrorCodes, type ErrorInfo, MetanodeError } from "@metanode/core/errors";

const refused = { http: 409, grpc: 9, exit: 4, retryable: false } as const;
const missing = { http: 404, grpc: 5, exit: 3, retryable: false } as const;
const wrong = { http: 400, grpc: 3, exit: 2, retryable: false } as const;
const exists = { http: 409, grpc: 6, exit: 4, retryable: false } as const;
const busy = { http: 429, grpc: 8, exit: 1, retryable: true } as const;
const unavailable = { http: 503, grpc: 14, exit: 6, retryable: true } as const;

const actorRows = defineErrorCodes({
  "actor.process_unknown": { ...missing, meaning: "No process has this PID, name or alias." },
  "actor.process_terminated": { ...refused, meaning: "The process is ending, or ended while it waited." },
  "actor.parent_unknown": { ...missing, meaning: "The parent or leader of a new process does not exist." },
  "actor.mailbox_full": { ...busy, meaning: "A queue of the process is at its limit; the message was not accepted." },
  "actor.meta_unknown": { ...missing, meaning: "The alias is not that of a meta-process." },
  "actor.meta_mailbox_full": { ...busy, meaning: "A queue of the meta-process is at its limit; the message was not accepted." },
  "actor.name_taken": { ...exists, meaning: "The name belongs to another process, or the process has a name already." },
  "actor.name_unknown": { ...missing, meaning: "The name is not registered." },
  "actor.name_too_long": { ...wrong, meaning: "The name is longer than 255 bytes." },
  "actor.alias_unknown": { ...missing, meaning: "No process has this alias." },
  "actor.alias_taken": { ...exists, meaning: "The alias leads to another process already." },
  "actor.alias_owner": { ...refused, meaning: "The alias belongs to another process." },
  "actor.event_taken": { ...exists, meaning: "An event of this name is registered already." },
  "actor.event_unknown": { ...missing, meaning: "No event of this name is registered." },
  "actor.event_owner": { ...refused, meaning: "The token is not the event's, or the event belongs to another producer." },
  "actor.target_exists": { ...exists, meaning: "The process has this link or monitor already." },
  "actor.target_unknown": { ...missing, meaning: "The process has no such link or monitor." },
  "actor.not_allowed": { ...refused, meaning: "The process may not do this to this target, or not in its present state." },
  "actor.unsupported": { http: 501, grpc: 12, exit: 1, retryable: false, meaning: "The target exists, but cannot do this." },
  "actor.incorrect": { ...wrong, meaning: "An argument has a wrong value." },
  "actor.timeout": { http: 504, grpc: 4, exit: 7, retryable: true, meaning: "No answer came in time." },
  "actor.response_ignored": { ...refused, meaning: "Nobody waits for this answer any more." },
  "actor.canceled": { http: 499, grpc: 1, exit: 9, retryable: false, meaning: "The wait for an answer was ended from outside." },
  "actor.request_unknown": { ...missing, meaning: "The process has no open request with this ref." },
  "actor.unregistered": { ...refused, meaning: "The name, alias or event was withdrawn while its owner lives." },
  "actor.incarnation": { ...refused, meaning: "The address belongs to an earlier life of its node." },
  "actor.no_route": { http: 503, grpc: 14, exit: 6, retryable: true, meaning: "The node of the address cannot be reached." },
  "actor.node_terminated": { http: 503, grpc: 14, exit: 6, retryable: false, meaning: "The kernel has stopped." },
  "actor.panic": { http: 500, grpc: 13, exit: 1, retryable: false, meaning: "A callback threw; `cause` is what it threw." },
  "actor.exceeded": { ...refused, meaning: "Children were restarted more often than the supervisor allows." },
  "actor.supervisor_strategy_active": {
    ...refused,
    retryable: true,
    meaning: "The supervisor is stopping or restarting children.",
  },
  "actor.supervisor_spec": { ...wrong, meaning: "The specification of the supervisor is invalid." },
  "actor.child_unknown": { ...missing, meaning: "The supervisor has no child specification of this name." },
  "actor.child_running": { ...refused, meaning: "The child runs already." },
  "actor.child_disabled": { ...refused, meaning: "The child is disabled." },
  "actor.too_large": { ...wrong, http: 413, meaning: "A chunk, line, event or message is over its size limit." },
  "actor.malformed": { ...wrong, meaning: "What was received breaks the rules of its form." },
  "actor.logger_taken": { ...exists, meaning: "A logger of this name exists already." },
  "actor.logger_unknown": { ...missing, meaning: "The kernel has no logger of this name." },
  "actor.application_unknown": { ...missing, meaning: "No application of this name is loaded." },
  "actor.application_taken": { ...exists, meaning: "An application of this name is loaded already." },
  "actor.application_spec": { ...wrong, meaning: "The specification of the application is invalid." },
  "actor.application_depends": {
    ...refused,
    meaning: "An application that this one depends on is not loaded, or could not be started.",
  },
  "actor.application_running": { ...refused, meaning: "The application runs already, or runs still." },
  "actor.application_state": { ...refused, retryable: true, meaning: "The application is being started or stopped." },
  "actor.application_stopping": {
    ...refused,
    meaning: "The application is being stopped, and this was not done before its end.",
  },
  "actor.cron_spec": { ...wrong, meaning: "The times of the cron job, or its time zone, are not valid." },
  "actor.cron_job_taken": { ...exists, meaning: "A cron job of this name exists already." },
  "actor.cron_job_unknown": { ...missing, meaning: "The kernel has no cron job of this name." },
  "actor.child_duplicate": { ...exists, meaning: "Two child specifications have the same name." },
  "actor.start_failed": {
    http: 500,
    grpc: 13,
    exit: 1,
    retryable: false,
    meaning: "The program of a port, or the thread of a worker, could not be started.",
  },
  "actor.worker_failed": {
    http: 500,
    grpc: 13,
    exit: 1,
    retryable: false,
    meaning: "The thread of a worker ended by a limit of its resources, or with an exit code other than 0.",
  },
  "actor.io_failed": {
    http: 500,
    grpc: 13,
    exit: 1,
    retryable: true,
    meaning: "Reading or writing failed; `cause` is the error of the operating system.",
  },
  "actor.no_connection": { http: 503, grpc: 14, exit: 6, retryable: true, meaning: "The connection to the node was lost." },
  "actor.link_full": { ...busy, meaning: "The node takes mail more slowly than it is sent; the message was not accepted." },
  "actor.not_sendable": { ...wrong, meaning: "The value holds something that cannot go to another node, such as a function." },
  "actor.mailbox_kept": {
    ...refused,
    meaning: "The process ended, and the error keeps the mail that waited; `cause` is why it ended.",
  },
  "actor.port_in_use": { ...exists, meaning: "Something else listens on the port already." },
  "actor.listen_failed": { ...refused, meaning: "The address cannot be listened on; `cause` says why." },
  "actor.connect_failed": { ...unavailable, meaning: "The peer cannot be reached, or was not trusted; `cause` says why." },
  "actor.connection_lost": { ...unavailable, meaning: "The peer went away, or closed the connection with an error." },
  "actor.handler_not_initialized": { ...unavailable, meaning: "The handler was never spawned as a meta-process." },
  "actor.handler_not_ready": { ...unavailable, meaning: "The handler is being spawned." },
  "actor.handler_terminated": { ...unavailable, meaning: "The handler has ended." },
  "actor.worker_unreachable": {
    ...unavailable,
    http: 502,
    meaning: "The request could not be given to a worker; `cause` says why.",
  },
  "actor.worker_timeout": {
    http: 504,
    grpc: 4,
    exit: 7,
    retryable: true,
    meaning: "The worker did not finish the request in time.",
  },
  "actor.pool_empty": { ...refused, meaning: "The pool has no worker left." },
  "actor.discarded": { ...refused, meaning: "A router chose no route for the request." },
  "actor.disabled": { ...refused, meaning: "The route is disabled." },
  "actor.busy": { ...refused, retryable: true, meaning: "The route is being started or replaced." },
  "actor.route_unknown": { ...missing, meaning: "The router has no route of this name, and no process has it." },
  "actor.route_duplicate": { ...exists, meaning: "The router has a route of this name already." },
  "actor.route_running": { ...refused, meaning: "The route runs already." },
});

/** A code of `@metanode/actors`. */
export type ActorErrorCode = keyof typeof actorRows;

/** A `MetanodeError` with a code of this package; without a text it says what the code means. */
export function actorError(code: ActorErrorCode, message?: string, info?: ErrorInfo): MetanodeError<ActorErrorCode> {
  return new MetanodeError(code, message ?? actorRows[code].meaning, info);
}

/** Why nothing can listen at `where`, out of what the system said. */
export function listenError(where: string, cause: Error & { code?: string }): MetanodeError<ActorErrorCode> {
  if (cause.code === "EADDRINUSE") return actorError("actor.port_in_use", `${where} is in use; choose another port`, { cause });
  return actorError("actor.listen_failed", `cannot listen on ${where}: ${cause.message}`, { cause });
}

/** A whole number of `min` or more, else `actor.incorrect` which names the option. */
export function wholeNumber(name: string, value: unknown, min: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min) return value;
  throw actorError("actor.incorrect", `${name} is ${String(value)}, expected a whole number of ${min} or more`, {
    details: { option: name },
  });
}

/** Refuses options that nobody reads: a misspelt limit would be no limit. */
export function knownOptions(name: string, given: object, known: readonly string[]): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    throw actorError("actor.incorrect", `${name}.${key} is not an option; known are ${known.join(", ")}`, {
      details: { option: `${name}.${key}` },
    });
  }
}
