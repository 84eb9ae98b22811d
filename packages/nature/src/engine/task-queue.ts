import type { Timer } from "@metanode/core/clock";
import type { Task, WorkStore } from "../store/store.ts";
import type { EngineReport } from "./engine-report.ts";
import { within } from "./limit.ts";
import type { ResolvedEngineOptions } from "./options.ts";
import type { Job } from "./stored.ts";

/** What the queue asks of its engine. */
export interface TaskWorker {
  /** One try; never rejects. Undefined = its executor has run already, or has to wait for its line. */
  run(job: Job): Promise<void> | undefined;
  /** The jobs of claimed tasks. */
  load(tasks: readonly Task[]): Promise<Job[]>;
  /** Gives jobs back to the database, undone. */
  giveBack(jobs: readonly Job[]): Promise<void>;
  /** The lease had run out: what is remembered may be old. */
  fenced(): void;
  report(report: EngineReport): void;
}

/** Where the tasks of an engine are. */
export interface QueueLoad {
  readonly waiting: number;
  /** Executors under way. */
  readonly running: number;
  /** Waiting for another task on the same line of versions, or for the database to come back. */
  readonly parked: number;
  /** Being stored. */
  readonly storing: number;
}

/** More are not handed to the database at a time: two batches, one on its way and one gathering. */
const MAX_STORING = 1_024;
/** How long the end is waited for once everything under way was told to end. */
const LAST_GRACE_MS = 1_000;

/**
 * The tasks of this engine.
 *
 *  T1. At most `concurrency` executors run at a time; tasks begin in the order of their coming. Those that wait for their line, or are
 *      being stored, take nobody's place.
 *  T2. A task in here belongs to this engine in the database; one that is put back there, or ends, is not in here any more.
 *  T3. What is due and belongs to nobody is claimed within one poll, as long as there is room.
 *  T4. The lease is renewed three times before it would run out. Without it, what waits is forgotten: it is somebody else's.
 *  T5. At the end, what has not begun is given back.
 */
export class TaskQueue {
  readonly #store: WorkStore;
  readonly #options: ResolvedEngineOptions;
  readonly #worker: TaskWorker;
  #waiting: Job[] = [];
  #head = 0;
  /** Go on before all others: they have begun already. */
  #ready: Job[] = [];
  readonly #parked = new Set<Job>();
  #running = 0;
  #storing = 0;
  #state: "new" | "running" | "stopping" = "new";
  #poll: Timer | undefined;
  #pollAtMs = Number.POSITIVE_INFINITY;
  #isPolling = false;
  /** Whether somebody wanted a look while one was under way, which may have come too early for it. */
  #pollsAgain = false;
  #isPumping = false;
  /** Whether tasks were left in the database because there was no room for them here. */
  #isOverflown = false;
  #lease: Timer | undefined;
  #idle: (() => void)[] = [];

  constructor(store: WorkStore, options: ResolvedEngineOptions, worker: TaskWorker) {
    this.#store = store;
    this.#options = options;
    this.#worker = worker;
  }

  get load(): QueueLoad {
    const waiting = this.#waiting.length - this.#head + this.#ready.length;
    return { waiting, running: this.#running, parked: this.#parked.size, storing: this.#storing };
  }

  get isStopping(): boolean {
    return this.#state === "stopping";
  }

  /** Whether another task fits into memory. */
  hasRoom(): boolean {
    if (this.#owned < this.#options.maxOwned && this.#state !== "stopping") return true;
    this.#isOverflown = true;
    return false;
  }

  start(): void {
    this.#state = "running";
    void this.#renew();
    this.pollAt(this.#options.clock.now());
    this.#pump();
  }

  /** Adds tasks that this engine owns. */
  add(jobs: readonly Job[]): void {
    for (const job of jobs) this.#waiting.push(job);
    this.#pump();
  }

  /** Sets a task aside; {@link unpark} goes on with it. */
  park(job: Job): void {
    this.#parked.add(job);
  }

  /** Goes on with a task that was set aside. False = it is not here any more: it was given back. */
  unpark(job: Job): boolean {
    if (!this.#parked.delete(job)) return false;
    this.#ready.push(job);
    this.#pump();
    return true;
  }

  /** Begins a task anew, before those that have not begun. */
  again(job: Job): void {
    this.park(job);
    if (this.#state === "stopping") {
      this.#parked.delete(job);
      void this.#worker.giveBack([job]);
    } else this.unpark(job);
  }

  storingBegins(): void {
    this.#storing++;
  }

  storingEnds(): void {
    this.#storing--;
    this.#pump();
  }

  /** Looks for due tasks soon: some were put back. */
  wake(): void {
    this.pollAt(this.#options.clock.now());
  }

  /** Looks for due tasks at this moment at the latest. */
  pollAt(atMs: number): void {
    if (this.#state !== "running" || atMs >= this.#pollAtMs) return;
    this.#poll?.cancel();
    this.#pollAtMs = atMs;
    const delayMs = Math.max(0, atMs - this.#options.clock.now());
    this.#poll = this.#options.clock.setTimer(Math.min(delayMs, this.#options.pollMs), () => void this.#claim());
  }

  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Finishes what is under way for at most `graceMs`, then `abort` ends it; what has not begun is given back. */
  async stop(graceMs: number, abort: () => void): Promise<void> {
    if (this.#state === "stopping") return;
    this.#state = "stopping";
    this.#poll?.cancel();
    const unbegun = this.#takeUnbegun();
    const { clock } = this.#options;
    const done = Promise.all([this.idle(), this.#worker.giveBack(unbegun)]);
    if (graceMs === 0 || !(await within(clock, graceMs, done))) {
      abort();
      await within(clock, LAST_GRACE_MS, this.idle());
    }
    this.#lease?.cancel();
  }

  get #owned(): number {
    return this.#waiting.length - this.#head + this.#ready.length + this.#parked.size + this.#running + this.#storing;
  }

  get #isIdle(): boolean {
    return this.#owned === 0 && !this.#isPolling;
  }

  #takeUnbegun(): Job[] {
    const unbegun = [...this.#ready, ...this.#parked, ...this.#waiting.slice(this.#head)];
    this.#parked.clear();
    this.#ready = [];
    this.#waiting = [];
    this.#head = 0;
    return unbegun;
  }

  #pump(): void {
    // A task that ends at once comes back here.
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#state === "running" && this.#running < this.#options.concurrency && this.#storing < MAX_STORING) {
      const job = this.#next();
      if (job === undefined) break;
      this.#run(job);
    }
    this.#isPumping = false;
    if (this.#isOverflown && this.#owned <= this.#options.maxOwned / 2) {
      this.#isOverflown = false;
      this.wake();
    }
    if (this.#idle.length > 0 && this.#isIdle) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #next(): Job | undefined {
    const ready = this.#ready.shift();
    if (ready !== undefined || this.#head === this.#waiting.length) return ready;
    const job = this.#waiting[this.#head++];
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    } else if (this.#head > 1_024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return job;
  }

  #run(job: Job): void {
    this.#running++;
    const run = this.#worker.run(job);
    if (run === undefined) this.#running--;
    else void run.then(() => this.#ran());
  }

  #ran(): void {
    this.#running--;
    this.#pump();
  }

  async #claim(): Promise<void> {
    this.#pollAtMs = Number.POSITIVE_INFINITY;
    if (this.#isPolling) {
      this.#pollsAgain = true;
      return;
    }
    this.#isPolling = true;
    const { clock, pollMs, maxOwned } = this.#options;
    let nextMs = clock.now() + pollMs;
    try {
      const room = Math.min(1_000, maxOwned - this.#owned);
      if (room > 0) {
        const tasks = await this.#store.claim(Math.floor(clock.now()), room);
        const jobs = tasks.length === 0 ? [] : await this.#worker.load(tasks);
        if (this.isStopping) await this.#worker.giveBack(jobs);
        else this.add(jobs);
        nextMs = tasks.length === room ? clock.now() : Math.min(nextMs, (await this.#store.nextDueMs()) ?? nextMs);
      } else this.#isOverflown = true;
    } catch (error) {
      this.#worker.report({ kind: "store", text: "due tasks could not be claimed; it is tried again", error });
    }
    this.#isPolling = false;
    this.pollAt(this.#pollsAgain ? clock.now() : nextMs);
    this.#pollsAgain = false;
    this.#pump();
  }

  async #renew(): Promise<void> {
    const { clock, leaseMs } = this.#options;
    try {
      const { freed, fenced } = await this.#store.renewLease(leaseMs);
      if (fenced) this.#lost();
      if (freed > 0) this.wake();
    } catch (error) {
      this.#worker.report({
        kind: "lease",
        text: "the lease could not be renewed; another engine may take the work over",
        error,
      });
    }
    if (this.#state !== "stopping") this.#lease = clock.setTimer(leaseMs / 3, () => void this.#renew());
  }

  #lost(): void {
    this.#waiting = [];
    this.#head = 0;
    this.#worker.fenced();
    this.#worker.report({ kind: "lease", text: "the lease had run out: what waited is left to whoever has it now" });
    this.wake();
    this.#pump();
  }
}
