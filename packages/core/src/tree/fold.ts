import { coreError } from "../errors.ts";
import type { Folded, VisitFrame, VisitStatus } from "./frames.ts";

/*
 * Reductions that every level of a tree makes of what it got, so that a node gets one value from each child however many nodes
 * are below it. Each is a monoid over JSON: associative, commutative, with an identity, which is what no nodes come to.
 */

/** How the values of a tree become one. `one` makes a summand of a node's value. */
export interface Fold {
  readonly identity: unknown;
  one(value: unknown): unknown;
  combine(left: never, right: never): unknown;
}

function numberOf(value: unknown): number {
  if (typeof value === "number") return value;
  throw coreError("message.invalid", `the answer is ${JSON.stringify(value)}, expected a number to reduce`);
}

type Numbers = Record<string, number>;

/** The ready-made ones. `histogram` counts how often each value came; `numbers` adds up objects of numbers field by field. */
export const FOLDS: Readonly<Record<string, Fold>> = {
  count: { identity: 0, one: () => 1, combine: (left: number, right: number) => left + right },
  sum: { identity: 0, one: numberOf, combine: (left: number, right: number) => left + right },
  min: { identity: null, one: numberOf, combine: (left: number | null, right: number | null) => least(left, right, Math.min) },
  max: { identity: null, one: numberOf, combine: (left: number | null, right: number | null) => least(left, right, Math.max) },
  histogram: {
    identity: {},
    one: (value) => ({ [typeof value === "string" ? value : JSON.stringify(value ?? null)]: 1 }),
    combine: added,
  },
  numbers: {
    identity: {},
    one: (value) => {
      if (typeof value !== "object" || value === null) throw coreError("message.invalid", "the answer is no object of numbers");
      for (const one of Object.values(value)) numberOf(one);
      return value;
    },
    combine: added,
  },
};

function least(left: number | null, right: number | null, pick: (left: number, right: number) => number): number | null {
  if (left === null) return right;
  return right === null ? left : pick(left, right);
}

function added(left: Numbers, right: Numbers): Numbers {
  const sum = new Map(Object.entries(left));
  for (const [key, value] of Object.entries(right)) sum.set(key, (sum.get(key) ?? 0) + value);
  return Object.fromEntries(sum);
}

/** @throws {MetanodeError} message.invalid – no such reduction */
export function foldNamed(name: string): Fold {
  const fold = Object.hasOwn(FOLDS, name) ? FOLDS[name] : undefined;
  if (fold !== undefined) return fold;
  throw coreError("message.invalid", `there is no reduction ${name}; there are ${Object.keys(FOLDS).join(", ")}`);
}

const NONE: Record<VisitStatus, number> = { ok: 0, error: 0, timeout: 0, unreachable: 0, skipped: 0, released: 0 };

/** Takes the frames of one level and those that its children have folded. */
export function folding(name: string): { add(frame: VisitFrame): void; end(): Folded } {
  const fold = foldNamed(name);
  const combine = fold.combine as (left: unknown, right: unknown) => unknown;
  let value = fold.identity;
  const tally = { ...NONE };
  const missing: { path: string; status: VisitStatus; code: string }[] = [];
  const fail = (path: string, status: VisitStatus, code: string): void => {
    tally[status]++;
    missing.push({ path, status, code });
  };
  return {
    add(frame) {
      if (frame.kind === "folded") {
        const { folded } = frame;
        value = combine(value, folded.value);
        for (const status of Object.keys(tally) as VisitStatus[]) tally[status] += folded.tally[status];
        missing.push(...folded.missing);
      } else if (frame.kind === "lost") fail(frame.path, frame.status, frame.code);
      else if (frame.kind === "result" && frame.status !== "ok") fail(frame.path, frame.status, frame.code ?? "");
      else if (frame.kind === "result") {
        try {
          value = combine(value, fold.one(frame.value));
          tally.ok++;
        } catch {
          fail(frame.path, "error", "message.invalid");
        }
      } else if (frame.kind === "accept" && frame.skipped === "maintenance") fail(frame.path, "skipped", "node.maintenance");
    },
    end: () => ({ value, tally, missing }),
  };
}
