import type { StateChange } from "../delivery/progress.ts";
import type { StageState } from "../stage/stage.ts";
import { Agenda } from "./heap.ts";

/** A window that is open, or kept for late records. */
export class Window {
  readonly key: string;
  readonly start: number;
  end: number;
  count = 0;
  accumulator: unknown;
  /** The W3C traceparent of its first record. */
  trace: string | undefined;
  /** How often it was given. */
  given = 0;
  isGone = false;
  isChanged = false;
  isStored = false;

  constructor({ key, start, end, trace }: Pick<Window, "key" | "start" | "end" | "trace">) {
    this.key = key;
    this.start = start;
    this.end = end;
    this.trace = trace;
  }
}

/** Windows by key and start, and by the time at which something has to be done about them. Stores those that have changed. */
export class WindowStore implements StageState {
  readonly #byKey = new Map<string, Window[]>();
  readonly #agenda = new Agenda<Window>();
  readonly #dueOf: (window: Window) => number;
  #changed: Window[] = [];
  #size = 0;

  constructor(dueOf: (window: Window) => number) {
    this.#dueOf = dueOf;
  }

  get size(): number {
    return this.#size;
  }

  /** Of one key, in no order; not to be kept. */
  of(key: string): readonly Window[] {
    return this.#byKey.get(key) ?? NONE;
  }

  find(key: string, start: number): Window | undefined {
    const windows = this.#byKey.get(key);
    if (windows !== undefined) for (const window of windows) if (window.start === start) return window;
    return undefined;
  }

  add(window: Window): void {
    this.#place(window);
    this.changed(window);
  }

  /** Has to be told of every change, but not again of one that falls due later than before. */
  changed(window: Window): void {
    if (window.isChanged) return;
    window.isChanged = true;
    this.#changed.push(window);
  }

  remove(window: Window): void {
    window.isGone = true;
    this.#size--;
    const windows = this.#byKey.get(window.key) ?? [];
    if (windows.length <= 1) this.#byKey.delete(window.key);
    else {
      const last = windows.pop() as Window;
      if (last !== window) windows[windows.indexOf(window)] = last;
    }
    this.changed(window);
  }

  /** Those that are due by now, earliest first, those of one time by their keys. Whoever takes them removes them or defers them. */
  *due(now: number): Iterable<Window> {
    while (this.nextDue <= now && this.nextDue !== Number.POSITIVE_INFINITY) {
      const time = this.nextDue;
      const due: Window[] = [];
      for (const window of this.#agenda.take()) {
        if (window.isGone) continue;
        const dueAt = this.#dueOf(window);
        if (dueAt > time) this.#agenda.add(dueAt, window);
        else due.push(window);
      }
      yield* due.sort((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : one.start - other.start));
    }
  }

  get nextDue(): number {
    return this.#agenda.next;
  }

  /** It stays until it falls due once more. */
  defer(window: Window): void {
    this.#agenda.add(this.#dueOf(window), window);
    this.changed(window);
  }

  restore(entries: ReadonlyMap<string, string>): void {
    for (const text of entries.values()) {
      const { key, start, end, count, accumulator, given, trace } = JSON.parse(text) as Window;
      const window = Object.assign(new Window({ key, start, end, trace }), { count, accumulator, given, isStored: true });
      this.#place(window);
    }
  }

  changes(): Omit<StateChange, "stage">[] {
    const changes: Omit<StateChange, "stage">[] = [];
    for (const window of this.#changed) {
      const { key, start, end, count, accumulator, given, trace, isGone, isStored } = window;
      window.isChanged = false;
      if (isGone && !isStored) continue;
      const value = isGone ? undefined : JSON.stringify({ key, start, end, count, accumulator, given, trace });
      changes.push({ key: `${start} ${key}`, value });
      window.isStored = true;
    }
    this.#changed = [];
    return changes;
  }

  #place(window: Window): void {
    this.#size++;
    const windows = this.#byKey.get(window.key);
    if (windows === undefined) this.#byKey.set(window.key, [window]);
    else windows.push(window);
    this.#agenda.add(this.#dueOf(window), window);
  }
}

const NONE: readonly Window[] = [];
