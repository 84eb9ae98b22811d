import { type Timer, wait } from "@metanode/core/clock";
import { streamError } from "../errors.ts";
import type { Child } from "../program/child.ts";
import { type Program, timedOut } from "../program/program.ts";
import { Batch } from "../record/batch.ts";
import { PickedLineage, StageLineage } from "../record/lineage.ts";
import { bytesOf } from "../record/value.ts";
import { delayAfter } from "../stage/failure.ts";
import type { Stage, StageHost } from "../stage/stage.ts";
import { converse, SILENCE_MS } from "./conversation.ts";
import { encodeEngine, PROTOCOL_VERSION, type ProgramFrame } from "./frames.ts";

const WINDOW = 256;
const MAX_WAITING = 10_000;
/** Deaths in a row without one ack, with nothing to blame it on, after which the program is not started again. */
const MAX_BARREN_DEATHS = 5;

/** A record that the program has, or is to get. */
interface Task {
  readonly sequence: number;
  readonly batch: Batch;
  readonly index: number;
  readonly from: string;
  outputs: Buffer[];
  attempts: number;
  sentAtMs: number;
}

/**
 * A program that says of every input what came of it: any number of outputs, in any order of inputs, then an ack or a nack.
 *
 *  M1. An output goes on when its input is acknowledged, with the others of that input; a death takes back what was not.
 *  M2. Records that were in a program which died are given to the next one, one at a time until it is known which it dies on.
 *  M3. A nack, a timeout and a death count as failed attempts of the record that they are about.
 */
export class ProtocolStage implements Stage {
  readonly #program: Program;
  readonly #host: StageHost;
  /** Not sent. */
  #queue: Task[] = [];
  /** Sent and not acknowledged, in the order of sending. */
  readonly #open = new Map<number, Task>();
  readonly #left = new Map<Batch, number>();
  #sequence = 0;
  #waiting = 0;
  #window = WINDOW;
  #suspects = 0;
  #barrenDeaths = 0;
  #child: Child | undefined;
  #timer: Timer | undefined;
  #blamed: { readonly task: Task; readonly error: unknown } | undefined;
  #isBusy = false;
  #isEnding = false;
  #isClosed = false;
  #deaths = 0;
  readonly #waiters: (() => void)[] = [];

  constructor(program: Program, host: StageHost) {
    this.#program = program;
    this.#host = host;
  }

  get waiting(): number {
    return this.#waiting;
  }

  hasRoom(): boolean {
    return this.#waiting < MAX_WAITING && this.#host.outlet.hasRoom();
  }

  take(batch: Batch, from: string): void {
    if (batch.count === 0) {
      batch.receipt.release();
      return;
    }
    this.#left.set(batch, batch.count);
    for (let index = 0; index < batch.count; index++) {
      this.#queue.push({ sequence: this.#sequence++, batch, index, from, outputs: [], attempts: 0, sentAtMs: 0 });
    }
    this.#waiting += batch.count;
    this.#send();
  }

  settle(): Promise<void> {
    return this.#waiting === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  async end(): Promise<void> {
    await this.settle();
    const child = this.#child;
    if (child === undefined) return;
    this.#isEnding = true;
    child.write(encodeEngine({ kind: "end" }));
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
    return { mode: "metanode", pid: this.#child?.pid, inProgram: this.#open.size, deaths: this.#deaths };
  }

  #send(): void {
    if (this.#isBusy || this.#isClosed) return;
    this.#child ??= this.#start();
    const window = this.#suspects > 0 ? 1 : this.#window;
    const frames: Buffer[] = [];
    while (this.#open.size < window) {
      const task = this.#queue.shift();
      if (task === undefined) break;
      task.sentAtMs = this.#host.clock.now();
      this.#open.set(task.sequence, task);
      frames.push(encodeEngine({ kind: "record", sequence: task.sequence, data: bytesOf(task.batch.records[task.index]) }));
    }
    if (frames.length > 0) this.#child.write(Buffer.concat(frames));
    this.#watch();
  }

  #start(): Child {
    const { graph, node } = this.#host;
    const hello = { protocol: "metanode", version: PROTOCOL_VERSION, role: "stage", graph, stage: node.name } as const;
    const child: Child = converse(this.#program, this.#host, hello, {
      onFrame: (frame) => this.#frame(child, frame),
      onDrain: () => this.#host.wake(),
      onEnd: ({ error, stderr }) => {
        void this.#ended(child, error, stderr).catch((reason) => this.#isClosed || this.#host.fail(reason));
      },
    });
    return child;
  }

  /** The record that was sent first has as long as the policy says; without a policy the program may not be silent for ever. */
  #watch(): void {
    this.#timer?.cancel();
    const oldest = this.#open.values().next().value;
    if (oldest === undefined) return;
    const limitMs = this.#program.policy.timeoutMs || SILENCE_MS;
    const leftMs = oldest.sentAtMs + limitMs - this.#host.clock.now();
    this.#timer = this.#host.clock.setTimer(leftMs, () => {
      this.#blamed = { task: oldest, error: timedOut(this.#host, limitMs) };
      this.#child?.kill();
    });
  }

  #frame(child: Child, frame: ProgramFrame): void {
    if (child !== this.#child || this.#isClosed) return;
    switch (frame.kind) {
      case "hello":
        this.#window = Math.min(frame.hello.window ?? WINDOW, MAX_WAITING);
        return;
      case "output":
        this.#taskOf(frame.sequence).outputs.push(frame.data as Buffer);
        return;
      case "ack":
        this.#acked(this.#taskOf(frame.sequence));
        return;
      case "nack":
        void this.#nacked(this.#taskOf(frame.sequence), frame).catch((error) => this.#isClosed || this.#host.fail(error));
        return;
      case "heartbeat":
        if (this.#program.policy.timeoutMs === 0) for (const task of this.#open.values()) task.sentAtMs = this.#host.clock.now();
        this.#watch();
        return;
      default:
        throw streamError("stream.codec", `found a frame ${frame.kind} from a stage, expected outputs, acks and nacks`);
    }
  }

  #taskOf(sequence: number): Task {
    const task = this.#open.get(sequence);
    if (task !== undefined) return task;
    throw streamError("stream.codec", `the program answered input ${sequence}, which it does not have`);
  }

  #acked(task: Task): void {
    this.#open.delete(task.sequence);
    this.#suspects = Math.max(0, this.#suspects - 1);
    this.#barrenDeaths = 0;
    this.#done(task, task.outputs);
    this.#send();
    this.#host.wake();
  }

  async #nacked(task: Task, { canRetry, reason }: { canRetry: boolean; reason: string }): Promise<void> {
    this.#open.delete(task.sequence);
    const error = streamError("stream.program", reason === "" ? "the program refused the record" : reason);
    await this.#failed(task, { error, stderr: this.#child?.stderrTail ?? "", canRetry });
    this.#send();
    this.#host.wake();
  }

  async #failed(task: Task, { error, stderr, canRetry }: { error: unknown; stderr: string; canRetry: boolean }): Promise<void> {
    const { policy } = this.#program;
    const host = this.#host;
    task.outputs = [];
    task.attempts++;
    host.count("errors");
    if (canRetry && task.attempts < policy.attempts) {
      host.count("retries");
      await wait(host.clock, delayAfter(policy, task.attempts), host.signal);
      this.#queue.unshift(task);
      return;
    }
    const { batch, index, from, attempts } = task;
    const failed = {
      record: batch.records[index],
      id: batch.idOf(index),
      trace: batch.traceOf(index),
      from,
      attempts,
      error,
      stderr,
    };
    if ((await host.giveUp(failed)) === "done") {
      this.#suspects = Math.max(0, this.#suspects - 1);
      this.#done(task, []);
    } else {
      task.attempts = 0;
      this.#queue.unshift(task);
    }
  }

  /** Gives on what came of a record, with a hold of its batch. */
  #done({ batch, index }: Task, outputs: readonly Buffer[]): void {
    this.#waiting--;
    const left = (this.#left.get(batch) ?? 1) - 1;
    if (left === 0) this.#left.delete(batch);
    else {
      this.#left.set(batch, left);
      batch.receipt.hold();
    }
    if (outputs.length === 0) {
      this.#host.count("filtered");
      batch.receipt.release();
    } else {
      const parent = new PickedLineage(batch.lineage, [index]);
      const descent = { parents: outputs.map(() => 0), marks: outputs.map((_, mark) => mark) };
      const lineage = new StageLineage(parent, this.#host.node.name, descent);
      this.#host.outlet.push(new Batch({ records: outputs }, { receipt: batch.receipt, lineage }));
    }
    if (this.#waiting === 0) this.#tellWaiters();
  }

  async #ended(child: Child, error: unknown, stderr: string): Promise<void> {
    if (child !== this.#child || this.#isClosed) return;
    this.#child = undefined;
    this.#timer?.cancel();
    if (this.#isEnding) {
      this.#tellWaiters();
      return;
    }
    const open = [...this.#open.values()];
    this.#open.clear();
    if (open.length === 0 && error === undefined) return; // it was idle; the next record starts another
    this.#deaths++;
    this.#host.count("restarts");
    this.#host.log("warn", error instanceof Error ? error.message : "the program ended with records that it had not answered");
    this.#isBusy = true;
    await this.#again(open, error ?? streamError("stream.program", "the program ended before it had answered"), stderr);
    this.#isBusy = false;
    if (this.#waiting > 0) this.#send();
  }

  /** Puts back what a dead program had, and finds out whose fault it was. */
  async #again(open: readonly Task[], error: unknown, stderr: string): Promise<void> {
    const { policy } = this.#program;
    const blamed = this.#blamed;
    this.#blamed = undefined;
    for (const task of open) task.outputs = [];
    const guilty = blamed?.task ?? (open.length === 1 ? open[0] : undefined);
    this.#queue = [...open.filter((task) => task !== guilty), ...this.#queue];
    if (guilty !== undefined) {
      if (blamed === undefined) this.#suspects = Math.max(1, this.#suspects);
      await this.#failed(guilty, { error: blamed?.error ?? error, stderr, canRetry: true });
      return;
    }
    this.#suspects = open.length;
    if (++this.#barrenDeaths > MAX_BARREN_DEATHS) throw error;
    await wait(this.#host.clock, delayAfter(policy, this.#barrenDeaths), this.#host.signal);
  }

  #tellWaiters(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
