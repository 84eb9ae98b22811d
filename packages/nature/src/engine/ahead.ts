import type { Instance } from "../instance/instance.ts";
import { type ConvertWorld, convert } from "./convert.ts";
import { isLater } from "./maybe.ts";
import type { ResolvedEngineOptions } from "./options.ts";
import { toInstances } from "./outputs.ts";
import type { Job, Planned, Stored } from "./stored.ts";
import { resolveTarget, type Target } from "./target.ts";

/**
 * Steps that are run ahead of the disk: when functions of this process answer at once, what follows from an output is made before it is
 * stored, and is stored together with it. A task that would come and go in between is never written.
 *
 *  A1. Nothing is stored before what it was made from, and nothing is told before it is stored.
 *  A2. What dies before the commit is done again from the last thing that is stored: more steps than one, if there were more.
 *  A3. A step that fails, or does not answer at once, is stored as a task; its answer, if there is one, is kept for it.
 *  A4. Only what needs nothing but its upstream is run ahead: no last version, no master, no filter, no loop.
 */

/** Steps ahead run no longer than this, so that what is done already does not wait long for the disk. */
const BUDGET_MS = 5;

/** What running ahead stands on. */
export interface AheadGround {
  readonly options: ResolvedEngineOptions;
  readonly stored: Stored;
}

/** A unit of work after the steps ahead. */
export interface Extended {
  readonly planned: readonly Planned[];
  /** Tasks that have ended before they were stored. */
  readonly done: readonly Job[];
}

/** Runs ahead what can be run ahead of what a task came to. */
export function runAhead(ground: AheadGround, world: ConvertWorld, planned: readonly Planned[]): Extended {
  const { clock, maxAhead } = ground.options;
  if (maxAhead === 0 || !planned.some(({ jobs }) => jobs.length > 0)) return { planned, done: [] };
  const all = [...planned];
  const done: Job[] = [];
  const untilMs = clock.now() + BUDGET_MS;
  for (let at = 0; at < all.length && done.length < maxAhead; at++) {
    const one = all[at] as Planned;
    const ended: Job[] = [];
    for (const job of one.jobs) {
      if (done.length + ended.length >= maxAhead || clock.now() > untilMs) break;
      const made = step(ground, world, job);
      if (made === undefined) continue;
      ended.push(job);
      for (const instance of made) all.push(ground.stored.plan(world.catalog, instance, job.mission));
    }
    if (ended.length === 0) continue;
    done.push(...ended);
    all[at] = without(one, ended);
  }
  return { planned: all, done };
}

function without({ entry, jobs, problems }: Planned, ended: readonly Job[]): Planned {
  const isLeft = ({ id }: { readonly id: number }): boolean => !ended.some(({ task }) => task.id === id);
  return {
    entry: { instance: entry.instance, tasks: entry.tasks.filter(isLeft) },
    jobs: jobs.filter(({ task }) => isLeft(task)),
    problems,
  };
}

/** The instances of one step; undefined = it has to be a task. */
function step({ options }: AheadGround, world: ConvertWorld, job: Job): readonly Instance[] | undefined {
  const { mission, upstream, task } = job;
  const { catalog } = world;
  if (!world.prompt.has(mission.executor) || needsMore(world, job)) return undefined;
  try {
    const target = resolveTarget({ catalog, mission, upstream });
    if (!isPlain(target)) return undefined;
    const converted = convert(world, { taskId: task.id, upstream, mission, target, last: undefined });
    if (isLater(converted) || "instead" in converted) {
      job.begun = { converted };
      // Whoever runs the task looks at it; until then nobody does.
      if (isLater(converted)) converted.catch(() => undefined);
      return undefined;
    }
    const { outputs } = converted;
    const ground = { catalog, mission, upstream, target, outputs, working: upstream.sysContext };
    const made = toInstances({ ...ground, latest: none, limits: options, nowMs: options.clock.now(), fault: world.fault });
    return isLater(made) ? undefined : made;
  } catch (error) {
    // The task is tried as any other; what went wrong is what its first try ends with.
    job.begun = { error };
    return undefined;
  }
}

function needsMore({ catalog }: ConvertWorld, { mission, upstream }: Job): boolean {
  if (mission.before.length + mission.after.length > 0 || mission.downSelector !== undefined) return true;
  return mission.executor.protocol !== "auto" && catalog.meta(upstream.meta).settings.master !== undefined;
}

function isPlain({ meta }: Target): boolean {
  return !meta.isStateful && meta.type !== "L" && meta.settings.cacheSaved !== true;
}

function none(): undefined {
  return undefined;
}
