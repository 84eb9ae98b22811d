import { codeOf } from "@metanode/core/internal";
import type { Catalog } from "../catalog/catalog.ts";
import { natureError } from "../errors.ts";
import { answerProblem, instanceProblem, outputsProblem, type Problem } from "../executor/answer.ts";
import type { ConvertResult, Executor, Output } from "../executor/executor.ts";
import { executorOf, type Resolvers } from "../executor/executors.ts";
import type { Instance } from "../instance/instance.ts";
import type { Mission } from "../relation/mission.ts";
import type { ExecutorSpec } from "../relation/relation.ts";
import { meets } from "../relation/selector.ts";
import type { ExecutorRun } from "./engine-report.ts";
import type { FaultHook } from "./fault.ts";
import { ConvertLimit, deadlineOf, FilterLimit, inTime, type RunGround } from "./limit.ts";
import { runningResult } from "./loop.ts";
import { andThen, isLater, type Maybe } from "./maybe.ts";
import type { Prompt } from "./prompt.ts";
import type { Target } from "./target.ts";

/** What a conversion needs of its surroundings. */
export interface ConvertWorld extends RunGround {
  readonly catalog: Catalog;
  readonly resolvers: Resolvers;
  readonly credential: (taskId: number) => string;
  readonly master: (upstream: Instance, masterMeta: string) => Maybe<Instance | undefined>;
  readonly fault: FaultHook | undefined;
  readonly prompt: Prompt;
  readonly ran: ((run: ExecutorRun) => void) | undefined;
}

/** One task at work. */
export interface Work {
  readonly taskId: number;
  readonly upstream: Instance;
  readonly mission: Mission;
  readonly target: Target;
  /** The last version of a target with states. */
  readonly last: Instance | undefined;
}

/** What came of it: outputs, and the upstream as the filters left it; or something else than outputs. */
export type Converted =
  | { readonly outputs: readonly Output[]; readonly working: Instance }
  | { readonly instead: Exclude<ConvertResult, { type: "instances" | "none" }> };

const AUTO: ConvertResult = { type: "instances", instances: [{}] };

/**
 * Runs the executor of a mission with the filters before and after it. What is there at once, of functions of this process, comes back at
 * once.
 * @source spec of the workflow model, §4.3
 */
export function convert(world: ConvertWorld, work: Work): Maybe<Converted> {
  const { mission, upstream, last } = work;
  return andThen(masterOf(world, work), (master) => {
    world.fault?.("task.master");
    if (mission.downSelector !== undefined && !meets(mission.downSelector, (state) => last?.states.includes(state) ?? false)) {
      const message = `the last version of ${mission.to} does not meet the relation's downSelector`;
      return { instead: { type: "environment", message } as const };
    }
    world.fault?.("task.condition");
    const filtered = mission.before.length === 0 ? upstream : applyBefore(world, mission, upstream);
    return andThen(filtered, (working) => {
      world.fault?.("task.before");
      return andThen(runConverter(world, work, { working, master }), (given) => {
        world.fault?.(mission.executor.protocol === "auto" ? "task.auto" : "task.executor");
        return conclude(world, work, given, working);
      });
    });
  });
}

/** What an answer comes to: of an executor that ran, or of a callback. */
export function conclude(
  world: ConvertWorld,
  { mission, target, upstream }: Pick<Work, "mission" | "target" | "upstream">,
  given: ConvertResult,
  working: Instance,
): Maybe<Converted> {
  if (given.type === "none") return { outputs: target.meta.type === "N" ? [{}] : [], working };
  if (given.type !== "instances") return { instead: given };
  if (mission.after.length === 0) return { outputs: given.instances, working };
  return applyAfter(world, { mission, upstream }, given.instances).then((outputs) => {
    world.fault?.("task.after");
    return { outputs, working };
  });
}

/** The filters before an executor. */
export async function applyBefore(world: ConvertWorld, mission: Mission, upstream: Instance): Promise<Instance> {
  let working = upstream;
  for (const spec of mission.before) {
    const filter = need(executorOf(world.resolvers, spec), "before", spec);
    const limit = filterLimit(world, spec, { mission, upstream });
    working = await inTime(world, spec, limit, filter(working, limit));
    check(spec, instanceProblem(working));
  }
  return working;
}

type Filtering = Pick<Work, "mission" | "upstream">;

async function applyAfter(world: ConvertWorld, work: Filtering, given: readonly Output[]): Promise<readonly Output[]> {
  let outputs = given;
  for (const spec of work.mission.after) {
    const filter = need(executorOf(world.resolvers, spec), "after", spec);
    const limit = filterLimit(world, spec, work);
    outputs = await inTime(world, spec, limit, filter(outputs, limit));
    check(spec, outputsProblem(outputs));
  }
  return outputs;
}

function filterLimit(world: ConvertWorld, spec: ExecutorSpec, { mission, upstream }: Filtering): FilterLimit {
  const limit = { deadlineMs: deadlineOf(world, spec), settings: spec.settings ?? "" };
  return new FilterLimit(limit, mission.to, upstream.context.traceparent);
}

/** Executors are given the instance whose id the upstream shares. */
function masterOf(world: ConvertWorld, { mission, upstream }: Work): Maybe<Instance | undefined> {
  // A meta that was disabled since has none; what was accepted goes on.
  if (mission.executor.protocol === "auto" || !world.catalog.has(upstream.meta)) return undefined;
  const { master } = world.catalog.meta(upstream.meta).settings;
  return master === undefined ? undefined : world.master(upstream, master);
}

function runConverter(
  world: ConvertWorld,
  { mission, target, upstream, taskId, last }: Work,
  { working, master }: { working: Instance; master: Instance | undefined },
): Maybe<ConvertResult> {
  const spec = mission.executor;
  if (spec.protocol === "auto") return AUTO;
  const converter = need(executorOf(world.resolvers, spec), "convert", spec);
  const material = { from: working, last: last ?? runningResult(target, upstream), master, taskId };
  const limit = { deadlineMs: deadlineOf(world, spec), settings: spec.settings ?? "" };
  const request = new ConvertLimit(limit, material, world.credential);
  const given = inTime(world, spec, request, converter(request));
  world.prompt.learn(spec, !isLater(given));
  const answered = andThen(given, (answer) => {
    check(spec, answerProblem(answer));
    return answer;
  });
  if (world.ran !== undefined && isLater(answered)) {
    tellRun(world, { mission, upstream, startMs: limit.deadlineMs - (spec.timeoutMs ?? world.timeoutMs) }, answered);
  }
  return answered;
}

/** Before anything follows from the answer: whoever is told first, is told of it. */
function tellRun(
  { ran, clock }: ConvertWorld,
  { mission, upstream, startMs }: Filtering & { readonly startMs: number },
  answered: Promise<ConvertResult>,
): void {
  const tell = (code: string | undefined): void => ran?.({ upstream, mission, ms: clock.now() - startMs, code });
  answered.then(
    ({ type }) => tell(type === "environment" || type === "logic" ? `executor.${type}` : undefined),
    (error) => tell(codeOf(error) ?? "processor.failed"),
  );
}

function check({ protocol, url }: ExecutorSpec, problem: Problem): void {
  if (problem === undefined) return;
  throw natureError("executor.logic", `${protocol} ${url} gave no answer of an executor: ${problem}`, {
    details: { protocol, url },
  });
}

function need<K extends keyof Executor>(executor: Executor, role: K, { protocol, url }: ExecutorSpec): NonNullable<Executor[K]> {
  const found = executor[role];
  if (found !== undefined) return found as NonNullable<Executor[K]>;
  const roles = Object.keys(executor).join(" and ");
  throw natureError("executor.logic", `${protocol} ${url} can be used as ${roles}, not as ${role}`, {
    details: { protocol, url },
  });
}
