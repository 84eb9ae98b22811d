import type { Batch } from "../record/batch.ts";
import type { FusedRow, Stage } from "../stage/stage.ts";

/**
 * Several programs in a row, joined so that records do not come by between them; and as soon as somebody looks at an edge
 * between them, the same programs each alone. It changes over while neither way has anything, so order holds.
 */
export class FusedStage implements Stage {
  readonly #row: FusedRow;
  readonly #fused: Stage;
  #isFused = true;

  constructor(row: FusedRow, fused: Stage) {
    this.#row = row;
    this.#fused = fused;
  }

  get waiting(): number {
    return this.#fused.waiting + this.#row.alone.waiting;
  }

  hasRoom(): boolean {
    this.#changeOver();
    const isRight = this.#isFused !== this.#row.isWatched();
    return isRight && this.#current.hasRoom();
  }

  take(batch: Batch, from: string): void {
    this.#changeOver();
    this.#current.take(batch, from);
  }

  async settle(): Promise<void> {
    await this.#fused.settle();
    await this.#row.alone.settle();
  }

  async end(): Promise<void> {
    await this.#fused.end();
    await this.#row.alone.end();
  }

  async close(): Promise<void> {
    await Promise.all([this.#fused.close(), this.#row.alone.close()]);
  }

  describe(): Readonly<Record<string, unknown>> {
    const names = this.#row.hosts.map(({ node }) => node.name);
    return { ...this.#current.describe?.(), ...(this.#isFused ? { fused: names } : {}) };
  }

  get #current(): Stage {
    return this.#isFused ? this.#fused : this.#row.alone;
  }

  #changeOver(): void {
    if (this.#isFused !== this.#row.isWatched()) return;
    const stages = this.#isFused ? [this.#fused] : [this.#row.alone, ...this.#row.others()];
    if (stages.every((stage) => stage.waiting === 0)) this.#isFused = !this.#isFused;
    else void settled(stages).then(() => this.#row.hosts[0].wake());
  }
}

async function settled(stages: readonly Stage[]): Promise<void> {
  for (const stage of stages) await stage.settle();
}
