import type { Message } from "../message/message.ts";

/** Whether a member can be chosen, and if not, why. `busy` passes by itself, within the length of a message. */
export type MemberState = "ready" | "busy" | "draining" | "maintenance" | "down";

/** What goes along with a message on its way to a member. */
export interface CallContext {
  /** The moment after which nobody wants the answer, in milliseconds of the clock in use. */
  readonly deadlineMs: number;
  /** Aborted when the caller withdraws. Absent where nobody can. */
  readonly signal?: AbortSignal | undefined;
  /** 1 for the first delivery, more when the log or a retry delivers again. @default 1 */
  readonly attempt?: number | undefined;
}

/**
 * Whatever answers messages: a pool of processes, an actor, a workflow's intake, a graph's source, a child node, or a
 * group of members. A member never asks who called it.
 */
export interface Member {
  /** Unique among its siblings and stable over restarts: key-based selection hashes it. */
  readonly id: string;
  /** Whether it can be chosen now. */
  readonly state: MemberState;
  /** Messages that it has taken and not yet answered. */
  readonly inFlight: number;
  /** It ends every call by its deadline and its caller's abort itself; for any other, the router does. */
  readonly keepsDeadlines?: boolean;
  /**
   * Answers one message: exactly one value or one typed error, by the deadline. May answer without a promise.
   * @throws {MetanodeError} any code; `call.deadline`, `call.cancelled` and `processor.down` are made by members themselves.
   */
  call(message: Message, context: CallContext): unknown;
  /** Answers with a stream. Leaving the loop early cancels it. Absent where the member has no streamed types. */
  stream?(message: Message, context: CallContext): AsyncIterable<unknown>;
}

/** What became of one member's part in a call to all. */
export type Outcome =
  | { readonly member: string; readonly status: "ok"; readonly value: unknown }
  | { readonly member: string; readonly status: "error"; readonly error: Error & { code?: string } }
  | { readonly member: string; readonly status: "timeout" }
  | { readonly member: string; readonly status: "unreachable"; readonly error: Error & { code?: string } }
  | { readonly member: string; readonly status: "skipped"; readonly reason: Exclude<MemberState, "ready"> | "not_needed" };
