import { actorError } from "../errors.ts";
import type { Host } from "../runtime/host.ts";
import type { Tables } from "../runtime/tables.ts";
import { Application, type StartApplicationOptions, type StopApplicationOptions } from "./application.ts";
import { type ApplicationInfo, applicationInfo } from "./info.ts";
import { type ApplicationSpec, checkApplication } from "./spec.ts";

/** The applications of one kernel. */
export class Applications {
  readonly #tables: Tables;
  readonly #host: Host;
  readonly #loaded = new Map<string, Application>();
  /** In the order in which they were started, dependencies before those that depend on them. */
  #started: Application[] = [];
  #isClosed = false;

  constructor(tables: Tables, host: Host) {
    this.#tables = tables;
    this.#host = host;
  }

  /** @throws actor.application_spec, actor.application_taken, actor.incorrect, actor.not_allowed */
  load(spec: ApplicationSpec): void {
    this.#open();
    checkApplication(spec);
    const { name } = spec;
    if (this.#loaded.has(name)) throw actorError("actor.application_taken", `application ${name} is loaded already`);
    this.#loaded.set(name, new Application(this.#tables, this.#host, spec));
  }

  /** @throws actor.application_unknown, actor.application_running – it does not stand still */
  unload(name: string): void {
    const { state } = this.get(name);
    if (state !== "loaded") throw actorError("actor.application_running", `application ${name} is ${state}; stop it first`);
    this.#loaded.delete(name);
  }

  /**
   * Starts what it depends on, then itself.
   * @throws actor.application_unknown, actor.application_depends, and what {@link Application.start} throws
   */
  async start(name: string, options: StartApplicationOptions = {}): Promise<void> {
    this.#open();
    const application = this.get(name);
    await application.start(options, async () => {
      this.#checkDependencies(application, [], new Set());
      await this.#startDependencies(application);
      this.#started = [...this.#started.filter((other) => other !== application), application];
    });
  }

  async stop(name: string, options?: StopApplicationOptions): Promise<void> {
    await this.get(name).stop(options);
  }

  /** @throws actor.application_unknown */
  info(name: string): ApplicationInfo {
    return applicationInfo(this.#tables, this.get(name));
  }

  /** In the order of their loading. */
  list(): ApplicationInfo[] {
    return [...this.#loaded.values()].map((application) => applicationInfo(this.#tables, application));
  }

  /** Whether one of them does not stand still. */
  get isBusy(): boolean {
    return [...this.#loaded.values()].some(({ state }) => state !== "loaded");
  }

  /** Starts none from now on, and stops all, the last started first, each for at most `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    // What still waits for its dependencies stands in no order, and goes first.
    const waiting = [...this.#loaded.values()].filter((application) => !this.#started.includes(application));
    for (const application of [...waiting, ...this.#started.toReversed()]) {
      try {
        await application.stop({ timeoutMs });
      } catch (error) {
        application.log.warning("the application did not end before the kernel", { error });
      }
    }
  }

  get(name: string): Application {
    const application = this.#loaded.get(name);
    if (application === undefined) throw actorError("actor.application_unknown", `no application ${name} is loaded`);
    return application;
  }

  async #startDependencies({ name, spec }: Application): Promise<void> {
    for (const other of spec.dependsOn ?? []) {
      const dependency = this.get(other);
      if (dependency.state === "running") continue;
      try {
        await (dependency.state === "initializing" ? dependency.starting : this.start(other));
      } catch (error) {
        throw depends(`application ${name} depends on ${other}, which did not start`, error);
      }
    }
  }

  /** Walks everything that would be started. @throws actor.application_depends – not loaded, or a circle */
  #checkDependencies({ name, spec }: Application, path: readonly string[], seen: Set<string>): void {
    if (path.includes(name)) throw depends(`applications depend on each other in a circle: ${[...path, name].join(", ")}`);
    if (seen.has(name)) return;
    seen.add(name);
    for (const other of spec.dependsOn ?? []) {
      const dependency = this.#loaded.get(other);
      if (dependency === undefined) throw depends(`application ${name} depends on ${other}, which is not loaded`);
      if (dependency.state !== "running") this.#checkDependencies(dependency, [...path, name], seen);
    }
  }

  #open(): void {
    if (this.#isClosed || this.#tables.state !== "running") throw actorError("actor.node_terminated");
  }
}

function depends(message: string, cause?: unknown): Error {
  return actorError("actor.application_depends", message, cause === undefined ? {} : { cause });
}
