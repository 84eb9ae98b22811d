import { coreError } from "../errors.ts";
import type { Outcome } from "./member.ts";

/** How many of the targets of one call ended in which way so far. Their sum is the number of targets. */
export interface Tally {
  readonly ok: number;
  readonly error: number;
  readonly timeout: number;
  readonly unreachable: number;
  readonly skipped: number;
  /** Not ended yet. */
  readonly open: number;
}

/** What a policy wants besides its verdict. */
export interface PolicyOptions {
  /**
   * What becomes of the parts that are still open when the verdict is known. `cancel`: they are withdrawn, and the
   * answer comes at once. `finish`: the answer comes at once, and they go on unheard (a write that should reach every
   * member). `wait`: the answer comes when all have ended.
   * @default "cancel"
   */
  rest?: "cancel" | "finish" | "wait";
  /**
   * What a member in maintenance, draining or down counts as. `fail`: a target that did not answer. `ignore`: not a
   * target. It is named in the outcomes either way.
   * @default "fail"
   */
  skipped?: "fail" | "ignore";
}

/**
 * When a call to all members has succeeded. Data, apart from its two functions, and shared freely.
 *
 * Promises:
 *  P1. With nothing open the verdict is known.
 *  P2. A verdict once known stays, whatever the open ones do; the first one known is the one that counts.
 */
export interface Policy extends Readonly<Required<PolicyOptions>> {
  /** For people: `quorum(9)`. */
  readonly name: string;
  /** Met, not met, or not known yet. Pure. */
  verdict(tally: Tally): boolean | undefined;
  /** The moment at which whoever is still open has run out of time, if that is before the deadline of the call. */
  deadlineMs?(nowMs: number, callDeadlineMs: number): number;
}

type Judge = Policy["verdict"];

function build(name: string, verdict: Judge, options: PolicyOptions = {}): Policy {
  return { name, rest: options.rest ?? "cancel", skipped: options.skipped ?? "fail", verdict };
}

const failures = (tally: Tally): number => tally.error + tally.timeout + tally.unreachable + tally.skipped;

/** Met when `needed` are ok, lost when they cannot be any more. */
function atLeast(tally: Tally, needed: number): boolean | undefined {
  if (tally.ok >= needed) return true;
  return tally.ok + tally.open < needed ? false : undefined;
}

/** Quantifiers over the outcomes of a call to all members. Every outcome but `ok` is a failure unless it says otherwise. */
export const policy = {
  /** Every target answers; true of no targets. Known at the first failure. */
  all(options?: PolicyOptions): Policy {
    return build("all", (tally) => (failures(tally) > 0 ? false : tally.open === 0 ? true : undefined), options);
  },
  /** At least one target answers; false of no targets. Known at the first answer. */
  any(options?: PolicyOptions): Policy {
    return build("any", (tally) => atLeast(tally, 1), options);
  },
  /** No target answers; true of no targets. Known at the first answer. */
  none(options?: PolicyOptions): Policy {
    return build("none", (tally) => (tally.ok > 0 ? false : tally.open === 0 ? true : undefined), options);
  },
  /**
   * At least `needed` targets answer: a count, or a percentage of the targets, rounded up (0 of no targets).
   * Known as soon as that many have answered, or can no longer.
   * @throws {MetanodeError} config.invalid – not a whole number from 1, or a percentage over 0 and up to 100
   */
  quorum(needed: number | `${number}%`, options?: PolicyOptions): Policy {
    const name = `quorum(${needed})`;
    if (typeof needed === "number") {
      if (!Number.isInteger(needed) || needed < 1) throw badQuorum(needed);
      return build(name, (tally) => atLeast(tally, needed), options);
    }
    const percent = /^\d+(\.\d+)?%$/.test(needed) ? Number.parseFloat(needed) : Number.NaN;
    if (!(percent > 0 && percent <= 100)) throw badQuorum(needed);
    return build(name, (tally) => atLeast(tally, shareOf(percent, tally.ok + failures(tally) + tally.open)), options);
  },
  /**
   * The first target that answers decides, be it with an error; false if nobody does. Timeouts, unreachable and skipped
   * members are no answers. Where an error should not end the race, use {@link policy.any}. The one policy whose
   * verdict depends on the order of the outcomes: it goes by the tally at the first answer.
   */
  first(options?: { rest?: "cancel" | "finish"; skipped?: "fail" | "ignore" }): Policy {
    const verdict: Judge = (tally) => (tally.ok > 0 ? true : tally.error > 0 || tally.open === 0 ? false : undefined);
    return build("first", verdict, options);
  },
  /**
   * Always met, with what is there when all have ended or the time is over. The time is `withinMs`, and never so late
   * that the caller's deadline passes first: a tenth of what is left, at most 50 ms, is kept for the way back.
   */
  bestEffort(options: { withinMs?: number } = {}): Policy {
    const withinMs = options.withinMs ?? Number.POSITIVE_INFINITY;
    if (!(withinMs > 0)) throw coreError("config.invalid", `bestEffort.withinMs is ${withinMs}, expected more than 0`);
    return {
      ...build("best effort", (tally) => (tally.open === 0 ? true : undefined)),
      deadlineMs(nowMs, callDeadlineMs) {
        const leftMs = callDeadlineMs - nowMs;
        return Math.min(nowMs + withinMs, callDeadlineMs - Math.min(MAX_WAY_BACK_MS, leftMs / 10));
      },
    };
  },
} as const;

/** The tolerance that requirement MP-05 leaves a deadline. */
const MAX_WAY_BACK_MS = 50;

/** 32.2 % of 500 is 161, and not the 162 that floating point makes of it. */
function shareOf(percent: number, targets: number): number {
  return Math.ceil((targets * percent) / 100 - 1e-9);
}

function badQuorum(found: unknown): Error {
  return coreError("config.invalid", `a quorum of ${found}, expected a whole number from 1 or a percentage such as "60%"`);
}

/** The tally of outcomes that have all ended. Under `ignore`, members that could not be asked are not in it. */
export function tallyOf(outcomes: readonly Outcome[], skipped: "fail" | "ignore" = "fail"): Tally {
  const tally = { ok: 0, error: 0, timeout: 0, unreachable: 0, skipped: 0, open: 0 };
  for (const outcome of outcomes) {
    if (outcome.status !== "skipped" || skipped === "fail") tally[outcome.status] += 1;
  }
  return tally;
}

/** What a policy says of outcomes that have all ended. */
export function verdictOf(judge: Policy, outcomes: readonly Outcome[]): boolean {
  return judge.verdict(tallyOf(outcomes, judge.skipped)) === true;
}
