import { coreError } from "../errors.ts";
import { intWithin, rejectUnknownKeys } from "../options.ts";

/** How each member's part of a call is carried out. For a call to one: how that one answer is got. */
export interface PerMember {
  /** Longest wait for one attempt's answer, in milliseconds, never beyond the deadline of the call. @default none */
  timeoutMs?: number;
  /** Attempts after one that failed. Only where there is time before the deadline. @default none */
  retry?: RetryOptions;
  /** Further attempts while one is slow. @default none */
  hedge?: HedgeOptions;
}

export interface RetryOptions {
  /** Attempts in all, the first included; a hedged attempt is one. @default 3 */
  attempts?: number;
  /** Pause before the second attempt, in milliseconds; an error's own `retryAfterMs` lengthens it. @default 50 */
  backoffMs?: number;
  /** Each pause is this many times the one before. @default 2 */
  factor?: number;
  /** Longest pause, in milliseconds. @default 5_000 */
  maxBackoffMs?: number;
  /**
   * The share of each pause that is left to chance, 0 to 1.
   * @default 1, "full jitter"
   * @source Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015
   */
  jitter?: number;
  /** Whether the error may be followed by another attempt. @default whether it says `retryable` */
  when?: (error: unknown, attempts: number) => boolean;
}

export interface HedgeOptions {
  /** How long an answer may take before the same message goes out once more, in milliseconds. */
  afterMs: number;
  /** Hedges beside one attempt, each `afterMs` after the one before. @default 1 */
  max?: number;
}

/** {@link PerMember}, resolved. */
export interface Plan {
  readonly timeoutMs: number | undefined;
  readonly retry: (Readonly<Required<Omit<RetryOptions, "when">>> & Pick<RetryOptions, "when">) | undefined;
  readonly hedge: Readonly<Required<HedgeOptions>> | undefined;
}

/** The plan of a group whose options name none. */
export const PLAIN: Plan = Object.freeze({ timeoutMs: undefined, retry: undefined, hedge: undefined });

/**
 * Checks and completes `perMember`.
 * @throws {MetanodeError} config.invalid – an unknown name or a value out of range
 */
export function resolvePlan(given: PerMember = {}): Plan {
  rejectUnknownKeys("perMember", given, ["timeoutMs", "retry", "hedge"]);
  const { timeoutMs, retry, hedge } = given;
  if (timeoutMs === undefined && retry === undefined && hedge === undefined) return PLAIN;
  return Object.freeze({
    timeoutMs: timeoutMs === undefined ? undefined : over("perMember.timeoutMs", timeoutMs, 0),
    retry: retry === undefined ? undefined : resolveRetry(retry),
    hedge: hedge === undefined ? undefined : resolveHedge(hedge),
  });
}

function resolveRetry(given: RetryOptions): Plan["retry"] {
  rejectUnknownKeys("perMember.retry", given, ["attempts", "backoffMs", "factor", "maxBackoffMs", "jitter", "when"]);
  const { jitter = 1 } = given;
  if (!(jitter >= 0 && jitter <= 1)) throw invalid("perMember.retry.jitter", jitter, "a number from 0 to 1");
  return Object.freeze({
    attempts: intWithin("perMember.retry.attempts", given.attempts ?? 3, 1),
    backoffMs: from("perMember.retry.backoffMs", given.backoffMs ?? 50, 0),
    factor: from("perMember.retry.factor", given.factor ?? 2, 1),
    maxBackoffMs: from("perMember.retry.maxBackoffMs", given.maxBackoffMs ?? 5_000, 0),
    jitter,
    ...(given.when === undefined ? {} : { when: given.when }),
  });
}

function resolveHedge(given: HedgeOptions): Plan["hedge"] {
  rejectUnknownKeys("perMember.hedge", given, ["afterMs", "max"]);
  return Object.freeze({
    afterMs: from("perMember.hedge.afterMs", given.afterMs, 0),
    max: intWithin("perMember.hedge.max", given.max ?? 1, 1),
  });
}

function from(name: string, value: number, least: number): number {
  if (!(Number.isFinite(value) && value >= least)) throw invalid(name, value, `a number from ${least}`);
  return value;
}

function over(name: string, value: number, bound: number): number {
  if (!(Number.isFinite(value) && value > bound)) throw invalid(name, value, `a number over ${bound}`);
  return value;
}

function invalid(name: string, found: unknown, expected: string): Error {
  return coreError("config.invalid", `${name} is ${String(found)}, expected ${expected}`, { details: { path: name, expected } });
}
