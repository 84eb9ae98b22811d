import type { Clock, Timer } from "@metanode/core/clock";
import type { Origin } from "../delivery/origin.ts";
import type { Progress, ProgressStore, StateChange } from "../delivery/progress.ts";

export interface CommitsOptions {
  readonly store: ProgressStore;
  readonly origins: readonly Origin[];
  readonly clock: Clock;
  /** Longest time from settling to storing, in milliseconds; asked each time. */
  readonly commitMs: () => number;
  /** Stores now, by whatever way is right for this graph. */
  readonly onDue: () => void;
  readonly onCommitted: (source: string, progress: Progress) => void;
}

/**
 * Stores how far the sources have come.
 *
 *  C1. Only what is settled without a gap is stored; so what is lost in a crash is read again.
 *  C2. One commit is under way at a time; what settles meanwhile goes into the next one.
 *  C3. What has not begun to be stored when it is closed is not stored; and then nothing is written behind the back of the next run.
 *  C4. A source is told of its position only after that is stored.
 */
export class Commits {
  readonly #options: CommitsOptions;
  readonly #stored = new Map<string, Progress>();
  #timer: Timer | undefined;
  #last: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: CommitsOptions) {
    this.#options = options;
  }

  restore(source: string, progress: Progress): void {
    this.#stored.set(source, progress);
  }

  /** Something has settled: sees to it that it is stored soon. */
  touch(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = this.#options.clock.setTimer(this.#options.commitMs(), () => {
      this.#timer = undefined;
      if (!this.#isClosed) this.#options.onDue();
    });
  }

  /** Whether anything has settled that is not stored. */
  isBehind(): boolean {
    return this.#options.origins.some(({ name, progress }) => progress !== undefined && progress !== this.#stored.get(name));
  }

  /** Stores what is settled by now, with the changes that belong to it. */
  now(state: readonly StateChange[] = []): Promise<void> {
    const commit = this.#last.then(() => this.#commit(state));
    this.#last = commit.catch(() => undefined);
    return commit;
  }

  /** Stores nothing more. Resolves when nothing is being stored any more. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    return this.#last;
  }

  async #commit(state: readonly StateChange[]): Promise<void> {
    const { origins, store, onCommitted } = this.#options;
    if (this.#isClosed) return;
    const sources = new Map<string, Progress>();
    for (const { name, progress } of origins) {
      if (progress !== undefined && progress !== this.#stored.get(name)) sources.set(name, progress);
    }
    if (sources.size === 0 && state.length === 0) return;
    await store.commit({ sources, state });
    for (const [source, progress] of sources) {
      this.#stored.set(source, progress);
      onCommitted(source, progress);
    }
  }
}
