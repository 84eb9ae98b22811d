/** Things that take turns: whoever had its turn goes to the end. */
export class Rotation<T> {
  #items: T[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length;
  }

  /** Whoever has its turn now. Only while `size` is over 0. */
  next(): T {
    const item = this.#items[this.#head] as T;
    this.#head = this.#head + 1 < this.#items.length ? this.#head + 1 : 0;
    return item;
  }

  /** Adds an item whose turn comes after everybody else's. */
  add(item: T): void {
    this.#items.splice(this.#head, 0, item);
    this.#head = (this.#head + 1) % this.#items.length;
  }

  /** Takes out whoever would have its turn now. */
  shift(): T | undefined {
    const [item] = this.#items.splice(this.#head, 1);
    if (this.#head === this.#items.length) this.#head = 0;
    return item;
  }

  /** Takes an item out, whenever its turn is; false if it is not there. */
  drop(item: T): boolean {
    const at = this.#items.indexOf(item);
    if (at < 0) return false;
    this.#items.splice(at, 1);
    if (at < this.#head) this.#head--;
    else if (this.#head === this.#items.length) this.#head = 0;
    return true;
  }

  has(item: T): boolean {
    return this.#items.includes(item);
  }
}
