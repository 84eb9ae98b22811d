import type { Action, StageHost, StageState } from "../stage/stage.ts";
import { CombinedState } from "./combined-state.ts";
import { type TimeOf, Watermark } from "./event-time.ts";
import { Agenda } from "./heap.ts";
import { type KeptRecord, keepRecord, keptRecord } from "./kept-record.ts";
import { KeyedState } from "./keyed-state.ts";
import { type Emit, type Input, type Operator, OperatorStage } from "./operator-stage.ts";

export interface MergeOptions {
  readonly timeOf: TimeOf;
  /** How much out of order the records of one upstream may come, in milliseconds. @default 0 */
  readonly disorderMs?: number;
}

interface Held {
  readonly time: number;
  readonly kept: KeptRecord;
  readonly trace?: string | undefined;
}

/**
 * Puts the records of its upstreams into the order of their times; those of one time into the order of their ids. A record
 * waits until no earlier one can come; one that comes later than allowed is given on at once, out of order, and counted as late.
 */
export function mergeAction(options: MergeOptions): Action {
  return { keepsState: true, stage: (host) => new OperatorStage(new MergeOperator(options, host), host) };
}

class MergeOperator implements Operator {
  readonly state: StageState;
  readonly #options: MergeOptions;
  readonly #host: StageHost;
  readonly #watermark: Watermark;
  readonly #held = new KeyedState<Held>(() => {
    for (const [id, { time }] of this.#held.entries()) this.#agenda.add(time, id);
  });
  readonly #agenda = new Agenda<string>();

  constructor(options: MergeOptions, host: StageHost) {
    this.#options = options;
    this.#host = host;
    this.#watermark = new Watermark(host.upstreams, options.disorderMs ?? 0);
    this.state = new CombinedState({ held: this.#held, time: this.#watermark });
  }

  onRecord(record: unknown, { from, id, trace, emit }: Input): void {
    const time = this.#options.timeOf(record);
    if (time < this.#watermark.value) {
      this.#host.count("late");
      emit(record, id, trace);
      return;
    }
    this.#held.set(id, { time, kept: keepRecord(record), trace });
    this.#agenda.add(time, id);
    if (this.#watermark.seen(from, time)) this.#give(this.#watermark.value, emit);
  }

  onUpstreamEnded(from: string, emit: Emit): void {
    if (this.#watermark.silence(from)) this.#give(this.#watermark.value, emit);
  }

  onEnd(emit: Emit): void {
    this.#give(Number.POSITIVE_INFINITY, emit);
  }

  describe(): Readonly<Record<string, unknown>> {
    return { held: this.#held.size };
  }

  /** Of the very time of the watermark more may come. */
  #give(watermark: number, emit: Emit): void {
    while (this.#agenda.next < watermark) {
      for (const id of this.#agenda.take().sort()) {
        const held = this.#held.get(id);
        if (held === undefined) continue; // the same record, given twice
        this.#held.delete(id);
        emit(keptRecord(held.kept), id, held.trace);
      }
    }
  }
}
