import { hasCode } from "@metanode/core/errors";
import type { Catalog } from "../catalog/catalog.ts";
import { type Instance, type Locator, lineKeyOf } from "../instance/instance.ts";
import { LOOP_TASK } from "../instance/sys-context.ts";
import { metaTypeOf } from "../meta/meta-string.ts";
import type { LoadedRelation } from "../relation/loaded.ts";
import type { Mission } from "../relation/mission.ts";
import { type MissionPlan, planMissions } from "../relation/missions.ts";
import type { Failure, NewInstance, NewTask, Outcome, Retry, Task, Unit, UnitResult, WorkStore } from "../store/store.ts";
import { Batcher } from "./batcher.ts";
import type { Converted } from "./convert.ts";
import type { EngineReport } from "./engine-report.ts";
import { nextPass } from "./loop.ts";
import type { Maybe } from "./maybe.ts";
import type { ResolvedEngineOptions } from "./options.ts";

/** Units, lines or keys in one statement. */
const MAX_BATCH = 512;
/**
 * Commits under way at a time where the database is a server: it works on one while the answers to the other are dealt with (measured: a fifth
 * more flows). With a thread of our own two halves cost more time of the processor than one whole: a fifth fewer.
 */
const SHARED_LANES = 2;
/** What is remembered of lines, at most. */
const MAX_LINES = 10_000;
const MAX_LINES_LENGTH = 32 * 1_048_576;

/** A task in memory, with what it works on. */
export class Job {
  readonly task: Task;
  readonly upstream: Instance;
  readonly mission: Mission;
  /** The line of versions that it is on, if any. */
  line: string | undefined = undefined;
  /** The line on which it met another writer. */
  metOn: string | undefined = undefined;
  /** What its executor has answered already, ahead of the disk. */
  begun: { readonly converted: Maybe<Converted> } | { readonly error: unknown } | undefined = undefined;
  /** Whether this try was counted already, when its wait for a callback began. */
  isCounted = false;
  /** Other writers that it met. */
  conflicts = 0;

  constructor(task: Task, upstream: Instance, mission: Mission) {
    this.task = task;
    this.upstream = upstream;
    this.mission = mission;
  }
}

/** What is to be stored for an instance, and what to do once it is. */
export interface Planned {
  readonly entry: NewInstance;
  /** Of this engine; others wait in the database. */
  readonly jobs: readonly Job[];
  readonly problems: readonly Error[];
}

/** What planning depends on. */
export interface PlanGround {
  /** Relations that are not declared, such as messages to be sent; behind those that are. */
  readonly moreRelations: (meta: string) => readonly LoadedRelation[];
  /** Whether there is room for another task in memory. */
  readonly hasRoom: () => boolean;
  readonly report: (report: EngineReport) => void;
}

/**
 * The engine's side of the store: one batch at a time for writes, one for each kind of read. Where no other engine can write, the last versions
 * of lines are remembered; where others can, only what never changes: data without states.
 */
export class Stored {
  readonly #options: ResolvedEngineOptions;
  readonly #store: WorkStore;
  readonly #ground: PlanGround;
  readonly #commits: Batcher<Unit, UnitResult>;
  readonly #latest: Batcher<Omit<Locator, "version">, Instance | undefined>;
  readonly #loads: Batcher<Locator, Instance | undefined>;
  readonly #outcomes: Batcher<Locator, Outcome>;
  readonly #retries: Batcher<Retry, undefined>;
  readonly #failures: Batcher<Failure, undefined>;
  readonly #lines = new Map<string, Instance>();
  /** The content of all that is remembered. */
  #linesLength = 0;
  #awaySinceMs: number | undefined;

  constructor(store: WorkStore, options: ResolvedEngineOptions, ground: PlanGround) {
    this.#options = options;
    this.#store = store;
    this.#ground = ground;
    this.#commits = this.#batcher((units) => store.commit(units), store.isShared ? SHARED_LANES : 1);
    this.#latest = this.#batcher((lines) => store.latest(lines));
    this.#loads = this.#batcher((keys) => store.load(keys));
    this.#outcomes = this.#batcher((keys) => store.outcomes(keys));
    this.#retries = this.#batcher(async (retries) => {
      await store.retry(retries);
      return retries.map(() => undefined);
    });
    this.#failures = this.#batcher(async (failures) => {
      await store.fail(failures);
      return failures.map(() => undefined);
    });
  }

  /** Since when the database is away; undefined = it is there. */
  get awaySinceMs(): number | undefined {
    return this.#awaySinceMs;
  }

  /** The last version of a line. What is remembered is there at once. */
  latest(line: Omit<Locator, "version">, insists = false): Maybe<Instance | undefined> {
    const key = lineKeyOf(line);
    const known = this.#lines.get(key);
    const isCertain = known !== undefined && (known.version === 0 || !this.#store.isShared);
    return isCertain ? known : this.#readLatest(key, line, insists);
  }

  async #readLatest(key: string, line: Omit<Locator, "version">, insists: boolean): Promise<Instance | undefined> {
    const found = await this.#latest.add(line, insists);
    if (found !== undefined) this.#remember(key, found);
    return found;
  }

  load(key: Locator, insists = false): Promise<Instance | undefined> {
    return this.#loads.add(key, insists);
  }

  outcome(key: Locator): Promise<Outcome> {
    return this.#outcomes.add(key);
  }

  /** Stores a unit; what is new of its versions is remembered. */
  async commit(unit: Unit, insists = false): Promise<UnitResult> {
    const result = await this.#commits.add(unit, insists);
    for (let at = 0; at < unit.instances.length; at++) {
      const { instance } = unit.instances[at] as NewInstance;
      if (instance.version === 0) continue;
      if (result.status === "done" && result.stored[at] === true) this.#remember(lineKeyOf(instance), instance);
      else this.#forget(lineKeyOf(instance));
    }
    return result;
  }

  /** Puts a task back. While the database is away the store keeps it, and does it later (S7). */
  async retry(retry: Retry): Promise<void> {
    await this.#retries.add({ ...retry, error: storable(retry.error) }).catch(unlessAway);
  }

  /** Puts tasks back as they were, for whoever claims them next. */
  async giveBack(tasks: readonly Pick<Task, "id">[], why: string): Promise<void> {
    const dueMs = Math.floor(this.#options.clock.now());
    await Promise.all(tasks.map(({ id }) => this.retry({ taskId: id, dueMs, error: why, counts: false })));
  }

  /** Gives a task up. While the database is away the store keeps it, and does it later (S7). */
  async fail(failure: Failure): Promise<void> {
    await this.#failures.add({ ...failure, error: storable(failure.error) }).catch(unlessAway);
  }

  /** Another engine may have written since. */
  forgetLines(): void {
    this.#lines.clear();
    this.#linesLength = 0;
  }

  async idle(): Promise<void> {
    const all = [this.#commits, this.#latest, this.#loads, this.#outcomes, this.#retries, this.#failures];
    await Promise.all(all.map((batcher) => batcher.idle()));
  }

  /** Who waits for the database to come back is told now that it is away. */
  giveUp(): void {
    for (const batcher of [this.#commits, this.#latest, this.#loads]) batcher.giveUp();
  }

  /** What is stored for an instance: itself, and a job for each mission that follows from it by its relations. */
  plan(catalog: Catalog, instance: Instance, own?: Mission): Planned {
    const nowMs = this.#options.clock.now();
    const isPass = own !== undefined && metaTypeOf(instance.meta) === "L" && Object.hasOwn(instance.sysContext, LOOP_TASK);
    if (isPass) {
      const missions = [{ mission: nextPass(own, instance.sysContext), dueMs: nowMs + own.delayMs }];
      return this.planWith(instance, { missions, problems: [] });
    }
    const declared = planMissions(catalog.relationsFrom(instance.meta), instance, nowMs);
    const more = this.#ground.moreRelations(instance.meta);
    if (more.length === 0) return this.planWith(instance, declared);
    const others = planMissions(more, instance, nowMs);
    return this.planWith(instance, {
      missions: [...declared.missions, ...others.missions],
      problems: [...declared.problems, ...others.problems],
    });
  }

  /** The same with missions that come from elsewhere. */
  planWith(instance: Instance, { missions, problems }: MissionPlan): Planned {
    if (missions.length === 0) return { entry: { instance, tasks: [] }, jobs: [], problems: errorsOf(problems) };
    const nowMs = this.#options.clock.now();
    const upstream = { meta: instance.meta, id: instance.id, para: instance.para, version: instance.version };
    const jobs: Job[] = [];
    const tasks = missions.map(({ mission, dueMs, text }): NewTask => {
      const task: NewTask = {
        id: this.#store.newTaskId(),
        upstream,
        to: mission.to,
        mission: text ?? JSON.stringify(mission),
        createdMs: Math.floor(nowMs),
        dueMs: Math.ceil(dueMs),
        attempts: 0,
        mine: dueMs <= nowMs && this.#ground.hasRoom(),
      };
      if (task.mine) jobs.push(new Job(task, instance, mission));
      return task;
    });
    return { entry: { instance, tasks }, jobs, problems: errorsOf(problems) };
  }

  #batcher<Request, Answer>(
    work: (requests: readonly Request[]) => Promise<readonly Answer[]>,
    lanes = 1,
  ): Batcher<Request, Answer> {
    const { clock } = this.#options;
    return new Batcher({
      maxBatch: MAX_BATCH,
      lanes,
      clock,
      work: async (requests) => {
        const answers = await work(requests);
        if (this.#awaySinceMs !== undefined) this.#back();
        return answers;
      },
      isAway,
      onAway: (error) => {
        if (this.#awaySinceMs !== undefined) return;
        this.#awaySinceMs = clock.now();
        this.#ground.report({ kind: "store", text: "the database is away; what is under way is kept and tried again", error });
      },
    });
  }

  #back(): void {
    const awayMs = Math.round(this.#options.clock.now() - (this.#awaySinceMs ?? 0));
    this.#awaySinceMs = undefined;
    this.#ground.report({ kind: "store", text: `the database is back after ${awayMs} ms` });
  }

  #remember(key: string, instance: Instance): void {
    this.#forget(key);
    if (this.#store.isShared && instance.version > 0) return;
    this.#lines.set(key, instance);
    this.#linesLength += instance.content.length;
    while (this.#lines.size > MAX_LINES || this.#linesLength > MAX_LINES_LENGTH) {
      this.#forget(this.#lines.keys().next().value as string);
    }
  }

  #forget(key: string): void {
    const known = this.#lines.get(key);
    if (known === undefined) return;
    this.#lines.delete(key);
    this.#linesLength -= known.content.length;
  }
}

/** Whether an error says that the database cannot be reached, or cannot store now. */
export function isAway(error: unknown): boolean {
  return hasCode(error, "store.unavailable");
}

const MAX_ERROR_LENGTH = 2_000;

/** What executors throw may say anything; databases take only characters, and people read only so much. */
function storable(text: string): string {
  return text.slice(0, MAX_ERROR_LENGTH).toWellFormed().replaceAll("\0", "\ufffd");
}

function unlessAway(error: unknown): void {
  if (!isAway(error)) throw error;
}

function errorsOf(problems: MissionPlan["problems"]): readonly Error[] {
  return problems.map(({ error }) => error);
}
