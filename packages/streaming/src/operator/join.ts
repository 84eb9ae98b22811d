import type { KeyOf } from "../record/key.ts";
import { readValue } from "../record/value.ts";
import type { Action, StageHost, StageState } from "../stage/stage.ts";
import { CombinedState } from "./combined-state.ts";
import { type TimeOf, Watermark } from "./event-time.ts";
import { KeyedState } from "./keyed-state.ts";
import { type Emit, type Input, type Operator, OperatorStage } from "./operator-stage.ts";

export interface JoinOptions {
  readonly keyOf: KeyOf;
  /** @default the time at which a record is handled */
  readonly timeOf?: TimeOf;
  /** How far apart in time records may be to belong together, in milliseconds. */
  readonly withinMs: number;
  /** How much out of order records may come, in milliseconds. @default 0 */
  readonly disorderMs?: number;
  /** An upstream whose records are given on also without partners, once none can come any more. */
  readonly outer?: string;
}

interface Waiting {
  readonly id: string;
  readonly time: number;
  readonly value: unknown;
  readonly trace?: string | undefined;
  isMatched: boolean;
}

/** Of one key, by upstream. */
type Group = Record<string, Waiting[]>;

/**
 * Brings together records of several upstreams that have the same key and are close enough in time, one of each. What it gives
 * has the key, and under the name of each upstream the value of that one's record; everything that belongs together is given
 * once. Its id is made of the ids of the records, whichever came last. Records wait as long as partners can come; later ones
 * are counted as late.
 */
export function joinAction(options: JoinOptions): Action {
  return { keepsState: true, stage: (host) => new OperatorStage(new JoinOperator(options, host), host) };
}

class JoinOperator implements Operator {
  readonly state: StageState;
  readonly #options: JoinOptions;
  readonly #host: StageHost;
  readonly #watermark: Watermark;
  readonly #groups = new KeyedState<Group>();
  #swept = Number.NEGATIVE_INFINITY;

  constructor(options: JoinOptions, host: StageHost) {
    this.#options = options;
    this.#host = host;
    this.#watermark = new Watermark(host.upstreams, options.disorderMs ?? 0);
    this.state = new CombinedState({ waiting: this.#groups, time: this.#watermark });
  }

  onRecord(record: unknown, { from, id, trace, emit }: Input): void {
    const { keyOf, timeOf, withinMs } = this.#options;
    const key = keyOf(record);
    const time = timeOf === undefined ? this.#host.clock.now() : timeOf(record);
    if (time + withinMs < this.#watermark.value) {
      this.#host.count("late");
      return;
    }
    const group = this.#groups.get(key) ?? {};
    const own: Waiting = { id, time, value: readValue(record), trace, isMatched: false };
    this.#match({ ...group, [from]: [own] }, key, emit);
    const waiting = group[from];
    if (waiting === undefined) group[from] = [own];
    else waiting.push(own);
    this.#groups.set(key, group);
    if (!this.#watermark.seen(from, time)) return;
    // Looking through everything that waits is worth it once per window, not per record.
    if (this.#watermark.value >= this.#swept + withinMs) this.#sweep(this.#watermark.value, emit);
  }

  onUpstreamEnded(from: string, emit: Emit): void {
    if (this.#watermark.silence(from)) this.#sweep(this.#watermark.value, emit);
  }

  onEnd(emit: Emit): void {
    this.#sweep(Number.POSITIVE_INFINITY, emit);
  }

  describe(): Readonly<Record<string, unknown>> {
    return { keys: this.#groups.size };
  }

  /** Gives every choice of one record per upstream that lie close enough together. */
  #match(group: Group, key: string, emit: Emit): void {
    const { upstreams } = this.#host;
    const { withinMs } = this.#options;
    const chosen: Waiting[] = [];
    const choose = (least: number, most: number): void => {
      const name = upstreams[chosen.length];
      if (name === undefined) {
        for (const one of chosen) one.isMatched = true;
        const values = Object.fromEntries(upstreams.map((upstream, index) => [upstream, chosen[index]?.value]));
        emit({ key, ...values }, chosen.map((one) => one.id).join("+"), chosen[0]?.trace);
        return;
      }
      for (const one of group[name] ?? []) {
        const from = Math.min(least, one.time);
        const to = Math.max(most, one.time);
        if (to - from > withinMs) continue;
        chosen.push(one);
        choose(from, to);
        chosen.pop();
      }
    };
    choose(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
  }

  /** Lets go of what can have no partner any more. */
  #sweep(watermark: number, emit: Emit): void {
    const { withinMs, outer } = this.#options;
    this.#swept = watermark;
    for (const [key, group] of [...this.#groups.entries()]) {
      const kept: Group = {};
      let isChanged = false;
      for (const [name, waiting] of Object.entries(group)) {
        const rest = waiting.filter(({ time }) => time + withinMs >= watermark);
        if (rest.length > 0) kept[name] = rest;
        if (rest.length === waiting.length) continue;
        isChanged = true;
        if (name !== outer) continue;
        for (const { id, time, value, trace, isMatched } of waiting) {
          if (!isMatched && time + withinMs < watermark) emit({ key, [name]: value }, id, trace);
        }
      }
      if (!isChanged) continue;
      if (Object.keys(kept).length === 0) this.#groups.delete(key);
      else this.#groups.set(key, kept);
    }
  }
}
