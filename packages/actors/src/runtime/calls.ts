import { type ActorErrorCode, actorError } from "../errors.ts";
import { type Address, Alias, later, type Outcome, type PID, type Ref, Terminate } from "../identity/index.ts";
import { Envelope, type EnvelopeKind, type MessageResponse, type Priority } from "../mailbox/index.ts";
import { isAbandoned, Pending, pendingOf, type Waiter } from "../process/pending.ts";
import type { Process } from "../process/process.ts";
import { missing, undeliverable } from "./deliver.ts";
import type { Tables } from "./tables.ts";

/** How long a call waits unless it says otherwise. */
export const DEFAULT_CALL_MS = 5_000;

/** How to ask. */
export interface CallOptions {
  /** Longest wait, in milliseconds. @default 5_000 */
  timeoutMs?: number;
  /** @default "normal" */
  priority?: Priority;
}

/** How to ask without waiting. */
export interface RequestOptions extends CallOptions {
  /** Comes back with the response. @default "" */
  label?: string;
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
  const target = reach(tables, caller, to);
  if (typeof target === "string") return Promise.reject(undeliverable(target, to));
  return new Promise((resolve, reject) => {
    const ref = refFor(tables, options);
    const pending = new AwaitedAnswer(ref, to, caller ?? tables.outside, resolve, reject);
    const envelope = new Envelope(kind, caller?.pid ?? tables.core, request, ref, to);
    if (target.put(options?.priority ?? caller?.priority ?? "normal", undefined, envelope)) {
      tables.deadlines.add(pending, ref.deadlineMs);
      if (caller !== undefined) caller.messagesOut++;
    } else pending.fail(undeliverable(kind === "inspect" ? "actor.mailbox_full" : target.fullCode, to));
  });
}

/** Asks without waiting: one response comes as mail. @throws what keeps the request from its target. */
export function sendRequest(tables: Tables, process: Process, to: Address, request: unknown, options: RequestOptions = {}): Ref {
  const target = reach(tables, process, to);
  if (typeof target === "string") throw undeliverable(target, to);
  const ref = refFor(tables, options);
  const pending = new MailedAnswer(ref, to, process, options);
  const envelope = new Envelope("call", process.pid, request, ref, to);
  if (!target.put(options.priority ?? process.priority, undefined, envelope)) {
    pending.withdraw();
    throw undeliverable(target.fullCode, to);
  }
  tables.deadlines.add(pending, ref.deadlineMs);
  process.messagesOut++;
  return ref;
}

/** Who is to be asked, or what forbids it. */
function reach(tables: Tables, caller: Process | undefined, to: Address): Process | ActorErrorCode {
  if (caller !== undefined && (caller.state === "zombie" || caller.state === "terminated")) return "actor.not_allowed";
  const target = tables.find(to);
  if (target === undefined) return missing(tables, to);
  return target === caller ? "actor.not_allowed" : target;
}

function refFor(tables: Tables, options: CallOptions | undefined): Ref {
  return tables.makeRef(tables.clock.now() + (options?.timeoutMs ?? DEFAULT_CALL_MS));
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

/** Answers the call in `envelope` with what `handleCall` gave back. */
export function answerCall(envelope: Envelope, given: unknown): Outcome {
  if (given === later) return undefined;
  if (given instanceof Terminate) {
    if (given.reason === "normal" && given.answer !== undefined) pendingOf(envelope.ref as Ref)?.answer(given.answer);
    return given;
  }
  pendingOf(envelope.ref as Ref)?.answer(given);
  return undefined;
}

/** Withdraws a request that does not wait: no response comes. @throws actor.request_unknown */
export function cancelRequest(process: Process, ref: Ref): void {
  const pending = pendingOf(ref);
  if (pending === undefined || pending.waiter !== process || pending.blocking) throw actorError("actor.request_unknown");
  pending.withdraw();
}

/** Ends one wait of a process with `actor.canceled`. @throws actor.process_unknown, actor.incorrect – it waits for no such ref. */
export function cancelWaitResponse(tables: Tables, pid: PID<never, never>, ref: Ref): void {
  const process = tables.byPid(pid);
  if (process === undefined) throw undeliverable("actor.process_unknown", pid as PID);
  const pending = pendingOf(ref);
  if (pending === undefined || pending.waiter !== process || !pending.blocking) {
    throw actorError("actor.incorrect", `process ${pid} waits for no answer to ${ref}`);
  }
  pending.fail(actorError("actor.canceled"));
}

/** Moves a call on to another process, which answers the original caller. */
export function forward(tables: Tables, to: Address, from: PID, ref: Ref, request: unknown): void {
  const target = tables.find(to);
  if (target === undefined) throw undeliverable(missing(tables, to), to);
  if (!target.put("normal", undefined, new Envelope("call", from, request, ref, to))) throw undeliverable(target.fullCode, to);
}
