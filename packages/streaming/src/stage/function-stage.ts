import { wait } from "@metanode/core/clock";
import { DeadlineQueue, Expiring } from "@metanode/core/internal";
import { streamError } from "../errors.ts";
import type { Batch } from "../record/batch.ts";
import { Many, type RecordContext, type StageFunction } from "./answer.ts";
import { delayAfter, type FailurePolicy } from "./failure.ts";
import { OrderedWork } from "./ordered-work.ts";
import type { Stage, StageHost } from "./stage.ts";

export interface FunctionStageOptions {
  readonly policy: FailurePolicy;
  /** Calls of an asynchronous function that may be under way at a time. */
  readonly concurrency: number;
  /** Records that may wait in the stage before it says that it has no room. */
  readonly maxWaiting: number;
}

/**
 * A function as a stage. As long as it answers at once, a batch passes in one loop from stage to stage without a promise, a
 * queue or an object per record: stages in a row are fused by calling each other. The first answer that is a promise, or the
 * first record that fails, moves the rest of the batch onto the path that keeps order over waiting ({@link OrderedWork}).
 */
export class FunctionStage implements Stage {
  readonly #call: StageFunction;
  readonly #host: StageHost;
  readonly #options: FunctionStageOptions;
  readonly #work: OrderedWork;
  readonly #deadlines: DeadlineQueue;
  /** A function that does not look at the context costs no context. */
  readonly #wantsContext: boolean;

  constructor(call: StageFunction, host: StageHost, options: FunctionStageOptions) {
    this.#call = call;
    this.#host = host;
    this.#options = options;
    this.#wantsContext = call.length !== 1;
    this.#deadlines = new DeadlineQueue(host.clock);
    this.#work = new OrderedWork({
      host,
      concurrency: options.concurrency,
      answer: (batch, index, from) => this.#attempt(batch, index, from),
    });
  }

  get waiting(): number {
    return this.#work.waiting;
  }

  hasRoom(): boolean {
    return this.#work.waiting < this.#options.maxWaiting && this.#host.outlet.hasRoom();
  }

  take(batch: Batch, from: string): void {
    if (this.#work.waiting > 0) this.#work.add(batch, from, []);
    else this.#pass(batch, from);
  }

  settle(): Promise<void> {
    return this.#work.finished();
  }

  end(): Promise<void> {
    return this.#work.finished();
  }

  async close(): Promise<void> {
    this.#work.close();
    this.#deadlines.rest();
  }

  /** The fast path. */
  #pass(batch: Batch, from: string): void {
    if (batch.count === 0) {
      batch.receipt.release();
      return;
    }
    const { records } = batch;
    const answers: unknown[] = new Array(records.length);
    const call = this.#call as (record: unknown, context: RecordContext | undefined) => unknown;
    let isPlain = true;
    for (let index = 0; index < records.length; index++) {
      let answer: unknown;
      const context = this.#wantsContext ? this.#context({ batch, index, from, attempt: 1 }) : undefined;
      try {
        answer = call(records[index], context);
      } catch (error) {
        const failing = this.#retry({ batch, index, from, attempt: 1, error });
        this.#work.add(batch, from, [...answers.slice(0, index), failing]);
        return;
      }
      if (answer === undefined || answer instanceof Many) isPlain = false;
      else if (isThenable(answer)) {
        const watched = this.#watched({ batch, index, from, attempt: 1 }, answer, context);
        this.#work.add(batch, from, [...answers.slice(0, index), watched]);
        return;
      }
      answers[index] = answer;
    }
    if (isPlain) this.#host.outlet.push(batch.derive({ records: answers }, this.#host.node.name));
    else this.#work.give(batch, answers, 0);
  }

  /** One record on the path that waits: its answer, or a promise of it that never rejects. */
  #attempt(batch: Batch, index: number, from: string): unknown {
    return this.#try({ batch, index, from, attempt: 1 });
  }

  #try(attempt: Attempt): unknown {
    try {
      const context = this.#wantsContext ? this.#context(attempt) : undefined;
      const call = this.#call as (record: unknown, context: RecordContext | undefined) => unknown;
      const answer = call(attempt.batch.records[attempt.index], context);
      return isThenable(answer) ? this.#watched(attempt, answer, context) : answer;
    } catch (error) {
      return this.#retry({ ...attempt, error });
    }
  }

  async #watched(attempt: Attempt, answer: PromiseLike<unknown>, context: Context | undefined): Promise<unknown> {
    try {
      return await this.#inTime(answer, context);
    } catch (error) {
      return this.#retry({ ...attempt, error });
    }
  }

  #inTime(answer: PromiseLike<unknown>, context: Context | undefined): PromiseLike<unknown> {
    const { timeoutMs } = this.#options.policy;
    if (timeoutMs === 0) return answer;
    return new Promise((resolve, reject) => {
      const deadline = new RecordDeadline(() => {
        context?.withdraw();
        reject(streamError("stream.record_timeout", `no answer within ${timeoutMs} ms`, { details: { timeoutMs } }));
      });
      this.#deadlines.add(deadline, this.#host.clock.now() + timeoutMs);
      answer.then(resolve, reject);
      void answer.then(
        () => DeadlineQueue.remove(deadline),
        () => DeadlineQueue.remove(deadline),
      );
    });
  }

  async #retry({ batch, index, from, attempt, error }: Failure): Promise<unknown> {
    const { policy } = this.#options;
    const host = this.#host;
    host.count("errors");
    if (attempt < policy.attempts) {
      host.count("retries");
      await wait(host.clock, delayAfter(policy, attempt), host.signal);
      return this.#try({ batch, index, from, attempt: attempt + 1 });
    }
    const record = batch.records[index];
    const verdict = await host.giveUp({
      record,
      id: batch.idOf(index),
      trace: batch.traceOf(index),
      from,
      attempts: attempt,
      error,
    });
    return verdict === "done" ? undefined : this.#try({ batch, index, from, attempt: 1 });
  }

  #context(attempt: Attempt): Context {
    return new Context(this.#host, attempt);
  }
}

/** What a call is told besides its record; made only for functions that look at it. */
class Context implements RecordContext {
  readonly graph: string;
  readonly stage: string;
  readonly from: string;
  readonly attempt: number;
  readonly #batch: Batch;
  readonly #index: number;
  readonly #ending: AbortSignal;
  #withdrawing: AbortController | undefined;

  constructor({ graph, node, signal }: StageHost, { batch, index, from, attempt }: Attempt) {
    this.graph = graph;
    this.stage = node.name;
    this.from = from;
    this.attempt = attempt;
    this.#batch = batch;
    this.#index = index;
    this.#ending = signal;
  }

  get id(): string {
    return this.#batch.idOf(this.#index);
  }

  get traceparent(): string | undefined {
    return this.#batch.traceOf(this.#index);
  }

  /** Made when it is asked for: most calls never do. */
  get signal(): AbortSignal {
    this.#withdrawing ??= new AbortController();
    return AbortSignal.any([this.#ending, this.#withdrawing.signal]);
  }

  /** Nobody waits for the answer any more. */
  withdraw(): void {
    this.#withdrawing?.abort();
  }
}

interface Attempt {
  readonly batch: Batch;
  readonly index: number;
  readonly from: string;
  readonly attempt: number;
}

interface Failure extends Attempt {
  readonly error: unknown;
}

class RecordDeadline extends Expiring {
  readonly #onExpired: () => void;

  constructor(onExpired: () => void) {
    super();
    this.#onExpired = onExpired;
  }

  expire(): void {
    this.#onExpired();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
