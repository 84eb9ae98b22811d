/**
 * How far a run has come: for each source the position up to which every record has reached every sink, and what stages keep.
 *
 *  P1. A commit is stored as a whole or not at all, positions and state together.
 *  P2. `load` gives what the last stored commit left.
 *  P3. Of two that write for one graph only the younger can: a commit of an older epoch is refused with `stream.fenced`.
 *  P4. A commit may be forgotten in the crash of the machine. Then records come again; none is lost.
 */
export interface ProgressStore {
  load(): Promise<SavedProgress>;
  /** @throws {MetanodeError} stream.fenced – a younger run has taken over; stream.storage */
  commit(commit: Commit): Promise<void>;
}

/** How far a source has come. */
export interface Progress {
  /** Where to read on: whatever the source gave with its records. */
  readonly position: string;
  /** Records handed over up to there; numbers the next ones. */
  readonly sequence: number;
}

/** One change of what a stage keeps. */
export interface StateChange {
  readonly stage: string;
  readonly key: string;
  /** `undefined` removes the key. */
  readonly value: string | undefined;
}

export interface Commit {
  /** Those that have moved. */
  readonly sources: ReadonlyMap<string, Progress>;
  /** In order; a later change of a key counts. */
  readonly state: readonly StateChange[];
}

export interface SavedProgress {
  readonly sources: ReadonlyMap<string, Progress>;
  /** By stage, then by key. */
  readonly state: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** Progress that lives as long as the process: for graphs that begin anew each time. */
export class MemoryProgress implements ProgressStore {
  readonly #sources = new Map<string, Progress>();
  readonly #state = new Map<string, Map<string, string>>();

  async load(): Promise<SavedProgress> {
    const state = new Map([...this.#state].map(([stage, entries]) => [stage, new Map(entries)] as const));
    return { sources: new Map(this.#sources), state };
  }

  async commit({ sources, state }: Commit): Promise<void> {
    for (const [source, progress] of sources) this.#sources.set(source, progress);
    for (const { stage, key, value } of state) {
      const entries = this.#state.get(stage) ?? new Map<string, string>();
      this.#state.set(stage, entries);
      if (value === undefined) entries.delete(key);
      else entries.set(key, value);
    }
  }
}
