import { intWithin } from "@metanode/core/internal/options";
import type { FailureSettings } from "../graph/form.ts";

/** What happens to a record that fails. */
export interface FailurePolicy {
  /** Tries in all, at least 1. */
  readonly attempts: number;
  /** Delay before try n + 1 is `backoffMs[n - 1]`, the last one repeating. */
  readonly backoffMs: readonly number[];
  /** How long one try may take; 0 for ever. */
  readonly timeoutMs: number;
  /** What becomes of it after the last try. */
  readonly onError: NonNullable<FailureSettings["onError"]>;
}

/** @throws {MetanodeError} config.invalid */
export function resolveFailurePolicy(given: FailureSettings = {}): FailurePolicy {
  const backoffMs = given.backoffMs ?? [100, 500, 2_000, 10_000];
  for (const [index, delayMs] of backoffMs.entries()) intWithin(`backoffMs[${index}]`, delayMs, 0);
  return {
    attempts: intWithin("attempts", given.attempts ?? 3, 1),
    backoffMs: backoffMs.length === 0 ? [0] : backoffMs,
    timeoutMs: intWithin("timeoutMs", given.timeoutMs ?? 0, 0),
    onError: given.onError ?? "dead-letter",
  };
}

/** How long to wait after the failed try number `attempt`. */
export function delayAfter({ backoffMs }: FailurePolicy, attempt: number): number {
  return backoffMs[Math.min(attempt, backoffMs.length) - 1] ?? 0;
}
