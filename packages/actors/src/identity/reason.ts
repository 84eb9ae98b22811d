import { hasCode } from "@metanode/core/errors";
import { actorError } from "../errors.ts";

/** Why a process ended. The words compare by value, errors by identity or code; a panic is an error with `actor.panic`. */
export type Reason = "normal" | "shutdown" | "kill" | Error;

/**
 * Ends the process that throws or returns it, with `reason`. Returned from `handleCall` with reason `normal` and an
 * answer, the caller is answered first; with any other reason the caller gets no answer.
 */
export class Terminate extends Error {
  override name = "Terminate";
  readonly reason: Reason;
  readonly answer: unknown;

  constructor(reason: Reason, answer?: unknown) {
    super("the process ends");
    this.reason = reason;
    this.answer = answer;
  }
}

/** Returned from `handleCall`: no answer now; somebody answers later with `respond`. */
export const later: unique symbol = Symbol("later");

/** What a callback gives back: nothing to go on, or why its process ends. */
export type Outcome = undefined | Reason | Terminate;

/** The reason of a process whose callback threw `thrown`. */
export function reasonOfThrow(thrown: unknown): Reason {
  if (thrown instanceof Terminate) return thrown.reason;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return actorError("actor.panic", `a callback threw: ${text}`, { cause: thrown });
}

/** The reason in what a callback returned. */
export function reasonOfOutcome(outcome: unknown): Reason {
  if (outcome instanceof Terminate) return outcome.reason;
  if (isReason(outcome)) return outcome;
  return actorError("actor.incorrect", "a callback returned neither nothing nor a reason to end");
}

/** Whether `value` can be the reason of an end. */
export function isReason(value: unknown): value is Reason {
  return value === "normal" || value === "shutdown" || value === "kill" || value instanceof Error;
}

/** Whether a process ended as intended: `normal` or `shutdown`. */
export function isClean(reason: Reason): boolean {
  return reason === "normal" || reason === "shutdown";
}

/** Whether `reason` is the end by a throw. */
export function isPanic(reason: Reason): boolean {
  return hasCode(bareReason(reason), "actor.panic");
}

/** Why a process ended, also where the reason carries the mail that waited (`actor.mailbox_kept`). */
export function bareReason(reason: Reason): Reason {
  let bare = reason;
  while (hasCode(bare, "actor.mailbox_kept")) bare = (bare as Error).cause as Reason;
  return bare;
}
