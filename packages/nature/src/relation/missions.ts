import { natureError } from "../errors.ts";
import type { Instance } from "../instance/instance.ts";
import { paraParts } from "../instance/para.ts";
import { DYNAMIC_PARA } from "../instance/sys-context.ts";
import type { LoadedRelation } from "./loaded.ts";
import type { Mission } from "./mission.ts";
import type { ExecutorSpec } from "./relation.ts";
import { selects } from "./selector.ts";

/** A mission with the moment from which it may be done. */
export interface PlannedMission {
  readonly mission: Mission;
  /** The mission as JSON, if it is at hand. */
  readonly text?: string;
  readonly dueMs: number;
}

/** A relation that matches, but whose mission cannot be made from this instance. */
export interface MissionProblem {
  readonly relation: string;
  readonly error: Error;
}

/** What follows from a stored instance. */
export interface MissionPlan {
  readonly missions: readonly PlannedMission[];
  /** Told to people; the others go on. */
  readonly problems: readonly MissionProblem[];
}

/** The missions of an instance: one for each relation whose selector it meets. @source spec of the workflow model, R-5 to R-9 */
export function planMissions(relations: readonly LoadedRelation[], instance: Instance, nowMs: number): MissionPlan {
  const missions: PlannedMission[] = [];
  const problems: MissionProblem[] = [];
  for (const relation of relations) {
    if (!selects(relation.settings.selector, instance)) continue;
    try {
      missions.push(plan(relation, instance, nowMs));
    } catch (error) {
      problems.push({ relation: `${relation.from} -> ${relation.to.meta}`, error: error as Error });
    }
  }
  return { missions, problems };
}

/** What every instance without an engine's context gets of a relation: the same mission, made once. */
const plain = new WeakMap<LoadedRelation, { readonly mission: Mission; readonly text: string }>();

function plan(relation: LoadedRelation, instance: Instance, nowMs: number): PlannedMission {
  const { settings } = relation;
  const delayMs = delayOf(settings, instance, nowMs);
  const dueMs = nowMs + delayMs;
  for (const _ in instance.sysContext) return { dueMs, mission: missionOf(relation, instance.sysContext, delayMs) };
  if (settings.delayOnPara !== undefined) return { dueMs, mission: missionOf(relation, {}, delayMs) };
  let made = plain.get(relation);
  if (made === undefined) {
    const mission = missionOf(relation, {}, delayMs);
    made = { mission, text: JSON.stringify(mission) };
    plain.set(relation, made);
  }
  return { dueMs, ...made };
}

function missionOf({ to, executor, settings }: LoadedRelation, sysContext: Mission["sysContext"], delayMs: number): Mission {
  const fill = filler(sysContext[DYNAMIC_PARA]);
  return {
    to: to.meta,
    executor: fill(executor),
    before: (settings.before ?? []).map(fill),
    after: (settings.after ?? []).map(fill),
    downSelector: settings.downSelector,
    target: settings.target ?? {},
    useUpstreamId: settings.useUpstreamId ?? false,
    idBridge: settings.idBridge ?? false,
    delayMs,
    sysContext,
  };
}

/** Milliseconds since the Unix epoch. */
const TIME = /^-?\d{1,16}$/;

/** The wait in milliseconds; what is past already is not waited for. */
export function delayOf(
  { delayMs = 0, delayOnPara }: Pick<LoadedRelation["settings"], "delayMs" | "delayOnPara">,
  { para }: Pick<Instance, "para">,
  nowMs: number,
): number {
  if (delayMs > 0 || delayOnPara === undefined) return delayMs;
  const text = paraParts(para)[delayOnPara.part];
  if (text === undefined || !TIME.test(text)) {
    throw natureError("instance.invalid", `part ${delayOnPara.part} of para ${JSON.stringify(para)} is no time in milliseconds`);
  }
  return Math.max(0, Math.round(Number(text) - nowMs) + delayOnPara.extraMs);
}

/** Puts published values into the settings of executors, everywhere they are named. */
function filler(dynamic: string | undefined): (spec: ExecutorSpec) => ExecutorSpec {
  if (dynamic === undefined) return (spec) => spec;
  const pairs = parseDynamic(dynamic);
  return (spec) => {
    if (spec.settings === undefined) return spec;
    return { ...spec, settings: pairs.reduce((text, [name, value]) => text.replaceAll(name, () => value), spec.settings) };
  };
}

/** The pairs in `para.dynamic`. @throws instance.invalid */
export function parseDynamic(text: string): readonly (readonly [string, string])[] {
  let pairs: unknown;
  try {
    pairs = JSON.parse(text);
  } catch {
    pairs = undefined;
  }
  const isPair = (pair: unknown): boolean =>
    Array.isArray(pair) && pair.length === 2 && pair.every((one) => typeof one === "string") && pair[0] !== "";
  if (Array.isArray(pairs) && pairs.every(isPair)) return pairs;
  throw natureError("instance.invalid", `sysContext ${DYNAMIC_PARA} is ${text}, expected JSON like [["(name)","value"]]`);
}
