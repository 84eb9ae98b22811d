import { Many } from "../stage/answer.ts";
import type { Action } from "../stage/stage.ts";
import { KeyedState } from "./keyed-state.ts";
import { OperatorStage } from "./operator-stage.ts";

export interface KeyedOptions<In, State, Out> {
  readonly keyOf: (record: In) => string;
  /** The state of a key that comes for the first time. It has to be JSON. */
  readonly initial: () => State;
  /**
   * Handles a record with the state of its key: returns what goes on, as any stage does, and may change `state` by returning
   * a new one through `keep`. A throw leaves the state as it was.
   */
  readonly on: (record: In, state: State, context: KeyedContext<State>) => Out | Many<Out> | undefined;
}

export interface KeyedContext<State> {
  readonly key: string;
  /** Replaces the state of the key; `undefined` forgets it. */
  keep(state: State | undefined): void;
}

/**
 * A function with a memory: for each key a state that outlives crashes, and is always that of exactly the records that are
 * not read again.
 *
 * ```ts
 * const countPerUser = keyedAction({
 *   keyOf: (event: Event) => event.user,
 *   initial: () => 0,
 *   on: ({ user }, count, { keep }) => {
 *     keep(count + 1);
 *     return { user, count: count + 1 };
 *   },
 * });
 * ```
 */
export function keyedAction<In, State, Out>({ keyOf, initial, on }: KeyedOptions<In, State, Out>): Action {
  return {
    keepsState: true,
    stage: (host) => {
      const states = new KeyedState<State>();
      return new OperatorStage(
        {
          state: states,
          describe: () => ({ keys: states.size }),
          onRecord: (record, _from, emit) => {
            const key = keyOf(record as In);
            const keep = (state: State | undefined): void => (state === undefined ? states.delete(key) : states.set(key, state));
            const answer = on(record as In, states.get(key) ?? initial(), { key, keep });
            if (answer instanceof Many) for (const one of answer.records) emit(one);
            else if (answer !== undefined) emit(answer);
          },
        },
        host,
      );
    },
  };
}
