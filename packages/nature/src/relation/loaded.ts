import { intWithin, rejectUnknownKeys } from "@metanode/core/internal";
import { natureError } from "../errors.ts";
import type { LoadedMeta } from "../meta/meta.ts";
import { canonicalMeta, type MetaString } from "../meta/meta-string.ts";
import { optionalFlag, optionalList, optionalObject, optionalText, optionalTexts } from "../shape.ts";
import type { Condition, ExecutorSpec, Protocol, Relation, RelationSettings } from "./relation.ts";

/** A relation that fits its metas. */
export interface LoadedRelation {
  readonly from: MetaString;
  readonly to: LoadedMeta;
  readonly settings: RelationSettings;
  /** `auto` where the relation names none. */
  readonly executor: ExecutorSpec;
}

const SETTINGS = [
  "description",
  "selector",
  "downSelector",
  "executor",
  "before",
  "after",
  "useUpstreamId",
  "target",
  "delayMs",
  "delayOnPara",
  "idBridge",
];
const PROTOCOLS: readonly Protocol[] = ["http", "https", "local", "builtin", "processor", "actor", "stream"];
const AUTO: ExecutorSpec = Object.freeze({ protocol: "auto", url: "" });

/**
 * Checks a relation against its metas.
 * @throws relation.invalid; instance.state – the target has no such state; config.invalid – an unknown setting, or a wrong value
 * @source spec of the workflow model, R-1 to R-4
 */
export function loadRelation(given: Pick<Relation, "from" | "settings">, from: LoadedMeta, to: LoadedMeta): LoadedRelation {
  const where = `relation ${from.meta} -> ${to.meta}`;
  const settings = withoutNulls((optionalObject(where, given.settings) ?? {}) as RelationSettings);
  rejectUnknownKeys(where, settings, SETTINGS);
  if (from.type === "M" || from.type === "L") throw invalid(where, `nothing leaves a meta of type ${from.type}`);
  optionalText(`${where}.description`, settings.description);
  optionalFlag(`${where}.useUpstreamId`, settings.useUpstreamId);
  optionalFlag(`${where}.idBridge`, settings.idBridge);
  const { selector = {}, target = {} } = settings;
  rejectUnknownKeys(`${where}.selector`, optionalObject(`${where}.selector`, selector) ?? {}, [
    "context",
    "sysContext",
    "states",
  ]);
  checkCondition(`${where}.selector.context`, selector.context);
  checkCondition(`${where}.selector.sysContext`, selector.sysContext);
  checkCondition(`${where}.selector.states`, selector.states);
  checkStates(where, "selector.states", selector.states, from);
  checkCondition(`${where}.downSelector`, settings.downSelector);
  checkStates(where, "downSelector", settings.downSelector, to);
  checkTarget(where, target, to);
  checkDelays(where, settings);
  for (const [path, spec] of executors(where, settings)) checkExecutor(path, spec);
  return { from: canonicalMeta(given.from), to, settings, executor: settings.executor ?? AUTO };
}

/** In JSON, null is another way to leave something out. */
function withoutNulls<T extends object>(given: T): T {
  const kept = Object.entries(given).filter(([, value]) => value !== null);
  const isObject = (value: unknown): value is object => typeof value === "object" && !Array.isArray(value);
  return Object.fromEntries(kept.map(([name, value]) => [name, isObject(value) ? withoutNulls(value) : value])) as T;
}

function checkTarget(where: string, given: NonNullable<RelationSettings["target"]>, to: LoadedMeta): void {
  const path = `${where}.target`;
  rejectUnknownKeys(path, optionalObject(path, given) ?? {}, ["addStates", "removeStates", "appendPara", "dynamicPara"]);
  const addStates = optionalTexts(`${path}.addStates`, given.addStates) ?? [];
  const removeStates = optionalTexts(`${path}.removeStates`, given.removeStates) ?? [];
  const appendPara = optionalList(`${path}.appendPara`, given.appendPara) ?? [];
  const dynamicPara = optionalText(`${path}.dynamicPara`, given.dynamicPara);
  if (addStates.length + removeStates.length > 0 && !to.isStateful)
    throw invalid(where, `${to.meta} has no states to add or remove`);
  const { conflicts } = to.states.resolve(addStates);
  if (conflicts.length > 0)
    throw invalid(where, `target.addStates names ${addStates.join(" and ")}, of which some exclude each other`);
  to.states.resolve(removeStates);
  for (const [at, index] of appendPara.entries()) intWithin(`${path}.appendPara[${at}]`, index, 0, 255);
  if (dynamicPara === "") throw invalid(where, "target.dynamicPara is empty: it would replace every place between two letters");
}

function checkDelays(where: string, { delayMs, delayOnPara }: RelationSettings): void {
  if (delayMs !== undefined) intWithin(`${where}.delayMs`, delayMs, 0);
  if (delayOnPara === undefined) return;
  rejectUnknownKeys(`${where}.delayOnPara`, optionalObject(`${where}.delayOnPara`, delayOnPara) ?? {}, ["extraMs", "part"]);
  intWithin(`${where}.delayOnPara.extraMs`, delayOnPara.extraMs, 0);
  intWithin(`${where}.delayOnPara.part`, delayOnPara.part, 0, 255);
}

function checkCondition(path: string, condition: Condition | undefined): void {
  const given = optionalObject(path, condition) ?? {};
  rejectUnknownKeys(path, given, ["none", "all", "any"]);
  for (const set of ["none", "all", "any"]) optionalTexts(`${path}.${set}`, given[set]);
}

/** A condition on a state that the meta does not have would never, or always, be met. */
function checkStates(where: string, path: string, condition: Condition | undefined, meta: LoadedMeta): void {
  const names = [...(condition?.none ?? []), ...(condition?.all ?? []), ...(condition?.any ?? [])];
  if (names.length > 0 && !meta.isStateful) throw invalid(where, `${path} asks for states, which ${meta.meta} does not have`);
  meta.states.resolve(names);
}

function* executors(where: string, { executor, before, after }: RelationSettings): Generator<[string, unknown]> {
  if (executor !== undefined) yield [`${where}.executor`, executor];
  for (const [name, list] of Object.entries({ before, after })) {
    const specs = optionalList(`${where}.${name}`, list) ?? [];
    for (const [at, spec] of specs.entries()) yield [`${where}.${name}[${at}]`, spec];
  }
}

/** Checks who does the work. @throws relation.invalid, config.invalid */
export function checkExecutor(path: string, given: unknown): asserts given is ExecutorSpec {
  const spec = optionalObject(path, given) as ExecutorSpec | undefined;
  if (spec === undefined) throw invalid(path, "is null, expected { protocol, url }");
  rejectUnknownKeys(path, spec, ["protocol", "url", "settings", "timeoutMs"]);
  if (!PROTOCOLS.includes(spec.protocol)) {
    const hint = spec.protocol === "auto" ? "; leave the executor out for it" : "";
    throw invalid(path, `the protocol is ${JSON.stringify(spec.protocol)}, expected one of ${PROTOCOLS.join(", ")}${hint}`);
  }
  if (typeof spec.url !== "string" || spec.url === "") throw invalid(path, "the url is empty");
  const isHttp = spec.protocol === "http" || spec.protocol === "https";
  if (isHttp && URL.parse(spec.url)?.protocol !== `${spec.protocol}:`) {
    throw invalid(path, `the url is ${JSON.stringify(spec.url)}, expected ${spec.protocol}://…`);
  }
  optionalText(`${path}.settings`, spec.settings);
  if (spec.timeoutMs !== undefined) intWithin(`${path}.timeoutMs`, spec.timeoutMs, 1);
}

function invalid(where: string, what: string): Error {
  return natureError("relation.invalid", `${where}: ${what}`, { details: { path: where } });
}
