import type { Timer } from "@metanode/core/clock";
import { type Answer, Many } from "../stage/answer.ts";
import type { Action, StageHost } from "../stage/stage.ts";
import { KeyedState } from "./keyed-state.ts";
import { type Emit, type Input, type Operator, OperatorStage } from "./operator-stage.ts";

export interface KeyedOptions<In, State, Out> {
  readonly keyOf: (record: In) => string;
  /** The state of a key that comes for the first time. It has to be JSON. */
  readonly initial: () => State;
  /**
   * Handles a record with the state of its key: returns what goes on, as any stage does, and changes the state by giving a new
   * one to `keep`. A throw leaves state and timer as they were. Not asynchronous.
   */
  readonly on: (record: In, state: State, context: KeyedContext<State>) => Answer<Out>;
  /**
   * The time that `wakeAfter` set for a key has come; `state` is what is kept, or the initial one. What it returns goes on. A
   * timer is kept with the state: after a crash it fires at its time, or at once when that has passed. A throw ends the run.
   */
  readonly onTime?: (state: State, context: KeyedContext<State>) => Answer<Out>;
}

/** Holds for the call that it is given to. */
export interface KeyedContext<State> {
  readonly key: string;
  /** Replaces the state of the key; `undefined` forgets it, with its timer. */
  keep(state: State | undefined): void;
  /** Has `onTime` called for the key so many milliseconds from now, by the clock; instead of any time set before. `undefined`: not at all. */
  wakeAfter(delayMs: number | undefined): void;
}

interface Kept<State> {
  readonly state?: State;
  /** When `onTime` is to be called. */
  readonly wakeMs?: number;
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
export function keyedAction<In, State, Out>(options: KeyedOptions<In, State, Out>): Action {
  return {
    keepsState: true,
    stage: (host) => new KeyedStage(new KeyedOperator(options, host), host),
  };
}

/** Rings for the operator when a key is due. */
class KeyedStage<In, State, Out> extends OperatorStage {
  readonly #operator: KeyedOperator<In, State, Out>;

  constructor(operator: KeyedOperator<In, State, Out>, host: StageHost) {
    super(operator, host);
    this.#operator = operator;
    operator.ring = (key) => this.give((emit) => operator.onTime(key, emit));
  }

  override async end(): Promise<void> {
    this.#operator.stop(); // what comes after the end of the stream is not waited for
    await super.end();
  }

  override async close(): Promise<void> {
    this.#operator.stop();
    await super.close();
  }
}

class KeyedOperator<In, State, Out> implements Operator {
  readonly state: KeyedState<Kept<State>>;
  ring: (key: string) => void = () => undefined;
  readonly #options: KeyedOptions<In, State, Out>;
  readonly #host: StageHost;
  readonly #timers = new Map<string, Timer>();
  /** What the call under way has kept. */
  #after: Kept<State> | undefined;
  /** One for all calls, which come one after the other: to make one for each would cost more than most calls. */
  readonly #context: { -readonly [Key in keyof KeyedContext<State>]: KeyedContext<State>[Key] } = {
    key: "",
    keep: (state) => {
      this.#after = state === undefined ? undefined : withTime(state, this.#after?.wakeMs);
    },
    wakeAfter: (delayMs) => {
      const wakeMs = delayMs === undefined ? undefined : Math.round(this.#host.clock.now() + delayMs);
      this.#after = withTime(this.#after?.state, wakeMs);
    },
  };

  constructor(options: KeyedOptions<In, State, Out>, host: StageHost) {
    this.#options = options;
    this.#host = host;
    this.state = new KeyedState(() => {
      for (const [key, { wakeMs }] of this.state.entries()) if (wakeMs !== undefined) this.#arm(key, wakeMs);
    });
  }

  onRecord(record: unknown, { emit }: Input): void {
    const key = this.#options.keyOf(record as In);
    this.#call(key, { emit }, (state, context) => this.#options.on(record as In, state, context));
  }

  onTime(key: string, emit: Emit): void {
    const { onTime } = this.#options;
    const { wakeMs, ...kept } = this.state.get(key) ?? {};
    this.#timers.delete(key);
    if (wakeMs === undefined) return;
    this.#keep(key, kept);
    // The time is part of the id: it is the same when it has to be told again after a crash.
    if (onTime !== undefined) this.#call(key, { emit, id: `${key}@${wakeMs}` }, onTime);
  }

  describe(): Readonly<Record<string, unknown>> {
    return { keys: this.state.size, ...(this.#options.onTime === undefined ? {} : { timers: this.#timers.size }) };
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #call(
    key: string,
    { emit, id }: { emit: Emit; id?: string },
    work: (state: State, context: KeyedContext<State>) => Answer<Out>,
  ): void {
    const before = this.state.get(key);
    this.#after = before;
    this.#context.key = key;
    const answer = work(before?.state ?? this.#options.initial(), this.#context);
    if (this.#after !== before) this.#keep(key, this.#after);
    if (answer === undefined) return;
    const given = answer instanceof Many ? answer.records : [answer];
    for (const [mark, one] of given.entries()) emit(one, id === undefined || mark === 0 ? id : `${id}.${mark}`);
  }

  #keep(key: string, kept: Kept<State> | undefined): void {
    const wakeBefore = this.state.get(key)?.wakeMs;
    if (kept === undefined || (kept.state === undefined && kept.wakeMs === undefined)) this.state.delete(key);
    else this.state.set(key, kept);
    if (kept?.wakeMs === wakeBefore) return;
    this.#timers.get(key)?.cancel();
    this.#timers.delete(key);
    if (kept?.wakeMs !== undefined) this.#arm(key, kept.wakeMs);
  }

  #arm(key: string, wakeMs: number): void {
    this.#timers.set(
      key,
      this.#host.clock.setTimer(wakeMs - this.#host.clock.now(), () => this.ring(key)),
    );
  }
}

function withTime<State>(state: State | undefined, wakeMs: number | undefined): Kept<State> {
  if (wakeMs === undefined) return state === undefined ? {} : { state };
  return state === undefined ? { wakeMs } : { state, wakeMs };
}
