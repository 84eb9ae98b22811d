import { actorError } from "../errors.ts";
import type { PID, Reason } from "../identity/index.ts";
import type { Process } from "../process/process.ts";
import type { SpawnOptions } from "../runtime/spawn.ts";
import type { ActorShape } from "../runtime/typed.ts";

/** One route: an actor that the router starts, and starts again whenever it ends. */
export interface RouteSpec {
  /** What `routeMessage` and `routeCall` give back for it. The process is not registered under it. */
  readonly name: string;
  readonly actor: new () => ActorShape;
  readonly args?: readonly unknown[];
  readonly options?: Omit<SpawnOptions, "name" | "linkChild" | "linkParent">;
}

/** What a router begins with; `init` gives it. */
export interface RouterSpec {
  /** May be empty: names that are registered on the node are routes as well. */
  readonly routes: readonly RouteSpec[];
}

/** What a route is doing. A `down` one could not be started again; `respawnRoute` tries anew. */
export type RouteState = "running" | "starting" | "down" | "disabled";

/** One route, as data. */
export interface RouteInfo {
  readonly name: string;
  readonly state: RouteState;
  /** Undefined = no process. */
  readonly pid: PID | undefined;
  /** How often it was started again after its end. */
  readonly restarts: number;
}

/** To a router: mail that it could not hand on. The caller of a call has got the error already. */
export class MessageRouteFailed {
  /** The route that was chosen. */
  readonly name: string;
  readonly kind: "message" | "call";
  /** The original sender. */
  readonly from: PID;
  readonly message: unknown;
  readonly reason: Error;

  constructor(name: string, kind: MessageRouteFailed["kind"], from: PID, message: unknown, reason: Error) {
    this.name = name;
    this.kind = kind;
    this.from = from;
    this.message = message;
    this.reason = reason;
  }
}

/** A route as its router keeps it. */
export class Route {
  spec: RouteSpec;
  state: RouteState = "down";
  /** Its process, until the router has seen its end. */
  process: Process | undefined = undefined;
  /** Why it is down. */
  reason: Reason | undefined = undefined;
  /** Settles when the start that is under way has gone one way or the other; never rejects. */
  starting: Promise<void> | undefined = undefined;
  restarts = 0;

  constructor(spec: RouteSpec) {
    this.spec = spec;
  }

  info(): RouteInfo {
    return { name: this.spec.name, state: this.state, pid: this.process?.pid, restarts: this.restarts };
  }
}

const KEYS: readonly string[] = ["name", "actor", "args", "options"];

/** The routes that a router begins with. @throws actor.incorrect */
export function checkedRoutes(spec: RouterSpec): readonly RouteSpec[] {
  if (Array.isArray(spec?.routes) && Object.keys(spec).length === 1) return spec.routes;
  throw actorError("actor.incorrect", "init of a router gives `{ routes: [...] }`, which may be empty, and nothing else");
}

/** @throws actor.incorrect */
export function checkRoute(spec: RouteSpec): void {
  for (const key of Object.keys(spec)) {
    if (!KEYS.includes(key)) throw actorError("actor.incorrect", `a route has no option ${key}; known are ${KEYS.join(", ")}`);
  }
  if (typeof spec.name !== "string" || spec.name === "" || typeof spec.actor !== "function") {
    throw actorError("actor.incorrect", "a route has a name of at least one character and an actor");
  }
}
