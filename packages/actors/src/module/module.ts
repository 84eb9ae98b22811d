import { hostname } from "node:os";
import { type Clock, coreError, type ModuleHealth, type ModuleHost, type NodeModule, type Timer, wait } from "@metanode/core";
import { codeOf } from "@metanode/core/internal";
import { bareReason, isClean, type Reason } from "../identity/index.ts";
import { createKernel, type Kernel } from "../kernel/kernel.ts";
import type { LogRecord } from "../log/index.ts";
import type { Link } from "../remote/link.ts";
import type { ActorShape } from "../runtime/typed.ts";
import { levelOf, writeRecord } from "./logging.ts";
import { ActorMember } from "./member.ts";
import { exposeMetrics } from "./metrics.ts";
import { NodeActor, type RouterDoor } from "./node-actor.ts";
import { type ActorsOptions, NODE_NAME, type ResolvedActors, resolveActors } from "./options.ts";
import { Root, type RootInfo, RootRecord } from "./root.ts";
import { TreeLinks } from "./tree-links.ts";

/*
 * A1. The roots come before the routes: a message that is taken finds whoever can run.
 * A2. A root that does not come up takes nothing down with it: health says so, and it is tried again.
 * A3. Draining: nothing new is taken, what was taken is answered, then every actor is asked to end.
 */

/** The module that hosts actors. */
export interface ActorsModule extends NodeModule {
  /** Lives from the start of the node to its stop. @throws {MetanodeError} node.closed – outside of that */
  readonly kernel: Kernel;
  /** The configured actors, in their order. */
  roots(): RootInfo[];
  /**
   * Connects with the kernel of another node of the tree, named by its path or id; gives the kernel's name. Mail goes over the links
   * of the tree. When the connection is lost, whoever watches something there is told, and this has to be called again, save for
   * kernels that `nodes` names.
   * @throws actor.no_route – this node is in no tree, or the other one is not found or has no actors; node.unreachable, actor.name_taken
   */
  connect(target: string): Promise<string>;
}

class Actors implements ActorsModule {
  readonly name = "actors";
  readonly #options: ResolvedActors;
  readonly #records: RootRecord[];
  readonly #retries = new Set<Timer>();
  readonly #reports = new Map<string, number>();
  #kernel: Kernel | undefined;
  #links: TreeLinks | undefined;
  #bridge: NodeActor | undefined;
  #clock: Clock | undefined;
  #logger: ModuleHost["logger"] | undefined;
  #journal: ModuleHost["journal"] | undefined;
  #routes: { remove(): void }[] = [];
  #isDraining = false;

  constructor(options: ResolvedActors) {
    this.#options = options;
    const watch = {
      started: (name: string) => this.#note(name),
      ended: (name: string, reason: Reason) => this.#note(name, reason),
      down: (record: RootRecord) => this.#down(record),
    };
    this.#records = options.roots.map((spec) => new RootRecord(spec, watch));
  }

  get kernel(): Kernel {
    if (this.#kernel === undefined) throw coreError("node.closed", "the actors of this node are not running");
    return this.#kernel;
  }

  roots(): RootInfo[] {
    return this.#records.map(({ spec, restarts, lastReason }) => ({
      name: spec.name,
      pid: this.#kernel?.whereIs(spec.name),
      restarts,
      lastReason,
    }));
  }

  async connect(target: string): Promise<string> {
    const { kernel } = this;
    return kernel.connect(await (this.#links as TreeLinks).dial(target));
  }

  async start(host: ModuleHost): Promise<void> {
    this.#clock = host.clock;
    this.#logger = host.logger;
    this.#journal = host.journal;
    const kernel = createKernel({
      name: `${host.node}@${this.#options.host ?? hostname()}`,
      clock: host.clock,
      network: { ...this.#options.network, resolve: (node) => this.#wayTo(node) },
      log: { level: levelOf(host.logger.level), loggers: { node: (record) => this.#log(record) } },
    });
    this.#kernel = kernel;
    kernel.spawn(NodeActor, {
      name: NODE_NAME,
      args: [this.#door(host), (bridge) => (this.#bridge = bridge)],
    });
    try {
      this.#links = new TreeLinks({
        router: host.router,
        maxMessageBytes: host.maxMessageBytes,
        accept: this.#options.acceptNodes ? (link) => kernel.connect(link) : undefined,
        onRefused: (error) => host.logger.warn({ err: error }, "another kernel was not let in"),
      });
      await this.#startApplications(kernel);
      for (const record of this.#records) await this.#startRoot(kernel, record);
      this.#register(host, kernel);
    } catch (error) {
      await this.stop();
      throw error;
    }
    exposeMetrics(host.metrics, {
      kernel: () => this.#kernel,
      roots: () => this.#measured(),
      reports: this.#reports,
      inFlight: () => this.#bridge?.inFlight() ?? 0,
    });
  }

  health(): ModuleHealth {
    const down = this.#records.filter((record) => this.#kernel?.whereIs(record.spec.name) === undefined && !record.isDone);
    const reasons = [...this.#stoppedApplications(), ...down.map(({ complaint }) => complaint)];
    return { status: reasons.length === 0 ? "ok" : "degraded", reasons };
  }

  async drain(graceMs: number): Promise<void> {
    if (this.#kernel === undefined || this.#clock === undefined) return;
    this.#isDraining = true;
    const endMs = this.#clock.now() + graceMs;
    const isIdle = new AbortController();
    const late = wait(this.#clock, graceMs, isIdle.signal).catch(() => undefined);
    await Promise.race([this.#bridge?.idle(), late]);
    isIdle.abort();
    await this.#end(Math.max(0, endMs - this.#clock.now()));
  }

  async stop(): Promise<void> {
    await this.#end(0);
  }

  async #end(graceMs: number): Promise<void> {
    this.#isDraining = true;
    for (const timer of this.#retries) timer.cancel();
    this.#retries.clear();
    await this.#kernel?.stop({ graceMs });
    await this.#links?.close();
    this.#links = undefined;
    for (const route of this.#routes) route.remove();
    this.#routes = [];
    this.#kernel = undefined;
    this.#bridge = undefined;
  }

  #wayTo(node: string): Promise<Link> | undefined {
    const target = this.#options.nodes.get(node);
    return target === undefined ? undefined : this.#links?.dial(target);
  }

  #register(host: ModuleHost, kernel: Kernel): void {
    const ground = {
      whereIs: (name: string) => kernel.whereIs(name),
      bridge: () => this.#bridge,
      isDraining: () => this.#isDraining,
    };
    for (const handle of this.#options.handles) {
      const { actor: _actor, mode: _mode, pass: _pass, ...route } = handle;
      this.#routes.push(host.router.register({ ...route, member: new ActorMember(handle, ground) }));
    }
  }

  #door({ router, logger }: ModuleHost): RouterDoor {
    return {
      call: (init) => router.call(init),
      cast: (init) => router.cast(init),
      send: (init) => router.send(init),
      onLost: (init, error) => logger.warn({ err: error, type: init.type }, "a message of an actor was not handled"),
      onCore: (message) => {
        if (message.kind === "application_started") this.#note(`application:${message.name}`);
        else if (message.kind === "application_stopped") this.#note(`application:${message.name}`, message.reason);
      },
    };
  }

  /** For the journal: what is at the top has started, or has ended for this reason. */
  #note(what: string, reason?: Reason): void {
    if (reason === undefined || isClean(reason)) {
      this.#journal?.add({ kind: "actor", what, type: reason === undefined ? "started" : "ended" });
    } else if (reason === "kill") this.#journal?.add({ kind: "actor", what, type: "killed" });
    else this.#journal?.add({ kind: "actor", what, type: "failed", code: codeOf(bareReason(reason)) ?? "actor.panic" });
  }

  /** An application that is wrong stops the start; one that does not come up takes no other down (A2). */
  async #startApplications(kernel: Kernel): Promise<void> {
    for (const application of this.#options.applications) kernel.loadApplication(application);
    for (const { name } of this.#options.applications) {
      if (kernel.applicationInfo(name).state !== "loaded") continue;
      try {
        await kernel.startApplication(name);
      } catch (error) {
        this.#logger?.error({ err: error, application: name }, `application ${name} did not start`);
      }
    }
  }

  /** Those that are to run and do not. A temporary one may have come to its end. */
  #stoppedApplications(): string[] {
    return this.#options.applications.flatMap(({ name, mode = "temporary" }) => {
      const { state } = this.#kernel?.applicationInfo(name) ?? {};
      return mode === "temporary" || state === "running"
        ? []
        : [`application ${name} is ${state ?? "stopped"}, expected running`];
    });
  }

  async #startRoot(kernel: Kernel, record: RootRecord): Promise<void> {
    try {
      await kernel.spawn(Root, { args: [record] });
    } catch (error) {
      this.#logger?.error({ err: error, actor: record.spec.name }, `actor ${record.spec.name} did not start`);
      record.down(error as Error);
    }
  }

  #down(record: RootRecord): void {
    const { retryMs, restart } = record.spec;
    const { lastReason } = record;
    const isIntended = restart === "temporary" || (lastReason !== undefined && isClean(lastReason));
    if (this.#isDraining || isIntended || retryMs === 0 || this.#clock === undefined) return;
    const timer = this.#clock.setTimer(retryMs, () => {
      this.#retries.delete(timer);
      if (this.#kernel !== undefined && !this.#isDraining) void this.#startRoot(this.#kernel, record);
    });
    this.#retries.add(timer);
  }

  #measured(): { name: string; isUp: boolean; restarts: number; waiting: number }[] {
    return this.roots().map(({ name, pid, restarts }) => {
      const mailbox = pid === undefined ? undefined : this.#kernel?.processInfo(pid).mailbox;
      const waiting = mailbox === undefined ? 0 : mailbox.urgent + mailbox.system + mailbox.main + mailbox.log;
      return { name, isUp: pid !== undefined, restarts, waiting };
    });
  }

  #log(record: LogRecord): void {
    const { report } = record;
    if (report !== undefined) this.#reports.set(report, (this.#reports.get(report) ?? 0) + 1);
    if (this.#logger !== undefined) writeRecord(this.#logger, record);
  }
}

/**
 * The module that hosts actors: a kernel named `<node>@<host>` on the node's clock, with the actors at its top.
 *
 * ```ts
 * const hosted = actors({ roots: { tally: { actor: Tally } }, handles: { "tally.get": "tally" } });
 * await using node = await createNode({ modules: [hosted] });
 * ```
 * @throws {MetanodeError} config.invalid – with the path of what is wrong.
 */
export function actors<R extends Record<string, ActorShape>>(options: ActorsOptions<R> = {}): ActorsModule {
  return new Actors(resolveActors(options as unknown as ActorsOptions<never>));
}
