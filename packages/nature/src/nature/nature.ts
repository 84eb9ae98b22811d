import { randomBytes } from "node:crypto";
import { hasCode } from "@metanode/core/errors";
import { builtIns } from "../builtin/built-ins.ts";
import { joinFlows } from "../declare/index.ts";
import { planChanges } from "../declare/plan.ts";
import { Engine } from "../engine/engine.ts";
import type { FlowResult, WaitOptions } from "../engine/flows.ts";
import type { InputOptions, InputResult } from "../engine/inputs.ts";
import { natureError } from "../errors.ts";
import { type Credentials, createCredentials } from "../executor/credentials.ts";
import type { ConvertResult, SelfRouteConverter } from "../executor/executor.ts";
import type { Resolvers } from "../executor/executors.ts";
import { createHttpExecutors, type HttpExecutors } from "../executor/http.ts";
import { defineExecutors } from "../executor/local.ts";
import { messageExecutors } from "../executor/messages.ts";
import type { Instance, InstanceInput, Locator } from "../instance/instance.ts";
import { applyChanges, openRegistry, type Registry } from "../registry/index.ts";
import type { Backlog } from "../store/admin.ts";
import type { Store } from "../store/full-store.ts";
import type { StoreReads } from "../store/reads.ts";
import type { Task } from "../store/store.ts";
import { type NatureOptions, type ResolvedNatureOptions, resolveNatureOptions } from "./options.ts";
import { Retention } from "./retention.ts";

const SECRET_SETTING = "callback_secret";
/** Nodes that start at the same moment with other flows, after which a start gives up. */
const MAX_STARTS = 20;

/** Everything that is open. */
interface Means {
  readonly options: ResolvedNatureOptions;
  readonly store: Store;
  readonly registry: Registry;
  readonly credentials: Credentials;
  readonly http: HttpExecutors;
}

/**
 * Workflows at work: what is declared, the intake, the engine behind it, and reads. Made by {@link openNature}; leaving the block of
 * `await using` stops it.
 */
export class Nature implements AsyncDisposable {
  /** What is declared; edits take effect at once. */
  readonly registry: Registry;
  /** What is stored, for people. */
  readonly reads: StoreReads;
  /** What does the work, with its counters. */
  readonly engine: Engine;
  readonly #means: Means;
  readonly #retention: Retention;
  #stopping: Promise<void> | undefined;

  /** Use {@link openNature}. */
  constructor(means: Means, resolvers: Resolvers) {
    const { options, store, registry, credentials } = means;
    this.#means = means;
    this.registry = registry;
    this.reads = store.reads;
    const { onReport, onStored, onRun, moreRelations, fault, clock } = options;
    this.engine = new Engine(
      {
        store,
        catalog: () => registry.catalog,
        resolvers,
        credential: (taskId) => credentials.credential(taskId),
        ...(onReport === undefined ? {} : { onReport }),
        ...(onStored === undefined ? {} : { onStored }),
        ...(onRun === undefined ? {} : { onRun }),
        ...(moreRelations === undefined ? {} : { moreRelations }),
        ...(fault === undefined ? {} : { fault }),
      },
      { ...options.engine, clock },
    );
    const onError = (error: unknown): void => onReport?.({ kind: "store", text: "old instances could not be removed", error });
    const { retentionPollMs: pollMs } = options;
    this.#retention = new Retention({ store, catalog: () => registry.catalog, clock, pollMs, onError });
    this.engine.start();
    this.#retention.start();
  }

  /** Puts an instance in. @throws as {@link Engine.input} */
  input(input: InstanceInput, options?: Pick<InputOptions, "origin">): Promise<InputResult> {
    return this.engine.input(input, options);
  }

  /** Puts instances in, all or none. @throws as {@link Engine.input} */
  inputMany(inputs: readonly InstanceInput[]): Promise<InputResult[]> {
    return this.engine.inputMany(inputs);
  }

  /** Puts an instance in, and waits for what comes of it. @throws as {@link Engine.input} */
  inputAndWait(input: InstanceInput, options: WaitOptions): Promise<{ input: InputResult; flow: FlowResult }> {
    return this.engine.inputAndWait(input, options);
  }

  /** Waits for what comes of an instance. */
  waitFor(instance: Locator, options: WaitOptions): Promise<FlowResult> {
    return this.engine.waitFor(instance, options);
  }

  /** Puts an instance of a D meta in that carries its own ways on. @throws as {@link Engine.selfRoute} */
  selfRoute(input: InstanceInput, converters: readonly SelfRouteConverter[]): Promise<InputResult> {
    return this.engine.selfRoute(input, converters);
  }

  /** One stored instance, without the client for people's reads. @throws store.unavailable */
  async instance(key: Locator): Promise<Instance | undefined> {
    return (await this.#means.store.load([key]))[0];
  }

  /** The last version of a line. @throws store.unavailable */
  async latest(line: Omit<Locator, "version">): Promise<Instance | undefined> {
    return (await this.#means.store.latest([line]))[0];
  }

  /** A task that is not done yet. @throws store.unavailable */
  task(id: number): Promise<Task | undefined> {
    return this.#means.store.task(id);
  }

  /**
   * The answer of an executor that took its time.
   * @param credential – what it was given with its task
   * @throws task.credential; task.unknown – it is done, or gone; executor.logic, instance.* – the answer does not fit
   */
  async callback(taskId: number, credential: string, result: ConvertResult): Promise<void> {
    if (!this.#means.credentials.verify(taskId, credential)) {
      throw natureError("task.credential", `the credential is not that of task ${taskId}`, { details: { taskId } });
    }
    await this.engine.callback(taskId, result);
  }

  /** The same for executors of Nature, which have nothing but the number that they were given: it cannot be guessed. */
  async sealedCallback(sealedTaskId: number, result: ConvertResult): Promise<void> {
    await this.engine.callback(this.#means.credentials.open(sealedTaskId), result);
  }

  /** What is waiting. @throws store.unavailable */
  backlog(): Promise<Backlog> {
    return this.engine.backlog();
  }

  /** Removes what is older than its meta allows, now; how many. @throws store.unavailable */
  removeOld(): Promise<number> {
    return this.#retention.sweep();
  }

  /**
   * Takes nothing new, finishes what is under way for at most `graceMs`, and closes what it opened. Idempotent.
   * @param graceMs @default 10_000
   */
  stop(graceMs = 10_000): Promise<void> {
    this.#stopping ??= this.#stop(graceMs);
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(graceMs: number): Promise<void> {
    const { options, store, registry, http } = this.#means;
    await this.engine.stop(graceMs);
    await this.#retention.stop();
    registry[Symbol.dispose]();
    http.close();
    if (options.store === undefined) await store.close();
  }
}

/**
 * Opens workflows: their store, what is declared, and an engine that begins to work.
 *
 * ```ts
 * await using nature = await openNature({ folder: "data", flows: [shop] });
 * await nature.input({ meta: shop.names.order, content: JSON.stringify(order) });
 * ```
 * @throws config.invalid; node.data_in_use, store.unavailable, store.unusable – the store cannot be had; and what does not fit of the flows
 */
export async function openNature(given: NatureOptions): Promise<Nature> {
  const options = resolveNatureOptions(given);
  const flows = joinFlows(...(options.flows ?? []));
  const local = defineExecutors({ ...options.executors, ...flows.executors });
  const store = options.store ?? (await openStore(options));
  let registry: Registry | undefined;
  let http: HttpExecutors | undefined;
  try {
    const { clock, onProblem } = options;
    registry = await openRegistry({ store, clock, ...(onProblem === undefined ? {} : { onProblem }) });
    await declare(registry, flows);
    const secret = options.callbackSecret ?? (await store.setting(SECRET_SETTING, randomBytes(32).toString("base64url")));
    const credentials = createCredentials(secret);
    http = createHttpExecutors({ ...options.http, credentials });
    const resolvers: Resolvers = {
      builtin: builtIns({ store, resolvers: () => resolvers }),
      local,
      http: http.http,
      https: http.https,
      ...(options.messages === undefined ? {} : { processor: messageExecutors(options.messages) }),
      ...options.resolvers,
    };
    return new Nature({ options, store, registry, credentials, http }, resolvers);
  } catch (error) {
    registry?.[Symbol.dispose]();
    http?.close();
    if (options.store === undefined) await store.close();
    throw error;
  }
}

/** Opens the store that the options name. Neither driver is loaded for the other. */
export async function openStore({ folder, databaseUrl, clock }: Partial<ResolvedNatureOptions>): Promise<Store> {
  if (databaseUrl !== undefined) {
    const { openPostgresStore } = await import("../store/postgres.ts");
    return openPostgresStore({ url: databaseUrl, clock });
  }
  const { openSqliteStore } = await import("../store/sqlite.ts");
  return openSqliteStore({ folder: folder ?? "", clock });
}

/** Puts what is declared as code in force, on top of what is there. Other nodes may do the same at the same moment. */
async function declare(registry: Registry, flows: Parameters<typeof planChanges>[0]): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      const plan = planChanges(flows, registry.declared);
      if (plan.changes.length > 0) await applyChanges(registry, plan);
      return;
    } catch (error) {
      if (!hasCode(error, "state.conflict") || tries === MAX_STARTS) throw error;
    }
  }
}
