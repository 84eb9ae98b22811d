import type { Catalog } from "../catalog/catalog.ts";
import { type Instance, type Locator, lineKeyOf } from "../instance/instance.ts";
import { LOOP_TASK } from "../instance/sys-context.ts";
import { metaTypeOf } from "../meta/meta-string.ts";
import type { Mission } from "../relation/mission.ts";
import { type MissionPlan, planMissions } from "../relation/missions.ts";
import type { NewInstance, NewTask, Unit, UnitResult, WorkStore } from "../store/store.ts";
import { Batcher } from "./batcher.ts";
import { nextPass } from "./loop.ts";
import type { ResolvedEngineOptions } from "./options.ts";

/** Units, lines or keys in one statement. */
const MAX_BATCH = 512;
/** Lines whose last version is remembered. */
const MAX_LINES = 10_000;

/** A task in memory, with what it works on. */
export interface Job {
  readonly task: NewTask;
  readonly upstream: Instance;
  readonly mission: Mission;
}

/** What is to be stored for an instance, and what to do once it is. */
export interface Planned {
  readonly entry: NewInstance;
  readonly jobs: Job[];
  readonly problems: readonly Error[];
}

/**
 * The engine's side of the store: one batch at a time for writes, one for each kind of read, and the last versions of lines that this
 * engine has seen. A remembered version may be old when other engines write; its use ends in a conflict then, and it is forgotten.
 */
export class Stored {
  readonly #options: ResolvedEngineOptions;
  readonly #commits: Batcher<Unit, UnitResult>;
  readonly #latest: Batcher<Omit<Locator, "version">, Instance | undefined>;
  readonly #loads: Batcher<Locator, Instance | undefined>;
  readonly #lines = new Map<string, Instance>();
  readonly #newTaskId: () => number;

  constructor(store: WorkStore, options: ResolvedEngineOptions) {
    this.#options = options;
    this.#commits = new Batcher(MAX_BATCH, (units) => store.commit(units));
    this.#latest = new Batcher(MAX_BATCH, (lines) => store.latest(lines));
    this.#loads = new Batcher(MAX_BATCH, (keys) => store.load(keys));
    this.#newTaskId = () => store.newTaskId();
  }

  /** The last version of a line. */
  async latest(line: Omit<Locator, "version">): Promise<Instance | undefined> {
    const key = lineKeyOf(line);
    const known = this.#lines.get(key);
    if (known !== undefined) return known;
    const found = await this.#latest.add(line);
    if (found !== undefined) this.#remember(key, found);
    return found;
  }

  load(key: Locator): Promise<Instance | undefined> {
    return this.#loads.add(key);
  }

  /** Stores a unit; what is new of its versions is remembered. */
  async commit(unit: Unit): Promise<UnitResult> {
    const result = await this.#commits.add(unit);
    for (const [at, { instance }] of unit.instances.entries()) {
      if (instance.version === 0) continue;
      if (result.status === "done" && result.stored[at] === true) this.#remember(lineKeyOf(instance), instance);
      else this.#lines.delete(lineKeyOf(instance));
    }
    return result;
  }

  idle(): Promise<void> {
    return this.#commits.idle();
  }

  /** What is stored for an instance: itself, and a job for each mission that follows from it by its relations. */
  plan(catalog: Catalog, instance: Instance, own?: Mission): Planned {
    const nowMs = this.#options.clock.now();
    const isPass = own !== undefined && metaTypeOf(instance.meta) === "L" && Object.hasOwn(instance.sysContext, LOOP_TASK);
    const planned = isPass
      ? { missions: [{ mission: nextPass(own, instance.sysContext), dueMs: nowMs + own.delayMs }], problems: [] }
      : planMissions(catalog.relationsFrom(instance.meta), instance, nowMs);
    return this.planWith(instance, planned);
  }

  /** The same with missions that come from elsewhere. */
  planWith(instance: Instance, planned: MissionPlan): Planned {
    const nowMs = this.#options.clock.now();
    const jobs = planned.missions.map(({ mission, dueMs }): Job => {
      const due = Math.ceil(dueMs);
      const task: NewTask = {
        id: this.#newTaskId(),
        upstream: { meta: instance.meta, id: instance.id, para: instance.para, version: instance.version },
        to: mission.to,
        mission: JSON.stringify(mission),
        createdMs: Math.floor(nowMs),
        dueMs: due,
        attempts: 0,
        mine: due <= nowMs + 1,
      };
      return { task, upstream: instance, mission };
    });
    return {
      entry: { instance, tasks: jobs.map(({ task }) => task) },
      jobs,
      problems: planned.problems.map(({ error }) => error),
    };
  }

  #remember(key: string, instance: Instance): void {
    this.#lines.delete(key);
    this.#lines.set(key, instance);
    if (this.#lines.size > MAX_LINES) this.#lines.delete(this.#lines.keys().next().value as string);
  }
}
