import { asMetanodeError } from "@metanode/core/internal";
import type { Catalog } from "../catalog/catalog.ts";
import { natureError } from "../errors.ts";
import { answerProblem } from "../executor/answer.ts";
import type { ConvertResult, Output, SelfRoute, SelfRouteConverter } from "../executor/executor.ts";
import type { Resolvers } from "../executor/executors.ts";
import { type Instance, type InstanceInput, keyOf, lineKeyOf } from "../instance/instance.ts";
import type { Mission } from "../relation/mission.ts";
import type { Task, WorkStore } from "../store/store.ts";
import { applyAfter, type ConvertWorld, convert } from "./convert.ts";
import type { EngineReport } from "./engine-report.ts";
import { accept, saysTheSame } from "./intake.ts";
import { KeyedQueue } from "./keyed-queue.ts";
import { backoffOf, type EngineOptions, type ResolvedEngineOptions, resolveEngineOptions } from "./options.ts";
import { toInstances } from "./outputs.ts";
import { SavedCache } from "./saved-cache.ts";
import { routedInstances, routedMeta, routeMissions } from "./self-route.ts";
import { type Job, type Planned, Stored } from "./stored.ts";
import { resolveTarget, type Target } from "./target.ts";
import { TaskQueue } from "./task-queue.ts";

/*
 * E1. An input is accepted when it is stored, together with a task for each relation that it matches.
 * E2. A task ends in the transaction that stores what came of it. Whatever dies before that, it is done again.
 * E3. Work on one line of versions is done one after the other on this engine; between engines the first to store a version wins, and
 *     the other begins anew from it.
 * E4. A failure of one task touches no other.
 */

/** What an engine stands on. */
export interface EngineParts {
  readonly store: WorkStore;
  /** The catalog as it is now. */
  readonly catalog: () => Catalog;
  readonly resolvers: Resolvers;
  /** Makes what a callback has to show. */
  readonly credential: (taskId: number) => string;
  readonly onReport?: (report: EngineReport) => void;
  /** Told of every instance that was stored, after it is on the disk. */
  readonly onStored?: (instance: Instance) => void;
}

/** Where an input went. */
export interface InputResult {
  readonly instance: Instance;
  /** False = it was there already. */
  readonly isNew: boolean;
}

/** Counters since the start. */
export interface EngineStats {
  stored: number;
  converted: number;
  retried: number;
  failed: number;
  conflicts: number;
}

const SAVED_LIMIT = 100_000;
/** Conflicts with other engines in a row, after which a task waits for its next try. */
const MAX_CONFLICTS = 100;

/** Accepts instances and carries them along their relations. */
export class Engine {
  readonly stats: EngineStats = { stored: 0, converted: 0, retried: 0, failed: 0, conflicts: 0 };
  readonly #parts: EngineParts;
  readonly #options: ResolvedEngineOptions;
  readonly #stored: Stored;
  readonly #lines = new KeyedQueue();
  readonly #saved: SavedCache;
  readonly #tasks: TaskQueue;
  readonly #stopping = new Set<() => void>();

  constructor(parts: EngineParts, options?: EngineOptions) {
    this.#parts = parts;
    this.#options = resolveEngineOptions(options);
    this.#stored = new Stored(parts.store, this.#options);
    this.#saved = new SavedCache(this.#options.clock, this.#options.savedTtlMs, SAVED_LIMIT);
    this.#tasks = new TaskQueue(parts.store, this.#options, {
      run: (job) => this.#run(job),
      load: (tasks) => this.#reload(tasks),
      report: (report) => this.#report(report),
    });
  }

  /** Begins to work. */
  start(): void {
    this.#tasks.start();
  }

  /** Takes nothing new, finishes what is under way for at most `graceMs`, and leaves the rest to the next engine. */
  async stop(graceMs = 10_000): Promise<void> {
    await this.#tasks.stop(graceMs, () => {
      for (const end of [...this.#stopping]) end();
    });
    await this.#stored.idle();
  }

  /** Tasks in memory: waiting and running. */
  get load(): { readonly waiting: number; readonly running: number } {
    return this.#tasks.load;
  }

  /** Resolves when nothing that this engine owns is left to do now. Tasks that are due later do not count. */
  idle(): Promise<void> {
    return this.#tasks.idle();
  }

  /**
   * Puts an instance in. The same again is the same: it is stored once.
   * @throws meta.unknown, instance.invalid, instance.state, instance.too_large; instance.version_gap – the version before is not stored;
   * instance.conflict – the version is, with other data; store.unavailable – nothing was stored
   */
  async input(input: InstanceInput): Promise<InputResult> {
    const catalog = this.#parts.catalog();
    const { meta, instance } = accept(catalog, input, this.#options, this.#options.clock.now());
    if (!meta.isStateful) return this.#put(catalog, instance);
    return this.#lines.run(lineKeyOf(instance), () => this.#inputVersion(catalog, instance));
  }

  /**
   * Puts an instance of a D meta in that carries its own ways on; relations are not looked at. An id is made for it, unless it has a para.
   * @throws as {@link input}; executor.logic, relation.invalid – the ways are none
   */
  async selfRoute(input: InstanceInput, converters: readonly SelfRouteConverter[]): Promise<InputResult> {
    const catalog = this.#parts.catalog();
    const nowMs = this.#options.clock.now();
    const { meta, instance } = accept(catalog, { ...input, id: "0" }, this.#options, nowMs);
    routedMeta(catalog, meta.meta);
    const missions = routeMissions(instance, converters, nowMs);
    return this.#putPlanned(this.#stored.planWith(instance, { missions, problems: [] }));
  }

  /**
   * The answer of an executor that took its time.
   * @throws task.unknown – it is done, or gone; executor.logic – the answer is none
   */
  async callback(taskId: number, result: ConvertResult): Promise<void> {
    if (result.type === "delay")
      throw natureError("executor.logic", "a callback brings the answer; it cannot ask for another wait");
    const problem = answerProblem(result);
    if (problem !== undefined) throw natureError("executor.logic", `a callback brings no answer of an executor: ${problem}`);
    const task = await this.#parts.store.take(taskId);
    if (task === undefined)
      throw natureError("task.unknown", `no task ${taskId} waits; it is probably done`, { details: { taskId } });
    const [job] = await this.#reload([task]);
    if (job === undefined) throw natureError("task.unknown", `what task ${taskId} works on is not stored`);
    if (result.type === "environment") await this.#again(job, natureError("executor.environment", result.message));
    else await this.#guarded(job, () => this.#finish(job, { result }));
  }

  async #inputVersion(catalog: Catalog, given: Instance): Promise<InputResult> {
    for (let tries = 0; ; tries++) {
      const last = await this.#stored.latest(given);
      const lastVersion = last?.version ?? 0;
      const version = given.version === 0 ? lastVersion + 1 : given.version;
      if (version > lastVersion + 1) {
        throw natureError(
          "instance.version_gap",
          `version ${version} of ${lineKeyOf(given)} cannot be stored: the last one is ${lastVersion}`,
          {
            details: { version, last: lastVersion },
          },
        );
      }
      const instance = { ...given, version };
      const there = version <= lastVersion ? await this.#stored.load(instance) : undefined;
      if (there !== undefined) {
        if (saysTheSame(there, instance)) return { instance: there, isNew: false };
        throw natureError(
          "instance.conflict",
          `version ${version} of ${lineKeyOf(given)} is stored already, with other data; read it and put in version ${lastVersion + 1}`,
          {
            details: { version, last: lastVersion },
          },
        );
      }
      const stored = await this.#put(catalog, instance).catch((error: unknown) => {
        if (tries < MAX_CONFLICTS && (error as { code?: string }).code === "instance.conflict") return undefined;
        throw error;
      });
      if (stored !== undefined) return stored;
    }
  }

  #put(catalog: Catalog, instance: Instance): Promise<InputResult> {
    return this.#putPlanned(this.#stored.plan(catalog, instance));
  }

  async #putPlanned({ entry, jobs, problems }: Planned): Promise<InputResult> {
    const { instance } = entry;
    const result = await this.#stored.commit({ instances: [entry] });
    if (result.status !== "done")
      throw natureError("instance.conflict", `${keyOf(instance)} was stored by another writer meanwhile`);
    const isNew = result.stored[0] === true;
    if (isNew) this.#goOn([instance], jobs, problems);
    return { instance, isNew };
  }

  /** What was stored leads to further work. */
  #goOn(instances: readonly Instance[], jobs: readonly Job[], problems: readonly Error[]): void {
    this.stats.stored += instances.length;
    for (const instance of instances) this.#parts.onStored?.(instance);
    for (const error of problems) this.#report({ kind: "relation", text: error.message, error });
    for (const job of jobs) this.#tasks.add(job);
  }

  /** One try of one task. Never rejects. */
  #run(job: Job): Promise<void> {
    return this.#guarded(job, () => this.#finish(job));
  }

  async #guarded(job: Job, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const known = asMetanodeError(error, "processor.failed");
      // What says that no further try can help is final; what a handler merely threw may pass.
      const isFinal = known.code !== "processor.failed" && !known.retryable;
      await (isFinal ? this.#fail(job, known.code, known.message) : this.#again(job, known));
    }
  }

  async #finish(job: Job, callback?: { result: ConvertResult }): Promise<void> {
    const catalog = this.#parts.catalog();
    const target = resolveTarget({ catalog, mission: job.mission, upstream: job.upstream });
    if (target.id === undefined || !target.meta.isStateful) return this.#attempt(job, catalog, target, callback);
    const line = { meta: target.meta.meta, id: target.id, para: target.para ?? "" };
    return this.#lines.run(lineKeyOf(line), () => this.#attempt(job, catalog, target, callback));
  }

  async #attempt(job: Job, catalog: Catalog, target: Target, callback?: { result: ConvertResult }): Promise<void> {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const converted =
        callback === undefined
          ? await this.#convert(job, catalog, target)
          : await this.#answered(job, catalog, target, callback.result);
      if (converted === undefined) return;
      if (await this.#store(job, catalog, target, converted)) return;
      this.stats.conflicts++;
    }
    throw natureError("executor.environment", `${MAX_CONFLICTS} conflicts with other writers in a row`);
  }

  async #convert(
    job: Job,
    catalog: Catalog,
    target: Target,
  ): Promise<{ outputs: readonly Output[]; working: Instance } | undefined> {
    const { meta, id, para } = target;
    const last =
      meta.isStateful && id !== undefined ? await this.#stored.latest({ meta: meta.meta, id, para: para ?? "" }) : undefined;
    const work = { taskId: job.task.id, upstream: job.upstream, mission: job.mission, target, last };
    const converted = await convert(this.#world(catalog), work);
    if (!("instead" in converted)) return converted;
    const { instead } = converted;
    if (instead.type === "delay") await this.#wait(job, instead.delayMs);
    else if (instead.type === "environment") await this.#again(job, natureError("executor.environment", instead.message));
    else if (instead.type === "logic") await this.#fail(job, "executor.logic", instead.message);
    else await this.#selfRoute(job, catalog, instead.instances);
    return undefined;
  }

  async #answered(
    job: Job,
    catalog: Catalog,
    target: Target,
    result: ConvertResult,
  ): Promise<{ outputs: readonly Output[]; working: Instance } | undefined> {
    if (result.type === "logic") {
      await this.#fail(job, "executor.logic", result.message);
      return undefined;
    }
    if (result.type === "self-route") {
      await this.#selfRoute(job, catalog, result.instances);
      return undefined;
    }
    const given = result.type === "instances" ? result.instances : target.meta.type === "N" ? [{}] : [];
    return { outputs: await applyAfter(this.#world(catalog), job.mission, given), working: job.upstream };
  }

  /** Stores what came of a task, and ends it. False = another writer was first: begin anew. */
  async #store(
    job: Job,
    catalog: Catalog,
    target: Target,
    { outputs, working }: { outputs: readonly Output[]; working: Instance },
  ): Promise<boolean> {
    const { task, mission, upstream } = job;
    const made = await toInstances({
      catalog,
      mission,
      upstream,
      target,
      outputs,
      working: working.sysContext,
      latest: (placed) => this.#stored.latest(placed),
      limits: this.#options,
      nowMs: this.#options.clock.now(),
    });
    const isCached = target.meta.settings.cacheSaved === true;
    const instances = isCached ? made.filter((one) => !this.#saved.has(keyOf(one))) : made;
    const planned = instances.map((instance) => this.#stored.plan(catalog, instance, mission));
    const result = await this.#stored.commit({ taskId: task.id, instances: planned.map(({ entry }) => entry) });
    if (result.status === "conflict") return false;
    if (result.status === "lost") return true;
    this.stats.converted++;
    const fresh = planned.filter((_, at) => result.stored[at]);
    for (const one of instances) if (catalog.meta(one.meta).settings.cacheSaved === true) this.#saved.add(keyOf(one));
    this.#goOn(
      fresh.map(({ entry }) => entry.instance),
      fresh.flatMap(({ jobs }) => jobs),
      fresh.flatMap(({ problems }) => problems),
    );
    return true;
  }

  /** Stores instances that route themselves, and ends the task that they came from. */
  async #selfRoute({ task, mission, upstream }: Job, catalog: Catalog, routes: readonly SelfRoute[]): Promise<void> {
    const ground = { catalog, upstream, to: mission.to, limits: this.#options, nowMs: this.#options.clock.now() };
    const planned = routedInstances(ground, routes).map(({ instance, missions }) =>
      this.#stored.planWith(instance, { missions, problems: [] }),
    );
    const result = await this.#stored.commit({ taskId: task.id, instances: planned.map(({ entry }) => entry) });
    if (result.status === "lost") return;
    if (result.status === "conflict") throw natureError("executor.environment", "a routed instance met another writer");
    this.stats.converted++;
    const fresh = planned.filter((_, at) => result.stored[at]);
    this.#goOn(
      fresh.map(({ entry }) => entry.instance),
      fresh.flatMap(({ jobs }) => jobs),
      [],
    );
  }

  #world(catalog: Catalog): ConvertWorld {
    const { clock, executorTimeoutMs } = this.#options;
    const { resolvers, credential } = this.#parts;
    return {
      clock,
      catalog,
      resolvers,
      credential,
      timeoutMs: executorTimeoutMs,
      stopping: this.#stopping,
      master: ({ id, para }, meta) => this.#stored.latest({ meta, id, para }),
    };
  }

  /** The executor answers by a callback: until then, or until its time is up, the task waits. */
  async #wait({ task }: Job, delayMs: number): Promise<void> {
    await this.#parts.store.retry([
      { taskId: task.id, dueMs: Math.ceil(this.#options.clock.now() + delayMs), error: "waits for a callback", counts: true },
    ]);
    this.#tasks.wake();
  }

  async #again(job: Job, error: Error & { code: string }): Promise<void> {
    const { task } = job;
    const attempts = task.attempts + 1;
    if (attempts >= this.#options.maxAttempts) {
      await this.#fail(job, "task.attempts", `tried ${attempts} times, last: ${error.message}`);
      return;
    }
    this.stats.retried++;
    this.#report({ kind: "retry", text: `${keyOf(task.upstream)} -> ${task.to}: ${error.message}`, error });
    const dueMs = Math.ceil(this.#options.clock.now() + backoffOf(this.#options, attempts));
    await this.#parts.store.retry([{ taskId: task.id, dueMs, error: error.message, counts: true }]);
    this.#tasks.wake();
  }

  async #fail({ task }: Job, code: string, error: string): Promise<void> {
    this.stats.failed++;
    this.#report({ kind: "failed", text: `${keyOf(task.upstream)} -> ${task.to}: ${error}` });
    await this.#parts.store.fail([{ taskId: task.id, code, error, failedMs: Math.floor(this.#options.clock.now()) }]);
  }

  async #reload(tasks: readonly Task[]): Promise<Job[]> {
    const upstreams = await Promise.all(tasks.map(({ upstream }) => this.#stored.load(upstream)));
    const jobs: Job[] = [];
    for (const [at, task] of tasks.entries()) {
      const upstream = upstreams[at];
      if (upstream !== undefined)
        jobs.push({ task: { ...task, mine: true }, upstream, mission: JSON.parse(task.mission) as Mission });
      else
        await this.#parts.store.fail([
          {
            taskId: task.id,
            code: "instance.unknown",
            error: `${keyOf(task.upstream)} is not stored any more`,
            failedMs: Math.floor(this.#options.clock.now()),
          },
        ]);
    }
    return jobs;
  }

  #report(report: EngineReport): void {
    this.#parts.onReport?.(report);
  }
}
