/** Numbers of which the least comes out first. */
export class NumberHeap {
  readonly #numbers: number[] = [];

  get least(): number | undefined {
    return this.#numbers[0];
  }

  add(number: number): void {
    const numbers = this.#numbers;
    let at = numbers.length;
    numbers.push(number);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = numbers[parent] as number;
      if (above <= number) break;
      numbers[at] = above;
      at = parent;
    }
    numbers[at] = number;
  }

  removeLeast(): void {
    const numbers = this.#numbers;
    const last = numbers.pop();
    if (last === undefined || numbers.length === 0) return;
    let at = 0;
    for (let child = 1; child < numbers.length; child = 2 * at + 1) {
      if (child + 1 < numbers.length && (numbers[child + 1] as number) < (numbers[child] as number)) child++;
      if ((numbers[child] as number) >= last) break;
      numbers[at] = numbers[child] as number;
      at = child;
    }
    numbers[at] = last;
  }
}

/** Things that fall due at a time. What is not due any more when its time has come is for the taker to see. */
export class Agenda<T> {
  readonly #times = new NumberHeap();
  readonly #things = new Map<number, T[]>();

  /** The time at which something is due next; infinity when nothing is. */
  get next(): number {
    return this.#times.least ?? Number.POSITIVE_INFINITY;
  }

  add(time: number, thing: T): void {
    const things = this.#things.get(time);
    if (things !== undefined) things.push(thing);
    else {
      this.#things.set(time, [thing]);
      this.#times.add(time);
    }
  }

  /** Takes out what is due next, all of one time. */
  take(): T[] {
    const time = this.next;
    const things = this.#things.get(time) ?? [];
    this.#things.delete(time);
    this.#times.removeLeast();
    return things;
  }
}
