import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Kernel } from "@metanode/actors";
import { findProcess } from "@metanode/actors/module";
import { coreError, hasCode, type ModuleHealth, type ModuleHost, type NodeModule } from "@metanode/core";
import type {
  Ask,
  ConvertResult,
  Credentials,
  Engine,
  EngineReport,
  HttpExecutors,
  Instance,
  JoinedFlows,
  Locator,
  Registry,
  Resolvers,
  Store,
  StoreReads,
  Task,
} from "@metanode/nature/internal";
import type { NatureValues } from "../config/types.ts";
import { loadFlows } from "./flows.ts";
import { exposeMetrics } from "./metrics.ts";

/*
 * W1. What belongs to workflows is loaded when a node that runs them starts, and no sooner.
 * W2. What the files declare is in force before the first work is done.
 * W3. Stopping: the engine finishes or gives back what it has, then the store closes.
 */

/** Workflows at work, as far as the HTTP face uses them. */
export interface Workflows {
  readonly engine: Engine;
  readonly registry: Registry;
  /** What is stored, for people. */
  readonly reads: StoreReads;
  /** One stored instance, without the client for people's reads. */
  instance(key: Locator): Promise<Instance | undefined>;
  /** The last version of a line. */
  latest(line: Omit<Locator, "version">): Promise<Instance | undefined>;
  /** A task that is not done yet. */
  task(id: number): Promise<Task | undefined>;
  /** The answer of an executor that took its time. @throws task.credential, task.unknown, executor.logic, instance.* */
  callback(taskId: number, credential: string, result: ConvertResult): Promise<void>;
  /** The same for executors of Nature, whose number cannot be guessed. */
  sealedCallback(sealedTaskId: number, result: ConvertResult): Promise<void>;
}

/** What is open. */
interface Means {
  readonly engine: Engine;
  readonly registry: Registry;
  readonly store: Store;
  readonly credentials: Credentials;
}

/** The module that runs workflows. */
export interface WorkflowsModule extends NodeModule {
  /** Lives from the start of the node to its stop. @throws {MetanodeError} node.closed – outside of that */
  readonly workflows: Workflows;
}

/** What workflows need of the gateway around them. */
export interface WorkflowsSurroundings {
  /** The actors of the node, once they run. */
  readonly kernel: () => Kernel;
  /** Where answers that come later are posted, as soon as it is known. */
  readonly callbackUrl: () => string | undefined;
}

/** Builds the module; everything else happens at its start. */
export function workflowsModule(values: NatureValues, surroundings: WorkflowsSurroundings): WorkflowsModule {
  return new HostedWorkflows(values, surroundings);
}

/** The name of the secret of callbacks among the settings that nodes share. */
const SECRET = "callback.secret";
const SECRET_BYTES = 32;
/** Nodes that declare at the same moment, in a row. */
const MAX_CONFLICTS = 20;

type Library = typeof import("@metanode/nature/internal");

class HostedWorkflows implements WorkflowsModule {
  readonly name = "nature";
  readonly #values: NatureValues;
  readonly #surroundings: WorkflowsSurroundings;
  #running: Means | undefined;
  #workflows: Workflows | undefined;
  #http: HttpExecutors | undefined;

  constructor(values: NatureValues, surroundings: WorkflowsSurroundings) {
    this.#values = values;
    this.#surroundings = surroundings;
  }

  get workflows(): Workflows {
    if (this.#workflows === undefined) throw coreError("node.closed", "the workflows of this node are not running");
    return this.#workflows;
  }

  async start(host: ModuleHost): Promise<void> {
    const library = await import("@metanode/nature/internal");
    const flows = await loadFlows(this.#values.flows);
    const store = await this.#openStore(library, host);
    try {
      const registry = await library.openRegistry({
        store,
        clock: host.clock,
        onProblem: ({ what, error }) => host.logger.warn({ err: error, what }, "something that is declared does not fit"),
      });
      await declare(library, registry, flows);
      const secret = await store.setting(SECRET, randomBytes(SECRET_BYTES).toString("base64url"));
      const credentials = library.createCredentials(secret);
      const engine = this.#createEngine(library, { host, store, registry, credentials, flows });
      engine.start();
      this.#running = { engine, registry, store, credentials };
      this.#workflows = faceOf(library, this.#running);
      exposeMetrics(host.metrics, () => this.#running?.engine);
    } catch (error) {
      this.#http?.close();
      await store.close();
      throw error;
    }
  }

  health(): ModuleHealth {
    const { engine, registry } = this.#running ?? {};
    const away = engine?.awaySinceMs;
    if (away !== undefined) {
      const since = new Date(away).toISOString();
      return { status: "failing", reasons: [`the database of workflows is away since ${since}; work goes on when it is back`] };
    }
    const reasons = registry?.catalog.problems.map(({ what, error }) => `${what}: ${error.message}`) ?? [];
    return { status: reasons.length === 0 ? "ok" : "degraded", reasons };
  }

  async drain(graceMs: number): Promise<void> {
    await this.#running?.engine.stop(graceMs);
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    this.#workflows = undefined;
    if (running === undefined) return;
    await running.engine.stop(0);
    running.registry[Symbol.dispose]();
    this.#http?.close();
    await running.store.close();
  }

  #openStore({ openPostgresStore, openSqliteStore }: Library, { clock, folder }: ModuleHost): Promise<Store> {
    const { databaseUrl } = this.#values;
    return databaseUrl === undefined
      ? openSqliteStore({ folder: join(folder, "nature"), clock })
      : openPostgresStore({ url: databaseUrl, clock });
  }

  #createEngine(library: Library, given: Omit<Means, "engine"> & { host: ModuleHost; flows: JoinedFlows }): Engine {
    const { host, store, registry, credentials, flows } = given;
    const { callbackUrl, kernel } = this.#surroundings;
    this.#http = library.createHttpExecutors({ credentials, callbackUrl: () => this.#values.callbackUrl ?? callbackUrl() });
    const resolvers: Resolvers = {
      http: this.#http.http,
      https: this.#http.https,
      local: library.defineExecutors(flows.executors),
      builtin: library.builtIns({ store, resolvers: () => resolvers }),
      processor: library.remoteExecutors("processor", askRouter(host)),
      actor: library.remoteExecutors("actor", askActor(kernel, host)),
    };
    return new library.Engine(
      {
        store,
        catalog: () => registry.catalog,
        resolvers,
        credential: (taskId) => credentials.credential(taskId),
        onReport: (report) => log(host, report),
      },
      { concurrency: this.#values.concurrency, clock: host.clock },
    );
  }
}

function faceOf({ natureError }: Library, { engine, registry, store, credentials }: Means): Workflows {
  return {
    engine,
    registry,
    reads: store.reads,
    instance: async (key) => (await store.load([key]))[0],
    latest: async (line) => (await store.latest([line]))[0],
    task: (id) => store.task(id),
    callback: async (taskId, credential, result) => {
      if (!credentials.verify(taskId, credential)) {
        throw natureError("task.credential", `the credential is not that of task ${taskId}`, { details: { taskId } });
      }
      await engine.callback(taskId, result);
    },
    sealedCallback: (sealed, result) => engine.callback(credentials.open(sealed), result),
  };
}

/** Declares what files declare; what they do not name stays. */
async function declare({ applyChanges, planChanges }: Library, registry: Registry, flows: JoinedFlows): Promise<void> {
  for (let tries = 0; ; tries++) {
    const plan = planChanges(flows, registry.declared);
    if (plan.changes.length === 0) return;
    try {
      await applyChanges(registry, plan);
      return;
    } catch (error) {
      if (!hasCode(error, "state.conflict") || tries >= MAX_CONFLICTS) throw error;
      await registry.refresh();
    }
  }
}

/** Whoever handles messages of a type: a processor, or an actor by what it handles. */
function askRouter({ router }: ModuleHost): Ask {
  return (type, data, { subject, idempotencyKey, traceparent, deadlineMs, signal }) =>
    router.call(
      {
        type,
        data,
        deadline: Math.floor(deadlineMs),
        ...(subject === undefined ? {} : { subject }),
        ...(idempotencyKey === undefined ? {} : { idempotencykey: idempotencyKey }),
        ...(traceparent === undefined ? {} : { traceparent }),
      },
      { signal },
    );
}

/** An actor by its name, or what else names one. */
function askActor(kernel: () => Kernel, { clock }: ModuleHost): Ask {
  return async (target, data, { deadlineMs }) => {
    const timeoutMs = Math.max(1, Math.ceil(deadlineMs - clock.now()));
    return kernel().call(findProcess(kernel(), target), data, { timeoutMs });
  };
}

function log({ logger }: ModuleHost, { kind, text, error }: EngineReport): void {
  const isNoise = kind === "retry" || kind === "lease";
  logger[isNoise ? "info" : "warn"]({ kind, ...(error === undefined ? {} : { err: error }) }, text);
}
