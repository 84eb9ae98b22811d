import type { Timer } from "@metanode/core/clock";
import { wait } from "@metanode/core/clock";
import type { Task, WorkStore } from "../store/store.ts";
import type { EngineReport } from "./engine-report.ts";
import type { ResolvedEngineOptions } from "./options.ts";
import type { Job } from "./stored.ts";

/** What the queue asks of its engine. */
export interface TaskWorker {
  /** One try; never rejects. */
  run(job: Job): Promise<void>;
  /** The jobs of claimed tasks. */
  load(tasks: readonly Task[]): Promise<Job[]>;
  report(report: EngineReport): void;
}

/**
 * The tasks of this engine.
 *
 *  T1. At most `concurrency` run at a time, in the order of their coming.
 *  T2. A task in here belongs to this engine in the database; one that is put back there, or ends, is not in here any more.
 *  T3. What is due and belongs to nobody is claimed within one poll, as long as there is room.
 *  T4. The lease is renewed three times before it would run out.
 */
export class TaskQueue {
  readonly #store: WorkStore;
  readonly #options: ResolvedEngineOptions;
  readonly #worker: TaskWorker;
  #waiting: Job[] = [];
  #head = 0;
  #running = 0;
  #state: "new" | "running" | "stopping" = "new";
  #poll: Timer | undefined;
  #pollAtMs = Number.POSITIVE_INFINITY;
  #isPolling = false;
  #lease: Timer | undefined;
  #idle: (() => void)[] = [];

  constructor(store: WorkStore, options: ResolvedEngineOptions, worker: TaskWorker) {
    this.#store = store;
    this.#options = options;
    this.#worker = worker;
  }

  get load(): { readonly waiting: number; readonly running: number } {
    return { waiting: this.#waiting.length - this.#head, running: this.#running };
  }

  start(): void {
    this.#state = "running";
    void this.#renew();
    this.#pollAt(this.#options.clock.now());
    this.#pump();
  }

  /** Adds a task that this engine owns; one that is due later is left to the database. */
  add(job: Job): void {
    if (!job.task.mine) {
      this.#pollAt(job.task.dueMs);
      return;
    }
    this.#waiting.push(job);
    this.#pump();
  }

  /** Looks for due tasks soon: some were put back. */
  wake(): void {
    this.#pollAt(this.#options.clock.now());
  }

  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async stop(graceMs: number, abort: () => void): Promise<void> {
    this.#state = "stopping";
    this.#poll?.cancel();
    const done = new AbortController();
    const late = wait(this.#options.clock, graceMs, done.signal).then(abort, () => undefined);
    this.#waiting = [];
    this.#head = 0;
    await Promise.race([this.idle(), late]);
    done.abort();
    this.#lease?.cancel();
  }

  get #isIdle(): boolean {
    return this.#running === 0 && this.#waiting.length === this.#head && !this.#isPolling;
  }

  #pump(): void {
    while (this.#state === "running" && this.#running < this.#options.concurrency && this.#head < this.#waiting.length) {
      const job = this.#waiting[this.#head++] as Job;
      if (this.#head > 1_024 && this.#head * 2 > this.#waiting.length) {
        this.#waiting = this.#waiting.slice(this.#head);
        this.#head = 0;
      }
      this.#running++;
      void this.#runOne(job);
    }
    if (this.#isIdle) for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #runOne(job: Job): Promise<void> {
    try {
      await this.#worker.run(job);
    } catch (error) {
      this.#worker.report({ kind: "store", text: "a task could not be put back; its lease will run out", error });
    }
    this.#running--;
    this.#pump();
  }

  #pollAt(atMs: number): void {
    if (this.#state !== "running" || atMs >= this.#pollAtMs) return;
    this.#poll?.cancel();
    this.#pollAtMs = atMs;
    const delayMs = Math.max(0, atMs - this.#options.clock.now());
    this.#poll = this.#options.clock.setTimer(Math.min(delayMs, this.#options.pollMs), () => void this.#claim());
  }

  async #claim(): Promise<void> {
    this.#pollAtMs = Number.POSITIVE_INFINITY;
    if (this.#isPolling) return;
    this.#isPolling = true;
    const { clock, pollMs, maxOwned } = this.#options;
    let nextMs = clock.now() + pollMs;
    try {
      const { waiting, running } = this.load;
      const room = Math.min(1_000, maxOwned - waiting - running);
      if (room > 0) {
        const tasks = await this.#store.claim(Math.floor(clock.now()), room);
        for (const job of await this.#worker.load(tasks)) this.add(job);
        nextMs = tasks.length === room ? clock.now() : Math.min(nextMs, (await this.#store.nextDueMs()) ?? nextMs);
      }
    } catch (error) {
      this.#worker.report({ kind: "store", text: "due tasks could not be claimed; it is tried again", error });
    }
    this.#isPolling = false;
    this.#pollAt(nextMs);
    this.#pump();
  }

  #renewLater(): void {
    const { clock, leaseMs } = this.#options;
    this.#lease = clock.setTimer(leaseMs / 3, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    try {
      const { freed, fenced } = await this.#store.renewLease(this.#options.leaseMs);
      if (freed > 0) this.wake();
      if (fenced) this.#worker.report({ kind: "lease", text: "the lease had run out: the work under way is done anew" });
    } catch (error) {
      this.#worker.report({
        kind: "lease",
        text: "the lease could not be renewed; another engine may take the work over",
        error,
      });
    }
    if (this.#state === "running") this.#renewLater();
  }
}
