import { type Timer, wait } from "@metanode/core/clock";
import type { Decoder } from "../codec/codec.ts";
import { Batch, type Block, type Content } from "../record/batch.ts";
import { PickedLineage, StageLineage } from "../record/lineage.ts";
import { delayAfter } from "../stage/failure.ts";
import type { Stage, StageHost } from "../stage/stage.ts";
import type { Child, Exit } from "./child.ts";
import { inputOf } from "./inputs.ts";
import { exitError, isGood, type Program, pairingError, startChild, timedOut } from "./program.ts";

/** Records that may be in the program, or on their way into it. */
const MAX_IN_PROGRAM = 16_384;
/** Deaths in a row without one answer, with nothing to blame it on, after which the program is not started again. */
const MAX_BARREN_DEATHS = 5;

interface Input {
  readonly batch: Batch;
  readonly from: string;
  /** Records that were written to the program that runs now. */
  written: number;
  /** Records that are answered. */
  answered: number;
}

/**
 * A program that lives on and answers every record with exactly one, in order; an empty answer means that the record is
 * dropped. The k-th answer belongs to the k-th input, so every record is acknowledged by itself.
 *
 *  A1. After a death, everything that was not answered is fed to the next one; what was answered is not.
 *  A2. The records that were in the program when it died are fed one at a time, until it is known on which it dies.
 *  A3. A record on which it died, or that it did not answer in time, as often as the policy allows is given up on.
 *  A4. A program that dies again and again without an answer, and not on one record, ends the run.
 */
export class PairingStage implements Stage {
  readonly #program: Program;
  readonly #host: StageHost;
  readonly #inputs: Input[] = [];
  #child: Child | undefined;
  #decoder: Decoder | undefined;
  /** Records written and not answered. */
  #inProgram = 0;
  #waiting = 0;
  /** Records that are to be fed one at a time, counted from the first that is not answered. */
  #suspects = 0;
  /** Failed attempts at the first record that is not answered. */
  #attempts = 0;
  #barrenDeaths = 0;
  #isBusy = false;
  #isEnding = false;
  #isClosed = false;
  #timer: Timer | undefined;
  #fault: unknown;
  readonly #waiters: (() => void)[] = [];
  #deaths = 0;

  constructor(program: Program, host: StageHost) {
    this.#program = program;
    this.#host = host;
  }

  get waiting(): number {
    return this.#waiting;
  }

  hasRoom(): boolean {
    return this.#waiting < MAX_IN_PROGRAM && (this.#child?.wantsInput ?? true) && this.#host.outlet.hasRoom();
  }

  take(batch: Batch, from: string): void {
    if (batch.count === 0) {
      batch.receipt.release();
      return;
    }
    this.#inputs.push({ batch, from, written: 0, answered: 0 });
    this.#waiting += batch.count;
    this.#feed();
  }

  settle(): Promise<void> {
    return this.#waiting === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  async end(): Promise<void> {
    await this.settle();
    const child = this.#child;
    if (child === undefined) return;
    this.#isEnding = true;
    child.endInput();
    const grace = this.#host.clock.setTimer(5_000, () => child.kill());
    await new Promise<void>((resolve) => this.#waiters.push(resolve));
    grace.cancel();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#child?.kill();
    this.#tellWaiters();
  }

  describe(): Readonly<Record<string, unknown>> {
    return { mode: "one", pid: this.#child?.pid, inProgram: this.#inProgram, deaths: this.#deaths };
  }

  /** Writes what has not been written, as far as it may. */
  #feed(): void {
    if (this.#isBusy || this.#isClosed) return;
    this.#child ??= this.#start();
    if (this.#suspects > 0) this.#feedOne();
    else for (const input of this.#inputs) if (input.written < input.batch.count) this.#write(input);
  }

  #feedOne(): void {
    const input = this.#inputs[0];
    if (this.#inProgram > 0 || input === undefined) return;
    this.#child?.write(this.#program.codec.encode([input.batch.records[input.answered]]));
    input.written = input.answered + 1;
    this.#inProgram = 1;
    this.#watch();
  }

  #write(input: Input): void {
    const { batch, written } = input;
    const bytes = written === 0 ? inputOf(batch, this.#program.codec) : this.#program.codec.encode(batch.records.slice(written));
    input.written = batch.count;
    const wasIdle = this.#inProgram === 0;
    this.#inProgram += batch.count - written;
    this.#child?.write(bytes);
    if (wasIdle) this.#watch();
  }

  #start(): Child {
    this.#decoder = this.#program.codec.decoder({ maxRecordBytes: this.#program.maxRecordBytes });
    this.#fault = undefined;
    const child: Child = startChild(this.#program, this.#host, {
      onOutput: (chunk) => this.#read(child, chunk),
      onDrain: () => this.#host.wake(),
      onExit: (exit) => void this.#exited(child, exit).catch((error) => this.#isClosed || this.#host.fail(error)),
    });
    return child;
  }

  /** The first record that is not answered has as long as the policy says. */
  #watch(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const { timeoutMs } = this.#program.policy;
    if (timeoutMs === 0 || this.#inProgram === 0) return;
    const child = this.#child;
    this.#timer = this.#host.clock.setTimer(timeoutMs, () => {
      this.#fault = timedOut(this.#host, timeoutMs);
      this.#suspects = 0;
      child?.kill();
    });
  }

  #read(child: Child, chunk: Buffer): void {
    if (child !== this.#child || this.#isClosed) return;
    let block: Block | undefined;
    try {
      block = this.#decoder?.push(chunk);
    } catch (error) {
      this.#fault = error;
      child.kill();
      return;
    }
    if (block === undefined) return;
    this.#answers(block);
    this.#watch();
    if (this.#host.outlet.hasRoom()) {
      if (this.#waiting === 0) this.#tellWaiters();
      this.#host.wake();
    } else {
      child.pause();
      this.#host.outlet.whenRoom(() => {
        child.resume();
        this.#host.wake();
      });
      if (this.#waiting === 0) this.#tellWaiters();
    }
    if (this.#suspects > 0 || this.#inProgram === 0) this.#feed();
  }

  /** Gives each answer to its input. */
  #answers(block: Block): void {
    if (block.count > this.#inProgram) {
      const surplus = `the program answered ${block.count - this.#inProgram} records more than it was given`;
      this.#host.fail(pairingError(this.#host, surplus));
      return;
    }
    this.#barrenDeaths = 0;
    this.#attempts = 0;
    this.#suspects = Math.max(0, this.#suspects - block.count);
    this.#inProgram -= block.count;
    this.#waiting -= block.count;
    let rest = block;
    while (rest.count > 0) {
      const input = this.#inputs[0] as Input;
      const count = Math.min(rest.count, input.batch.count - input.answered);
      const [now, later] = count === rest.count ? [rest, undefined] : this.#program.codec.split(rest, count);
      this.#give(input, now);
      if (later === undefined) break;
      rest = later;
    }
  }

  #give(input: Input, block: Block): void {
    const { batch, answered } = input;
    input.answered += block.count;
    if (input.answered < batch.count)
      batch.receipt.hold(); // for the rest of the batch
    else this.#inputs.shift();
    const kept = nonEmpty(block, answered);
    const filtered = block.count - kept.count;
    if (filtered > 0) this.#host.count("filtered", filtered);
    if (kept.count === 0) batch.receipt.release();
    else {
      const parents = new PickedLineage(batch.lineage, kept.parents);
      const lineage = new StageLineage(parents, this.#host.node.name);
      this.#host.outlet.push(new Batch(kept.content, { receipt: batch.receipt, lineage }));
    }
  }

  async #exited(child: Child, exit: Exit): Promise<void> {
    if (child !== this.#child || this.#isClosed) return;
    this.#child = undefined;
    this.#timer?.cancel();
    if (this.#isEnding) {
      this.#tellWaiters();
      return;
    }
    const error = this.#fault ?? exitError(this.#host, exit, child.stderrTail);
    const hadInputs = this.#inProgram > 0;
    if (!hadInputs && isGood(this.#program, exit)) return; // it was idle; the next record starts another
    this.#deaths++;
    this.#host.count("restarts");
    this.#isBusy = true;
    await this.#blame(error, child.stderrTail);
    for (const input of this.#inputs) input.written = input.answered;
    this.#inProgram = 0;
    this.#isBusy = false;
    if (this.#waiting > 0) this.#feed();
    else this.#tellWaiters();
    this.#host.wake();
  }

  /** Whose fault the death was, and what follows. */
  async #blame(error: unknown, stderr: string): Promise<void> {
    const { policy } = this.#program;
    const isTimeout = this.#fault !== undefined;
    const isKnown = this.#inProgram === 1 || isTimeout;
    this.#host.count("errors");
    this.#host.log("warn", error instanceof Error ? error.message : String(error));
    if (!isKnown) {
      this.#suspects = this.#inProgram;
      if (++this.#barrenDeaths > MAX_BARREN_DEATHS) throw error;
      await wait(this.#host.clock, delayAfter(policy, this.#barrenDeaths), this.#host.signal);
      return;
    }
    if (++this.#attempts < policy.attempts) {
      this.#suspects = Math.max(1, this.#suspects);
      this.#host.count("retries");
      await wait(this.#host.clock, delayAfter(policy, this.#attempts), this.#host.signal);
      return;
    }
    await this.#giveUp(error, stderr);
  }

  async #giveUp(error: unknown, stderr: string): Promise<void> {
    const input = this.#inputs[0];
    if (input === undefined) throw error;
    const { batch, from, answered } = input;
    const [record, id, trace] = [batch.records[answered], batch.idOf(answered), batch.traceOf(answered)];
    const failed = { record, id, trace, from, attempts: this.#attempts, error, stderr };
    this.#attempts = 0;
    if ((await this.#host.giveUp(failed)) === "retry") return;
    this.#suspects = Math.max(0, this.#suspects - 1);
    input.answered++;
    this.#waiting--;
    if (input.answered === batch.count) {
      this.#inputs.shift();
      batch.receipt.release();
    }
  }

  #tellWaiters(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

/** The answers that are records, with the indexes of the inputs that they answer. */
function nonEmpty(block: Block, first: number): { content: Content; count: number; parents: number[] } {
  const { count } = block;
  const every = (): number[] => Array.from({ length: count }, (_, index) => first + index);
  if (!mayHoldEmpty(block)) return { content: { block }, count, parents: every() };
  const records: unknown[] = [];
  const parents: number[] = [];
  for (const [index, record] of block.values().entries()) {
    if (isEmpty(record)) continue;
    records.push(record);
    parents.push(first + index);
  }
  if (records.length === count) return { content: { block }, count, parents };
  return { content: { records }, count: records.length, parents };
}

/** Lines are searched for an empty one without being cut apart; other codecs are cut apart. */
function mayHoldEmpty({ codec, bytes }: Block): boolean {
  if (codec === "json") return false;
  return codec !== "lines" || bytes[0] === 10 || bytes.includes("\n\n");
}

function isEmpty(record: unknown): boolean {
  return typeof record === "string" ? record === "" : record instanceof Uint8Array && record.length === 0;
}
