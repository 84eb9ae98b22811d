import type { Clock, Timer } from "@metanode/core/clock";
import type { Catalog } from "../catalog/catalog.ts";
import type { MaintenanceStore } from "../store/admin.ts";

/** Instances that are removed in one transaction. */
const STEP = 1_000;

/** What retention stands on. */
export interface RetentionGround {
  readonly store: Pick<MaintenanceStore, "removeOld">;
  readonly catalog: () => Catalog;
  readonly clock: Clock;
  readonly pollMs: number;
  readonly onError: (error: unknown) => void;
}

/** Removes what is older than its meta allows, again and again. Several engines on one store may do so at the same time. */
export class Retention {
  readonly #ground: RetentionGround;
  #timer: Timer | undefined;
  #isStopped = false;
  #sweep: Promise<void> = Promise.resolve();

  constructor(ground: RetentionGround) {
    this.#ground = ground;
  }

  start(): void {
    if (this.#isStopped) return;
    const { clock, pollMs, onError } = this.#ground;
    this.#timer = clock.setTimer(pollMs, () => {
      this.#sweep = this.sweep().then(() => undefined, onError);
      void this.#sweep.then(() => this.start());
    });
  }

  /** One round; how many were removed. @throws store.unavailable */
  async sweep(): Promise<number> {
    const { store, catalog, clock } = this.#ground;
    let removed = 0;
    for (const { meta, settings } of catalog().metas()) {
      if (settings.retentionMs === undefined) continue;
      const createdLtMs = Math.floor(clock.now() - settings.retentionMs);
      for (let count = STEP; count === STEP && !this.#isStopped; removed += count) {
        count = await store.removeOld({ meta, createdLtMs, limit: STEP });
      }
    }
    return removed;
  }

  /** Resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#sweep;
  }
}
