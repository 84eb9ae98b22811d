import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { intWithin } from "@metanode/core/internal/options";
import { z } from "zod";
import { streamError } from "../errors.ts";
import { many, type RecordContext } from "../stage/answer.ts";
import { type BuiltIn, defineBuiltIn } from "../stage/built-in.ts";
import { resolveFailurePolicy } from "../stage/failure.ts";
import { FunctionStage } from "../stage/function-stage.ts";
import type { Action, StageHost } from "../stage/stage.ts";
import type { ThreadAnswer, ThreadData, ThreadRequest } from "./protocol.ts";

/** Records that are in the thread, or wait for it. */
const MAX_WAITING = 1_024;
const bootstrap = new URL("./thread.ts", import.meta.url);

export interface ThreadOptions {
  /** The module, as a URL or an absolute path. */
  readonly file: string | URL;
  /** Which of its exports is the function. @default "default" */
  readonly exportName?: string;
}

/**
 * A function in a thread of its own: what computes for long holds up neither the graph nor the node. Records are copied into the
 * thread (structured clone). A thread that dies, or hangs longer than `timeoutMs` of its node, is replaced, and what it had not
 * answered comes again. With `replicas` there are as many threads.
 */
export function threadAction({ file, exportName = "default" }: ThreadOptions): Action {
  const url = file instanceof URL || file.startsWith("file:") ? String(file) : pathToFileURL(file).href;
  return { stage: (host) => ThreadStage.open({ file: url, exportName }, host) };
}

/** The same for graphs in JSON and YAML. */
export const thread: BuiltIn = defineBuiltIn({
  name: "thread",
  summary: "Runs a function of a module in a thread of its own.",
  settings: z.object({
    file: z.string().describe("The module: an absolute path, or a file: URL."),
    export: z.string().optional().describe("Which of its exports. @default default"),
  }),
  make: ({ file, export: exportName }) => threadAction({ file, ...(exportName === undefined ? {} : { exportName }) }),
});

class ThreadStage extends FunctionStage {
  readonly #thread: Thread;

  private constructor(running: Thread, host: StageHost) {
    super((record: never, context: RecordContext) => running.call(record, context), host, {
      policy: resolveFailurePolicy(host.node),
      concurrency: intWithin("concurrency", host.node.concurrency ?? MAX_WAITING, 1),
      maxWaiting: MAX_WAITING * 2,
    });
    this.#thread = running;
  }

  /** Waits until the module is loaded: that is no time of the first record. @throws {MetanodeError} stream.program – it cannot be */
  static async open(data: ThreadData, host: StageHost): Promise<ThreadStage> {
    const thread = new Thread(data);
    await thread.ready();
    return new ThreadStage(thread, host);
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#thread.close();
  }

  override async end(): Promise<void> {
    await super.end();
    await this.#thread.close();
  }
}

/** The number of the answer that says that the module is loaded. */
const READY = -1;

interface Call {
  readonly record: unknown;
  /** Which thread has it. */
  worker?: Worker;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** One thread, started with its first record, and again after its death. */
class Thread {
  readonly #data: ThreadData;
  readonly #open = new Map<number, Call>();
  #waiting: number[] = [];
  #next = 0;
  #worker: Worker | undefined;
  #isPosting = false;

  constructor(data: ThreadData) {
    this.#data = data;
  }

  ready(): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#worker ??= this.#start();
    this.#open.set(READY, { record: undefined, worker: this.#worker, resolve, reject });
    return promise;
  }

  /** Calls made in one turn of the event loop travel together. */
  call(record: unknown, { signal }: RecordContext): Promise<unknown> {
    const number = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#open.set(number, { record, resolve, reject });
    this.#waiting.push(number);
    if (!this.#isPosting) {
      this.#isPosting = true;
      setImmediate(() => this.#post());
    }
    // Nobody waits for the answer any more, so the thread hangs on this one.
    signal.addEventListener("abort", () => this.#withdrawn(number), { once: true });
    return promise;
  }

  #withdrawn(number: number): void {
    const worker = this.#open.get(number)?.worker;
    if (worker === undefined) return;
    if (this.#worker === worker) this.#worker = undefined; // what comes next goes to another
    void worker.terminate();
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#open.clear();
    await worker?.terminate();
  }

  #post(): void {
    this.#isPosting = false;
    const numbers = this.#waiting.filter((number) => this.#open.has(number));
    this.#waiting = [];
    if (numbers.length === 0) return;
    this.#worker ??= this.#start();
    const worker = this.#worker;
    const calls = numbers.map((number) => this.#open.get(number) as Call);
    for (const call of calls) call.worker = worker;
    const request: ThreadRequest = { numbers, records: calls.map(({ record }) => record) };
    try {
      worker.postMessage(request);
    } catch (error) {
      this.#rejectAll(worker, error); // a record that cannot be copied
    }
  }

  #start(): Worker {
    const worker = new Worker(bootstrap, { workerData: this.#data });
    let fault: unknown;
    worker.on("message", (answers: ThreadAnswer[]) => {
      for (const answer of answers) this.#answered(answer);
    });
    worker.on("error", (error) => {
      fault = error;
    });
    worker.on("exit", (code) => {
      if (this.#worker === worker) this.#worker = undefined;
      const why = fault instanceof Error ? `: ${fault.message}` : ` with exit code ${code}`;
      this.#rejectAll(worker, streamError("stream.program", `the thread ended${why}`, { cause: fault }));
    });
    return worker;
  }

  #answered({ number, outputs, error }: ThreadAnswer): void {
    const call = this.#open.get(number);
    this.#open.delete(number);
    if (error !== undefined) call?.reject(Object.assign(new Error(error.message), error));
    else call?.resolve(outputs?.length === 1 ? outputs[0] : many(outputs ?? []));
  }

  #rejectAll(worker: Worker, error: unknown): void {
    for (const [number, call] of [...this.#open]) {
      if (call.worker !== worker) continue;
      this.#open.delete(number);
      call.reject(error);
    }
  }
}
