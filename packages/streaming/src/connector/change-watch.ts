import { type FSWatcher, watch } from "node:fs";
import type { Clock, Timer } from "@metanode/core/clock";

export interface ChangeWatchOptions {
  /** The folder that is watched. */
  readonly folder: string;
  /** Of the file that matters. @default every file */
  readonly name?: string;
  readonly pollMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Tells that something in a folder may have changed: when the system says so, and every now and then because not every one does. */
export class ChangeWatch {
  readonly #options: ChangeWatchOptions;
  readonly #watcher: FSWatcher | undefined;
  #hasChanged = false;
  #wake: (() => void) | undefined;

  constructor(options: ChangeWatchOptions) {
    this.#options = options;
    this.#watcher = this.#watch();
    options.signal.addEventListener("abort", () => this.#changed(), { once: true });
  }

  /** Resolves when there was a change since the last call, it is time to look, or the signal is aborted. */
  async next(): Promise<void> {
    const { clock, pollMs, signal } = this.#options;
    let timer: Timer | undefined;
    if (!this.#hasChanged && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = clock.setTimer(pollMs, resolve);
      });
    }
    timer?.cancel();
    this.#wake = undefined;
    this.#hasChanged = false;
  }

  close(): void {
    this.#watcher?.close();
  }

  #changed(): void {
    this.#hasChanged = true;
    this.#wake?.();
  }

  #watch(): FSWatcher | undefined {
    const { folder, name } = this.#options;
    try {
      const watcher = watch(folder, { persistent: false }, (_event, changed) => {
        if (name === undefined || changed === null || changed === name) this.#changed();
      });
      watcher.on("error", () => watcher.close()); // the folder is gone, say: then looking has to do
      return watcher;
    } catch {
      return undefined; // no such folder yet, or no watches left
    }
  }
}
