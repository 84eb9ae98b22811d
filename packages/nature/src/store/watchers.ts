/** Those who want to know of new versions of the registry. Each version is told once, in rising order. */
export class Watchers {
  readonly #listeners = new Set<(version: number) => void>();
  #last = -1;

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  add(listener: (version: number) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(version: number): void {
    if (version <= this.#last) return;
    this.#last = version;
    for (const listener of [...this.#listeners]) listener(version);
  }
}
