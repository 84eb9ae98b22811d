import type { StageState } from "../stage/stage.ts";

/** What an operator remembers: values by key, stored as JSON. Knows which have changed since the last checkpoint. */
export class KeyedState<Value> implements StageState {
  readonly #values = new Map<string, Value>();
  readonly #changed = new Set<string>();
  readonly #onRestored: (() => void) | undefined;

  /** `onRestored` is called when the values of an earlier run are there. */
  constructor(onRestored?: () => void) {
    this.#onRestored = onRestored;
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  /** Keeps a value. One that was changed in place has to be set again. */
  set(key: string, value: Value): void {
    this.#values.set(key, value);
    this.#changed.add(key);
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#changed.add(key);
  }

  /** In the order in which the keys came. */
  entries(): IterableIterator<[string, Value]> {
    return this.#values.entries();
  }

  /** Puts them into another order. */
  sort(compare: (one: Value, other: Value) => number): void {
    const sorted = [...this.#values].sort(([, one], [, other]) => compare(one, other));
    this.#values.clear();
    for (const [key, value] of sorted) this.#values.set(key, value);
  }

  restore(entries: ReadonlyMap<string, string>): void {
    for (const [key, value] of entries) this.#values.set(key, JSON.parse(value) as Value);
    this.#onRestored?.();
  }

  changes(): { key: string; value: string | undefined }[] {
    const changes = [...this.#changed].map((key) => {
      const value = this.#values.get(key);
      return { key, value: value === undefined ? undefined : JSON.stringify(value) };
    });
    this.#changed.clear();
    return changes;
  }
}
