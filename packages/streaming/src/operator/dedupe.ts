import type { KeyOf } from "../record/key.ts";
import type { Action, StageHost } from "../stage/stage.ts";
import { KeyedState } from "./keyed-state.ts";
import { type Input, type Operator, OperatorStage } from "./operator-stage.ts";

export interface DedupeOptions {
  /** What makes two records the same. @default their ids: what a source gave twice because it had to read again */
  readonly keyOf?: KeyOf;
  /** How long a key is remembered, in milliseconds of the clock. @default for ever, as far as `max` goes */
  readonly withinMs?: number;
  /** Keys that are remembered; the oldest are forgotten. @default 1_000_000 */
  readonly max?: number;
}

/** When a key came, and the how manyth it was. */
type Seen = readonly [atMs: number, number: number];

/** Lets the first record of each key pass; the others are counted as duplicates. What it remembers outlives crashes. */
export function dedupeAction(options: DedupeOptions = {}): Action {
  return { keepsState: true, stage: (host) => new OperatorStage(new DedupeOperator(options, host), host) };
}

class DedupeOperator implements Operator {
  /** The oldest first. */
  readonly state = new KeyedState<Seen>(() => this.#restored());
  readonly #options: Required<Omit<DedupeOptions, "keyOf">> & Pick<DedupeOptions, "keyOf">;
  readonly #host: StageHost;
  #number = 0;

  constructor({ withinMs = Number.POSITIVE_INFINITY, max = 1_000_000, ...others }: DedupeOptions, host: StageHost) {
    this.#options = { withinMs, max, ...others };
    this.#host = host;
  }

  onRecord(record: unknown, input: Input): void {
    const { keyOf } = this.#options;
    const key = keyOf === undefined ? input.id : keyOf(record);
    const nowMs = Math.round(this.#host.clock.now());
    this.#forgetOld(nowMs);
    if (this.state.get(key) !== undefined) {
      this.#host.count("duplicates");
      return;
    }
    this.state.set(key, [nowMs, this.#number++]);
    if (this.state.size > this.#options.max) this.#forgetOne();
    input.emit(record);
  }

  describe(): Readonly<Record<string, unknown>> {
    return { keys: this.state.size };
  }

  #forgetOld(nowMs: number): void {
    const { withinMs } = this.#options;
    if (withinMs === Number.POSITIVE_INFINITY) return;
    for (const [key, [atMs]] of this.state.entries()) {
      if (nowMs - atMs <= withinMs) return;
      this.state.delete(key);
    }
  }

  #forgetOne(): void {
    for (const [key] of this.state.entries()) {
      this.state.delete(key);
      return;
    }
  }

  #restored(): void {
    this.state.sort(([, one], [, other]) => one - other);
    for (const [, [, number]] of this.state.entries()) this.#number = number + 1;
  }
}
