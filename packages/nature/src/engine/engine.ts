import { coreError } from "@metanode/core/errors";
import type { Catalog } from "../catalog/catalog.ts";
import { natureError } from "../errors.ts";
import { answerProblem } from "../executor/answer.ts";
import type { ConvertResult, SelfRouteConverter } from "../executor/executor.ts";
import type { Resolvers } from "../executor/executors.ts";
import { type Instance, type InstanceInput, keyOf, type Locator } from "../instance/instance.ts";
import type { LoadedRelation } from "../relation/loaded.ts";
import type { Mission } from "../relation/mission.ts";
import type { Backlog, FailedQuery, MaintenanceStore } from "../store/admin.ts";
import type { FailedTask, Task, WorkStore } from "../store/store.ts";
import { Conversions } from "./conversions.ts";
import type { EngineReport, ExecutorRun } from "./engine-report.ts";
import type { FaultHook } from "./fault.ts";
import { type FlowResult, Flows, type Wait, type WaitOptions } from "./flows.ts";
import { type InputOptions, type InputResult, Inputs } from "./inputs.ts";
import { within } from "./limit.ts";
import { Lines } from "./lines.ts";
import { type EngineStats, Measures, type RelationMeasures } from "./measures.ts";
import { backoffOf, type EngineOptions, type ResolvedEngineOptions, resolveEngineOptions } from "./options.ts";
import { isAway, Job, type Planned, Stored } from "./stored.ts";
import { type QueueLoad, TaskQueue } from "./task-queue.ts";

/*
 * E1. An input is accepted when it is stored, together with a task for each relation that it matches.
 * E2. A task ends in the transaction that stores what came of it. Whatever dies before that, it is done again.
 * E3. Work on one line of versions is done one after the other on this engine; between engines the first to store a version wins, and
 *     the other begins anew from it.
 * E4. A failure of one task touches no other.
 * E5. While the database is away, what is under way is kept and stored when it is back; what comes from outside is refused.
 */

/** The parts of a store that an engine works with. */
export type EngineStore = WorkStore & Pick<MaintenanceStore, "backlog" | "failedTasks" | "replayFailed" | "dropFailed">;

/** What an engine stands on. */
export interface EngineParts {
  readonly store: EngineStore;
  /** The catalog as it is now; the same object as long as nothing changes. */
  readonly catalog: () => Catalog;
  readonly resolvers: Resolvers;
  /** Makes what a callback has to show. */
  readonly credential: (taskId: number) => string;
  /** Relations besides those that are declared, by the meta that they leave. */
  readonly moreRelations?: (meta: string) => readonly LoadedRelation[];
  readonly onReport?: (report: EngineReport) => void;
  /** Told of every instance that was stored, after it is on the disk. */
  readonly onStored?: (instance: Instance) => void;
  /** Told of every run of an executor that did not answer at once. */
  readonly onRun?: (run: ExecutorRun) => void;
  /** For tests: called at named moments, see {@link FAULT_POINTS}. */
  readonly fault?: FaultHook;
}

const NO_RELATIONS: readonly LoadedRelation[] = [];

/** Accepts instances and carries them along their relations. */
export class Engine {
  readonly #parts: EngineParts;
  readonly #options: ResolvedEngineOptions;
  readonly #stored: Stored;
  readonly #inputs: Inputs;
  readonly #conversions: Conversions;
  readonly #queue: TaskQueue;
  readonly #flows: Flows;
  readonly #measures = new Measures();

  constructor(parts: EngineParts, options?: EngineOptions) {
    this.#parts = parts;
    this.#options = resolveEngineOptions(options);
    const { clock } = this.#options;
    const report = (one: EngineReport): void => this.#report(one);
    this.#stored = new Stored(parts.store, this.#options, {
      moreRelations: parts.moreRelations ?? (() => NO_RELATIONS),
      hasRoom: () => this.#queue.hasRoom(),
      report,
    });
    const ground = {
      options: this.#options,
      catalog: parts.catalog,
      stored: this.#stored,
      lines: new Lines(),
      fault: parts.fault,
      report,
      follow: (planned: readonly Planned[]) => this.#follow(planned),
    };
    const { resolvers, credential, onRun } = parts;
    const ran = onRun === undefined ? undefined : (run: ExecutorRun): void => this.#ran(run);
    const ended = (job: Job, hasFollowers: boolean): void => this.#ended(job, hasFollowers);
    this.#conversions = new Conversions(
      { ...ground, resolvers, credential, measures: this.#measures, ended, ran },
      () => this.#queue,
    );
    this.#queue = new TaskQueue(parts.store, this.#options, {
      run: (job) => this.#conversions.run(job),
      giveBack: (jobs) => this.#conversions.giveBack(jobs),
      load: (tasks) => this.#reload(tasks),
      fenced: () => this.#stored.forgetLines(),
      report,
    });
    this.#inputs = new Inputs({ ...ground, follow: (planned) => this.#follow(planned, true) });
    this.#flows = new Flows({ clock, outcome: (key) => this.#stored.outcome(key) });
  }

  /** Begins to work. */
  start(): void {
    this.#queue.start();
  }

  /**
   * Takes nothing new, finishes what is under way for at most `graceMs`, and leaves the rest to the next engine. The store stays open.
   * @param graceMs @default 10_000
   */
  async stop(graceMs = 10_000): Promise<void> {
    await this.#queue.stop(graceMs, () => {
      this.#conversions.abort();
      this.#stored.giveUp();
    });
    // Inputs that were taken are answered.
    if (graceMs > 0) await within(this.#options.clock, graceMs, this.#stored.idle());
    this.#flows.close();
  }

  /** Counters since the start. */
  get stats(): Readonly<EngineStats> {
    return this.#measures.stats;
  }

  /** What happened on each relation since the start. */
  relationMeasures(): RelationMeasures[] {
    return this.#measures.relations();
  }

  /** Tasks in memory. */
  get load(): QueueLoad {
    return this.#queue.load;
  }

  /** Since when the database is away; undefined = it is there. */
  get awaySinceMs(): number | undefined {
    return this.#stored.awaySinceMs;
  }

  /** What is waiting in the database. */
  backlog(): Promise<Backlog> {
    return this.#parts.store.backlog(Math.floor(this.#options.clock.now()));
  }

  /** Resolves when nothing that this engine owns is left to do now. Tasks that are due later do not count. */
  idle(): Promise<void> {
    return this.#queue.idle();
  }

  /**
   * Puts an instance in. The same again is the same: it is stored once.
   * @throws meta.unknown, instance.invalid, instance.state, instance.too_large; instance.version_gap – the version before is not stored;
   * instance.conflict – the version is, with other data; store.unavailable – most likely nothing was stored, and to repeat it is safe; node.closed
   */
  async input(input: InstanceInput, options?: Pick<InputOptions, "origin">): Promise<InputResult> {
    this.#assertOpen();
    return this.#counted(await this.#inputs.one(input, options));
  }

  /**
   * Puts instances in, all or none, in one transaction. At most one version of each line.
   * @throws as {@link input}; the text says which instance it is about
   */
  async inputMany(inputs: readonly InstanceInput[]): Promise<InputResult[]> {
    this.#assertOpen();
    if (inputs.length === 0) return [];
    return (await this.#inputs.many(inputs)).map((result) => this.#counted(result));
  }

  /** {@link input} and {@link waitFor} in one: nothing that comes of it is missed, and the database is not looked at for it. */
  async inputAndWait(input: InstanceInput, options: WaitOptions): Promise<{ input: InputResult; flow: FlowResult }> {
    this.#assertOpen();
    let wait: Wait | undefined;
    try {
      const onAccepted = (instance: Instance): void => {
        wait?.cancel();
        wait = this.#flows.open(instance, options);
      };
      const result = this.#counted(await this.#inputs.one(input, { onAccepted }));
      if (result.isNew && wait !== undefined) return { input: result, flow: await wait.result };
      wait?.cancel();
      return { input: result, flow: await this.waitFor(result.instance, options) };
    } catch (error) {
      wait?.cancel();
      throw error;
    }
  }

  /**
   * Waits until an instance of some meta has come of this one, over however many steps, or until all that follows from it is done. Work whose
   * time has not come, and work of other engines, count; tasks that were given up do not.
   */
  async waitFor(instance: Locator, options: WaitOptions): Promise<FlowResult> {
    const wait = this.#flows.open(instance, options);
    void wait.look();
    return wait.result;
  }

  /**
   * Puts an instance of a D meta in that carries its own ways on; relations are not looked at. An id is made for it, unless it has a para.
   * @throws as {@link input}; executor.logic, relation.invalid – the ways are none
   */
  async selfRoute(input: InstanceInput, converters: readonly SelfRouteConverter[]): Promise<InputResult> {
    this.#assertOpen();
    return this.#counted(await this.#inputs.selfRoute(input, converters));
  }

  /**
   * The answer of an executor that took its time. Whoever calls this has checked the credential.
   * @throws task.unknown – it is done, or gone; executor.logic, instance.* – the answer is none, or does not fit: then the task is given up
   */
  async callback(taskId: number, result: ConvertResult): Promise<void> {
    this.#assertOpen();
    const problem = answerProblem(result) ?? (result.type === "delay" ? "it cannot ask for another wait" : undefined);
    if (problem !== undefined) throw natureError("executor.logic", `a callback brings no answer of an executor: ${problem}`);
    for (let tries = 0; ; tries++) {
      const task = await this.#parts.store.take(taskId);
      // Somebody was faster, perhaps with the same answer.
      if (task === undefined && tries > 0) return;
      if (task === undefined) throw unknownTask(taskId);
      const job = await this.#taken(task);
      if ((await this.#conversions.answer(job, result)) !== "lost") return;
    }
  }

  /** The job of a task that a callback has taken. */
  async #taken(task: Task): Promise<Job> {
    try {
      this.#parts.fault?.("callback.taken");
      const [job] = await this.#reload([task]);
      if (job === undefined) throw unknownTask(task.id);
      return job;
    } catch (error) {
      await this.#stored.giveBack([task], (error as Error).message);
      this.#queue.wake();
      throw error;
    }
  }

  /** Tasks that were given up, by their ids. */
  failedTasks(query: FailedQuery): Promise<FailedTask[]> {
    return this.#parts.store.failedTasks(query);
  }

  /**
   * Gives failed tasks another first try; the ids of those that there were.
   * @param change – replaces parts of their missions, for example the executor
   * @throws relation.invalid – the change touches what a mission leads to
   */
  async replayFailed(ids: readonly number[], change?: Partial<Mission>): Promise<number[]> {
    const { store } = this.#parts;
    const nowMs = Math.floor(this.#options.clock.now());
    const replayed = change === undefined ? await store.replayFailed(ids, nowMs) : await this.#replayChanged(ids, nowMs, change);
    if (replayed.length > 0) this.#queue.wake();
    return replayed;
  }

  /** Forgets failed tasks; how many there were. */
  dropFailed(ids: readonly number[]): Promise<number> {
    return this.#parts.store.dropFailed(ids);
  }

  async #replayChanged(ids: readonly number[], nowMs: number, change: Partial<Mission>): Promise<number[]> {
    const { store } = this.#parts;
    const replayed: number[] = [];
    for (const id of new Set(ids)) {
      const [task] = await store.failedTasks({ afterId: id - 1, limit: 1 });
      if (task?.id !== id) continue;
      if (change.to !== undefined && change.to !== task.to) {
        throw natureError("relation.invalid", `task ${id} leads to ${task.to}, and cannot be replayed as one to ${change.to}`);
      }
      const mission = JSON.stringify({ ...(JSON.parse(task.mission) as Mission), ...change });
      replayed.push(...(await store.replayFailed([id], nowMs, mission)));
    }
    return replayed;
  }

  #counted(result: InputResult): InputResult {
    if (result.isNew) this.#measures.stats.inputs++;
    return result;
  }

  /** What was stored leads to further work. */
  #follow(planned: readonly Planned[], areInputs = false): void {
    const { stats } = this.#measures;
    const nowMs = this.#options.clock.now();
    stats.stored += planned.length;
    const jobs: Job[] = [];
    for (const { entry, jobs: own, problems } of planned) {
      const { instance, tasks } = entry;
      if (this.#parts.onStored !== undefined) this.#tell(instance);
      for (const error of problems) {
        stats.dropped++;
        this.#report({ kind: "relation", text: `${keyOf(instance)}: ${error.message}`, error });
      }
      for (const { mine, dueMs } of tasks) if (!mine && dueMs > nowMs) this.#queue.pollAt(dueMs);
      jobs.push(...own);
    }
    if (!this.#flows.isEmpty) this.#tellFlows(planned, areInputs);
    this.#queue.add(jobs);
  }

  #tellFlows(planned: readonly Planned[], areInputs: boolean): void {
    this.#flows.stored(planned.map(({ entry }) => entry.instance));
    if (!areInputs) return;
    for (const { entry } of planned) if (entry.tasks.length === 0) this.#flows.rested(entry.instance);
  }

  #ended({ task }: Job, hasFollowers: boolean): void {
    if (!hasFollowers && !this.#flows.isEmpty) this.#flows.rested(task.upstream);
  }

  #tell(instance: Instance): void {
    try {
      this.#parts.onStored?.(instance);
    } catch (error) {
      this.#report({ kind: "hook", text: `who listens for stored instances threw on ${keyOf(instance)}`, error });
    }
  }

  #ran(run: ExecutorRun): void {
    try {
      this.#parts.onRun?.(run);
    } catch (error) {
      this.#report({ kind: "hook", text: `who listens for runs of executors threw on ${keyOf(run.upstream)}`, error });
    }
  }

  async #reload(tasks: readonly Task[]): Promise<Job[]> {
    const jobs = await Promise.all(tasks.map((task) => this.#job(task)));
    return jobs.filter((job) => job !== undefined);
  }

  /** A task with what it works on. One that cannot be read now is put back, and one that never can is given up. */
  async #job(task: Task): Promise<Job | undefined> {
    const failedMs = Math.floor(this.#options.clock.now());
    try {
      this.#parts.fault?.("tasks.claimed");
      const upstream = await this.#stored.load(task.upstream, true);
      if (upstream !== undefined) return new Job(task, upstream, JSON.parse(task.mission) as Mission);
      const error = `${keyOf(task.upstream)} is not stored any more`;
      await this.#stored.fail({ taskId: task.id, code: "instance.unknown", error, failedMs, counts: true });
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof SyntaxError) {
        await this.#stored.fail({ taskId: task.id, code: "instance.invalid", error: message, failedMs, counts: true });
      } else {
        this.#report({ kind: "store", text: `task ${task.id} cannot be read now`, error });
        const dueMs = failedMs + backoffOf(this.#options, task.attempts + 1);
        await this.#stored.retry({ taskId: task.id, dueMs, error: message, counts: !isAway(error) });
        this.#queue.pollAt(dueMs);
      }
    }
    return undefined;
  }

  #assertOpen(): void {
    if (!this.#queue.isStopping) return;
    throw coreError("node.closed", "the engine is stopping; put it in again after its restart, or on another", {
      retryAfterMs: 1_000,
    });
  }

  #report(report: EngineReport): void {
    try {
      this.#parts.onReport?.(report);
    } catch {
      // Whoever listens is asked to see to its own errors; there is nobody left to tell.
    }
  }
}

function unknownTask(taskId: number): Error {
  return natureError("task.unknown", `no task ${taskId} waits; it is probably done`, { details: { taskId } });
}
