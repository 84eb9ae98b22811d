import { type Timer, wait } from "@metanode/core/clock";
import type { Decoder } from "../codec/codec.ts";
import { Batch, type Block } from "../record/batch.ts";
import { RunLineage } from "../record/lineage.ts";
import { Receipt } from "../record/receipt.ts";
import { delayAfter } from "../stage/failure.ts";
import type { Stage, StageHost } from "../stage/stage.ts";
import type { Child, Exit } from "./child.ts";
import { halves, inputOf } from "./inputs.ts";
import { exitError, isGood, type Program, startChild } from "./program.ts";

export interface RunStageOptions {
  /** Most bytes of one run; `Infinity` for one run over everything. */
  readonly runBytes: number;
  /** Longest time for which one run takes inputs, in milliseconds; `Infinity` for as long as there are any. */
  readonly runMs: number;
}

/**
 * A program that runs over one batch of inputs after the other: its stdin is closed behind the batch, and when it exits well,
 * everything that it was given is done. That is exact for any program that reads to the end of its input, whatever it writes.
 *
 *  X1. Outputs go on as they come. They hold the receipts of all inputs of their run, because nobody knows which is whose.
 *  X2. Outputs of a run go on after those of the run before.
 *  X3. A run that fails is repeated with the same inputs; one that fails again is halved until the record is found on which
 *      the program fails. While halving, outputs are kept until their run has exited well, so that only what the first run
 *      wrote comes twice.
 *  X4. Two runs at a time at most: one that takes inputs, and one that finishes.
 */
export class RunStage implements Stage {
  readonly #program: Program;
  readonly #host: StageHost;
  readonly #options: RunStageOptions;
  /** Runs in order; the last one may still take inputs. */
  readonly #runs: Run[] = [];
  #waiters: { readonly run: Run; readonly resolve: () => void }[] = [];
  #runsDone = 0;
  #isClosed = false;

  constructor(program: Program, host: StageHost, options: RunStageOptions) {
    this.#program = program;
    this.#host = host;
    this.#options = options;
  }

  get waiting(): number {
    let waiting = 0;
    for (const run of this.#runs) waiting += run.records;
    return waiting;
  }

  hasRoom(): boolean {
    const last = this.#runs.at(-1);
    if (last === undefined) return this.#host.outlet.hasRoom();
    return last.isOpen ? last.wantsInput : this.#runs.length < 2;
  }

  take(batch: Batch, from: string): void {
    if (batch.count === 0) {
      batch.receipt.release();
      return;
    }
    const last = this.#runs.at(-1);
    const run = last?.isOpen === true ? last : this.#begin();
    run.add(batch, from);
  }

  async settle(): Promise<void> {
    const last = this.#runs.at(-1);
    if (last === undefined || this.#options.runBytes === Number.POSITIVE_INFINITY) return;
    last.endInput();
    await this.#done(last);
  }

  async end(): Promise<void> {
    const last = this.#runs.at(-1);
    if (last === undefined) return;
    last.endInput();
    await this.#done(last);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const run of this.#runs) run.kill();
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  describe(): Readonly<Record<string, unknown>> {
    return { mode: "run", runs: this.#runsDone, pids: this.#runs.map((run) => run.pid) };
  }

  #begin(): Run {
    const run = new Run({
      program: this.#program,
      host: this.#host,
      options: this.#options,
      onDone: () => this.#finished(run),
    });
    this.#runs.push(run);
    if (this.#runs.length === 1) run.mayGive();
    return run;
  }

  #finished(run: Run): void {
    if (this.#isClosed) return;
    this.#runs.shift();
    this.#runsDone++;
    this.#waiters = this.#waiters.filter((waiter) => {
      if (waiter.run === run) waiter.resolve();
      return waiter.run !== run;
    });
    this.#runs[0]?.mayGive();
    this.#host.wake();
  }

  #done(run: Run): Promise<void> {
    return new Promise((resolve) => this.#waiters.push({ run, resolve }));
  }
}

interface RunOptions {
  readonly program: Program;
  readonly host: StageHost;
  readonly options: RunStageOptions;
  readonly onDone: () => void;
}

interface Input {
  readonly batch: Batch;
  readonly from: string;
}

/** One run over one batch of inputs, with its repetitions. */
class Run {
  readonly #program: Program;
  readonly #host: StageHost;
  readonly #options: RunStageOptions;
  readonly #onDone: () => void;
  readonly #inputs: Input[] = [];
  readonly #timer: Timer | undefined;
  readonly #child: Child;
  readonly #output: Output;
  #bytes = 0;
  records = 0;
  isOpen = true;
  #mayGive = false;
  #fault: unknown;

  constructor({ program, host, options, onDone }: RunOptions) {
    this.#program = program;
    this.#host = host;
    this.#options = options;
    this.#onDone = onDone;
    this.#output = new Output(program, host, () => this.#inputs[0]?.batch);
    this.#child = startChild(program, host, {
      onOutput: (chunk) => this.#read(chunk),
      onDrain: () => host.wake(),
      onExit: (exit) => this.#exited(exit),
    });
    this.#child.pause();
    if (options.runMs !== Number.POSITIVE_INFINITY) this.#timer = host.clock.setTimer(options.runMs, () => this.endInput());
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get wantsInput(): boolean {
    return this.#child.wantsInput;
  }

  add(batch: Batch, from: string): void {
    const bytes = inputOf(batch, this.#program.codec);
    this.records += batch.count;
    this.#bytes += bytes.length;
    this.#inputs.push(this.#options.runBytes === Number.POSITIVE_INFINITY ? this.#withoutRecords(batch, from) : { batch, from });
    this.#child.write(bytes);
    if (this.#bytes >= this.#options.runBytes) this.endInput();
  }

  /** A run over everything is not repeated, so what it was given need not be kept. */
  #withoutRecords({ receipt, lineage }: Batch, from: string): Input {
    return { batch: new Batch({ records: [] }, { receipt, lineage }), from };
  }

  /** Takes nothing more. */
  endInput(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#timer?.cancel();
    this.#child.endInput();
    this.#host.wake();
  }

  /** The runs before are done: outputs may go on. */
  mayGive(): void {
    this.#mayGive = true;
    this.#giveOn();
  }

  kill(): void {
    this.#timer?.cancel();
    this.isOpen = false;
    this.#child.kill();
  }

  #read(chunk: Buffer): void {
    try {
      this.#output.push(chunk);
    } catch (error) {
      this.#fault ??= error;
      this.#child.kill();
      return;
    }
    this.#giveOn();
  }

  #giveOn(): void {
    if (!this.#mayGive) return;
    const { outlet } = this.#host;
    if (outlet.hasRoom()) this.#child.resume();
    else {
      this.#child.pause();
      outlet.whenRoom(() => this.#giveOn());
    }
  }

  #exited(exit: Exit): void {
    if (this.#host.signal.aborted) return;
    this.isOpen = false;
    this.#timer?.cancel();
    const fault = this.#fault ?? this.#faultOf(exit);
    if (fault === undefined) this.#settled();
    else
      void this.#repeat(fault).then(
        () => this.#settled(),
        (error) => this.#host.fail(error),
      );
  }

  #faultOf(exit: Exit): unknown {
    // The begun record of a program that died is none.
    return isGood(this.#program, exit) ? this.#output.fault() : exitError(this.#host, exit, this.#child.stderrTail);
  }

  #settled(): void {
    const inputs = this.#inputs.splice(0);
    this.#output.whenThrough(() => {
      for (const { batch } of inputs) batch.receipt.release();
    });
    this.records = 0;
    this.#onDone();
  }

  /** Feeds the inputs anew, in smaller and smaller runs (X3). */
  async #repeat(fault: unknown): Promise<void> {
    const host = this.#host;
    host.count("errors");
    host.log("warn", `a run over ${this.records} records failed: ${fault instanceof Error ? fault.message : String(fault)}`);
    const policy = this.#program.policy;
    // Each batch keeps its own hold until its run of repetition is through.
    const queue: Repetition[] = [{ inputs: [...this.#inputs], attempt: 1, fault }];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      host.count("retries");
      await wait(host.clock, delayAfter(policy, next.attempt), host.signal);
      const failed = await this.#runOver(next.inputs);
      if (failed === undefined) continue;
      host.count("errors");
      queue.unshift(...(await this.#afterFailure(next, failed)));
    }
  }

  /** What is to be tried next, for a repetition that has failed. */
  async #afterFailure({ inputs, attempt }: Repetition, { fault, stderr }: FailedRun): Promise<Repetition[]> {
    const [first] = inputs;
    if (first === undefined) return [];
    if (inputs.length > 1) {
      const middle = inputs.length >> 1;
      return [inputs.slice(0, middle), inputs.slice(middle)].map((part) => ({ inputs: part, attempt: 1, fault }));
    }
    if (first.batch.count > 1)
      return halves(first.batch).map((batch) => ({ inputs: [this.#replace(first, batch)], attempt: 1, fault }));
    if (attempt + 1 < this.#program.policy.attempts) return [{ inputs, attempt: attempt + 1, fault }];
    const record = first.batch.records[0];
    const host = this.#host;
    const { batch, from } = first;
    const failed = { record, id: batch.idOf(0), trace: batch.traceOf(0), from, attempts: attempt + 1, error: fault, stderr };
    return (await host.giveUp(failed)) === "done" ? [] : [{ inputs, attempt: 1, fault }];
  }

  /** A half of an input: it is a hold of its own, released with the run. */
  #replace(whole: Input, batch: Batch): Input {
    const half = { batch, from: whole.from };
    const at = this.#inputs.indexOf(whole);
    if (at >= 0) this.#inputs.splice(at, 1, half);
    else this.#inputs.push(half);
    return half;
  }

  /** One repetition: its outputs go on only when it has exited well. */
  #runOver(inputs: readonly Input[]): Promise<FailedRun | undefined> {
    const { promise, resolve } = Promise.withResolvers<FailedRun | undefined>();
    const decoder = this.#program.codec.decoder({ maxRecordBytes: this.#program.maxRecordBytes });
    const blocks: Block[] = [];
    let fault: unknown;
    const keep = (find: () => Block | undefined): void => {
      try {
        const block = find();
        if (block !== undefined) blocks.push(block);
      } catch (error) {
        fault ??= error;
        child.kill();
      }
    };
    const child = startChild(this.#program, this.#host, {
      onOutput: (chunk) => keep(() => decoder.push(chunk)),
      onDrain: () => undefined,
      onExit: (exit) => {
        keep(() => decoder.end());
        if (fault === undefined && !isGood(this.#program, exit)) fault = exitError(this.#host, exit, child.stderrTail);
        if (fault === undefined) for (const block of blocks) this.#output.give(block);
        resolve(fault === undefined ? undefined : { fault, stderr: child.stderrTail });
      },
    });
    this.#host.signal.addEventListener("abort", () => child.kill(), { once: true });
    for (const { batch } of inputs) child.write(inputOf(batch, this.#program.codec));
    child.endInput();
    return promise;
  }
}

interface Repetition {
  readonly inputs: readonly Input[];
  readonly attempt: number;
  readonly fault: unknown;
}

interface FailedRun {
  readonly fault: unknown;
  readonly stderr: string;
}

/** What a run writes: cut into records, and given on under one receipt. */
class Output {
  readonly #host: StageHost;
  readonly #decoder: Decoder;
  readonly #firstInput: () => Batch | undefined;
  /** Held once by the run, and once by each batch of outputs. */
  readonly #receipt: Receipt;
  #onThrough: (() => void) | undefined;
  #records = 0;

  constructor(program: Program, host: StageHost, firstInput: () => Batch | undefined) {
    this.#host = host;
    this.#firstInput = firstInput;
    this.#decoder = program.codec.decoder({ maxRecordBytes: program.maxRecordBytes });
    this.#receipt = new Receipt(() => this.#onThrough?.());
  }

  push(chunk: Buffer): void {
    const block = this.#decoder.push(chunk);
    if (block !== undefined) this.give(block);
  }

  /** What the end of stdout shows to be wrong. */
  fault(): unknown {
    try {
      const block = this.#decoder.end();
      if (block !== undefined) this.give(block);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  give(block: Block): void {
    const first = this.#firstInput();
    if (first === undefined) {
      this.#host.log("warn", "the program wrote without an input; what it wrote is dropped");
      return;
    }
    this.#receipt.hold();
    const lineage = new RunLineage(first.lineage, `${this.#host.node.name}@${this.#host.epoch}`, this.#records);
    this.#records += block.count;
    this.#host.outlet.push(new Batch({ block }, { receipt: this.#receipt, lineage }));
  }

  /** The run gives nothing more: calls back once all it gave is through. */
  whenThrough(callback: () => void): void {
    this.#onThrough = callback;
    this.#receipt.release();
  }
}
