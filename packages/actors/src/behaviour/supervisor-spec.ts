import { actorError } from "../errors.ts";
import { isClean, type Reason } from "../identity/index.ts";
import type { SpawnOptions } from "../runtime/spawn.ts";
import type { ActorShape } from "../runtime/typed.ts";

/** Which children are restarted with one that ended: only it, all, or it and those after it. Simple = many instances, made on demand. */
export type SupervisorType = "one_for_one" | "all_for_one" | "rest_for_one" | "simple_one_for_one";
/** Which ends lead to a restart: unclean ones, none, or all. */
export type RestartStrategy = "transient" | "temporary" | "permanent";

/** How one child is restarted, where it differs from its siblings; for one-for-one and simple one-for-one only. */
export interface ChildRestart {
  /** @default that of the supervisor */
  readonly strategy?: RestartStrategy;
  /**
   * Restarts of this child allowed within `periodMs`, besides the limit of the supervisor, which counts them too. With simple
   * one-for-one each instance has a count of its own, which its replacement goes on with. @default no limit of its own
   */
  readonly intensity?: number;
  /** Needs `intensity`. @default that of the supervisor */
  readonly periodMs?: number;
  /**
   * What more restarts lead to: the end of the supervisor, or only of this child, which `enableChild` starts again; an
   * instance of simple one-for-one is given up. `disable` needs an `intensity` over 0. @default "terminate"
   */
  readonly onExceed?: "terminate" | "disable";
}

/** One child, or with simple one-for-one the pattern of many. `child` makes one whose arguments are checked. */
export interface ChildSpec {
  /** The child is registered under it, except with simple one-for-one. */
  readonly name: string;
  readonly actor: new () => ActorShape;
  readonly args?: readonly unknown[];
  readonly options?: Omit<SpawnOptions, "name" | "linkChild" | "linkParent">;
  /** Whether its end without a restart ends the supervisor. Not with permanent, nor with simple one-for-one. @default false */
  readonly significant?: boolean;
  readonly restart?: ChildRestart;
}

/** What of a child specification is left to say once its arguments are known. */
type ChildRest<A extends ActorShape> = Omit<ChildSpec, "name" | "actor" | "args"> & { readonly args: Parameters<A["init"]> };

/** A child specification whose arguments are checked against the `init` of its actor. */
export function child<A extends ActorShape>(
  name: string,
  actor: new () => A,
  ...rest: [] extends Parameters<A["init"]> ? [rest?: Partial<ChildRest<A>>] : [rest: ChildRest<A>]
): ChildSpec {
  return { name, actor, ...rest[0] };
}

/** What a supervisor does; `init` gives it. */
export interface SupervisorSpec {
  /** @default "one_for_one" */
  readonly type?: SupervisorType;
  readonly children: readonly ChildSpec[];
  /** @default "transient" */
  readonly strategy?: RestartStrategy;
  /** Restarts allowed within `periodMs`, of all children together; one more ends the supervisor with `actor.exceeded`. @default 5 */
  readonly intensity?: number;
  /** @default 5_000 */
  readonly periodMs?: number;
  /** Stops siblings one after the other, last to first, instead of all at once. @default false */
  readonly keepOrder?: boolean;
  /** Whether the supervisor ends when no child runs and none is to be restarted. Never with simple one-for-one. @default true */
  readonly autoShutdown?: boolean;
  /** Whether `handleChildStart` and `handleChildTerminate` are called. @default false */
  readonly handleChildren?: boolean;
}

const TYPES: readonly string[] = ["one_for_one", "all_for_one", "rest_for_one", "simple_one_for_one"];
const STRATEGIES: readonly string[] = ["transient", "temporary", "permanent"];
const SPEC_KEYS = Object.keys({
  type: true,
  children: true,
  strategy: true,
  intensity: true,
  periodMs: true,
  keepOrder: true,
  autoShutdown: true,
  handleChildren: true,
} satisfies Record<keyof SupervisorSpec, true>);
const CHILD_KEYS = Object.keys({
  name: true,
  actor: true,
  args: true,
  options: true,
  significant: true,
  restart: true,
} satisfies Record<keyof ChildSpec, true>);
const RESTART_KEYS = Object.keys({
  strategy: true,
  intensity: true,
  periodMs: true,
  onExceed: true,
} satisfies Record<keyof ChildRestart, true>);

function refuse(text: string): never {
  throw actorError("actor.supervisor_spec", text);
}

function known(where: string, given: object, keys: readonly string[]): void {
  const wrong = Object.keys(given).find((key) => !keys.includes(key));
  if (wrong !== undefined) refuse(`${where} has no ${wrong}; known are ${keys.join(", ")}`);
}

/** The specification with its defaults. @throws actor.supervisor_spec, actor.child_duplicate */
export function resolveSupervisorSpec(given: SupervisorSpec): Required<SupervisorSpec> {
  if (typeof given !== "object" || given === null) refuse(`init of a supervisor gives its specification, not ${String(given)}`);
  known("the specification", given, SPEC_KEYS);
  const spec: Required<SupervisorSpec> = {
    type: given.type ?? "one_for_one",
    children: given.children,
    strategy: given.strategy ?? "transient",
    intensity: given.intensity ?? 5,
    periodMs: given.periodMs ?? 5_000,
    keepOrder: given.keepOrder ?? false,
    autoShutdown: given.autoShutdown ?? true,
    handleChildren: given.handleChildren ?? false,
  };
  if (!TYPES.includes(spec.type)) refuse(`type is ${spec.type}, expected ${TYPES.join(", ")}`);
  checkRestart("the supervisor", spec);
  if (!Array.isArray(spec.children) || spec.children.length === 0) refuse("a supervisor needs children");
  const seen = new Set<string>();
  for (const each of spec.children) {
    checkChild(each, spec.type, seen);
    seen.add(each.name);
  }
  return Object.freeze(spec);
}

/** @throws actor.supervisor_spec, actor.child_duplicate – the name is in `taken` */
export function checkChild(given: ChildSpec, type: SupervisorType, taken: ReadonlySet<string>): void {
  if (!given?.name || typeof given.name !== "string" || typeof given.actor !== "function") {
    refuse("a child has a name and the class of an actor");
  }
  known(`child ${given.name}`, given, CHILD_KEYS);
  if (taken.has(given.name)) throw actorError("actor.child_duplicate", `two children are named ${given.name}`);
  const { restart } = given;
  if (restart === undefined) return;
  const where = `restart of child ${given.name}`;
  known(where, restart, RESTART_KEYS);
  if (type === "all_for_one" || type === "rest_for_one") refuse(`${where}: a child of ${type} is not restarted by itself`);
  checkRestart(where, restart);
  if (restart.periodMs !== undefined && restart.intensity === undefined) refuse(`${where}: periodMs needs an intensity`);
  const { onExceed } = restart;
  if (onExceed !== undefined && onExceed !== "terminate" && onExceed !== "disable") {
    refuse(`${where}: onExceed is ${onExceed}, expected terminate or disable`);
  }
  if (onExceed === "disable" && !((restart.intensity ?? 0) > 0)) refuse(`${where}: onExceed disable needs an intensity over 0`);
}

function checkRestart(where: string, { strategy, intensity, periodMs }: ChildRestart): void {
  if (strategy !== undefined && !STRATEGIES.includes(strategy)) {
    refuse(`${where}: strategy is ${strategy}, expected ${STRATEGIES.join(", ")}`);
  }
  if (intensity !== undefined && !(Number.isSafeInteger(intensity) && intensity >= 0)) {
    refuse(`${where}: intensity is ${intensity}, expected a whole number of 0 or more`);
  }
  if (periodMs !== undefined && !(periodMs > 0)) refuse(`${where}: periodMs is ${periodMs}, expected more than 0`);
}

/** Whether a child that ended with `reason` is started again. */
export function mustRestart(strategy: RestartStrategy, reason: Reason): boolean {
  return strategy === "permanent" || (strategy === "transient" && !isClean(reason));
}

/** Counts restarts in a sliding window. */
export class Intensity {
  readonly limit: number;
  readonly periodMs: number;
  #times: number[] = [];

  constructor(limit: number, periodMs: number) {
    this.limit = limit;
    this.periodMs = periodMs;
  }

  /** Counts one; true if that is more than allowed. */
  isExceeded(nowMs: number): boolean {
    this.#times.push(nowMs);
    if (this.#times.length <= this.limit) return false;
    this.#times = this.#times.filter((time) => nowMs - time <= this.periodMs);
    return this.#times.length > this.limit;
  }
}
