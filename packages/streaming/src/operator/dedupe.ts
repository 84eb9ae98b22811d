import type { KeyOf } from "../record/key.ts";
import type { Action } from "../stage/stage.ts";
import { KeyedState } from "./keyed-state.ts";
import { OperatorStage } from "./operator-stage.ts";

export interface DedupeOptions {
  /** What makes two records the same. */
  readonly keyOf: KeyOf;
  /** How long a key is remembered, in milliseconds of the clock. @default for ever, as far as `max` goes */
  readonly withinMs?: number;
  /** Keys that are remembered; the oldest are forgotten. @default 1_000_000 */
  readonly max?: number;
}

/** Lets the first record of each key pass; the others are counted as duplicates. What it remembers outlives crashes. */
export function dedupeAction({ keyOf, withinMs = Number.POSITIVE_INFINITY, max = 1_000_000 }: DedupeOptions): Action {
  return {
    keepsState: true,
    stage: (host) => {
      const seen = new KeyedState<number>();
      const forget = (nowMs: number): void => {
        for (const [key, atMs] of seen.entries()) {
          if (seen.size <= max && nowMs - atMs <= withinMs) return;
          seen.delete(key);
        }
      };
      return new OperatorStage(
        {
          state: seen,
          describe: () => ({ keys: seen.size }),
          onRecord: (record, _from, emit) => {
            const nowMs = Math.round(host.clock.now());
            forget(nowMs);
            const key = keyOf(record);
            if (seen.get(key) !== undefined) {
              host.count("duplicates");
              return;
            }
            seen.set(key, nowMs);
            emit(record);
          },
        },
        host,
      );
    },
  };
}
