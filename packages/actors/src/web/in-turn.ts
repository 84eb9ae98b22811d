import { actorError } from "../errors.ts";
import type { Address } from "../identity/index.ts";

/** Gives one of `pool` after the other, beginning with the first; undefined if there are none. */
export function inTurn<M>(pool: readonly Address<M, never>[] = []): () => Address<M, never> | undefined {
  if (!Array.isArray(pool)) throw actorError("actor.incorrect", "processPool is no list of addresses");
  const members = [...pool];
  let next = 0;
  return () => members[next++ % members.length];
}
