import type { Clock, Timer } from "@metanode/core/clock";
import type { KeyOf } from "../record/key.ts";
import type { Action, Stage, StageHost, StageState } from "../stage/stage.ts";
import type { Aggregate } from "./aggregate.ts";
import { type TimeOf, Watermark } from "./event-time.ts";
import { KeyedState } from "./keyed-state.ts";
import { type Emit, type Operator, OperatorStage } from "./operator-stage.ts";

/** Which windows there are. Times in milliseconds. */
export type WindowShape =
  /** One after the other, each as long. */
  | { readonly kind: "tumbling"; readonly sizeMs: number }
  /** Each as long, beginning every so often; a record is in several. */
  | { readonly kind: "sliding"; readonly sizeMs: number; readonly everyMs: number }
  /** As long as records of a key follow each other closely enough. */
  | { readonly kind: "session"; readonly gapMs: number }
  /** So many records of a key. */
  | { readonly kind: "count"; readonly count: number };

export interface WindowOptions {
  readonly shape: WindowShape;
  readonly aggregate: Aggregate;
  /** @default all records have one key */
  readonly keyOf?: KeyOf;
  /** @default the time at which a record is handled */
  readonly timeOf?: TimeOf;
  /** How much out of order records may come, in milliseconds. @default 0 */
  readonly disorderMs?: number;
  /** What becomes of records whose window has been given: dropped and counted, or given on by themselves with `late: true`. @default "drop" */
  readonly late?: "drop" | "emit";
  /** After so long without any record time goes on by the clock, so that windows end. @default it does not */
  readonly idleMs?: number;
}

/** What a window gives. */
export interface WindowResult {
  readonly key: string;
  /** In milliseconds since the Unix epoch. */
  readonly start: number;
  readonly end: number;
  readonly count: number;
  readonly value: unknown;
}

interface Window {
  key: string;
  start: number;
  end: number;
  count: number;
  accumulator: unknown;
}

/** Under which the time that an upstream has reached is kept; keys of windows have a time in front. */
const REACHED = "reached ";

/**
 * Records gathered in windows of event time. A window is given once the watermark has passed its end, or at the end of the
 * stream, exactly once; its id is made of key and start, so it is the same if it has to be given again after a crash.
 * Windows that end at the same moment are given in the order of their keys.
 */
export function windowAction(options: WindowOptions): Action {
  return { keepsState: true, stage: (host) => new WindowStage(options, host) };
}

class WindowStage extends OperatorStage implements Stage {
  readonly #operator: WindowOperator;
  readonly #clock: Clock;
  readonly #idleMs: number | undefined;
  #timer: Timer | undefined;

  constructor(options: WindowOptions, host: StageHost) {
    const operator = new WindowOperator(options, host);
    super(operator, host);
    this.#operator = operator;
    this.#clock = host.clock;
    this.#idleMs = options.idleMs;
  }

  override take(batch: Parameters<Stage["take"]>[0], from: string): void {
    super.take(batch, from);
    this.#listen();
  }

  override async end(): Promise<void> {
    this.#timer?.cancel();
    await super.end();
  }

  override async close(): Promise<void> {
    this.#timer?.cancel();
    await super.close();
  }

  #listen(): void {
    if (this.#idleMs === undefined) return;
    this.#timer?.cancel();
    const sinceMs = this.#clock.now();
    const look = (): void => {
      this.give((emit) => this.#operator.onIdle(this.#clock.now() - sinceMs, emit));
      if (this.#operator.isOpen) this.#timer = this.#clock.setTimer(this.#idleMs ?? 0, look);
    };
    this.#timer = this.#clock.setTimer(this.#idleMs, look);
  }
}

class WindowOperator implements Operator {
  readonly #options: WindowOptions;
  readonly #host: StageHost;
  readonly #watermark: Watermark;
  readonly #windows = new KeyedState<Window | number>(() => this.#restored());
  /** The least end of all windows: before the watermark gets there, nothing is to be given. */
  #nextEnd = Number.POSITIVE_INFINITY;
  #open = 0;
  /** What the furthest upstream had reached when it fell silent. */
  #furthest = Number.NEGATIVE_INFINITY;

  constructor(options: WindowOptions, host: StageHost) {
    this.#options = options;
    this.#host = host;
    this.#watermark = new Watermark(host.upstreams, options.disorderMs ?? 0);
  }

  get state(): StageState {
    return this.#windows;
  }

  get isOpen(): boolean {
    return this.#open > 0;
  }

  describe(): Readonly<Record<string, unknown>> {
    const { value } = this.#watermark;
    return { windows: this.#open, ...(Number.isFinite(value) ? { watermark: new Date(value).toISOString() } : {}) };
  }

  onRecord(record: unknown, from: string, emit: Emit): void {
    const { shape, keyOf, timeOf, late = "drop" } = this.#options;
    const key = keyOf?.(record) ?? "";
    if (shape.kind === "count") {
      this.#counted(key, record, emit);
      return;
    }
    const time = timeOf?.(record) ?? this.#host.clock.now();
    const watermark = this.#watermark.value;
    let isLate = true;
    for (const [start, end] of spansOf(shape, time)) {
      if (end <= watermark) continue;
      isLate = false;
      if (shape.kind === "session") this.#intoSession({ key, start, end }, record);
      else this.#into({ key, start, end }, record);
    }
    if (isLate) {
      this.#host.count("late");
      if (late === "emit") emit({ key, time, late: true, record });
      return;
    }
    if (!this.#watermark.seen(from, time)) return;
    this.#windows.set(REACHED + from, time);
    this.#furthest = this.#watermark.furthest;
    this.#giveDue(this.#watermark.value, emit);
  }

  onEnd(emit: Emit): void {
    this.#giveDue(Number.POSITIVE_INFINITY, emit);
  }

  /** Nothing has come for so long. */
  onIdle(passedMs: number, emit: Emit): void {
    if (!Number.isFinite(this.#furthest)) return;
    this.#watermark.passed(this.#furthest + passedMs);
    this.#giveDue(this.#watermark.value, emit);
  }

  #into({ key, start, end }: Span, record: unknown): void {
    const { aggregate } = this.#options;
    const name = `${start} ${key}`;
    const window = (this.#windows.get(name) as Window | undefined) ?? this.#openWindow({ key, start, end });
    window.accumulator = aggregate.add(window.accumulator, record);
    window.count++;
    this.#windows.set(name, window);
  }

  /** Grows together with every session that it touches. */
  #intoSession(span: Span, record: unknown): void {
    const { aggregate } = this.#options;
    const touched = this.#sessionsOf(span);
    let { start, end } = span;
    let accumulator = aggregate.initial();
    let count = 0;
    for (const window of touched) {
      start = Math.min(start, window.start);
      end = Math.max(end, window.end);
      accumulator = aggregate.merge(accumulator, window.accumulator);
      count += window.count;
      this.#windows.delete(`${window.start} ${window.key}`);
      this.#open--;
    }
    const window = this.#openWindow({ key: span.key, start, end });
    window.accumulator = aggregate.add(accumulator, record);
    window.count = count + 1;
    this.#windows.set(`${start} ${span.key}`, window);
  }

  #sessionsOf({ key, start, end }: Span): Window[] {
    const touched: Window[] = [];
    for (const [, window] of this.#windows.entries()) {
      if (typeof window !== "number" && window.key === key && window.start <= end && start <= window.end) touched.push(window);
    }
    return touched.sort((one, other) => one.start - other.start);
  }

  #counted(key: string, record: unknown, emit: Emit): void {
    const { aggregate, shape } = this.#options;
    const found = this.#windows.get(`0 ${key}`) as Window | undefined;
    const window = found ?? { key, start: 0, end: 0, count: 0, accumulator: aggregate.initial() };
    if (found === undefined) this.#open++;
    window.accumulator = aggregate.add(window.accumulator, record);
    window.count++;
    if (shape.kind === "count" && window.count % shape.count === 0) {
      emit(this.#resultOf({ ...window, count: shape.count }), `${key}:${window.start}`);
      const next = { ...window, start: window.start + 1, end: window.start + 1, count: 0, accumulator: aggregate.initial() };
      this.#windows.set(`0 ${key}`, next);
    } else this.#windows.set(`0 ${key}`, window);
  }

  #openWindow({ key, start, end }: Span): Window {
    this.#open++;
    if (end < this.#nextEnd) this.#nextEnd = end;
    return { key, start, end, count: 0, accumulator: this.#options.aggregate.initial() };
  }

  #giveDue(watermark: number, emit: Emit): void {
    if (watermark < this.#nextEnd && watermark !== Number.POSITIVE_INFINITY) return;
    const due: Window[] = [];
    let nextEnd = Number.POSITIVE_INFINITY;
    for (const [, window] of this.#windows.entries()) {
      if (typeof window === "number") continue;
      if (window.end <= watermark) due.push(window);
      else if (window.end < nextEnd) nextEnd = window.end;
    }
    this.#nextEnd = nextEnd;
    due.sort((one, other) => one.end - other.end || (one.key < other.key ? -1 : one.key > other.key ? 1 : 0));
    for (const window of due) {
      this.#windows.delete(this.#options.shape.kind === "count" ? `0 ${window.key}` : `${window.start} ${window.key}`);
      this.#open--;
      if (window.count > 0) emit(this.#resultOf(window), `${window.key}:${window.start}`);
    }
  }

  #resultOf({ key, start, end, count, accumulator }: Window): WindowResult {
    return { key, start, end, count, value: this.#options.aggregate.result(accumulator, count) };
  }

  #restored(): void {
    for (const [name, window] of this.#windows.entries()) {
      if (typeof window === "number") this.#watermark.seen(name.slice(REACHED.length), window);
      else {
        this.#open++;
        if (window.end < this.#nextEnd) this.#nextEnd = window.end;
      }
    }
    this.#furthest = this.#watermark.furthest;
  }
}

interface Span {
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

/** The windows that a moment is in, by their start and their end. */
function spansOf(shape: WindowShape, time: number): [number, number][] {
  switch (shape.kind) {
    case "tumbling": {
      const start = Math.floor(time / shape.sizeMs) * shape.sizeMs;
      return [[start, start + shape.sizeMs]];
    }
    case "sliding": {
      const spans: [number, number][] = [];
      const last = Math.floor(time / shape.everyMs) * shape.everyMs;
      for (let start = last; start > time - shape.sizeMs; start -= shape.everyMs) spans.push([start, start + shape.sizeMs]);
      return spans.reverse();
    }
    case "session":
      return [[time, time + shape.gapMs]];
    case "count":
      return [];
  }
}
