import type { Failure, Retry } from "./store.ts";

/** What is to be set right when the database is there again, so that no task stays with an engine that does not know of it (S7). */
export interface RepairWork {
  /** Tasks that may belong to this engine without its knowing. */
  readonly loose: readonly number[];
  /** Tasks that could not be put back, or moved to the failed ones. */
  readonly retries: readonly Retry[];
  readonly failures: readonly Failure[];
}

/** Gathers what failed until it can be set right. */
export class Repairs {
  #work: RepairWork = { loose: [], retries: [], failures: [] };

  get isEmpty(): boolean {
    const { loose, retries, failures } = this.#work;
    return loose.length + retries.length + failures.length === 0;
  }

  add({ loose = [], retries = [], failures = [] }: Partial<RepairWork>): void {
    this.#work = {
      loose: [...this.#work.loose, ...loose],
      retries: [...this.#work.retries, ...retries],
      failures: [...this.#work.failures, ...failures],
    };
  }

  /** Takes it all out; {@link add} puts it back if it could not be done. */
  take(): RepairWork {
    const work = this.#work;
    this.#work = { loose: [], retries: [], failures: [] };
    return work;
  }
}
