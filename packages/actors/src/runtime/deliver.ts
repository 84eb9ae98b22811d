import { type ActorErrorCode, actorError } from "../errors.ts";
import { type Address, PID, type Reason } from "../identity/index.ts";
import { Envelope, MessageExit, MessageFallback, type Priority } from "../mailbox/index.ts";
import { extrasOf } from "../process/extras.ts";
import type { Process } from "../process/process.ts";
import type { Tables } from "./tables.ts";

/** Mail that found no room goes through at most this many fallbacks. */
const MAX_FALLBACKS = 16;

/** Puts a message into a mailbox; says what kept it from it, if anything did. */
export function deliver(
  tables: Tables,
  from: PID,
  to: Address,
  message: unknown,
  priority: Priority,
): ActorErrorCode | undefined {
  const target = tables.find(to);
  if (target === undefined) return missing(tables, to);
  const fits = priority === "normal" ? target.mail(from, message) : target.put(priority, from, message);
  if (fits) return undefined;
  if (from === target.pid && to instanceof PID) return target.fullCode;
  return fallBack(tables, target, { from, to, message, priority });
}

/** Sends for a process, and throws what kept the message from its target. */
export function send(tables: Tables, process: Process, to: Address, message: unknown, priority: Priority): void {
  if (process.state === "zombie") throw actorError("actor.not_allowed", `process ${process.pid} was killed`);
  const problem = deliver(tables, process.pid, to, message, priority);
  if (problem !== undefined) throw undeliverable(problem, to);
  process.messagesOut++;
}

/** The error for mail to `to` that could not be delivered. */
export function undeliverable(problem: ActorErrorCode, to: Address): Error {
  return actorError(problem, `${describe(problem)}: ${to}`);
}

function describe(problem: ActorErrorCode): string {
  if (problem === "actor.mailbox_full" || problem === "actor.meta_mailbox_full") return "the mailbox is full";
  if (problem === "actor.node_terminated") return "the kernel has stopped";
  return problem === "actor.no_route" ? "the node cannot be reached" : "no such process";
}

/** Why nothing was found behind `to`. */
export function missing(tables: Tables, to: Address): ActorErrorCode {
  if (tables.state === "stopped") return "actor.node_terminated";
  if (typeof to === "string" || tables.isHere(to.node)) return "actor.process_unknown";
  return "actor.no_route";
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
  for (let hop = 0; hop < MAX_FALLBACKS; hop++) {
    const fallback = at.extras?.fallback;
    if (fallback === undefined || fallback.name === at.name) return at.fullCode;
    const next = tables.names.get(fallback.name)?.process;
    if (next === undefined) return "actor.process_unknown";
    message = new MessageFallback(at.pid, fallback.tag ?? "", to, message);
    to = fallback.name;
    if (next.put(mail.priority, mail.from, message)) return undefined;
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
  if (reason === undefined || reason === null) throw actorError("actor.incorrect", "an exit signal needs a reason");
  const target = tables.byPid(to);
  if (from !== undefined) {
    if (from.state === "zombie") throw actorError("actor.not_allowed", `process ${from.pid} was killed`);
    if (isSame(to, from.pid) || isSame(to, from.parent) || isSame(to, from.leader)) {
      throw actorError("actor.not_allowed", "a process sends no exit to itself, its parent or its leader");
    }
  }
  if (target === undefined) throw undeliverable(missing(tables, to as PID), to as PID);
  if (!putExit(target, new MessageExit("pid", from?.pid ?? tables.core, reason)))
    throw undeliverable("actor.mailbox_full", to as PID);
}

/** Puts an exit into the urgent queue; false if that is full. */
export function putExit(target: Process, exit: MessageExit): boolean {
  return target.put("max", undefined, new Envelope("exit", target.pid, exit));
}

/** Whether two PIDs name the same process. */
export function isSame(a: PID<never, never>, b: PID<never, never>): boolean {
  return a === b || (a.id === b.id && a.creation === b.creation && a.node === b.node);
}
