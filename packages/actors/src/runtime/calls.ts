import { type ActorErrorCode, actorError } from "../errors.ts";
import { type Address, Alias, later, type Outcome, PID, type Ref, Terminate } from "../identity/index.ts";
import { Envelope, type EnvelopeKind, isPriority, type MessageResponse, type Priority } from "../mailbox/index.ts";
import { isAbandoned, Pending, pendingOf, type Settler, type Waiter } from "../process/pending.ts";
import type { Process } from "../process/process.ts";
import { missing, undeliverable } from "./deliver.ts";
import type { Tables } from "./tables.ts";

/** How long a call waits unless it says otherwise. */
export const DEFAULT_CALL_MS = 5_000;

/** How to ask. */
export interface CallOptions {
  /** Longest wait, in milliseconds; below 1 means the default. @default 5_000 */
  timeoutMs?: number;
  /** @default "normal" */
  priority?: Priority;
}

/** How to ask without waiting. */
export interface RequestOptions extends CallOptions {
  /** Comes back with the response. @default "" */
  label?: string;
}

/** @throws actor.incorrect – a wait without an end */
function timeoutOf(options: CallOptions | undefined): number {
  const timeoutMs = options?.timeoutMs ?? DEFAULT_CALL_MS;
  if (timeoutMs === Number.POSITIVE_INFINITY)
    throw actorError("actor.incorrect", "timeoutMs is infinite, and every wait has an end");
  return timeoutMs >= 1 ? timeoutMs : DEFAULT_CALL_MS;
}

function priorityOf(options: CallOptions | undefined): Priority | undefined {
  const priority = options?.priority;
  if (priority === undefined || isPriority(priority)) return priority;
  throw actorError("actor.incorrect", `a priority is normal, high or max, not ${String(priority)}`);
}

interface Question {
  readonly kind: EnvelopeKind;
  readonly to: Address;
  readonly request: unknown;
  readonly timeoutMs: number;
  readonly priority: Priority;
  readonly blocking: boolean;
}

/** Asks and waits; `caller` undefined = from outside. Rejects with the error of the callee or `actor.*`; never hangs. */
export function call(
  tables: Tables,
  caller: Process | undefined,
  to: Address,
  request: unknown,
  options?: CallOptions,
): Promise<unknown> {
  return ask(tables, caller, "call", to, request, options);
}

/**
 * Asks a process or a meta-process of this node for its inspection; an alias has to be that of a meta-process. Rejects with
 * actor.not_allowed – on another node; actor.process_unknown; actor.meta_unknown; actor.mailbox_full; actor.timeout.
 */
export function inspect(
  tables: Tables,
  caller: Process | undefined,
  to: PID<never, never> | Alias<never, never>,
  items: readonly string[],
): Promise<unknown> {
  if (!tables.isHere(to.node)) return Promise.reject(actorError("actor.not_allowed", `${to} is on another node`));
  if (to instanceof Alias) {
    const target = tables.entryOfAlias(to)?.process;
    if (target === undefined || !tables.metas.has(target)) {
      return Promise.reject(actorError("actor.meta_unknown", `no meta-process has the alias ${to}`));
    }
  }
  return ask(tables, caller, "inspect", to as Address, items, { priority: "max" });
}

function ask(
  tables: Tables,
  caller: Process | undefined,
  kind: EnvelopeKind,
  to: Address,
  request: unknown,
  options: CallOptions | undefined,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timeoutMs = timeoutOf(options);
    const priority = priorityOf(options) ?? caller?.priority ?? "normal";
    const asked = open(tables, caller, { kind, to, request, timeoutMs, priority, blocking: true }, { resolve, reject });
    if (typeof asked === "string") reject(undeliverable(asked, to));
  });
}

/** Asks without waiting: one response comes as mail. @throws what keeps the request from its target. */
export function sendRequest(tables: Tables, process: Process, to: Address, request: unknown, options: RequestOptions = {}): Ref {
  const timeoutMs = timeoutOf(options);
  const priority = priorityOf(options) ?? process.priority;
  const respond = (result: unknown, error: Error | undefined): void => {
    if (process.state === "terminated" || typeof ref === "string") return;
    const response: MessageResponse = { ref, from: to, label: options.label ?? "", result, error };
    process.put(priority, undefined, new Envelope("response", process.pid, response));
  };
  const settler: Settler = {
    resolve: (value) => respond(value, undefined),
    reject: (error) => respond(undefined, error as Error),
  };
  const ref = open(tables, process, { kind: "call", to, request, timeoutMs, priority, blocking: false }, settler);
  if (typeof ref === "string") throw undeliverable(ref, to);
  return ref;
}

/** Registers the wait before the request leaves; says what kept it from leaving. */
function open(tables: Tables, caller: Process | undefined, question: Question, settler: Settler): Ref | ActorErrorCode {
  const { to } = question;
  if (caller !== undefined && (caller.state === "zombie" || caller.state === "terminated")) return "actor.not_allowed";
  const target = tables.find(to);
  if (target === undefined) return missing(tables, to);
  if (target === caller) return "actor.not_allowed";
  const waiter: Waiter = caller ?? tables.outside;
  const ref = tables.makeRef(tables.clock.now() + question.timeoutMs);
  const pending = new Pending(ref, to, waiter, question.blocking, settler, tables.deadlines);
  const from = caller?.pid ?? tables.core;
  if (!target.put(question.priority, undefined, new Envelope(question.kind, from, question.request, ref, to))) {
    pending.withdraw();
    return question.kind === "inspect" ? "actor.mailbox_full" : target.fullCode;
  }
  if (caller !== undefined) caller.messagesOut++;
  return ref;
}

/** How to answer. */
export interface RespondOptions {
  /** Whether it is an error when nobody waits any more. @default false */
  important?: boolean;
}

/** Answers a request. @throws actor.process_unknown – the requester is gone; actor.response_ignored – see {@link RespondOptions}. */
export function respond(
  tables: Tables,
  to: PID,
  ref: Ref,
  answer: { value: unknown } | { error: Error },
  important = false,
): void {
  const pending = pendingOf(ref);
  if (pending !== undefined) {
    if ("error" in answer) pending.fail(answer.error);
    else pending.answer(answer.value);
    return;
  }
  if (isAbandoned(ref)) throw undeliverable("actor.process_unknown", to);
  if (to.id !== tables.core.id && tables.byPid(to) === undefined) throw undeliverable(missing(tables, to), to);
  if (important || to.id === tables.core.id) throw actorError("actor.response_ignored");
}

/** Answers the call in `envelope` with what `handleCall` gave back; with a reason other than `normal` only if `always`. */
export function answerCall(envelope: Envelope, given: unknown, always = false): Outcome {
  if (given === later) return undefined;
  if (given instanceof Terminate) {
    const isAnswered = given.answer !== undefined && (always || given.reason === "normal");
    if (isAnswered) pendingOf(envelope.ref as Ref)?.answer(given.answer);
    return given;
  }
  pendingOf(envelope.ref as Ref)?.answer(given);
  return undefined;
}

/** Withdraws a request that does not wait: no response comes. @throws actor.request_unknown */
export function cancelRequest(process: Process, ref: Ref): void {
  if (process.state === "zombie") throw actorError("actor.not_allowed", `process ${process.pid} was killed`);
  const pending = pendingOf(ref);
  if (pending === undefined || pending.waiter !== process || pending.blocking) throw actorError("actor.request_unknown");
  pending.withdraw();
}

/** Ends one wait of a process with `actor.canceled`. @throws actor.process_unknown, actor.incorrect – it waits for no such ref. */
export function cancelWaitResponse(tables: Tables, pid: PID<never, never>, ref: Ref): void {
  const process = tables.byPid(pid);
  if (process === undefined) throw undeliverable(missing(tables, pid as PID), pid as PID);
  const pending = pendingOf(ref);
  if (pending === undefined || pending.waiter !== process || !pending.blocking) {
    throw actorError("actor.incorrect", `process ${pid} waits for no answer to ${ref}`);
  }
  pending.fail(actorError("actor.canceled"));
}

/** Mail that goes on to another process of this node as it came: with its sender, and its ref if it is a call. */
export interface Forwarded {
  readonly from: PID;
  /** Of a call. */
  readonly ref?: Ref;
  readonly payload: unknown;
}

/**
 * Moves a message or a call on; whoever gets a call answers the original caller.
 * @throws actor.process_unknown, actor.process_terminated, actor.mailbox_full
 */
export function forward(tables: Tables, to: Address, mail: Forwarded, priority: Priority = "normal"): void {
  const target = tables.find(to);
  if (target === undefined) throw undeliverable(missing(tables, to), to);
  const { from, ref, payload } = mail;
  const isPlain = ref === undefined && (!target.splits || to instanceof PID);
  const fits = isPlain
    ? target.put(priority, from, payload)
    : target.put(priority, undefined, new Envelope(ref === undefined ? "message" : "call", from, payload, ref, to));
  if (!fits) throw undeliverable(target.fullCode, to);
}
