import { asMetanodeError, codeOf, coreError, type MetanodeError } from "../errors.ts";
import type { Member, Outcome } from "./member.ts";
import type { Policy } from "./policy.ts";

/** What came of a call to all members. */
export interface GroupResult {
  /** Whether the policy of the group is met. */
  readonly verdict: boolean;
  /** One per member of the group as it was when the call began, in member order, whenever each came. */
  readonly outcomes: readonly Outcome[];
  /** The members without a value, in member order. */
  readonly missing: readonly string[];
}

/** The values of the members that gave one, in member order. */
export function valuesOf(outcomes: readonly Outcome[]): unknown[] {
  const values: unknown[] = [];
  for (const outcome of outcomes) if (outcome.status === "ok") values.push(outcome.value);
  return values;
}

/** The ids of the members without a value, in member order. */
export function missingOf(outcomes: readonly Outcome[]): string[] {
  const missing: string[] = [];
  for (const outcome of outcomes) if (outcome.status !== "ok") missing.push(outcome.member);
  return missing;
}

/** Codes that say that the message met nobody who could answer it. */
const UNREACHABLE: ReadonlySet<string> = new Set(["node.unreachable", "node.closed", "processor.down", "group.empty"]);

/** What a member's error makes of its part. The error stays the same object. */
export function outcomeOf(member: string, error: unknown): Outcome {
  const code = codeOf(error);
  if (code === "call.deadline") return { member, status: "timeout" };
  // The member went into maintenance between being chosen and being asked: the same as if it had been seen before.
  if (code === "node.maintenance") return { member, status: "skipped", reason: "maintenance" };
  const known: Error & { code?: string } = error instanceof Error ? error : asMetanodeError(error, "processor.failed");
  return { member, status: code !== undefined && UNREACHABLE.has(code) ? "unreachable" : "error", error: known };
}

/** Whether an error says that the same message, sent again, can succeed. */
export function isRetryable(error: unknown): boolean {
  return typeof error === "object" && error !== null && "retryable" in error && error.retryable === true;
}

/** An outcome in the details of an error: JSON, and for a group in a group with the outcomes within. */
export interface OutcomeDetail {
  readonly member: string;
  readonly status: Outcome["status"];
  readonly code?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly outcomes?: readonly OutcomeDetail[];
}

/** Outcomes as JSON for the details of an error. Values are left out. */
export function detailsOf(outcomes: readonly Outcome[]): OutcomeDetail[] {
  return outcomes.map(detailOf);
}

function detailOf(outcome: Outcome): OutcomeDetail {
  const { member, status } = outcome;
  if (status === "timeout") return { member, status, code: "call.deadline" };
  if (status === "skipped") return { member, status, reason: outcome.reason };
  if (status === "ok") return { member, status };
  const { error } = outcome;
  const code = codeOf(error) ?? "processor.failed";
  const within = (error as Partial<MetanodeError>).details?.outcomes;
  return {
    member,
    status,
    code,
    message: error.message,
    ...(code === "group.policy_unmet" && Array.isArray(within) ? { outcomes: within } : {}),
  };
}

/** Members that an error's text names; its details name all. */
const NAMED = 5;

/** The error of a call whose policy is not met. Its cause is the first error among the members, in member order. */
export function policyUnmet(group: string, policy: Policy, outcomes: readonly Outcome[]): MetanodeError {
  const details = detailsOf(outcomes);
  const failed = details.filter((detail) => detail.status !== "ok" && detail.reason !== "not_needed");
  const answered = outcomes.filter((outcome) => outcome.status === "ok").length;
  const named = failed.slice(0, NAMED).map((detail) => `${detail.member} (${detail.code ?? detail.reason})`);
  if (failed.length > NAMED) named.push(`and ${failed.length - NAMED} more`);
  const who = failed.length === 0 ? "" : `; without an answer: ${named.join(", ")}`;
  const cause = outcomes.find((outcome) => "error" in outcome);
  const text = `group ${group}: ${answered} of ${outcomes.length} members answered, which does not meet policy ${policy.name}${who}`;
  return coreError("group.policy_unmet", text, {
    retryable: outcomes.some(mayPass),
    details: { group, policy: policy.name, outcomes: details },
    ...(cause !== undefined && "error" in cause ? { cause: cause.error } : {}),
  });
}

/** Whether a failed part can succeed when the same message is sent again. */
function mayPass(outcome: Outcome): boolean {
  if (outcome.status === "skipped") return outcome.reason !== "not_needed";
  return outcome.status === "timeout" || ("error" in outcome && isRetryable(outcome.error));
}

/** The error of a group in which nobody can be chosen: it says in which state each member is. */
export function emptyGroup(group: string, members: readonly Member[]): MetanodeError {
  const counts = new Map<string, number>();
  for (const { state } of members) counts.set(state, (counts.get(state) ?? 0) + 1);
  const found = [...counts].map(([state, count]) => `${count} ${state}`).join(", ");
  const text = members.length === 0 ? "has no members" : `has no member that can be chosen: ${found}`;
  return coreError("group.empty", `group ${group} ${text}; try again when a member is ready`, {
    details: { group, states: Object.fromEntries(members.map((member) => [member.id, member.state])) },
  });
}

/** A Date has no moments beyond this. */
const LAST_DATE_MS = 8.64e15;

/** The error of a part that ran out of time. */
export function outOfTime(who: string, deadlineMs: number): MetanodeError {
  const moment = Math.abs(deadlineMs) <= LAST_DATE_MS ? new Date(deadlineMs).toISOString() : String(deadlineMs);
  return coreError("call.deadline", `${who} gave no answer by ${moment}, the deadline of the call`, {
    details: { member: who, deadlineMs },
  });
}

/** The error of a call whose caller withdrew it; an error of ours that is given as the reason is kept. */
export function withdrawn(reason: unknown): MetanodeError {
  return asMetanodeError(reason, "call.cancelled");
}

/** The error of a function that the user of a group gave it. An error that has a code already is kept. */
export function failedFunction(what: string, cause: unknown): MetanodeError {
  if (codeOf(cause) !== undefined) return asMetanodeError(cause);
  const text = cause instanceof Error ? cause.message || cause.name : String(cause);
  return coreError("processor.failed", `${what} failed: ${text}`, { cause });
}
