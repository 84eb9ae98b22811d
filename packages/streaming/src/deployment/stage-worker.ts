import { join } from "node:path";
import type { Clock, Message, Timer } from "@metanode/core";
import { streamError } from "../errors.ts";
import type { Content } from "../record/batch.ts";
import { Batch } from "../record/batch.ts";
import { Receipt } from "../record/receipt.ts";
import type { FailedRecord, LogLevel, Stage, StageCounter, StageHost } from "../stage/stage.ts";
import type { Catalogue } from "./catalogue.ts";
import { type FarAnswer, type FarFailure, farFailure, readWork, type StageKey, writeAnswer } from "./placed-wire.ts";

/*
 * The work of stages of graphs that run elsewhere.
 *
 * W1. One batch at a time per stage; its answer goes back when everything that was made of it is there.
 * W2. A stage lives from its first batch until it was idle for a while, or a newer run of its graph comes. It remembers nothing that
 *     has to outlive it: whoever runs the graph sends again what was not answered, here or to another node.
 */

export interface StageWorkerOptions {
  readonly catalogue: Catalogue;
  readonly folder: string;
  readonly clock: Clock;
  readonly onLog: (level: LogLevel, text: string) => void;
}

/** How long a stage without work is kept, in milliseconds. */
const IDLE_MS = 60_000;

export class StageWorker {
  readonly #options: StageWorkerOptions;
  readonly #stages = new Map<string, WorkingStage>();

  constructor(options: StageWorkerOptions) {
    this.#options = options;
  }

  /** Does the work of one message. @throws {MetanodeError} stream.graph, stream.action_unknown, stream.action_failed … */
  async work(message: Message): Promise<Uint8Array> {
    const { key, content } = readWork(message);
    const { graph, node, replica, epoch } = key;
    const name = `${graph}/${node.name}/${replica}`;
    const known = this.#stages.get(name);
    if (known !== undefined && known.epoch > epoch) {
      throw streamError("stream.graph", `run ${epoch} of graph ${graph} is over: run ${known.epoch} is at work here`);
    }
    if (known === undefined || known.epoch < epoch) {
      await known?.close();
      this.#stages.set(name, new WorkingStage(key, this.#options, () => this.#stages.delete(name)));
    }
    return writeAnswer(await (this.#stages.get(name) as WorkingStage).work(content));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#stages.values()].map((stage) => stage.close()));
    this.#stages.clear();
  }
}

/** One stage and what it made of the batch that it is at work on. */
class WorkingStage {
  readonly epoch: number;
  readonly #key: StageKey;
  readonly #options: StageWorkerOptions;
  readonly #onClosed: () => void;
  readonly #ending = new AbortController();
  #opening: Promise<Stage> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #idle: Timer | undefined;
  #outputs: Content[] = [];
  #failed: FarFailure[] = [];
  #counts: Partial<Record<StageCounter, number>> = {};
  #fault: ((error: unknown) => void) | undefined;
  #wake: (() => void) | undefined;

  constructor(key: StageKey, options: StageWorkerOptions, onClosed: () => void) {
    this.#key = key;
    this.epoch = key.epoch;
    this.#options = options;
    this.#onClosed = onClosed;
  }

  work(content: Content): Promise<FarAnswer> {
    const work = this.#last.then(() => this.#one(content));
    this.#last = work.catch(() => undefined);
    return work;
  }

  async close(): Promise<void> {
    this.#idle?.cancel();
    this.#ending.abort();
    this.#onClosed();
    await (await this.#opening?.catch(() => undefined))?.close();
  }

  async #one(content: Content): Promise<FarAnswer> {
    this.#idle?.cancel();
    [this.#outputs, this.#failed, this.#counts] = [[], [], {}];
    try {
      this.#opening ??= this.#open();
      const stage = await this.#opening;
      await this.#through(stage, content);
      return { outputs: this.#outputs, failed: this.#failed, counts: this.#counts };
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      this.#idle = this.#options.clock.setTimer(IDLE_MS, () => void this.close());
    }
  }

  async #through(stage: Stage, content: Content): Promise<void> {
    const settled = Promise.withResolvers<void>();
    this.#fault = settled.reject;
    settled.promise.catch(() => undefined);
    while (!stage.hasRoom()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    // Ids are numbers of the batch: whoever runs the graph knows what they stand for.
    const lineage = { idOf: (index: number): string => String(index) };
    stage.take(new Batch(content, { receipt: new Receipt(settled.resolve), lineage }), "");
    await Promise.race([stage.settle(), settled.promise]);
    await settled.promise;
  }

  async #open(): Promise<Stage> {
    const { node } = this.#key;
    const { stage } = this.#options.catalogue.localActionOf(node);
    if (stage === undefined) throw streamError("stream.graph", `${node.name} takes no records`);
    return stage(this.#host());
  }

  #host(): StageHost {
    const { graph, node, replica, epoch } = this.#key;
    const { clock, folder, onLog } = this.#options;
    return {
      graph,
      node,
      epoch,
      replica,
      clock,
      folder: join(folder, graph, node.name),
      signal: this.#ending.signal,
      upstreams: [""],
      log: (level, text) => onLog(level, `${graph}/${node.name}: ${text}`),
      count: (what, by = 1) => {
        this.#counts[what] = (this.#counts[what] ?? 0) + by;
      },
      outlet: {
        push: (batch) => {
          this.#outputs.push(batch.block === undefined ? { records: batch.records } : { block: batch.block });
          batch.receipt.release();
        },
        hasRoom: () => true,
        whenRoom: (callback) => callback(),
      },
      giveUp: async (failed) => this.#gaveUp(failed),
      fail: (error) => this.#fault?.(error ?? streamError("stream.action_failed", `${node.name} failed`)),
      wake: () => this.#wake?.(),
      receipt: () => new Receipt(() => undefined),
    };
  }

  #gaveUp(failed: FailedRecord): "done" {
    const index = Number.parseInt(failed.id, 10);
    this.#failed.push(farFailure(failed, Number.isInteger(index) ? index : 0));
    return "done";
  }
}
