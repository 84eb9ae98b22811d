import type { CallContext } from "../message/context.ts";
import type { Message } from "../message/message.ts";

/** Whether a member can be chosen, and if not, why. `busy` passes by itself, within the length of a message. */
export type MemberState = "ready" | "busy" | "draining" | "maintenance" | "down";

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
   * Answers one message: exactly one value or one typed error, by the deadline. Answers with a value, or with a promise
   * proper (another thenable is taken for a value).
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

export type { CallContext };
