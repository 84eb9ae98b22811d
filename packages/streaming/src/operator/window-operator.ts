import { readValue } from "../record/value.ts";
import type { StageHost, StageState } from "../stage/stage.ts";
import { CombinedState } from "./combined-state.ts";
import { Watermark } from "./event-time.ts";
import type { Emit, Input, Operator } from "./operator-stage.ts";
import type { WindowOptions, WindowResult, WindowShape } from "./window-options.ts";
import { Window, WindowStore } from "./window-store.ts";

const KEEP_MS = 60_000;

/**
 *  W1. A window is given when the watermark reaches its end, before any later record is looked at; so what it holds follows
 *      from the records and their order alone.
 *  W2. Whether a record is late is decided by the watermark before it.
 *  W3. A record that cannot be added leaves every window as it was.
 */
export class WindowOperator implements Operator {
  readonly state: StageState;
  readonly #options: WindowOptions;
  readonly #host: StageHost;
  readonly #watermark: Watermark;
  readonly #windows: WindowStore;
  /** How long windows are kept after their end. */
  readonly #keepMs: number;

  constructor(options: WindowOptions, host: StageHost) {
    this.#options = options;
    this.#host = host;
    this.#keepMs = options.late === "update" ? (options.keepMs ?? KEEP_MS) : 0;
    this.#watermark = new Watermark(host.upstreams, options.disorderMs ?? 0);
    // A window of so many records has no time at which it would end; the end of the stream comes after every number.
    const isCounting = options.shape.kind === "count";
    this.#windows = new WindowStore(({ end, given }) => (isCounting ? Number.MAX_VALUE : given === 0 ? end : end + this.#keepMs));
    this.state = new CombinedState({ window: this.#windows, time: this.#watermark });
  }

  get isOpen(): boolean {
    return this.#windows.size > 0;
  }

  describe(): Readonly<Record<string, unknown>> {
    const { value } = this.#watermark;
    const isDate = Math.abs(value) <= 8.64e15;
    return { windows: this.#windows.size, ...(isDate ? { watermark: new Date(value).toISOString() } : {}) };
  }

  onRecord(record: unknown, input: Input): void {
    const { from, emit } = input;
    const { shape, keyOf, timeOf } = this.#options;
    const key = keyOf === undefined ? "" : keyOf(record);
    if (shape.kind === "count") {
      this.#counted(key, record, input);
      return;
    }
    const time = timeOf === undefined ? this.#host.clock.now() : timeOf(record);
    const isInTime =
      shape.kind === "session"
        ? this.#intoSession({ key, start: time, end: time + shape.gapMs }, record, input)
        : this.#intoWindows({ key, time }, record, input);
    if (!isInTime) this.#late({ key, time }, record, emit);
    if (this.#watermark.seen(from, time)) this.#giveDue(this.#watermark.value, emit);
  }

  onUpstreamEnded(from: string, emit: Emit): void {
    if (this.#watermark.silence(from)) this.#giveDue(this.#watermark.value, emit);
  }

  onEnd(emit: Emit): void {
    this.#giveDue(Number.POSITIVE_INFINITY, emit);
  }

  /** These upstreams have given nothing for long, and none of all has for `sinceMs`. */
  onSilence(silent: readonly string[], { sinceMs, emit }: { sinceMs: number; emit: Emit }): void {
    for (const from of silent) this.#watermark.silence(from);
    if (this.#watermark.isSilent) this.#watermark.passed(this.#watermark.furthest + sinceMs);
    this.#giveDue(this.#watermark.value, emit);
  }

  /** Returns whether there was any window left for it. */
  #intoWindows({ key, time }: { key: string; time: number }, record: unknown, input: Input): boolean {
    const { shape } = this.#options;
    if (shape.kind === "tumbling") {
      const start = Math.floor(time / shape.sizeMs) * shape.sizeMs;
      return this.#into({ key, start, end: start + shape.sizeMs }, record, input);
    }
    const starts = startsOf(shape, time);
    const sizeMs = shape.kind === "sliding" ? shape.sizeMs : 0;
    let isInTime = starts.length === 0; // it lies between two windows
    for (const start of starts) if (this.#into({ key, start, end: start + sizeMs }, record, input)) isInTime = true;
    return isInTime;
  }

  #into({ key, start, end }: Span, record: unknown, input: Input): boolean {
    const watermark = this.#watermark.value;
    if (end + this.#keepMs <= watermark) return false;
    const { aggregate } = this.#options;
    const found = this.#windows.find(key, start);
    const accumulator = aggregate.add(found === undefined ? aggregate.initial() : found.accumulator, record);
    const window = found ?? new Window({ key, start, end, trace: input.trace });
    window.accumulator = accumulator;
    window.count++;
    if (end <= watermark) {
      this.#host.count("late");
      this.#give(window, input.emit);
    }
    if (found === undefined) this.#windows.add(window);
    else this.#windows.changed(window);
    return true;
  }

  /** Grows together with every session that it touches. */
  #intoSession(span: Span, record: unknown, input: Input): boolean {
    if (span.end <= this.#watermark.value) return false;
    const { aggregate } = this.#options;
    const touched = this.#windows.of(span.key).filter(({ start, end }) => start <= span.end && span.start <= end);
    const [first] = touched;
    if (first !== undefined && touched.length === 1 && first.start <= span.start) {
      first.accumulator = aggregate.add(first.accumulator, record);
      first.count++;
      if (span.end > first.end) first.end = span.end;
      this.#windows.changed(first);
      return true;
    }
    touched.sort((one, other) => one.start - other.start);
    const merged = touched
      .map(({ accumulator }) => accumulator)
      .reduce((one, other) => aggregate.merge(one, other), aggregate.initial());
    const accumulator = aggregate.add(merged, record);
    const window = new Window({
      key: span.key,
      start: Math.min(span.start, ...touched.map(({ start }) => start)),
      end: span.end,
      trace: touched[0] === undefined || span.start < touched[0].start ? input.trace : touched[0].trace,
    });
    window.accumulator = accumulator;
    window.count = 1;
    for (const other of touched) {
      window.count += other.count;
      window.end = Math.max(window.end, other.end);
      this.#windows.remove(other);
    }
    this.#windows.add(window);
    return true;
  }

  #counted(key: string, record: unknown, input: Input): void {
    const { aggregate, shape } = this.#options;
    // The count goes on over windows: it is what tells one window of a key from the next.
    const found = this.#windows.of(key)[0];
    const accumulator = aggregate.add(found === undefined ? aggregate.initial() : found.accumulator, record);
    const window = found ?? new Window({ key, start: 0, end: 0, trace: undefined });
    if (window.count === 0) window.trace = input.trace;
    window.accumulator = accumulator;
    window.count++;
    if (found === undefined) this.#windows.add(window);
    else this.#windows.changed(window);
    if (shape.kind === "count" && window.count >= shape.count) {
      input.emit(this.#resultOf(window), `${key}:${window.end}`, window.trace);
      window.end++;
      window.count = 0;
      window.accumulator = aggregate.initial();
    }
  }

  #late({ key, time }: { key: string; time: number }, record: unknown, emit: Emit): void {
    this.#host.count("late");
    if (this.#options.late === "emit") emit({ key, time, late: true, record: readValue(record) });
  }

  #giveDue(watermark: number, emit: Emit): void {
    if (watermark < this.#windows.nextDue) return;
    for (const window of this.#windows.due(watermark)) {
      if (window.given === 0 && window.count > 0) this.#give(window, emit);
      if (window.given > 0 && window.end + this.#keepMs > watermark) this.#windows.defer(window);
      else this.#windows.remove(window);
    }
  }

  #give(window: Window, emit: Emit): void {
    const { key, given } = window;
    const isCounting = this.#options.shape.kind === "count";
    const id = `${key}:${isCounting ? window.end : window.start}`;
    emit(this.#resultOf(window), given === 0 ? id : `${id}.${given}`, window.trace);
    window.given++;
  }

  #resultOf({ key, start, end, count, accumulator, given }: Window): WindowResult {
    const value = this.#options.aggregate.result(accumulator, count);
    const result = { key, start: this.#options.shape.kind === "count" ? end : start, end, count, value };
    return given === 0 ? result : { ...result, update: given };
  }
}

interface Span {
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

/** When the windows of one length begin that a moment is in, the earliest first. */
export function startsOf(shape: WindowShape, time: number): number[] {
  if (shape.kind === "tumbling") return [Math.floor(time / shape.sizeMs) * shape.sizeMs];
  if (shape.kind !== "sliding") return [];
  const starts: number[] = [];
  const last = Math.floor(time / shape.everyMs) * shape.everyMs;
  for (let start = last; start > time - shape.sizeMs; start -= shape.everyMs) starts.push(start);
  return starts.reverse();
}
