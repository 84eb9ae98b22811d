import { actorError } from "../errors.ts";
import { isClean, type PID, type Reason } from "../identity/index.ts";
import type { SpawnOptions } from "../runtime/spawn.ts";
import type { ActorShape } from "../runtime/typed.ts";

/** Which children are restarted with one that ended: only it, all, or it and those after it. Simple = many instances, made on demand. */
export type SupervisorType = "one_for_one" | "all_for_one" | "rest_for_one" | "simple_one_for_one";
/** Which ends lead to a restart: unclean ones, none, or all. */
export type RestartStrategy = "transient" | "temporary" | "permanent";

/** One child, or with simple one-for-one the pattern of many. */
export interface ChildSpec {
  /** The child is registered under it, except with simple one-for-one. */
  readonly name: string;
  readonly actor: new () => ActorShape;
  readonly args?: readonly unknown[];
  readonly options?: Omit<SpawnOptions, "name" | "linkChild" | "linkParent">;
  /** Whether its end without a restart ends the supervisor. Not with permanent, nor with simple one-for-one. @default false */
  readonly significant?: boolean;
}

/** What a supervisor does; `init` gives it. */
export interface SupervisorSpec {
  /** @default "one_for_one" */
  readonly type?: SupervisorType;
  readonly children: readonly ChildSpec[];
  /** @default "transient" */
  readonly strategy?: RestartStrategy;
  /** Restarts allowed within `periodMs`. @default 5 */
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

/** One child, as data. */
export interface ChildInfo {
  readonly spec: string;
  /** Undefined = not running. */
  readonly pid: PID | undefined;
  readonly significant: boolean;
  readonly isDisabled: boolean;
}

const TYPES: readonly string[] = ["one_for_one", "all_for_one", "rest_for_one", "simple_one_for_one"];
const STRATEGIES: readonly string[] = ["transient", "temporary", "permanent"];

/** The specification with its defaults. @throws actor.supervisor_spec, actor.child_duplicate */
export function resolveSupervisorSpec(given: SupervisorSpec): Required<SupervisorSpec> {
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
  if (!TYPES.includes(spec.type)) throw actorError("actor.supervisor_spec", `unknown type ${spec.type}`);
  if (!STRATEGIES.includes(spec.strategy)) throw actorError("actor.supervisor_spec", `unknown strategy ${spec.strategy}`);
  if (!(spec.intensity >= 0) || !(spec.periodMs > 0)) throw actorError("actor.supervisor_spec", "intensity or periodMs is wrong");
  if (spec.children.length === 0) throw actorError("actor.supervisor_spec", "a supervisor needs children");
  const seen = new Set<string>();
  for (const child of spec.children) checkChild(child, seen);
  return spec;
}

/** @throws actor.supervisor_spec, actor.child_duplicate – the name is in `seen` */
export function checkChild(child: ChildSpec, seen: Set<string>): void {
  if (!child.name || typeof child.actor !== "function")
    throw actorError("actor.supervisor_spec", "a child has a name and an actor");
  if (seen.has(child.name)) throw actorError("actor.child_duplicate", `two children are named ${child.name}`);
  seen.add(child.name);
}

/** Whether a child that ended with `reason` is started again. */
export function mustRestart(strategy: RestartStrategy, reason: Reason): boolean {
  return strategy === "permanent" || (strategy === "transient" && !isClean(reason));
}

/** Counts restarts in a sliding window. */
export class Intensity {
  readonly #limit: number;
  readonly #periodMs: number;
  #times: number[] = [];

  constructor(limit: number, periodMs: number) {
    this.#limit = limit;
    this.#periodMs = periodMs;
  }

  /** Counts one; true if that is more than allowed. */
  isExceeded(nowMs: number): boolean {
    this.#times.push(nowMs);
    if (this.#times.length <= this.#limit) return false;
    this.#times = this.#times.filter((time) => nowMs - time <= this.#periodMs);
    return this.#times.length > this.#limit;
  }
}
