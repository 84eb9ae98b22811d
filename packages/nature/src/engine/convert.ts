import type { Clock } from "@metanode/core/clock";
import type { Catalog } from "../catalog/catalog.ts";
import { natureError } from "../errors.ts";
import { answerProblem, instanceProblem, outputsProblem, type Problem } from "../executor/answer.ts";
import type { AfterFilter, ConvertRequest, ConvertResult, Executor, FilterRequest, Output } from "../executor/executor.ts";
import { executorOf, type Resolvers } from "../executor/executors.ts";
import type { Instance } from "../instance/instance.ts";
import type { Mission } from "../relation/mission.ts";
import type { ExecutorSpec } from "../relation/relation.ts";
import { meets } from "../relation/selector.ts";
import { runningResult } from "./loop.ts";
import type { Target } from "./target.ts";

/** What a conversion needs of its surroundings. */
export interface ConvertWorld {
  readonly clock: Clock;
  readonly catalog: Catalog;
  readonly resolvers: Resolvers;
  /** Longest run of an executor whose relation sets no other. */
  readonly timeoutMs: number;
  readonly credential: (taskId: number) => string;
  readonly master: (upstream: Instance, masterMeta: string) => Promise<Instance | undefined>;
  /** Called when the engine stops: ends every run that is under way. */
  readonly stopping: Set<() => void>;
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

/** Runs the executor of a mission with the filters before and after it. @source spec of the workflow model, §4.3 */
export async function convert(world: ConvertWorld, work: Work): Promise<Converted> {
  const { mission, upstream, target, last } = work;
  if (!meets(mission.downSelector, (state) => last?.states.includes(state) ?? false)) {
    return {
      instead: { type: "environment", message: `the last version of ${mission.to} does not meet the relation's downSelector` },
    };
  }
  let working = upstream;
  for (const spec of mission.before) working = await runBefore(world, mission, spec, working);
  const given = await runConverter(world, work, working);
  if (given.type === "none") return { outputs: target.meta.type === "N" ? [{}] : [], working };
  if (given.type !== "instances") return { instead: given };
  return { outputs: await applyAfter(world, mission, given.instances), working };
}

/** The filters after an executor; also for what comes by a callback. */
export async function applyAfter(world: ConvertWorld, mission: Mission, given: readonly Output[]): Promise<readonly Output[]> {
  let outputs = given;
  for (const spec of mission.after) {
    const filter: AfterFilter = need(executorOf(world.resolvers, spec), "after", spec);
    const given = outputs;
    outputs = await limited(world, spec, (limit) => filter(given, filterRequest(mission, spec, limit)));
    check(spec, outputsProblem(outputs));
  }
  return outputs;
}

async function runBefore(world: ConvertWorld, mission: Mission, spec: ExecutorSpec, instance: Instance): Promise<Instance> {
  const filter = need(executorOf(world.resolvers, spec), "before", spec);
  const given = await limited(world, spec, (limit) => filter(instance, filterRequest(mission, spec, limit)));
  check(spec, instanceProblem(given));
  return given;
}

function filterRequest({ to }: Mission, { settings = "" }: ExecutorSpec, limit: Limit): FilterRequest {
  return { settings, to, ...limit };
}

async function runConverter(world: ConvertWorld, work: Work, working: Instance): Promise<ConvertResult> {
  const { mission, target, upstream, taskId } = work;
  const spec = mission.executor;
  if (spec.protocol === "auto") return { type: "instances", instances: [{}] };
  const converter = need(executorOf(world.resolvers, spec), "convert", spec);
  const masterMeta = world.catalog.meta(upstream.meta).settings.master;
  const master = masterMeta === undefined ? undefined : await world.master(upstream, masterMeta);
  const last = work.last ?? runningResult(target, upstream);
  const given = await limited(world, spec, ({ signal, deadlineMs }) => {
    const request: ConvertRequest = {
      from: working,
      last,
      master,
      taskId,
      // Few executors answer later, and making it costs more than most of them do.
      get credential() {
        return world.credential(taskId);
      },
      settings: spec.settings ?? "",
      signal,
      deadlineMs,
    };
    return converter(request);
  });
  check(spec, answerProblem(given));
  return given;
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

/** How long work may take. */
type Limit = Pick<FilterRequest, "signal" | "deadlineMs">;

/** Runs work until its time is up. One that ends at once costs no timer. */
async function limited<T>(world: ConvertWorld, spec: ExecutorSpec, work: (limit: Limit) => T | Promise<T>): Promise<T> {
  const abort = new AbortController();
  const timeoutMs = spec.timeoutMs ?? world.timeoutMs;
  const given = work({ signal: abort.signal, deadlineMs: world.clock.now() + timeoutMs });
  if (!isThenable(given)) return given;
  const { promise: over, reject } = Promise.withResolvers<never>();
  const timer = world.clock.setTimer(timeoutMs, () => {
    reject(natureError("executor.timeout", `${spec.protocol} ${spec.url} did not answer within ${timeoutMs} ms`));
  });
  const stop = (): void => reject(natureError("executor.environment", "the engine stops"));
  world.stopping.add(stop);
  try {
    return await Promise.race([given, over]);
  } catch (error) {
    abort.abort(error);
    throw error;
  } finally {
    timer.cancel();
    world.stopping.delete(stop);
  }
}

/** Functions of other libraries give promises of their own. */
function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
