import type { Message } from "../message/message.ts";
import { chooseByKey, type Key, type KeyOptions } from "./by-key.ts";
import { type Choose, isFree } from "./choose.ts";
import type { Member } from "./member.ts";
import { type Policy, policy as policies } from "./policy.ts";
import { type Random, randomBelow } from "./random.ts";

/**
 * One member of the group answers. Anything with a {@link Choose} is such a selection: a table from message types to
 * members as much as the ones in {@link one}.
 */
export interface One {
  readonly mode: "one";
  /** What the choice goes by, for people. */
  readonly by: string;
  /** Makes the chooser of one group; what it remembers is that group's alone. */
  begin(random: Random): Choose;
}

/** Every member of the group is asked; the policy says what they must do for the call to succeed. */
export interface All {
  readonly mode: "all";
  readonly policy: Policy;
}

/** Which members of a group a message goes to. */
export type Selection = One | All;

/** The selections of one member. All are data and can be shared between groups. */
export const one = {
  /**
   * The member that the key belongs to: equal keys go to the same member. A string is placed by rendezvous hashing
   * over the members' ids, an integer by its remainder in member order. The default key is the subject, else the id.
   */
  byKey(key?: (message: Message) => Key, options: KeyOptions = {}): One {
    const onUnavailable = options.onUnavailable ?? "next";
    return { mode: "one", by: "key", begin: () => chooseByKey(key, onUnavailable) };
  },
  /** The member with the fewest messages in flight; of equals, each in turn. Looks at every member. */
  byLoad(): One {
    return { mode: "one", by: "load", begin: chooseByLoad };
  },
  /**
   * Of two members drawn at random the one with fewer messages in flight: nearly as even as {@link one.byLoad} at a
   * cost that does not grow with the group, and without a herd where several groups share their members.
   * @source Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12 (10), 2001
   */
  byTwoChoices(): One {
    return { mode: "one", by: "two choices", begin: chooseByTwoChoices };
  },
  /** Each ready member in turn. */
  roundRobin(): One {
    return { mode: "one", by: "turn", begin: chooseByTurn };
  },
  /** Any ready member, each as likely as the others. */
  random(): One {
    return { mode: "one", by: "chance", begin: (random) => (members, _message, avoid) => draw(members, avoid, random) };
  },
} as const;

/** Asks every ready member. @default policy.all() */
export function all(policy: Policy = policies.all()): All {
  return { mode: "all", policy };
}

function chooseByLoad(): Choose {
  let turn = 0;
  return (members, _message, avoid) => {
    const count = members.length;
    let at = turn < count ? turn : 0;
    let best: Member | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (let step = 0; step < count && least > 0; step++) {
      const member = members[at];
      at = at + 1 < count ? at + 1 : 0;
      if (member === undefined || !isFree(member, avoid)) continue;
      const load = member.inFlight;
      if (load >= least) continue;
      best = member;
      least = load;
      turn = at;
    }
    return best;
  };
}

function chooseByTurn(): Choose {
  let turn = 0;
  return (members, _message, avoid) => {
    const count = members.length;
    let at = turn < count ? turn : 0;
    for (let step = 0; step < count; step++) {
      const member = members[at];
      at = at + 1 < count ? at + 1 : 0;
      if (member === undefined || !isFree(member, avoid)) continue;
      turn = at;
      return member;
    }
    return undefined;
  };
}

function chooseByTwoChoices(random: Random): Choose {
  return (members, _message, avoid) => {
    const first = draw(members, avoid, random);
    if (first === undefined || members.length === 1) return first;
    const second = draw(members, avoid, random, first);
    return second !== undefined && second.inFlight < first.inFlight ? second : first;
  };
}

/** Draws that may hit a member that cannot be chosen before the members that can are counted out. */
const BLIND_DRAWS = 4;

/** A member that can be chosen, each as likely as the others; `except` cannot. */
function draw(members: readonly Member[], avoid: readonly Member[], random: Random, except?: Member): Member | undefined {
  for (let drawn = 0; drawn < BLIND_DRAWS; drawn++) {
    const member = members[randomBelow(random, members.length)];
    if (member !== undefined && member !== except && isFree(member, avoid)) return member;
  }
  // Walking on from an unavailable member instead would give its neighbour twice the share of the others.
  const free = members.filter((member) => member !== except && isFree(member, avoid));
  return free[randomBelow(random, free.length)];
}
