import { type Clock, systemClock } from "../clock.ts";
import { coreError } from "../errors.ts";
import { HostedLog } from "./hosted.ts";
import type { Log } from "./log.ts";
import { MemoryDead } from "./memory-dead.ts";
import { MemoryStream } from "./memory-stream.ts";
import type { ResolvedStreamOptions } from "./options.ts";
import { resolveStreamOptions } from "./options.ts";
import type { RecordBody, StoredRecord } from "./record.ts";
import type {
  CommitBatch,
  CommitResult,
  ConsumerRecord,
  ConsumerSave,
  DeadQuery,
  DeadRow,
  LogStore,
  Page,
  ReplayedRecord,
  StreamRecord,
  StreamStats,
} from "./store.ts";

/** How a log in memory is made. */
export interface MemoryLogOptions {
  /** @default the machine's clock */
  clock?: Clock;
}

/**
 * A log in memory: it keeps every promise but L1's durability, as nothing outlives the process. For tests, and for
 * nodes that hold nothing.
 */
export function createMemoryLog(options: MemoryLogOptions = {}): Log {
  return new HostedLog(new MemoryStore(), { clock: options.clock ?? systemClock });
}

/** The store of the log in memory. Each method does its work before it returns, so what is asked for first is done first (R2). */
export class MemoryStore implements LogStore {
  readonly #streams: MemoryStream[] = [];
  readonly #consumers = new Map<number, MemoryStream>();
  readonly #dead = new MemoryDead();
  #lastConsumer = 0;

  async openStream(name: string, options: ResolvedStreamOptions | undefined, nowMs: number): Promise<StreamRecord> {
    let stream = this.#streams.find((known) => known.name === name);
    if (stream === undefined) {
      stream = new MemoryStream(this.#streams.length, name, options ?? resolveStreamOptions());
      this.#streams.push(stream);
    } else if (options !== undefined) {
      stream.options = options;
      stream.freeConsumed();
      stream.enforce(nowMs);
    }
    return { id: stream.id, options: stream.options };
  }

  async streamNames(): Promise<string[]> {
    return this.#streams.map((stream) => stream.name);
  }

  async streamStats(stream: number, nowMs: number): Promise<StreamStats> {
    const found = this.#stream(stream);
    found.expire(nowMs);
    return found.stats();
  }

  async commit(batch: CommitBatch): Promise<CommitResult> {
    for (const save of batch.saves) this.#save(save);
    const calls = batch.calls.map((call) => this.#stream(call.stream).append(call.records, batch.nowMs));
    const touched = new Set(batch.calls.map((call) => this.#stream(call.stream)));
    const firstSequences = [...touched].map((stream) => {
      stream.enforce(batch.nowMs);
      return [stream.id, stream.firstSequence] as const;
    });
    return { calls, firstSequences };
  }

  #save(save: ConsumerSave): void {
    const stream = this.#consumers.get(save.consumer);
    const name = stream?.save(save);
    if (stream === undefined || name === undefined) return; // removed meanwhile
    for (const dead of save.dead) this.#dead.add(dead, { stream: stream.name, consumer: name });
  }

  async read(stream: number, afterSequence: number, limit: number, nowMs: number): Promise<Page> {
    const found = this.#stream(stream);
    found.expire(nowMs);
    return found.read(afterSequence, limit);
  }

  async readHeld(consumer: number, sequences: readonly number[]): Promise<StoredRecord[]> {
    return this.#consumers.get(consumer)?.readHeld(consumer, sequences) ?? [];
  }

  async openConsumer(stream: number, name: string, from: "first" | "new", nowMs: number): Promise<ConsumerRecord> {
    const found = this.#stream(stream);
    found.expire(nowMs);
    let id = found.consumerId(name);
    if (id === undefined) {
      id = ++this.#lastConsumer;
      found.addConsumer(id, name, from);
      this.#consumers.set(id, found);
    }
    return found.consumer(id);
  }

  async removeConsumer(stream: number, name: string): Promise<boolean> {
    const found = this.#stream(stream);
    const id = found.consumerId(name);
    if (id === undefined) return false;
    found.removeConsumer(id);
    this.#consumers.delete(id);
    return true;
  }

  async purge(stream: number): Promise<{ removed: number; lastSequence: number }> {
    const found = this.#stream(stream);
    return { removed: found.purge(), lastSequence: found.lastSequence };
  }

  async expire(nowMs: number): Promise<void> {
    for (const stream of this.#streams) stream.expire(nowMs);
  }

  async listDead(query: DeadQuery): Promise<DeadRow[]> {
    return this.#dead.list(query);
  }

  async countDead(): Promise<number> {
    return this.#dead.size;
  }

  async getDead(id: number): Promise<DeadRow | undefined> {
    return this.#dead.get(id);
  }

  async editDead(id: number, body: RecordBody): Promise<boolean> {
    return this.#dead.edit(id, body);
  }

  async dropDead(id: number): Promise<boolean> {
    return this.#dead.delete(id);
  }

  async replayDead(id: number): Promise<ReplayedRecord | "orphan" | undefined> {
    const row = this.#dead.get(id);
    if (row === undefined) return undefined;
    // By name: a consumer that was removed and made anew takes it back.
    const stream = this.#streams.find((known) => known.name === row.stream);
    const consumer = stream?.consumerId(row.consumer);
    if (stream === undefined || consumer === undefined) return "orphan";
    stream.replay(consumer, row.sequence, { atMs: row.atMs, body: row.body });
    this.#dead.delete(id);
    return { consumer, sequence: row.sequence };
  }

  async close(): Promise<void> {
    this.#streams.length = 0;
    this.#consumers.clear();
  }

  #stream(id: number): MemoryStream {
    const stream = this.#streams[id];
    if (stream === undefined) throw coreError("core.internal", `the memory log has no stream ${id}`);
    return stream;
  }
}
