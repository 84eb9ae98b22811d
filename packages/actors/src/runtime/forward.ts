import type { PID, Ref } from "../identity/index.ts";
import type { Envelope } from "../mailbox/index.ts";
import type { Process } from "../process/process.ts";
import { respond } from "./calls.ts";
import type { Tables } from "./tables.ts";

/** Ordinary mail that is handed on, for people and programs. */
export interface ForwardedMail {
  readonly kind: "message" | "call" | "event";
  /** The original sender. */
  readonly from: PID;
  readonly message: unknown;
}

/** Whether a process takes no mail any more, though it may still be on the table: it ended, or was killed while it ran. */
export function isGone(process: Process | undefined): boolean {
  return process === undefined || process.state === "terminated" || process.state === "zombie";
}

/**
 * Moves mail that `by` has taken out of its queue into that of `target` as it is: the sender and the ref stay, so that the
 * answer goes to the original caller. False if there is no room; a fallback does not apply.
 */
export function handOn(by: Process, target: Process, from: PID | undefined, payload: unknown): boolean {
  const fits = from === undefined ? target.put("normal", undefined, payload) : target.mail(from, payload);
  if (fits) by.messagesOut++;
  return fits;
}

/** What lies in a queue, unpacked. */
export function mailOf(from: PID | undefined, payload: unknown): ForwardedMail {
  if (from !== undefined) return { kind: "message", from, message: payload };
  const { kind, from: sender, payload: message } = payload as Envelope;
  return { kind: kind as ForwardedMail["kind"], from: sender, message };
}

/** Tells the caller, if the mail is a call and somebody still waits, that nobody will answer. */
export function refuseCall(tables: Tables, from: PID | undefined, payload: unknown, error: Error): void {
  if (from !== undefined || (payload as Envelope).kind !== "call") return;
  const { from: caller, ref } = payload as Envelope;
  try {
    respond(tables, caller, ref as Ref, { error });
  } catch {
    // The caller is gone or waits no more, so there is nobody to tell.
  }
}
