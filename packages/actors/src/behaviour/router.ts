import { actorError } from "../errors.ts";
import { type AnyCall, PID, type Ref, type RequestOf } from "../identity/index.ts";
import { Envelope, type MessageEvent, MessageExit } from "../mailbox/index.ts";
import { BIND, EXIT, ROUTE, START } from "../process/behaviour.ts";
import type { Process } from "../process/process.ts";
import { handOn, isGone, mailOf, refuseCall } from "../runtime/forward.ts";
import type { Host } from "../runtime/host.ts";
import { watch } from "../runtime/watch.ts";
import { Actor } from "./actor.ts";
import {
  checkedRoutes,
  checkRoute,
  MessageRouteFailed,
  Route,
  type RouteInfo,
  type RouterSpec,
  type RouteSpec,
} from "./route.ts";

/** The name of a route, or a promise of one; nothing or an empty name discards the mail. */
export type RouteChoice = string | undefined | Promise<string | undefined>;

/**
 * The base of routers: actors that choose for each message and each request who gets it, and hand it on with its original
 * sender, whom the receiver answers itself. A name means a route of the router's own, else a process registered under it on
 * this node. Mail of priority `high` and `max`, events, and answers to what the router has asked are for the router itself.
 *
 * A discarded message is gone; the caller of a discarded request gets `actor.discarded`. Mail that cannot be handed on comes
 * to {@link Actor.handleMessage} as {@link MessageRouteFailed}, and the caller of a request gets the reason.
 *
 *  T1. A route that is not disabled has one process: it is started again as soon as its end is seen, with the same
 *      arguments and without a limit. Only one whose start fails stays down.
 *  T2. What is taken off the table, disabled or replaced handles the mail it has before it ends with `shutdown`.
 *  T3. Mail for a route that is being started waits for it; nothing else is routed meanwhile.
 *  T4. The exit of each process that the router has started is seen once and is no exit for the router.
 */
export abstract class Router<Messages = unknown, Calls extends AnyCall = never> extends Actor<Messages, Calls> {
  #process!: Process;
  #host!: Host;
  readonly #routes = new Map<string, Route>();
  /** Processes of routes that have another one, or none, by now; their exits are still to come. */
  readonly #former = new Set<PID>();
  #forwarded = 0;
  #discarded = 0;
  #failed = 0;

  /** Gives the routes to begin with. */
  abstract override init(...args: never[]): RouterSpec;

  /** Chooses for a message. A throw ends the router, as in any callback. */
  routeMessage(from: PID, message: Messages): RouteChoice {
    this.#unrouted("message", from, message);
    return undefined;
  }

  /** Chooses for a request. */
  routeCall(from: PID, _ref: Ref, request: RequestOf<Calls>): RouteChoice {
    this.#unrouted("call", from, request);
    return undefined;
  }

  /** Tells how the router does, for people. */
  override handleInspect(_from: PID, _items: readonly string[]): ReturnType<Actor["handleInspect"]> {
    const routes = this.routes().map(({ name, state, restarts }) => [`route_${name}`, `${state}, ${restarts} restarts`]);
    return {
      routes: String(this.#routes.size),
      messages_forwarded: String(this.#forwarded),
      messages_discarded: String(this.#discarded),
      messages_failed: String(this.#failed),
      ...Object.fromEntries(routes),
    };
  }

  /** The router's own routes, in the order of their addition. */
  routes(): RouteInfo[] {
    return [...this.#routes.values()].map((route) => route.info());
  }

  /** Adds a route and starts it. @throws actor.route_duplicate, actor.incorrect, and what the start throws: there is no route then */
  addRoute(spec: RouteSpec): PID | Promise<PID> {
    checkRoute(spec);
    if (this.#routes.has(spec.name)) throw actorError("actor.route_duplicate", `there is a route ${spec.name} already`);
    const route = new Route(spec);
    this.#routes.set(spec.name, route);
    const remove = (error: unknown): never => {
      this.#routes.delete(spec.name);
      throw error;
    };
    try {
      const started = this.#start(route);
      return started instanceof Promise ? started.catch(remove) : started;
    } catch (error) {
      return remove(error);
    }
  }

  /** Takes a route off the table. @throws actor.route_unknown, actor.busy */
  removeRoute(name: string): void {
    const route = this.#idle(name);
    this.#routes.delete(name);
    this.#letGo(route);
  }

  /**
   * Gives a route another actor; the new process has started before the old one gets no more. The old one stays if the new
   * one does not start. @throws actor.route_unknown, actor.busy, actor.incorrect, and what the start throws
   */
  replaceRoute(spec: RouteSpec): PID | Promise<PID> | undefined {
    checkRoute(spec);
    const route = this.#idle(spec.name);
    if (route.state === "disabled") {
      route.spec = spec;
      return undefined;
    }
    return this.#start(route, spec);
  }

  /** Ends a route and keeps it from being used or started. Nothing happens if it is disabled. @throws actor.route_unknown, actor.busy */
  disableRoute(name: string): void {
    const route = this.#idle(name);
    route.state = "disabled";
    this.#letGo(route);
  }

  /** The opposite of {@link disableRoute}; starts the route. @throws actor.route_unknown, and what the start throws */
  enableRoute(name: string): PID | Promise<PID> | undefined {
    const route = this.#route(name);
    if (route.state !== "disabled") return undefined;
    route.state = "down";
    return this.#start(route);
  }

  /** Starts a route that is down. @throws actor.route_unknown, actor.route_running, actor.disabled, actor.busy, and what the start throws */
  respawnRoute(name: string): PID | Promise<PID> {
    const route = this.#idle(name);
    if (route.state === "disabled") throw actorError("actor.disabled", `route ${name} is disabled; enable it instead`);
    if (!isGone(route.process)) throw actorError("actor.route_running", `route ${name} runs already`);
    return this.#start(route);
  }

  override [BIND](process: Process, host: Host): void {
    super[BIND](process, host);
    this.#process = process;
    this.#host = host;
    process.isRouting = true;
  }

  override [START](args: readonly unknown[]): unknown {
    const starting: Promise<PID>[] = [];
    for (const spec of checkedRoutes(super[START](args) as RouterSpec)) {
      const started = this.addRoute(spec);
      if (started instanceof PID) continue;
      started.catch(nothing); // one that fails after another has failed
      starting.push(started);
    }
    return starting.length === 0 ? undefined : Promise.all(starting).then(nothing);
  }

  override [EXIT](exit: MessageExit): unknown {
    if (exit.kind !== "pid") return super[EXIT](exit);
    if (this.#former.delete(exit.target as PID)) return undefined;
    const ended = [...this.#routes.values()].find(({ process }) => process?.pid === exit.target);
    if (ended === undefined) return super[EXIT](exit);
    ended.process = undefined;
    if (ended.state === "running") this.#revive(ended);
    return undefined;
  }

  [ROUTE](from: PID | undefined, payload: unknown): unknown {
    const { kind, from: sender, message } = mailOf(from, payload);
    if (kind === "event") return this.handleEvent(message as MessageEvent);
    const chosen =
      kind === "call"
        ? this.routeCall(sender, (payload as Envelope).ref as Ref, message as RequestOf<Calls>)
        : this.routeMessage(sender, message as Messages);
    if (chosen instanceof Promise) return chosen.then((name) => this.#forward(name, from, payload));
    return this.#forward(chosen, from, payload);
  }

  #forward(name: string | undefined, from: PID | undefined, payload: unknown): unknown {
    if (name === undefined || name === "") {
      this.#discarded++;
      refuseCall(this.#host.tables, from, payload, actorError("actor.discarded"));
      return undefined;
    }
    const route = this.#routes.get(name);
    if (route?.state === "running" && isGone(route.process)) this.#revive(route);
    if (route?.state === "starting") return route.starting?.then(() => this.#forward(name, from, payload));
    const target = this.#target(name, route);
    if (target instanceof Error) return this.#fail(name, from, payload, target);
    if (!handOn(this.#process, target, from, payload)) {
      return this.#fail(name, from, payload, actorError("actor.mailbox_full", `the mailbox of ${name} is full`));
    }
    this.#forwarded++;
    return undefined;
  }

  #target(name: string, route: Route | undefined): Process | Error {
    if (route?.state === "disabled") return actorError("actor.disabled", `route ${name} is disabled`);
    if (route !== undefined) {
      return route.process ?? actorError("actor.process_terminated", `route ${name} is down`, { cause: route.reason });
    }
    const named = this.#host.tables.names.get(name)?.process;
    if (named === this.#process) return actorError("actor.not_allowed", `the router chose itself: ${name}`);
    return named !== undefined && !isGone(named) ? named : actorError("actor.route_unknown", `nothing is called ${name}`);
  }

  #fail(name: string, from: PID | undefined, payload: unknown, reason: Error): unknown {
    this.#failed++;
    refuseCall(this.#host.tables, from, payload, reason);
    const { kind, from: sender, message } = mailOf(from, payload);
    const failed = new MessageRouteFailed(name, kind === "call" ? "call" : "message", sender, message, reason);
    return this.handleMessage(this.#process.pid, failed as Messages);
  }

  /** Starts a route again whose process is gone. */
  #revive(route: Route): void {
    if (route.process !== undefined) this.#former.add(route.process.pid);
    route.process = undefined;
    route.state = "down";
    const done = (): void => {
      route.restarts++;
    };
    const fail = (error: unknown): void => {
      route.reason = error as Error;
      this.log.error(`route ${route.spec.name} could not be started again`, { error });
    };
    try {
      const started = this.#start(route);
      if (started instanceof Promise) void started.then(done, fail);
      else done();
    } catch (error) {
      fail(error);
    }
  }

  /** Starts a process by `spec`, which takes the place of the one that the route has. */
  #start(route: Route, spec = route.spec): PID | Promise<PID> {
    const before = route.state;
    const options = { ...spec.options, args: spec.args ?? [], linkParent: true };
    const given = this.spawn(spec.actor, options as never) as PID | Promise<PID>;
    if (given instanceof PID) return this.#started(route, spec, given);
    const settled = given.then(
      (pid) => this.#started(route, spec, pid),
      (error: unknown) => {
        route.state = before;
        route.starting = undefined;
        throw error;
      },
    );
    route.state = "starting";
    route.starting = settled.then(nothing, nothing);
    return settled;
  }

  #started(route: Route, spec: RouteSpec, pid: PID): PID {
    this.#letGo(route);
    route.spec = spec;
    route.state = "running";
    route.reason = undefined;
    route.starting = undefined;
    route.process = this.#host.tables.byPid(pid);
    if (route.process !== undefined) watch(this.#host.tables, this.#process, "link", pid);
    return pid;
  }

  /** Parts a route from its process, which ends when it has handled the mail it has. */
  #letGo(route: Route): void {
    const { process } = route;
    if (process === undefined) return;
    const self = this.#process.pid;
    route.process = undefined;
    this.#former.add(process.pid);
    if (!isGone(process)) process.endAfterMail(new Envelope("exit", self, new MessageExit("pid", self, "shutdown")));
  }

  #route(name: string): Route {
    const route = this.#routes.get(name);
    if (route === undefined) throw actorError("actor.route_unknown", `the router has no route ${name}`);
    return route;
  }

  /** A route that nothing is being done to. */
  #idle(name: string): Route {
    const route = this.#route(name);
    if (route.state === "starting") throw actorError("actor.busy", `route ${name} is being started`);
    return route;
  }

  #unrouted(what: string, from: PID, error: unknown): void {
    const text = `no route for a ${what} from ${from}`;
    this.#host.tables.report({ kind: "unhandled", pid: this.#process.pid, text, error });
  }
}

function nothing(): void {
  // Whoever asked for the start hears of its outcome.
}
