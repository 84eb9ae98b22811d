import type { later, PID, Reason, Terminate } from "../identity/index.ts";
import type { AnyCall } from "../identity/typed.ts";
import type { SpawnOptions } from "./spawn.ts";

type OrPromise<T> = T | Promise<T>;

/** What a callback gives back: nothing to live on, or why the process ends. */
// biome-ignore lint/suspicious/noConfusingVoidType: a callback without a return statement is the ordinary case
export type Ended = OrPromise<void | Reason | Terminate>;

/** What `handleCall` gives back. */
export type Given<Answer> = OrPromise<Answer | typeof later | Terminate>;

/** What of an actor the types below look at. */
export interface ActorShape {
  readonly self: PID<never, never>;
  init(...args: never[]): unknown;
}

/** The address of an actor, with its types. */
export type PidOf<A extends ActorShape> = A["self"] extends PID<infer M, infer C extends AnyCall> ? PID<M, C> : never;

/** The answer of a spawn: a promise if `init` gives one. A supervisor or router waits if one of its children does, a pool if its workers do. */
export type SpawnedPid<A extends ActorShape> =
  ReturnType<A["init"]> extends { readonly worker: new () => infer W extends ActorShape }
    ? AlsoWaits<SpawnedPid<W>, PidOf<A>>
    : ReturnType<A["init"]> extends { readonly children: readonly unknown[] } | { readonly routes: readonly unknown[] }
      ? PidOf<A> | Promise<PidOf<A>>
      : SpawnedByInit<A>;

type AlsoWaits<Spawned, P> = Spawned extends Promise<unknown> ? Promise<P> : P;

type SpawnedByInit<A extends ActorShape> =
  Extract<ReturnType<A["init"]>, PromiseLike<unknown>> extends never
    ? PidOf<A>
    : Exclude<ReturnType<A["init"]>, PromiseLike<unknown>> extends never
      ? Promise<PidOf<A>>
      : PidOf<A> | Promise<PidOf<A>>;

/** The options of a spawn; `args` are those of `init`. */
export type SpawnRest<A extends ActorShape> =
  Parameters<A["init"]> extends []
    ? [options?: SpawnOptions & { args?: [] }]
    : [] extends Parameters<A["init"]>
      ? [options?: SpawnOptions & { args?: Parameters<A["init"]> }]
      : [options: SpawnOptions & { args: Parameters<A["init"]> }];
