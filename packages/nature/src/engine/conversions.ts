import { asMetanodeError } from "@metanode/core/internal";
import type { Catalog } from "../catalog/catalog.ts";
import { natureError } from "../errors.ts";
import type { ConvertResult, SelfRoute } from "../executor/executor.ts";
import type { Resolvers } from "../executor/executors.ts";
import { type Instance, keyOf, lineKeyOf } from "../instance/instance.ts";
import { LOOP_ID } from "../instance/sys-context.ts";
import { runAhead } from "./ahead.ts";
import { applyBefore, type Converted, type ConvertWorld, conclude, convert } from "./convert.ts";
import type { EngineReport, ExecutorRun } from "./engine-report.ts";
import type { FaultHook } from "./fault.ts";
import { following } from "./following.ts";
import type { Lines } from "./lines.ts";
import { andThen, isLater, type Maybe } from "./maybe.ts";
import type { Measures } from "./measures.ts";
import { backoffOf, type ResolvedEngineOptions } from "./options.ts";
import { toInstances } from "./outputs.ts";
import { Prompt } from "./prompt.ts";
import { SavedCache } from "./saved-cache.ts";
import { routedInstances } from "./self-route.ts";
import { isAway, type Job, type Planned, type Stored } from "./stored.ts";
import { resolveTarget, type Target } from "./target.ts";
import type { TaskQueue } from "./task-queue.ts";

/** What conversions stand on. */
export interface ConversionGround {
  readonly options: ResolvedEngineOptions;
  readonly catalog: () => Catalog;
  readonly resolvers: Resolvers;
  readonly credential: (taskId: number) => string;
  readonly stored: Stored;
  readonly lines: Lines;
  readonly measures: Measures;
  readonly fault: FaultHook | undefined;
  readonly report: (report: EngineReport) => void;
  readonly ran: ((run: ExecutorRun) => void) | undefined;
  /** What was new is on the disk: on with what follows from it. */
  readonly follow: (planned: readonly Planned[]) => void;
  /** A task has ended, well or not. */
  readonly ended: (job: Job, hasFollowers: boolean) => void;
}

const SAVED_LIMIT = 100_000;
/** Other writers in a row, after which a task waits for its next try. */
const MAX_CONFLICTS = 100;
/** How long a task waits in memory that could neither be done nor be put back. */
const KEEP_MS = 500;
/** From this number of passes on a loop is told of, each time it has become ten times as long. */
const LONG_LOOP = 1_000;

/** What outputs are placed on. */
type PlanBasis =
  /** The last version that the executor was given, if there was one: another one since is a conflict. */
  | { readonly target: Target; readonly last: Instance | undefined }
  /** The executor was given none: the line is looked at when it is known. */
  | { readonly target: Target };

/** What a unit of work came to. */
type Settled = "done" | "conflict" | "lost";

/**
 * Single tasks at work, from their executor to the disk.
 *
 *  V1. A task on a line of versions has the line to itself until its unit is stored, or it is put back.
 *  V2. Whatever a task throws ends that task's try, and nothing else: it is put back, or given up.
 *  V3. A task that another engine owns by now is dropped without a word.
 */
export class Conversions {
  readonly #ground: ConversionGround;
  readonly #queue: () => TaskQueue;
  readonly #saved: SavedCache;
  readonly #stopping = new Set<(reason: Error) => void>();
  readonly #prompt = new Prompt();
  readonly #stop = natureError("executor.environment", "the engine stops");
  #world: ConvertWorld | undefined;

  constructor(ground: ConversionGround, queue: () => TaskQueue) {
    this.#ground = ground;
    this.#queue = queue;
    this.#saved = new SavedCache(ground.options.clock, ground.options.savedTtlMs, SAVED_LIMIT);
  }

  /** One try of one task. Its executor has run when this resolves, or at once if it gives undefined; never rejects. */
  run(job: Job): Promise<void> | undefined {
    let begun: Maybe<void>;
    try {
      begun = this.#begin(job);
    } catch (error) {
      begun = this.#caught(job, error);
    }
    return isLater(begun) ? begun.catch((error: unknown) => this.#caught(job, error)) : undefined;
  }

  /** Ends the runs of all executors; their tasks are given back. */
  abort(): void {
    for (const end of [...this.#stopping]) end(this.#stop);
  }

  /** Puts tasks back as they were, for another engine. */
  giveBack(jobs: readonly Job[]): Promise<void> {
    return this.#ground.stored.giveBack(
      jobs.map(({ task }) => task),
      "its engine stopped",
    );
  }

  /**
   * What an executor answered later.
   * @throws what a try of the task would have ended with: the task is given up then
   */
  async answer(job: Job, result: ConvertResult): Promise<Settled> {
    job.isCounted = job.task.attempts > 0;
    if (result.type === "environment") {
      await this.#again(job, natureError("executor.environment", result.message));
      return "done";
    }
    if (result.type === "logic") {
      await this.#fail(job, "executor.logic", result.message);
      return "done";
    }
    const catalog = this.#ground.catalog();
    const target = resolveTarget({ catalog, mission: job.mission, upstream: job.upstream });
    const line = lineOf(target);
    const work = (): Promise<Settled> => this.#answered(job, target, result);
    try {
      return await (line === undefined ? work() : this.#ground.lines.run([line], work));
    } catch (error) {
      await this.#caught(job, error);
      throw error;
    }
  }

  async #answered(job: Job, target: Target, result: ConvertResult): Promise<Settled> {
    const world = this.#worldNow();
    // The end of a loop is said by its filters.
    const isFiltered = target.meta.type === "L" && job.mission.before.length > 0;
    const working = isFiltered ? await applyBefore(world, job.mission, job.upstream) : job.upstream;
    const converted = await conclude(world, { mission: job.mission, target, upstream: job.upstream }, result, working);
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const settled = await this.#commit(job, await this.#plan(job, { target }, converted));
      if (settled !== "conflict") return settled;
    }
    throw tooManyConflicts();
  }

  #begin(job: Job): Maybe<void> {
    const { options, catalog, stored, fault } = this.#ground;
    const { task, mission, upstream } = job;
    if (task.attempts >= options.maxAttempts) {
      job.isCounted = true;
      return this.#end(job, this.#giveUp(job, "no answer came to any of them"));
    }
    const target = resolveTarget({ catalog: catalog(), mission, upstream });
    fault?.("task.target");
    const line = lineOf(target) ?? job.metOn;
    if (line !== undefined && job.line === undefined && !this.#enter(job, line)) return;
    if (job.begun !== undefined) return andThen(takeBegun(job), (converted) => this.#settle(job, { target }, converted));
    const { meta, id, para = "" } = target;
    const last = meta.isStateful && id !== undefined ? stored.latest({ meta: meta.meta, id, para }, true) : undefined;
    return andThen(last, (there) => {
      fault?.("task.last");
      const work = { taskId: task.id, upstream, mission, target, last: there };
      // Whatever was made of this last version comes after it, or not at all.
      const ground = line === undefined || id === undefined ? { target } : { target, last: there };
      return andThen(convert(this.#worldNow(), work), (converted) => this.#settle(job, ground, converted));
    });
  }

  /** Whether the task has the line now. If not it is set aside until its turn comes. */
  #enter(job: Job, line: string): boolean {
    const { lines } = this.#ground;
    const queue = this.#queue();
    const isMine = lines.enter(line, () => {
      job.line = line;
      if (queue.unpark(job)) return;
      job.line = undefined;
      lines.leave(line);
    });
    if (isMine) job.line = line;
    else queue.park(job);
    return isMine;
  }

  #settle(job: Job, ground: PlanBasis, converted: Converted): Maybe<void> {
    if ("instead" in converted && converted.instead.type !== "self-route") {
      return this.#end(job, this.#instead(job, converted.instead));
    }
    // The executor has run: what is left takes nobody's place.
    return andThen(this.#plan(job, ground, converted), (planned) => {
      const { planned: all, done } = runAhead(this.#ground, this.#worldNow(), planned);
      void this.#store(job, all, done);
    });
  }

  async #instead(job: Job, result: Exclude<ConvertResult, { type: "instances" | "none" | "self-route" }>): Promise<void> {
    if (result.type === "delay") await this.#wait(job, result.delayMs);
    else if (result.type === "environment") await this.#again(job, natureError("executor.environment", result.message));
    else await this.#fail(job, "executor.logic", result.message);
  }

  /** What a try will store, and what follows from that. */
  #plan(job: Job, basis: PlanBasis, converted: Converted): Maybe<readonly Planned[]> {
    const { stored, options, fault } = this.#ground;
    const { mission, upstream } = job;
    const { target } = basis;
    const { catalog } = this.#worldNow();
    if ("instead" in converted) return this.#planRoutes(job, catalog, routesOf(converted.instead));
    const made = toInstances({
      catalog,
      mission,
      upstream,
      target,
      outputs: converted.outputs,
      working: converted.working.sysContext,
      latest: (placed) => {
        if ("last" in basis) return basis.last;
        job.metOn = lineKeyOf(placed);
        return stored.latest(placed, true);
      },
      limits: options,
      nowMs: options.clock.now(),
      fault,
    });
    return andThen(made, (instances) => {
      const isCached = target.meta.settings.cacheSaved === true;
      // What carries a loop on is never dropped: the loop would end there.
      const isKnown = (one: Instance): boolean => !isCarrier(target, one) && this.#saved.has(keyOf(one));
      const wanted = isCached ? instances.filter((one) => !isKnown(one)) : instances;
      fault?.("task.cached");
      return wanted.map((instance) => stored.plan(catalog, instance, mission));
    });
  }

  #planRoutes({ mission, upstream }: Job, catalog: Catalog, routes: readonly SelfRoute[]): Planned[] {
    const { options, stored } = this.#ground;
    const ground = { catalog, upstream, to: mission.to, limits: options, nowMs: options.clock.now() };
    return routedInstances(ground, routes).map(({ instance, missions }) => stored.planWith(instance, { missions, problems: [] }));
  }

  /** Stores what a try came to, and lets go of the task. */
  async #store(job: Job, planned: readonly Planned[], ahead: readonly Job[]): Promise<void> {
    const queue = this.#queue();
    queue.storingBegins();
    let settled: Settled = "done";
    try {
      settled = await this.#commit(job, planned, ahead);
      if (settled === "conflict" && ++job.conflicts >= MAX_CONFLICTS) {
        settled = "done";
        throw tooManyConflicts();
      }
    } catch (error) {
      await this.#caught(job, error);
    }
    if (settled === "conflict") queue.again(job);
    else this.#leave(job);
    queue.storingEnds();
  }

  async #commit(job: Job, planned: readonly Planned[], ahead: readonly Job[] = []): Promise<Settled> {
    const { stored, measures, follow, ended, fault } = this.#ground;
    const { task, upstream } = job;
    fault?.("task.ready");
    const result = await stored.commit({ taskId: task.id, instances: planned.map(({ entry }) => entry) }, true);
    if (result.status === "conflict") measures.count("conflicts", upstream.meta, task.to);
    if (result.status !== "done") return result.status;
    const fresh = planned.filter((_, at) => result.stored[at]);
    // It is on the disk: whatever happens from here on, the task is done.
    await following(this.#ground, fresh, () => {
      fault?.("task.stored");
      this.#measure([job, ...ahead]);
      for (const { entry } of planned) this.#remember(entry.instance);
      follow(fresh);
      fault?.("task.followed");
    });
    ended(
      job,
      fresh.some(({ jobs }) => jobs.length > 0),
    );
    return "done";
  }

  #measure(jobs: readonly Job[]): void {
    const nowMs = this.#ground.options.clock.now();
    for (const { task } of jobs) this.#ground.measures.converted(task.upstream.meta, task.to, nowMs - task.dueMs);
  }

  #remember(instance: Instance): void {
    const { meta } = instance;
    const loaded = this.#worldNow().catalog.meta(meta);
    if (loaded.settings.cacheSaved === true) this.#saved.add(keyOf(instance));
    const pass = loaded.type === "L" ? Number(instance.sysContext[LOOP_ID]) : 0;
    if (pass < LONG_LOOP || !Number.isInteger(Math.log10(pass / LONG_LOOP))) return;
    this.#ground.report({ kind: "loop", text: `the loop ${keyOf(instance)} has come to pass ${pass}, and is not finished` });
  }

  /** What a try threw. Never throws. */
  async #caught(job: Job, thrown: unknown): Promise<void> {
    try {
      if (thrown === this.#stop || (this.#queue().isStopping && isAway(thrown))) await this.giveBack([job]);
      else if (isAway(thrown)) return this.#keep(job);
      else await this.#failedTry(job, thrown);
    } catch (error) {
      this.#ground.report({ kind: "store", text: `${nameOf(job)} could not be put back; it is kept and begins anew`, error });
      return this.#keep(job);
    }
    this.#leave(job);
  }

  /** No try that counts: it stays in memory, and begins anew when the database may be back. */
  #keep(job: Job): void {
    const queue = this.#queue();
    this.#leave(job);
    queue.park(job);
    this.#ground.options.clock.setTimer(KEEP_MS, () => void queue.unpark(job));
  }

  async #failedTry(job: Job, thrown: unknown): Promise<void> {
    const known = asMetanodeError(thrown, "processor.failed");
    // What says that no further try can help is final; what a handler merely threw may pass.
    const isFinal = known.code !== "processor.failed" && !known.retryable;
    await (isFinal ? this.#fail(job, known.code, known.message) : this.#again(job, known));
  }

  /** The executor answers by a callback: until then, or until its time is up, the task waits. */
  async #wait({ task }: Job, delayMs: number): Promise<void> {
    const dueMs = Math.ceil(this.#ground.options.clock.now() + delayMs);
    await this.#ground.stored.retry({ taskId: task.id, dueMs, error: "waits for a callback", counts: true });
    this.#queue().pollAt(dueMs);
  }

  async #again(job: Job, error: Error): Promise<void> {
    const { options, measures, report, stored, fault } = this.#ground;
    const { task } = job;
    const attempts = task.attempts + (job.isCounted ? 0 : 1);
    if (attempts >= options.maxAttempts) return this.#giveUp(job, error.message);
    fault?.("task.retry");
    measures.count("retried", task.upstream.meta, task.to);
    report({ kind: "retry", text: `${nameOf(job)}: ${error.message}`, error });
    const dueMs = Math.ceil(options.clock.now() + backoffOf(options, attempts));
    await stored.retry({ taskId: task.id, dueMs, error: error.message, counts: !job.isCounted });
    this.#queue().pollAt(dueMs);
  }

  #giveUp(job: Job, why: string): Promise<void> {
    return this.#fail(job, "task.attempts", `tried ${this.#ground.options.maxAttempts} times, last: ${why}`);
  }

  async #fail(job: Job, code: string, error: string): Promise<void> {
    const { options, measures, report, stored, fault } = this.#ground;
    const { task } = job;
    fault?.("task.fail");
    measures.count("failed", task.upstream.meta, task.to);
    const name = nameOf(job);
    report({ kind: "failed", text: `${name}: ${error}`, failed: { name, upstream: job.upstream, code } });
    await stored.fail({ taskId: task.id, code, error, failedMs: Math.floor(options.clock.now()), counts: !job.isCounted });
    this.#ground.ended(job, false);
  }

  /** Lets go of the task's line when something is done. */
  async #end(job: Job, work: Promise<void>): Promise<void> {
    await work;
    this.#leave(job);
  }

  #leave(job: Job): void {
    const { line } = job;
    if (line === undefined) return;
    job.line = undefined;
    this.#ground.lines.leave(line);
  }

  #worldNow(): ConvertWorld {
    const { options, catalog, resolvers, credential, stored, fault, ran } = this.#ground;
    const now = catalog();
    if (this.#world?.catalog === now) return this.#world;
    this.#world = {
      clock: options.clock,
      catalog: now,
      resolvers,
      credential,
      timeoutMs: options.executorTimeoutMs,
      stopping: this.#stopping,
      master: ({ id, para }, meta) => stored.latest({ meta, id, para }, true),
      prompt: this.#prompt,
      fault,
      ran,
    };
    return this.#world;
  }
}

/** The line of versions that a task works on, if it is known before its executor has run. */
function lineOf({ meta, id, para = "" }: Target): string | undefined {
  return meta.isStateful && id !== undefined ? lineKeyOf({ meta: meta.meta, id, para }) : undefined;
}

/** What a task's executor answered before the task was stored. */
function takeBegun(job: Job): Maybe<Converted> {
  const { begun } = job;
  job.begun = undefined;
  if (begun === undefined || "error" in begun) throw begun?.error;
  return begun.converted;
}

function isCarrier({ meta }: Target, instance: Instance): boolean {
  return meta.type === "L" && instance.meta === meta.meta;
}

function routesOf(instead: ConvertResult): readonly SelfRoute[] {
  return instead.type === "self-route" ? instead.instances : [];
}

function nameOf({ task }: Job): string {
  return `${keyOf(task.upstream)} -> ${task.to}`;
}

function tooManyConflicts(): Error {
  return natureError("executor.environment", `${MAX_CONFLICTS} conflicts with other writers in a row`);
}
