import { actorError } from "../errors.ts";
import type { AnyCall, PID } from "../identity/index.ts";
import type { SpawnOptions } from "../runtime/spawn.ts";
import type { ActorShape, SpawnedPid } from "../runtime/typed.ts";

/** What a pool runs; `init` gives it. */
export interface PoolSpec<W extends ActorShape> {
  readonly worker: new () => W;
  /** Workers at the start, from 1. The pool never has more than a hundred times as many. @default 3 */
  readonly size?: number;
  /** Given to the `init` of every worker, also of one that replaces another. @default none */
  readonly args?: Parameters<W["init"]>;
  /** How every worker is spawned; its `mailboxLimit` is what makes a worker full. */
  readonly options?: Omit<SpawnOptions, "name" | "linkChild" | "linkParent">;
}

/** The messages that a worker understands. */
export type MessagesOf<W extends ActorShape> = W["self"] extends PID<infer M, infer _C extends AnyCall> ? M : never;
/** The calls that a worker understands. */
export type CallsOf<W extends ActorShape> = W["self"] extends PID<infer _M, infer C extends AnyCall> ? C : never;
/** How many workers there are: a promise if, and only if, the `init` of a worker gives one. */
export type WorkerCount<W extends ActorShape> = CountAfter<SpawnedPid<W>>;
type CountAfter<Spawned> = Spawned extends Promise<unknown> ? Promise<number> : number;

/** A pool may grow to so many times its first size. @source spec of the actor model, §4.3 */
export const MAX_GROWTH = 100;

const KEYS: readonly string[] = ["worker", "size", "args", "options"];

/** The specification with its defaults. @throws actor.incorrect */
export function resolvePoolSpec<W extends ActorShape>(given: PoolSpec<W>): Required<PoolSpec<W>> {
  for (const key of Object.keys(given)) {
    if (!KEYS.includes(key)) throw actorError("actor.incorrect", `a pool has no option ${key}; known are ${KEYS.join(", ")}`);
  }
  if (typeof given.worker !== "function")
    throw actorError("actor.incorrect", "a pool needs the class of its workers as `worker`");
  const size = given.size ?? 3;
  return {
    worker: given.worker,
    size: count("size", size),
    args: given.args ?? ([] as unknown as Parameters<W["init"]>),
    options: given.options ?? {},
  };
}

/** A number of workers. @throws actor.incorrect */
export function count(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw actorError("actor.incorrect", `${name} is ${value}, expected a whole number of 1 or more`);
}
