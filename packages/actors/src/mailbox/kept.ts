import { MetanodeError } from "@metanode/core/errors";
import type { PID, Reason } from "../identity/index.ts";
import type { Priority } from "./envelope.ts";

/** One message that waited. Without a sender the payload is an envelope. */
export interface KeptMail {
  readonly queue: Priority | "log";
  readonly from: PID | undefined;
  readonly payload: unknown;
}

/**
 * The reason of a process that ended with `preserveMailbox`, otherwise than by intention: `cause` is why it ended, `mail`
 * what waited, in the order in which it would have been read. It stays on its node: an error that crosses to another
 * carries no mail.
 */
export class MailboxKept extends MetanodeError<"actor.mailbox_kept"> {
  readonly pid: PID;
  // Private, so that nobody prints a whole mailbox by printing the error.
  readonly #mail: readonly KeptMail[];

  constructor(pid: PID, cause: Reason, mail: readonly KeptMail[]) {
    const why = typeof cause === "string" ? cause : cause.message;
    super("actor.mailbox_kept", `${pid} ended with ${mail.length} messages waiting: ${why}`, { cause });
    this.pid = pid;
    this.#mail = mail;
  }

  get mail(): readonly KeptMail[] {
    return this.#mail;
  }
}
