import type { RecordBody, StoredRecord } from "./record.ts";
import type {
  CommitBatch,
  CommitResult,
  ConsumerRecord,
  DeadQuery,
  DeadRow,
  LogStore,
  Page,
  ReplayedRecord,
  StreamRecord,
  StreamStats,
} from "./store.ts";

/**
 * A store that holds nothing yet and is opened by the first request that has something to store. What can be answered without it is:
 * there are no streams and no dead letters. When it cannot be opened, whoever asked is told, and the next request tries again.
 */
export class LateStore implements LogStore {
  readonly #openStore: () => Promise<LogStore>;
  #opening: Promise<LogStore> | undefined;

  constructor(openStore: () => Promise<LogStore>) {
    this.#openStore = openStore;
  }

  /** All requests wait for the same promise, so they reach the store in the order in which they were made (R2). */
  #store(): Promise<LogStore> {
    this.#opening ??= this.#openStore().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async openStream(...args: Parameters<LogStore["openStream"]>): Promise<StreamRecord> {
    return (await this.#store()).openStream(...args);
  }

  async streamNames(): Promise<string[]> {
    return this.#opening === undefined ? [] : (await this.#store()).streamNames();
  }

  async streamStats(stream: number, nowMs: number): Promise<StreamStats> {
    return (await this.#store()).streamStats(stream, nowMs);
  }

  async commit(batch: CommitBatch): Promise<CommitResult> {
    const hasNothing = batch.calls.length === 0 && batch.saves.length === 0;
    if (hasNothing && this.#opening === undefined) return { calls: [], firstSequences: [] };
    return (await this.#store()).commit(batch);
  }

  async read(...args: Parameters<LogStore["read"]>): Promise<Page> {
    return (await this.#store()).read(...args);
  }

  async readHeld(consumer: number, sequences: readonly number[]): Promise<StoredRecord[]> {
    return (await this.#store()).readHeld(consumer, sequences);
  }

  async openConsumer(...args: Parameters<LogStore["openConsumer"]>): Promise<ConsumerRecord> {
    return (await this.#store()).openConsumer(...args);
  }

  async removeConsumer(stream: number, name: string): Promise<boolean> {
    return (await this.#store()).removeConsumer(stream, name);
  }

  async purge(stream: number): Promise<{ removed: number; lastSequence: number }> {
    return (await this.#store()).purge(stream);
  }

  async expire(nowMs: number): Promise<void> {
    if (this.#opening !== undefined) await (await this.#store()).expire(nowMs);
  }

  async listDead(query: DeadQuery): Promise<DeadRow[]> {
    return this.#opening === undefined ? [] : (await this.#store()).listDead(query);
  }

  async countDead(): Promise<number> {
    return this.#opening === undefined ? 0 : (await this.#store()).countDead();
  }

  async getDead(id: number): Promise<DeadRow | undefined> {
    return this.#opening === undefined ? undefined : (await this.#store()).getDead(id);
  }

  async editDead(id: number, body: RecordBody): Promise<boolean> {
    return this.#opening === undefined ? false : (await this.#store()).editDead(id, body);
  }

  async dropDead(id: number): Promise<boolean> {
    return this.#opening === undefined ? false : (await this.#store()).dropDead(id);
  }

  async replayDead(id: number): Promise<ReplayedRecord | "orphan" | undefined> {
    return this.#opening === undefined ? undefined : (await this.#store()).replayDead(id);
  }

  async close(): Promise<void> {
    const store = await this.#opening?.catch(() => undefined);
    await store?.close();
  }
}
