import { join } from "node:path";
import { coreError, type ModuleHealth, type ModuleHost, type NodeModule, type Timer, traceIdOf } from "@metanode/core";
import type { EngineReport } from "../engine/engine-report.ts";
import { keyOf } from "../instance/instance.ts";
import { type Nature, openNature, openStore } from "../nature/index.ts";
import type { Backlog } from "../store/admin.ts";
import type { Store } from "../store/full-store.ts";
import { InputMember } from "./inputs.ts";
import { exposeMetrics } from "./metrics.ts";
import { type NatureModuleOptions, type ResolvedModule, resolveModule } from "./options.ts";
import { outputRelations } from "./outputs.ts";

/*
 * M1. Routes come after the engine: a message that is taken is stored.
 * M2. Draining: no message is taken any more, what is under way is finished, the rest is given back to the store.
 * M3. Health and metrics never wait for the database longer than its own look: what they say of it may be seconds old.
 */

/** The module that hosts workflows. */
export interface NatureModule extends NodeModule {
  /** Lives from the start of the node to its stop. @throws {MetanodeError} node.closed – outside of that */
  readonly nature: Nature;
  /** Begins to open the store, ahead of the start, which waits for it. A stop lets go of it. */
  prepare(host: Pick<ModuleHost, "folder" | "clock">): void;
}

type Logger = ModuleHost["logger"];

/** What is no fault is told once, what is one loudly. */
const LEVELS: Readonly<Record<EngineReport["kind"], "debug" | "info" | "warn" | "error">> = {
  retry: "info",
  failed: "warn",
  relation: "warn",
  loop: "warn",
  lease: "warn",
  store: "warn",
  hook: "error",
};

/** How often what is waiting is counted for health and metrics. */
const LOOK_MS = 15_000;

class NatureOnNode implements NatureModule {
  readonly name = "nature";
  readonly #options: ResolvedModule;
  #store: Promise<Store> | undefined;
  #nature: Nature | undefined;
  #host: ModuleHost | undefined;
  #routes: { remove(): void }[] = [];
  #backlog: Backlog | undefined;
  #look: Timer | undefined;
  #isDraining = false;

  constructor(options: ResolvedModule) {
    this.#options = options;
  }

  get nature(): Nature {
    if (this.#nature === undefined) throw coreError("node.closed", "the workflows of this node are not running");
    return this.#nature;
  }

  prepare({ folder, clock }: Pick<ModuleHost, "folder" | "clock">): void {
    const { databaseUrl } = this.#options.given;
    this.#store ??= openStore({ clock, ...(databaseUrl === undefined ? { folder: join(folder, "nature") } : { databaseUrl }) });
    this.#store.catch(() => undefined); // the start tells
  }

  async start(host: ModuleHost): Promise<void> {
    this.prepare(host);
    try {
      await this.#start(host);
    } catch (error) {
      await this.#end(0);
      throw error;
    }
  }

  async #start(host: ModuleHost): Promise<void> {
    this.#host = host;
    const { logger, journal } = host;
    const { given, outputs } = this.#options;
    const { inputs: _inputs, outputs: _outputs, maxBacklogAgeMs: _age, databaseUrl: _url, ...rest } = given;
    this.#nature = await openNature({
      ...rest,
      ...(this.#store === undefined ? {} : { store: await this.#store }),
      messages: host.router,
      clock: host.clock,
      moreRelations: outputRelations(outputs),
      onStored: (instance) => {
        const { meta, context } = instance;
        journal.add({ kind: "instance", what: keyOf(instance), type: meta, traceId: traceIdOf(context.traceparent) });
      },
      // What a function of this process answers at once, the instance tells that came of it.
      onRun: ({ upstream, mission: { to, executor }, ms, code }) => {
        const what = `${keyOf(upstream)} -> ${to}`;
        const member = `${executor.protocol}:${executor.url}`;
        journal.add({ kind: "task", what, type: "run", member, traceId: traceIdOf(upstream.context.traceparent), ms, code });
      },
      onReport: (report) => {
        tell(logger, report);
        if (report.failed === undefined) return;
        const { name, upstream, code } = report.failed;
        journal.add({ kind: "task", what: name, type: "failed", traceId: traceIdOf(upstream.context.traceparent), code });
      },
      onProblem: ({ what, error }) => logger.warn({ err: error, what }, `${what} does not fit, and counts as not declared`),
    });
    this.#register(host);
    exposeMetrics(host.metrics, {
      nature: () => this.#nature,
      nowMs: () => host.clock.now(),
      backlog: async () => this.#backlog ?? this.#count(),
    });
    await this.#count();
    this.#lookLater();
  }

  health(): ModuleHealth {
    const nature = this.#nature;
    if (nature === undefined || this.#host === undefined)
      return { status: "failing", reasons: ["the workflows are not running"] };
    const nowMs = this.#host.clock.now();
    const { awaySinceMs } = nature.engine;
    if (awaySinceMs !== undefined) {
      const seconds = Math.round((nowMs - awaySinceMs) / 1_000);
      return { status: "failing", reasons: [`the database has been away for ${seconds} s; work under way is kept`] };
    }
    const reasons = [...this.#complaints(nowMs), ...this.#undeclared(nature)];
    return { status: reasons.length === 0 ? "ok" : "degraded", reasons };
  }

  async drain(graceMs: number): Promise<void> {
    await this.#end(graceMs);
  }

  async stop(): Promise<void> {
    await this.#end(0);
  }

  async #end(graceMs: number): Promise<void> {
    this.#isDraining = true;
    this.#look?.cancel();
    for (const route of this.#routes) route.remove();
    this.#routes = [];
    await this.#nature?.stop(graceMs);
    this.#nature = undefined;
    const store = await this.#store?.catch(() => undefined);
    this.#store = undefined;
    await store?.close();
  }

  #register({ router }: ModuleHost): void {
    const ground = { nature: () => this.#nature, isDraining: () => this.#isDraining };
    for (const [type, spec] of this.#options.inputs) {
      const { inputSchema, description = `An input to ${spec.meta}.` } = spec;
      const route = { type, description, member: new InputMember(spec, ground) };
      this.#routes.push(router.register(inputSchema === undefined ? route : { ...route, inputSchema }));
    }
  }

  #complaints(nowMs: number): string[] {
    const { failed = 0, oldestDueMs } = this.#backlog ?? {};
    const { maxBacklogAgeMs } = this.#options;
    const waitedMs = oldestDueMs === undefined ? 0 : nowMs - oldestDueMs;
    return [
      ...(failed > 0 ? [`${failed} tasks failed; mend what they need and replay them, or drop them`] : []),
      ...(waitedMs > maxBacklogAgeMs ? [`the longest waiting task has been due for ${Math.round(waitedMs / 1_000)} s`] : []),
    ];
  }

  /** Messages for a meta that is not there are refused. */
  #undeclared({ registry }: Nature): string[] {
    const missing = [...this.#options.inputs].filter(([, { meta }]) => !registry.catalog.has(meta));
    return missing.map(([type, { meta }]) => `messages of type ${type} are for ${meta}, which is not declared`);
  }

  #lookLater(): void {
    if (this.#isDraining) return;
    this.#look = this.#host?.clock.setTimer(LOOK_MS, () => {
      void this.#count().then(() => this.#lookLater());
    });
  }

  async #count(): Promise<Backlog | undefined> {
    this.#backlog = await this.#nature?.backlog().catch(() => undefined);
    return this.#backlog;
  }
}

function tell(logger: Logger, { kind, text, error }: EngineReport): void {
  logger[LEVELS[kind]](error === undefined ? { kind } : { kind, err: error }, text);
}

/**
 * The module that hosts workflows: their store in the node's data folder or in PostgreSQL, executors behind the node's messages, messages as
 * inputs, and stored instances as messages.
 *
 * ```ts
 * const hosted = nature({ flows: [shop], inputs: { "order.placed": "B:sale/order:1" }, outputs: { "B:sale/order:1": "order.stored" } });
 * await using node = await createNode({ folder: ".metanode", modules: [hosted] });
 * ```
 * @throws {MetanodeError} config.invalid, meta.syntax – with the path of what is wrong.
 */
export function nature(options: NatureModuleOptions = {}): NatureModule {
  return new NatureOnNode(resolveModule(options));
}
