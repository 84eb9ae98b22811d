/** First in, first out within a lane; lanes take turns, so that a long lane holds up no other. */
export class FairQueue<T> {
  readonly #lanes = new Map<string, Lane<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Items of one lane. */
  sizeOf(lane: string): number {
    return this.#lanes.get(lane)?.size ?? 0;
  }

  push(lane: string, item: T): void {
    let queue = this.#lanes.get(lane);
    if (queue === undefined) {
      queue = new Lane();
      this.#lanes.set(lane, queue);
    }
    queue.push(item);
    this.#size++;
  }

  /** The next item of the first lane that may go; that lane then queues up behind the others. */
  shift(mayGo: (lane: string) => boolean): T | undefined {
    for (const [name, lane] of this.#lanes) {
      if (!mayGo(name)) continue;
      const item = lane.shift();
      this.#lanes.delete(name);
      if (lane.size > 0) this.#lanes.set(name, lane);
      if (item === undefined) continue;
      this.#size--;
      return item;
    }
    return undefined;
  }

  /** Takes out one item; false if it is no longer there. */
  remove(lane: string, item: T): boolean {
    const queue = this.#lanes.get(lane);
    if (queue === undefined || !queue.remove(item)) return false;
    if (queue.size === 0) this.#lanes.delete(lane);
    this.#size--;
    return true;
  }

  /** Takes out everything. */
  clear(): T[] {
    const items = [...this.#lanes.values()].flatMap((lane) => lane.items());
    this.#lanes.clear();
    this.#size = 0;
    return items;
  }
}

/** A Set keeps the order of insertion and forgets in constant time, which an array does not. */
class Lane<T> {
  readonly #items = new Set<T>();

  get size(): number {
    return this.#items.size;
  }

  push(item: T): void {
    this.#items.add(item);
  }

  shift(): T | undefined {
    for (const item of this.#items) {
      this.#items.delete(item);
      return item;
    }
    return undefined;
  }

  remove(item: T): boolean {
    return this.#items.delete(item);
  }

  items(): T[] {
    return [...this.#items];
  }
}
