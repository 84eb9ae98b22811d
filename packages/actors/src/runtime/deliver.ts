import { type ActorErrorCode, actorError } from "../errors.ts";
import { type Address, Alias, isReason, PID, ProcessName, type Reason } from "../identity/index.ts";
import { Envelope, MessageExit, MessageFallback, type Priority } from "../mailbox/index.ts";
import { extrasOf } from "../process/extras.ts";
import type { Process } from "../process/process.ts";
import type { Problem } from "./network.ts";
import type { Tables } from "./tables.ts";

/** Mail that found no room goes through at most this many fallbacks. */
const MAX_FALLBACKS = 16;

/** Puts a message into a mailbox; says what kept it from it, if anything did. */
export function deliver(tables: Tables, from: PID, to: Address, message: unknown, priority: Priority): Problem | undefined {
  let target: Process | undefined;
  if (to instanceof PID) target = tables.byPid(to);
  else {
    target = tables.find(to);
    if (target?.splits) return deliverSplit(tables, target, { from, to, message, priority });
  }
  if (target === undefined) {
    const network = tables.elsewhere(to);
    return network === undefined ? missing(tables, to) : network.send(from, to, message, priority);
  }
  const fits = priority === "normal" ? target.mail(from, message) : target.put(priority, from, message);
  if (fits) return undefined;
  if (from === target.pid && to instanceof PID) return target.fullCode;
  return fallBack(tables, target, { from, to, message, priority });
}

/** Mail to the name or an alias of a process that wants to know which it was. */
function deliverSplit(tables: Tables, target: Process, mail: Overflow): ActorErrorCode | undefined {
  const { from, to, message, priority } = mail;
  if (target.put(priority, undefined, new Envelope("message", from, message, undefined, to))) return undefined;
  return fallBack(tables, target, mail);
}

/** Sends for a process, and throws what kept the message from its target. */
export function send(tables: Tables, process: Process, to: Address, message: unknown, priority: Priority): void {
  if (process.state === "zombie") throw actorError("actor.not_allowed", `process ${process.pid} was killed`);
  const problem = deliver(tables, process.pid, to, message, priority);
  if (problem !== undefined) throw undeliverable(problem, to);
  process.messagesOut++;
}

/** Sends, and resolves when the message is in the mailbox; `process` undefined = the kernel. Rejects as {@link send} throws. */
export function sendImportant(
  tables: Tables,
  process: Process | undefined,
  to: Address,
  message: unknown,
  priority: Priority,
): Promise<void> {
  if (process?.state === "zombie" || process?.state === "terminated") {
    return Promise.reject(actorError("actor.not_allowed", `process ${process.pid} is ending`));
  }
  const network = tables.elsewhere(to);
  if (network !== undefined) {
    if (process !== undefined) process.messagesOut++;
    return network.sendImportant(process, to, message, priority);
  }
  const problem = deliver(tables, process?.pid ?? tables.core, to, message, priority);
  if (problem !== undefined) return Promise.reject(undeliverable(problem, to));
  if (process !== undefined) process.messagesOut++;
  return Promise.resolve();
}

/** The error for mail to `to` that could not be delivered. */
export function undeliverable(problem: Problem, to: Address): Error {
  if (problem instanceof Error) return problem;
  return actorError(problem, `${describe(problem)}: ${to}`);
}

function describe(problem: ActorErrorCode): string {
  if (problem === "actor.mailbox_full" || problem === "actor.meta_mailbox_full") return "the mailbox is full";
  if (problem === "actor.node_terminated") return "the kernel has stopped";
  if (problem === "actor.process_terminated") return "the process is ending";
  if (problem === "actor.not_allowed") return "a process asks neither itself nor anybody once it has ended";
  if (problem === "actor.unsupported") return "mail goes to a PID, a name or an alias, not to this";
  if (problem === "actor.incarnation") return "the address belongs to an earlier life of its node";
  if (problem === "actor.link_full") return "the node takes mail more slowly than it is sent";
  return problem === "actor.no_route" ? "the node cannot be reached" : "no such process";
}

/** Why nothing was found behind `to`. */
export function missing(tables: Tables, to: Address): ActorErrorCode {
  if (tables.state === "stopped") return "actor.node_terminated";
  if (typeof to === "string") return "actor.process_unknown";
  if (!(to instanceof PID || to instanceof ProcessName || to instanceof Alias)) return "actor.unsupported";
  return tables.isHere(to.node) ? "actor.process_unknown" : "actor.no_route";
}

interface Overflow {
  readonly from: PID;
  readonly to: Address;
  readonly message: unknown;
  readonly priority: Priority;
}

function fallBack(tables: Tables, full: Process, mail: Overflow): ActorErrorCode | undefined {
  let { message, to } = mail;
  let at = full;
  if (full.state === "zombie") return full.fullCode;
  for (let hop = 0; hop < MAX_FALLBACKS; hop++) {
    const fallback = at.extras?.fallback;
    if (fallback === undefined || fallback.name === at.name) return at.fullCode;
    const next = tables.names.get(fallback.name)?.process;
    if (next === undefined) return "actor.process_unknown";
    message = new MessageFallback(at.pid, fallback.tag ?? "", to, message);
    to = fallback.name;
    const fits = next.splits
      ? next.put(mail.priority, undefined, new Envelope("message", mail.from, message, undefined, to))
      : next.put(mail.priority, mail.from, message);
    if (fits) return undefined;
    at = next;
  }
  return "actor.mailbox_full";
}

/** Resolves when the mail that waits at `to` now has been read, or nothing of this node is there any more. */
export function whenRead(tables: Tables, to: Address): Promise<void> {
  const target = tables.find(to);
  if (target === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    const { onEnd } = extrasOf(target);
    const done = (): void => {
      onEnd.delete(done);
      resolve();
    };
    onEnd.add(done);
    target.mark(done);
  });
}

/** Sends an exit signal. @throws actor.incorrect, actor.not_allowed, actor.process_unknown, actor.mailbox_full */
export function sendExit(tables: Tables, from: Process | undefined, to: PID<never, never>, reason: Reason): void {
  checkExit(from, to, reason);
  const problem = exitFrom(tables, from?.pid ?? tables.core, to, reason);
  if (problem !== undefined) throw undeliverable(problem, to as PID);
}

/** Puts an exit into the mailbox of a process, wherever it is; says what kept it from it. */
export function exitFrom(tables: Tables, from: PID, to: PID<never, never>, reason: Reason): Problem | undefined {
  const target = tables.byPid(to);
  if (target !== undefined) return putExit(target, new MessageExit("pid", from, reason)) ? undefined : target.fullCode;
  const network = tables.elsewhere(to as PID);
  return network === undefined ? missing(tables, to as PID) : network.exit(from, to, reason);
}

/** @throws actor.unsupported – no PID; actor.incorrect – no reason; actor.not_allowed – to itself, its parent or its leader */
export function checkExit(from: Process | undefined, to: PID<never, never>, reason: Reason): void {
  if (!(to instanceof PID)) throw actorError("actor.unsupported", `an exit signal goes to a PID, not to ${String(to)}`);
  if (!isReason(reason)) {
    throw actorError(
      "actor.incorrect",
      `an exit signal needs a reason: normal, shutdown, kill or an error, not ${String(reason)}`,
    );
  }
  if (from === undefined) return;
  if (from.state === "zombie") throw actorError("actor.not_allowed", `process ${from.pid} was killed`);
  if (isSame(to, from.pid) || isSame(to, from.parent) || isSame(to, from.leader)) {
    throw actorError("actor.not_allowed", "a process sends no exit to itself, its parent or its leader");
  }
}

/** Puts an exit into the urgent queue; false if that is full. */
export function putExit(target: Process, exit: MessageExit): boolean {
  return target.put("max", undefined, new Envelope("exit", target.pid, exit));
}

/** Whether two PIDs name the same process. */
export function isSame(a: PID<never, never>, b: PID<never, never>): boolean {
  return a === b || (a.id === b.id && a.creation === b.creation && a.node === b.node);
}
