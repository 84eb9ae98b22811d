import { type Timer, wait } from "@metanode/core/clock";
import type { Decoder } from "../codec/codec.ts";
import { Batch, type Block } from "../record/batch.ts";
import { RunLineage } from "../record/lineage.ts";
import { jointReceipt } from "../record/receipt.ts";
import { delayAfter } from "../stage/failure.ts";
import type { Stage, StageHost } from "../stage/stage.ts";
import type { Child, Exit } from "./child.ts";
import { inputOf } from "./inputs.ts";
import { exitError, type Program, startChild } from "./program.ts";

/** Records that may wait to be taken for done. */
const MAX_WAITING = 100_000;

/**
 * A program that lives on and writes whatever it likes. Inputs count as done once it has been quiet for a while after them.
 * That is a guess: a program that thinks for longer than that over a record loses it when it dies meanwhile. For programs
 * that may not be ended, and can neither answer one to one nor speak the protocol of their own.
 */
export class QuietStage implements Stage {
  readonly #program: Program;
  readonly #host: StageHost;
  readonly #quietMs: number;
  #inputs: Batch[] = [];
  #waiting = 0;
  #child: Child | undefined;
  #decoder: Decoder | undefined;
  #timer: Timer | undefined;
  #outputs = 0;
  #deaths = 0;
  #isEnding = false;
  #isClosed = false;
  readonly #waiters: (() => void)[] = [];

  constructor(program: Program, host: StageHost, { quietMs }: { quietMs: number }) {
    this.#program = program;
    this.#host = host;
    this.#quietMs = quietMs;
  }

  get waiting(): number {
    return this.#waiting;
  }

  hasRoom(): boolean {
    return this.#waiting < MAX_WAITING && (this.#child?.wantsInput ?? true) && this.#host.outlet.hasRoom();
  }

  take(batch: Batch): void {
    if (batch.count === 0) {
      batch.receipt.release();
      return;
    }
    this.#inputs.push(batch);
    this.#waiting += batch.count;
    this.#child ??= this.#start();
    this.#child.write(inputOf(batch, this.#program.codec));
    this.#listen();
  }

  settle(): Promise<void> {
    return this.#waiting === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  async end(): Promise<void> {
    if (this.#child === undefined) return;
    this.#isEnding = true;
    this.#timer?.cancel();
    const exited = new Promise<void>((resolve) => this.#waiters.push(resolve));
    this.#child.endInput();
    await exited;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#child?.kill();
    this.#tellWaiters();
  }

  describe(): Readonly<Record<string, unknown>> {
    return { mode: "quiet", pid: this.#child?.pid, deaths: this.#deaths };
  }

  #start(): Child {
    this.#decoder = this.#program.codec.decoder({ maxRecordBytes: this.#program.maxRecordBytes });
    const child: Child = startChild(this.#program, this.#host, {
      onOutput: (chunk) => this.#read(child, chunk),
      onDrain: () => this.#host.wake(),
      onExit: (exit) => void this.#exited(child, exit).catch((error) => this.#isClosed || this.#host.fail(error)),
    });
    return child;
  }

  #read(child: Child, chunk: Buffer): void {
    if (this.#isClosed) return;
    try {
      this.#give(this.#decoder?.push(chunk));
    } catch (error) {
      this.#host.fail(error);
      return;
    }
    this.#listen();
    const { outlet } = this.#host;
    if (outlet.hasRoom()) return;
    child.pause();
    outlet.whenRoom(() => child.resume());
  }

  #give(block: Block | undefined): void {
    const first = this.#inputs[0];
    if (block === undefined) return;
    if (first === undefined) {
      // Nothing is held for it any more: it goes on at its own risk, and a checkpoint waits for it.
      const lineage = { idOf: (index: number) => `${this.#host.node.name}~${this.#host.epoch}.${this.#outputs + index}` };
      this.#host.outlet.push(new Batch({ block }, { receipt: this.#host.receipt(), lineage }));
    } else {
      for (const { receipt } of this.#inputs) receipt.hold();
      const receipt = jointReceipt(this.#inputs.map((input) => input.receipt));
      const lineage = new RunLineage(first.lineage, `${this.#host.node.name}@${this.#host.epoch}`, this.#outputs);
      this.#host.outlet.push(new Batch({ block }, { receipt, lineage }));
    }
    this.#outputs += block.count;
  }

  /** Begins to wait for quiet anew. */
  #listen(): void {
    this.#timer?.cancel();
    if (this.#isEnding || this.#waiting === 0) return;
    this.#timer = this.#host.clock.setTimer(this.#quietMs, () => {
      if (this.#child !== undefined && !this.#child.wantsInput) this.#listen();
      else this.#done();
    });
  }

  #done(): void {
    const inputs = this.#inputs;
    this.#inputs = [];
    this.#waiting = 0;
    for (const { receipt } of inputs) receipt.release();
    this.#tellWaiters();
    this.#host.wake();
  }

  async #exited(child: Child, exit: Exit): Promise<void> {
    if (child !== this.#child || this.#isClosed) return;
    this.#child = undefined;
    this.#timer?.cancel();
    const error = exitError(this.#host, exit, child.stderrTail);
    if (this.#isEnding && exit.code === 0) {
      this.#give(this.#decoder?.end());
      this.#done();
      return;
    }
    if (this.#waiting === 0) return;
    this.#host.count("restarts");
    this.#host.log("warn", error.message);
    const { policy } = this.#program;
    if (++this.#deaths >= policy.attempts) throw error; // nobody can say which record it was
    await wait(this.#host.clock, delayAfter(policy, this.#deaths), this.#host.signal);
    const again = this.#start();
    this.#child = again;
    for (const batch of this.#inputs) again.write(inputOf(batch, this.#program.codec));
    if (this.#isEnding) again.endInput();
    else this.#listen();
  }

  #tellWaiters(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
