import { actorError } from "../errors.ts";
import { type Address, Alias, later, type Outcome, PID, type Ref, Terminate } from "../identity/index.ts";
import { Envelope, type EnvelopeKind, isPriority, type MessageResponse, type Priority } from "../mailbox/index.ts";
import { isAbandoned, Pending, pendingOf, type Waiter } from "../process/pending.ts";
import type { Process } from "../process/process.ts";
import { missing, undeliverable } from "./deliver.ts";
import type { Done, FarAnswer, Problem } from "./network.ts";
import type { Tables } from "./tables.ts";

/** How long a call waits unless it says otherwise. */
export const DEFAULT_CALL_MS = 5_000;

/** How to ask. */
export interface CallOptions {
  /** Longest wait, in milliseconds; below 1 means the default. @default 5_000 */
  timeoutMs?: number;
  /** @default "normal" */
  priority?: Priority;
  /** Whether a request to another node that nobody gets fails at once, not by its timeout. @default as `setImportantDelivery` says */
  important?: boolean;
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

/** The wait of a caller for a promise. */
class AwaitedAnswer extends Pending {
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;

  constructor(ref: Ref, to: Address, waiter: Waiter, resolve: (value: unknown) => void, reject: (error: unknown) => void) {
    super(ref, to, waiter);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  override get blocking(): boolean {
    return true;
  }

  protected override resolve(value: unknown): void {
    this.#resolve(value);
  }

  protected override reject(error: unknown): void {
    this.#reject(error);
  }
}

/** The wait for an answer that comes as mail. */
class MailedAnswer extends Pending {
  readonly #process: Process;
  readonly #priority: Priority;
  readonly #label: string;

  constructor(ref: Ref, to: Address, process: Process, { label, priority }: RequestOptions) {
    super(ref, to, process);
    this.#process = process;
    this.#priority = priority ?? process.priority;
    this.#label = label ?? "";
  }

  override get blocking(): boolean {
    return false;
  }

  protected override resolve(result: unknown): void {
    this.#respond(result, undefined);
  }

  protected override reject(error: unknown): void {
    this.#respond(undefined, error as Error);
  }

  #respond(result: unknown, error: Error | undefined): void {
    if (this.#process.state === "terminated") return;
    const response: MessageResponse = { ref: this.ref, from: this.to, label: this.#label, result, error };
    this.#process.put(this.#priority, undefined, new Envelope("response", this.#process.pid, response));
  }
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
    const ref = refFor(tables, options);
    const priority = priorityOf(options) ?? caller?.priority ?? "normal";
    const pending = new AwaitedAnswer(ref, to, caller ?? tables.outside, resolve, reject);
    const envelope = new Envelope(kind, caller?.pid ?? tables.core, request, ref, to);
    const problem = pose(tables, caller, pending, envelope, priority, options);
    if (problem !== undefined) pending.fail(undeliverable(problem, to));
  });
}

/** Asks without waiting: one response comes as mail. @throws what keeps the request from its target. */
export function sendRequest(tables: Tables, process: Process, to: Address, request: unknown, options: RequestOptions = {}): Ref {
  const ref = refFor(tables, options);
  const priority = priorityOf(options) ?? process.priority;
  const pending = new MailedAnswer(ref, to, process, { ...options, priority });
  const problem = pose(tables, process, pending, new Envelope("call", process.pid, request, ref, to), priority, options);
  if (problem === undefined) return ref;
  pending.withdraw();
  throw undeliverable(problem, to);
}

function refFor(tables: Tables, options: CallOptions | undefined): Ref {
  return tables.makeRef(tables.clock.now() + timeoutOf(options));
}

/** Sends a request whose wait is registered already; says what kept it from leaving. */
function pose(
  tables: Tables,
  caller: Process | undefined,
  pending: Pending,
  envelope: Envelope,
  priority: Priority,
  options: CallOptions | undefined,
): Problem | undefined {
  if (caller !== undefined && (caller.state === "zombie" || caller.state === "terminated")) return "actor.not_allowed";
  const { to, ref } = pending;
  const target = tables.find(to);
  if (target === undefined) {
    const problem = poseElsewhere(tables, caller, envelope, priority, options);
    if (problem !== undefined) return problem;
  } else if (target === caller) return "actor.not_allowed";
  else if (!target.put(priority, undefined, envelope)) {
    return envelope.kind === "inspect" ? "actor.mailbox_full" : target.fullCode;
  }
  tables.deadlines.add(pending, ref.deadlineMs);
  if (caller !== undefined) caller.messagesOut++;
  return undefined;
}

/** The same to another node: the ref leaves with the request. */
function poseElsewhere(
  tables: Tables,
  caller: Process | undefined,
  { from, payload, ref, to }: Envelope,
  priority: Priority,
  options: CallOptions | undefined,
): Problem | undefined {
  const network = tables.elsewhere(to as Address);
  if (network === undefined) return missing(tables, to as Address);
  const isImportant = options?.important ?? caller?.extras?.isImportant ?? false;
  return network.call({ from, to: to as Address, request: payload, ref: ref as Ref, priority, isImportant });
}

/** How to answer. */
export interface RespondOptions {
  /**
   * Whether it is an error when nobody waits any more. If the requester is on another node, the answer gives a promise,
   * which tells. @default false
   */
  important?: boolean;
}

/** Answers a request; `by` undefined = the kernel. @throws actor.process_unknown – the requester is gone; actor.response_ignored – see {@link RespondOptions}. */
export function respond(
  tables: Tables,
  to: PID,
  ref: Ref,
  answer: { value: unknown } | { error: Error },
  important = false,
  by?: Process,
): Done {
  if (!tables.isHere(ref.node)) return respondElsewhere(tables, { to, ref, answer, waits: important ? by : undefined, by });
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

function respondElsewhere(tables: Tables, answer: FarAnswer): Done {
  if (tables.network === undefined) throw undeliverable(missing(tables, answer.to), answer.to);
  return tables.network.respond(answer);
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

/** Mail that goes on to another process as it came: with its sender, and its ref if it is a call. */
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
  const { from, ref, payload } = mail;
  if (target === undefined) {
    const problem = forwardElsewhere(tables, to, mail, priority);
    if (problem !== undefined) throw undeliverable(problem, to);
    return;
  }
  const isPlain = ref === undefined && (!target.splits || to instanceof PID);
  const fits = isPlain
    ? target.put(priority, from, payload)
    : target.put(priority, undefined, new Envelope(ref === undefined ? "message" : "call", from, payload, ref, to));
  if (!fits) throw undeliverable(target.fullCode, to);
}

function forwardElsewhere(
  tables: Tables,
  to: Address,
  { from, ref, payload }: Forwarded,
  priority: Priority,
): Problem | undefined {
  const network = tables.elsewhere(to);
  if (network === undefined) return missing(tables, to);
  if (ref === undefined) return network.send(from, to, payload, priority);
  return network.call({ from, to, request: payload, ref, priority, isImportant: false });
}
