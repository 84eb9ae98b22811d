import type { KeyOf } from "../record/key.ts";
import type { Action, StageHost } from "../stage/stage.ts";
import { type TimeOf, Watermark } from "./event-time.ts";
import { KeyedState } from "./keyed-state.ts";
import { type Emit, type Operator, OperatorStage } from "./operator-stage.ts";

export interface JoinOptions {
  readonly keyOf: KeyOf;
  readonly timeOf?: TimeOf;
  /** How far apart in time records may be to belong together, in milliseconds. */
  readonly withinMs: number;
  /** How much out of order records may come, in milliseconds. @default 0 */
  readonly disorderMs?: number;
  /** An upstream whose records are given on also without a partner, once none can come any more. */
  readonly outer?: string;
}

interface Waiting {
  readonly time: number;
  readonly record: unknown;
  isMatched: boolean;
}

const REACHED = "reached ";

/**
 * Brings together records of several upstreams that have the same key and are close enough in time. What it gives has the key,
 * and under the name of each upstream that one's record; every pair is given once. Records wait as long as a partner can come.
 */
export function joinAction(options: JoinOptions): Action {
  return { keepsState: true, stage: (host) => new OperatorStage(new JoinOperator(options, host), host) };
}

class JoinOperator implements Operator {
  readonly #options: JoinOptions;
  readonly #host: StageHost;
  readonly #watermark: Watermark;
  /** By upstream and key: what waits for partners. */
  readonly #waiting = new KeyedState<Waiting[] | number>(() => this.#restored());
  #swept = Number.NEGATIVE_INFINITY;

  constructor(options: JoinOptions, host: StageHost) {
    this.#options = options;
    this.#host = host;
    this.#watermark = new Watermark(host.upstreams, options.disorderMs ?? 0);
  }

  get state(): KeyedState<Waiting[] | number> {
    return this.#waiting;
  }

  onRecord(record: unknown, from: string, emit: Emit): void {
    const { keyOf, timeOf, withinMs } = this.#options;
    const key = keyOf(record);
    const time = timeOf?.(record) ?? this.#host.clock.now();
    if (time + withinMs < this.#watermark.value) {
      this.#host.count("late");
      return;
    }
    const own: Waiting = { time, record, isMatched: false };
    for (const other of this.#host.upstreams) {
      if (other === from) continue;
      const name = `${other} ${key}`;
      const partners = (this.#waiting.get(name) as Waiting[] | undefined) ?? [];
      for (const partner of partners) {
        if (Math.abs(partner.time - time) > withinMs) continue;
        own.isMatched = true;
        partner.isMatched = true;
        this.#waiting.set(name, partners);
        emit({ key, [from]: record, [other]: partner.record });
      }
    }
    const name = `${from} ${key}`;
    this.#waiting.set(name, [...((this.#waiting.get(name) as Waiting[] | undefined) ?? []), own]);
    if (!this.#watermark.seen(from, time)) return;
    this.#waiting.set(REACHED + from, time);
    // Looking through everything that waits is worth it once per window, not per record.
    if (this.#watermark.value >= this.#swept + withinMs) this.#sweep(this.#watermark.value, emit);
  }

  onEnd(emit: Emit): void {
    this.#sweep(Number.POSITIVE_INFINITY, emit);
  }

  describe(): Readonly<Record<string, unknown>> {
    return { keys: this.#waiting.size };
  }

  /** Lets go of what can have no partner any more. */
  #sweep(watermark: number, emit: Emit): void {
    const { withinMs, outer } = this.#options;
    this.#swept = watermark;
    for (const [name, waiting] of [...this.#waiting.entries()]) {
      if (typeof waiting === "number") continue;
      const kept = waiting.filter(({ time }) => time + withinMs >= watermark);
      if (kept.length === waiting.length) continue;
      const upstream = name.slice(0, name.indexOf(" "));
      if (upstream === outer) {
        const key = name.slice(upstream.length + 1);
        for (const { time, record, isMatched } of waiting) {
          if (!isMatched && time + withinMs < watermark) emit({ key, [upstream]: record }, `${key}:${time}`);
        }
      }
      if (kept.length === 0) this.#waiting.delete(name);
      else this.#waiting.set(name, kept);
    }
  }

  #restored(): void {
    for (const [name, value] of this.#waiting.entries()) {
      if (typeof value === "number") this.#watermark.seen(name.slice(REACHED.length), value);
    }
  }
}
