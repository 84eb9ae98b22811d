import { existsSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type Clock, systemClock } from "../clock.ts";
import { coreError, fromWire, type MetanodeError } from "../errors.ts";
import { intWithin, rejectUnknownKeys, textOf } from "../options.ts";
import { HostedLog } from "./hosted.ts";
import { LateStore } from "./late-store.ts";
import type { Log } from "./log.ts";
import type { ResolvedStreamOptions } from "./options.ts";
import type { RecordBody, StoredRecord } from "./record.ts";
import { FILE_NAME } from "./sqlite-file.ts";
import {
  type PackedRecords,
  type PackedResult,
  packBatch,
  unpackRecords,
  unpackResult,
  type WorkerAnswer,
  type WorkerRequest,
  type WorkerStart,
} from "./sqlite-wire.ts";
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

/** How a log on SQLite is opened. */
export interface SqliteLogOptions {
  /** Where the database lies; made if it is not there. One process at a time may have it open. */
  folder: string;
  /** @default the machine's clock */
  clock?: Clock;
  /**
   * Largest size of the database, in bytes (beside it stands a write-ahead log of some 16 MiB); 0 sets no limit. Appends
   * beyond it fail with `log.storage`. For a disk that other things live on as well. @default 0
   */
  maxFileBytes?: number;
  /**
   * Appends fail with `log.storage` while the disk and the unused part of the database together have less room than
   * this, in bytes, so that enough is left to settle what is in the log, which frees room. 0 does not look. @default 64 MiB
   */
  minFreeBytes?: number;
  /**
   * A log that is not there yet is made by the first request that has something to store, which then tells why the folder cannot be used.
   * The thread of a log takes 11 MB, for which a node without durable messages has no use. @default false
   */
  makeOnUse?: boolean;
  /** Told of failures of the storage behind nobody's call, which are tried again. @default nobody is told */
  onFault?: (error: MetanodeError) => void;
}

/**
 * Opens the log in a folder, creating it on first use. An append that was answered survives the loss of power; the
 * thread that writes does not keep the process alive, unless it has something to answer.
 * @throws {MetanodeError} node.data_in_use – another process has the log open; log.storage – the folder or the database
 * cannot be used: the message says why and what to do; config.invalid.
 */
export async function openSqliteLog(options: SqliteLogOptions): Promise<Log> {
  rejectUnknownKeys("log", options, ["folder", "clock", "maxFileBytes", "minFreeBytes", "makeOnUse", "onFault"]);
  const folder = textOf("log.folder", options.folder);
  const maxFileBytes = intWithin("log.maxFileBytes", options.maxFileBytes ?? 0, 0);
  const minFreeBytes = intWithin("log.minFreeBytes", options.minFreeBytes ?? 64 * 1_048_576, 0);
  const open = async (): Promise<LogStore> => {
    const store = new WorkerStore({ folder, maxFileBytes, minFreeBytes });
    await store.ready;
    return store;
  };
  const isLate = options.makeOnUse === true && !existsSync(join(folder, FILE_NAME));
  const store = isLate ? new LateStore(open) : await open();
  return new HostedLog(store, { clock: options.clock ?? systemClock, onFault: options.onFault });
}

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: MetanodeError) => void;
}

/** The store behind its thread: requests go there and are answered in order. */
class WorkerStore implements LogStore {
  /** Settles when the database is open. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #folder: string;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #ended: MetanodeError | undefined;

  constructor(start: WorkerStart) {
    this.#folder = start.folder;
    // From source this file is TypeScript, from a package JavaScript; the thread's file is of the same kind.
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    this.#worker = new Worker(new URL(`./sqlite-worker.${extension}`, import.meta.url), {
      name: "metanode-log",
      // The flags of the host program (--input-type, --eval …) are not meant for this thread.
      execArgv: [],
      workerData: start,
    });
    this.#worker.on("message", (answer: WorkerAnswer) => this.#onAnswer(answer));
    this.#worker.on("error", (error) => this.#onEnd(error));
    this.#worker.on("exit", () => this.#onEnd(undefined));
    this.ready = new Promise((resolve, reject) => this.#pending.set(0, { resolve, reject }));
  }

  #onAnswer(answer: WorkerAnswer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (this.#pending.size === 0) this.#worker.unref();
    if ("error" in answer) pending?.reject(fromWire(answer.error));
    else pending?.resolve(answer.value as never);
  }

  #onEnd(cause: unknown): void {
    this.#ended ??= coreError("log.storage", `the thread of the log in ${this.#folder} has ended; open the log again`, { cause });
    for (const pending of this.#pending.values()) pending.reject(this.#ended);
    this.#pending.clear();
  }

  #ask<T>(op: keyof LogStore, ...args: readonly unknown[]): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended);
        return;
      }
      const request: WorkerRequest = { id: ++this.#lastId, op, args };
      if (this.#pending.size === 0) this.#worker.ref();
      this.#pending.set(request.id, { resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  openStream(name: string, options: ResolvedStreamOptions | undefined, nowMs: number): Promise<StreamRecord> {
    return this.#ask("openStream", name, options, nowMs);
  }

  streamNames(): Promise<string[]> {
    return this.#ask("streamNames");
  }

  streamStats(stream: number, nowMs: number): Promise<StreamStats> {
    return this.#ask("streamStats", stream, nowMs);
  }

  async commit(batch: CommitBatch): Promise<CommitResult> {
    const packed = packBatch(batch);
    return unpackResult(packed, await this.#ask<PackedResult>("commit", packed));
  }

  async read(...args: Parameters<LogStore["read"]>): Promise<Page> {
    const page = await this.#ask<{ records: PackedRecords; throughSequence: number }>("read", ...args);
    return { records: unpackRecords(page.records), throughSequence: page.throughSequence };
  }

  async readHeld(consumer: number, sequences: readonly number[]): Promise<StoredRecord[]> {
    return unpackRecords(await this.#ask<PackedRecords>("readHeld", consumer, sequences));
  }

  openConsumer(...args: Parameters<LogStore["openConsumer"]>): Promise<ConsumerRecord> {
    return this.#ask("openConsumer", ...args);
  }

  removeConsumer(stream: number, name: string): Promise<boolean> {
    return this.#ask("removeConsumer", stream, name);
  }

  purge(stream: number): Promise<{ removed: number; lastSequence: number }> {
    return this.#ask("purge", stream);
  }

  expire(nowMs: number): Promise<void> {
    return this.#ask("expire", nowMs);
  }

  listDead(query: DeadQuery): Promise<DeadRow[]> {
    return this.#ask("listDead", query);
  }

  countDead(): Promise<number> {
    return this.#ask("countDead");
  }

  getDead(id: number): Promise<DeadRow | undefined> {
    return this.#ask("getDead", id);
  }

  editDead(id: number, body: RecordBody): Promise<boolean> {
    return this.#ask("editDead", id, { head: body.head, octets: body.octets });
  }

  dropDead(id: number): Promise<boolean> {
    return this.#ask("dropDead", id);
  }

  replayDead(id: number): Promise<ReplayedRecord | "orphan" | undefined> {
    return this.#ask("replayDead", id);
  }

  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    try {
      await this.#ask("close");
    } finally {
      await this.#worker.terminate();
    }
  }
}
