/** Something that is not the same on the other side. */
export interface Note {
  /**
   * - `changed`: it is there under another name or in another form.
   * - `lost`: it is left out, or has no effect there.
   * - `refused`: the whole meta or relation is left out.
   */
  readonly level: "changed" | "lost" | "refused";
  /** A meta-string, `from -> to`, or a place in a file. */
  readonly where: string;
  /** The member, in the spelling of the side that it comes from; empty = the whole. */
  readonly path: string;
  readonly text: string;
}

/** Collects notes about one meta, relation or file. */
export class Notes {
  readonly all: Note[] = [];
  #where = "";

  /** Notes are about this from now on. */
  about(where: string): this {
    this.#where = where;
    return this;
  }

  add(level: Note["level"], path: string, text: string): void {
    this.all.push({ level, where: this.#where, path, text });
  }

  /** Does work that may be impossible; then the whole is refused, and undefined comes back. */
  attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.add("refused", "", (error as Error).message);
      return undefined;
    }
  }
}
