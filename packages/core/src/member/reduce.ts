import { isDeepStrictEqual } from "node:util";
import { coreError } from "../errors.ts";
import { intWithin } from "../options.ts";
import type { Outcome } from "./member.ts";
import { detailsOf, type GroupResult, valuesOf } from "./outcome.ts";

/** Takes values as they come; made for one call. */
export interface Running<R> {
  add(value: unknown): void;
  end(): R;
}

/**
 * What the answers of all members come to. Called once the policy of the group is met, so with what the policy lets
 * through: members may be missing. An error that it throws becomes the answer of the call.
 */
export interface Reducer<R = unknown> {
  /** For people. */
  readonly name: string;
  reduce(result: GroupResult): R;
  /**
   * Present where the order of the values does not matter: each is then added in the turn in which it comes, and
   * `reduce` is not used.
   */
  begin?(): Running<R>;
}

/** The reducers. All are data and can be shared between groups. */
export const reduce = {
  /** The first value in member order, undefined if there is none. Under a policy that ends with one answer: that answer. */
  first(): Reducer {
    return {
      name: "first",
      reduce({ outcomes }) {
        for (const outcome of outcomes) if (outcome.status === "ok") return outcome.value;
        return undefined;
      },
    };
  },
  /** The values in member order, never in the order of coming. */
  list(): Reducer<unknown[]> {
    return { name: "list", reduce: ({ outcomes }) => valuesOf(outcomes) };
  },
  /** Verdict, outcomes and missing members themselves. */
  report(): Reducer<GroupResult> {
    return { name: "report", reduce: (result) => result };
  },
  /** Whatever `merge` makes of the values in member order; the outcomes say whose they are, and who is missing. */
  merge<R>(merge: (values: unknown[], outcomes: readonly Outcome[]) => R): Reducer<R> {
    return { name: "merge", reduce: ({ outcomes }) => merge(valuesOf(outcomes), outcomes) };
  },
  /**
   * Combines the values two by two, from the identity on. `combine` must be associative and leave its arguments as they
   * are; then a group of groups that fold alike comes to the same as one flat group, so each level of a tree may reduce
   * what it got. `unordered` says that `combine` is commutative as well: values are then combined as they come, and the
   * last one finds the rest done.
   */
  fold<A>(identity: A, combine: (left: A, right: A) => A, options: { unordered?: boolean } = {}): Reducer<A> {
    const reducer: Reducer<A> = {
      name: "fold",
      reduce: ({ outcomes }) => (valuesOf(outcomes) as A[]).reduce(combine2(combine), identity),
    };
    if (options.unordered !== true) return reducer;
    return {
      ...reducer,
      begin() {
        let sum = identity;
        return {
          add: (value) => {
            sum = combine(sum, value as A);
          },
          end: () => sum,
        };
      },
    };
  },
  /**
   * The value that at least `atLeast` members agree on, by deep equality; of several, the one that most agree on, then
   * the first in member order. `atLeast` defaults to more than half of the group, which no two values
   * can have. A quorum that ends early may miss the vote that would have decided: give it `rest: "wait"` where
   * members can differ. Fails with `group.policy_unmet` where no value has enough votes.
   */
  agreement(options: { atLeast?: number } = {}): Reducer {
    const { atLeast } = options;
    if (atLeast !== undefined) intWithin("agreement.atLeast", atLeast, 1);
    return { name: "agreement", reduce: ({ outcomes }) => agreed(outcomes, atLeast) };
  },
} as const;

/** Array.prototype.reduce hands over more than the two. */
function combine2<A>(combine: (left: A, right: A) => A): (left: A, right: A) => A {
  return (left, right) => combine(left, right);
}

function agreed(outcomes: readonly Outcome[], atLeast = Math.floor(outcomes.length / 2) + 1): unknown {
  const votes: { value: unknown; count: number }[] = [];
  for (const value of valuesOf(outcomes)) {
    const same = votes.find((vote) => isDeepStrictEqual(vote.value, value));
    if (same === undefined) votes.push({ value, count: 1 });
    else same.count += 1;
  }
  let best: { value: unknown; count: number } | undefined;
  for (const vote of votes) if (best === undefined || vote.count > best.count) best = vote;
  if (best !== undefined && best.count >= atLeast) return best.value;
  const found = votes.length === 0 ? "no member gave a value" : `${votes.length} values, at most ${best?.count} members for one`;
  throw coreError("group.policy_unmet", `${found}, expected ${atLeast} of ${outcomes.length} members to agree`, {
    details: { atLeast, votes: votes.map((vote) => vote.count), outcomes: detailsOf(outcomes) },
  });
}
