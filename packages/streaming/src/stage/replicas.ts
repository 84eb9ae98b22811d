import type { Batch } from "../record/batch.ts";
import { hashOf, type KeyOf } from "../record/key.ts";
import type { Stage } from "./stage.ts";

/**
 * Several stages that do the work of one. With a key, all records of a key go to the same stage, in order; without one,
 * each batch goes to the stage with the least to do, and order holds only within a batch.
 */
export class Replicas implements Stage {
  readonly #stages: readonly Stage[];
  readonly #keyOf: KeyOf | undefined;

  constructor(stages: readonly [Stage, ...Stage[]], keyOf?: KeyOf) {
    this.#stages = stages;
    this.#keyOf = keyOf;
  }

  get waiting(): number {
    let waiting = 0;
    for (const stage of this.#stages) waiting += stage.waiting;
    return waiting;
  }

  hasRoom(): boolean {
    // A key may go to any of them, so one that is full holds up the others.
    const hasRoom = (stage: Stage): boolean => stage.hasRoom();
    return this.#keyOf === undefined ? this.#stages.some(hasRoom) : this.#stages.every(hasRoom);
  }

  take(batch: Batch, from: string): void {
    if (this.#keyOf === undefined) this.#leastBusy().take(batch, from);
    else this.#share(batch, from, this.#keyOf);
  }

  async end(): Promise<void> {
    await Promise.all(this.#stages.map((stage) => stage.end()));
  }

  async settle(): Promise<void> {
    await Promise.all(this.#stages.map((stage) => stage.settle()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#stages.map((stage) => stage.close()));
  }

  describe(): Readonly<Record<string, unknown>> {
    return { replicas: this.#stages.map((stage) => ({ waiting: stage.waiting, ...stage.describe?.() })) };
  }

  #leastBusy(): Stage {
    const withRoom = this.#stages.filter((stage) => stage.hasRoom());
    const candidates = withRoom.length > 0 ? withRoom : this.#stages;
    return candidates.reduce((best, stage) => (stage.waiting < best.waiting ? stage : best));
  }

  #share(batch: Batch, from: string, keyOf: KeyOf): void {
    const shares = new Map<Stage, number[]>();
    for (const [index, record] of batch.records.entries()) {
      const stage = this.#stages[hashOf(keyOf(record)) % this.#stages.length] as Stage;
      const share = shares.get(stage);
      if (share === undefined) shares.set(stage, [index]);
      else share.push(index);
    }
    if (shares.size === 0) {
      batch.receipt.release();
      return;
    }
    for (let more = 1; more < shares.size; more++) batch.receipt.hold();
    for (const [stage, indexes] of shares) stage.take(indexes.length === batch.count ? batch : batch.pick(indexes), from);
  }
}
