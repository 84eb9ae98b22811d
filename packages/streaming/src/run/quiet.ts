import type { Origin } from "../delivery/origin.ts";
import { Receipt } from "../record/receipt.ts";

/** Tells when nothing is under way: no record of any source, and no other work that a checkpoint has to wait for. */
export class Quiet {
  readonly #origins: readonly Origin[];
  readonly #onWorkDone: () => void;
  #extra = 0;
  #waiters: (() => void)[] = [];

  /** `onWorkDone`: work that stems from no record of a source has settled. */
  constructor(origins: readonly Origin[], onWorkDone: () => void) {
    this.#origins = origins;
    this.#onWorkDone = onWorkDone;
  }

  /** Work that stems from no record of a source. */
  receipt(): Receipt {
    this.#extra++;
    return new Receipt(() => {
      this.#extra--;
      this.#onWorkDone();
      this.look();
    });
  }

  /** Something has settled. */
  look(): void {
    if (this.#waiters.length > 0 && this.#isQuiet()) for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /** Resolves when nothing is under way, or the signal aborts. */
  reached(signal: AbortSignal): Promise<void> {
    if (this.#isQuiet() || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  #isQuiet(): boolean {
    return this.#extra === 0 && this.#origins.every((origin) => origin.isQuiet());
  }
}
