import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import type { Registry as PromRegistry } from "prom-client";
import { type Clock, systemClock } from "../clock.ts";
import { asMetanodeError, coreError, type MetanodeError } from "../errors.ts";
import { DEFAULT_MAX_MESSAGE_BYTES } from "../link/session.ts";
import type { DeadLetters, Log } from "../log/log.ts";
import { createMemoryLog } from "../log/memory.ts";
import { openSqliteLog } from "../log/sqlite.ts";
import type { Message, MessageInit } from "../message/message.ts";
import { intWithin, rejectUnknownKeys, textOf } from "../options.ts";
import type { PayloadsOf } from "../processor/author.ts";
import { type Accepted, type CallOptions, Router } from "../router/router.ts";
import { type DataFolder, takeDataFolder } from "./data-folder.ts";
import { DurableDispatch, type DurableOptions } from "./durable.ts";
import { Journal } from "./journal.ts";
import { Registry } from "./metrics.ts";
import type { ModuleHealth, NodeModule } from "./module.ts";
import { createObservation, loadSpans, type Observation, type TypeStats } from "./observe.ts";
import type { Spans } from "./spans.ts";

/*
 * N1. Modules start in the order of composition; they drain in the opposite order, and stop in that order when all have drained: what
 *     one still has to say goes over the links of another.
 * N2. A start that fails stops what was started before, and leaves nothing behind but the data folder.
 * N3. Draining: durable deliveries stop first, then the modules finish; what the log holds waits for the next start.
 */

export interface NodeOptions {
  /** Lower-case letters, digits, `-`; part of the source of every message made here. @default "node" */
  name?: string;
  /** Started in this order. */
  modules?: readonly NodeModule[];
  /** The data folder. Without one the node lives in memory: nothing survives it. */
  folder?: string;
  /** Time a call may take when its caller sets none. @default 30_000 */
  callTimeoutMs?: number;
  /** Largest payload, in bytes. @default 4 MiB */
  maxMessageBytes?: number;
  /** @default 128 */
  hopLimit?: number;
  durable?: DurableOptions;
  /** Another log than the embedded one; the node closes it. */
  log?: Log;
  /** @default pino on standard error, level info */
  logger?: Logger;
  clock?: Clock;
}

export type NodeState = "starting" | "running" | "draining" | "closed";

export interface NodeHealth {
  readonly status: "ok" | "degraded" | "failing";
  readonly state: NodeState;
  readonly modules: Readonly<Record<string, ModuleHealth>>;
}

/** A typed view on the types of a processor: wrong types and payloads do not compile. */
export interface TypedClient<I, O> {
  call<K extends keyof I & keyof O & string>(type: K, data: I[K], options?: CallOptions & MessageAttributes): Promise<O[K]>;
  stream<K extends keyof I & keyof O & string>(
    type: K,
    data: I[K],
    options?: CallOptions & MessageAttributes,
  ): AsyncIterable<O[K]>;
  cast<K extends keyof I & string>(type: K, data: I[K], options?: MessageAttributes): Message;
  send<K extends keyof I & string>(type: K, data: I[K], options?: MessageAttributes): Promise<Accepted>;
}

export type MessageAttributes = Omit<Partial<Message>, "type" | "data">;

/** A running meta node. Leaving the block of `await using` drains it. */
export interface MetaNode extends AsyncDisposable {
  readonly name: string;
  readonly nodeId: string;
  /** Of the process's start of this node, in milliseconds since the Unix epoch. */
  readonly startedAtMs: number;
  readonly state: NodeState;
  readonly router: Router;
  readonly log: Log;
  readonly deadLetters: DeadLetters;
  readonly logger: Logger;
  readonly metrics: PromRegistry;
  /** What happened lately, over all the models. */
  readonly journal: Journal;
  readonly maxMessageBytes: number;
  /** Settles once and never rejects: `undefined` after a requested stop, else the fatal error. */
  readonly closed: Promise<MetanodeError | undefined>;
  /** Sends a message and waits for its answer. @throws {MetanodeError} every code of a call; `node.closed` */
  call(init: MessageInit, options?: CallOptions): Promise<unknown>;
  /** The same with a streamed answer. */
  stream(init: MessageInit, options?: CallOptions): AsyncIterable<unknown>;
  /** One way, at most once. */
  cast(init: MessageInit, options?: CallOptions): Message;
  /** One way, at least once: resolves when stored durably. */
  send(init: MessageInit): Promise<Accepted>;
  /** `node.client<typeof pricing>()` speaks the types of a processor definition. */
  client<D>(): TypedClient<PayloadsOf<D>["input"], PayloadsOf<D>["output"]>;
  health(): NodeHealth;
  /** Since the start, by message type. */
  stats(): TypeStats[];
  /** Durable messages accepted and not yet handled, by type. */
  backlog(): Promise<Record<string, number>>;
  /** Refuses new work, finishes work in flight for at most `graceMs` (default 10_000), then closes. Idempotent. */
  drain(options?: { graceMs?: number }): Promise<void>;
  /** Drops work in flight now. Idempotent. */
  close(): Promise<void>;
}

const KEYS = ["name", "modules", "folder", "callTimeoutMs", "maxMessageBytes", "hopLimit", "durable", "log", "logger", "clock"];

/** What a node stands on, acquired before it. */
interface Means {
  readonly folder: DataFolder | undefined;
  readonly log: Log;
  readonly logger: Logger;
  readonly spans: Spans | undefined;
}

class RunningNode implements MetaNode {
  readonly name: string;
  readonly nodeId: string;
  readonly startedAtMs: number;
  readonly router: Router;
  readonly log: Log;
  readonly logger: Logger;
  readonly metrics = new Registry();
  readonly journal: Journal;
  readonly maxMessageBytes: number;
  readonly closed: Promise<MetanodeError | undefined>;
  readonly #modules: readonly NodeModule[];
  readonly #folder: DataFolder | undefined;
  readonly #clock: Clock;
  readonly #durable: DurableDispatch;
  readonly #observation: Observation;
  readonly #settleClosed: (error?: MetanodeError) => void;
  /** Sockets need a place in the file system even where nothing is kept. */
  #scratch: string | undefined;
  #started: NodeModule[] = [];
  #state: NodeState = "starting";
  #ending: Promise<void> | undefined;

  constructor(options: NodeOptions, { folder, log, logger, spans }: Means) {
    this.#clock = options.clock ?? systemClock;
    this.name = nodeName(options.name);
    this.nodeId = folder?.nodeId ?? "memory";
    this.#folder = folder;
    this.log = log;
    this.#modules = options.modules ?? [];
    this.maxMessageBytes = intWithin("maxMessageBytes", options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES, 1);
    this.logger = logger;
    this.startedAtMs = this.#clock.now();
    this.journal = new Journal(this.#clock);
    this.#observation = createObservation(this.#clock, this.metrics, this.journal, spans);
    this.router = new Router({
      source: `/nodes/${this.name}`,
      clock: this.#clock,
      defaultTimeoutMs: intWithin("callTimeoutMs", options.callTimeoutMs ?? 30_000, 1),
      hopLimit: intWithin("hopLimit", options.hopLimit ?? 128, 1),
      observer: this.#observation.observer,
      newTraceparent: this.#observation.newTraceparent,
      accept: (message) => this.#durable.accept(message),
      onCastError: (message, error) =>
        this.logger.warn({ err: error, id: message.id, type: message.type }, "a cast message was not handled"),
    });
    this.#durable = new DurableDispatch(log, this.router, this.#clock, {
      maxMessageBytes: this.maxMessageBytes,
      ...options.durable,
    });
    const { promise, resolve } = Promise.withResolvers<MetanodeError | undefined>();
    this.closed = promise;
    this.#settleClosed = resolve;
  }

  get state(): NodeState {
    return this.#state;
  }

  get deadLetters(): DeadLetters {
    return this.log.deadLetters;
  }

  async start(): Promise<void> {
    try {
      for (const module of this.#modules) {
        await module.start({
          node: this.name,
          nodeId: this.nodeId,
          router: this.router,
          log: this.log,
          clock: this.#clock,
          logger: this.logger.child({ module: module.name }),
          metrics: this.metrics,
          journal: this.journal,
          folder: this.#moduleFolder(),
          maxMessageBytes: this.maxMessageBytes,
          inFlight: () => this.#observation.inFlight(),
        });
        this.#started.push(module);
      }
      await this.#durable.start();
      this.#state = "running";
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  call(init: MessageInit, options?: CallOptions): Promise<unknown> {
    return this.#isOpen ? this.router.call(init, options) : Promise.reject(this.#closedError());
  }

  async *stream(init: MessageInit, options?: CallOptions): AsyncGenerator<unknown> {
    if (!this.#isOpen) throw this.#closedError();
    yield* this.router.stream(init, options);
  }

  cast(init: MessageInit, options?: CallOptions): Message {
    if (!this.#isOpen) throw this.#closedError();
    return this.router.cast(init, options);
  }

  send(init: MessageInit): Promise<Accepted> {
    return this.#isOpen ? this.router.send(init) : Promise.reject(this.#closedError());
  }

  client<D>(): TypedClient<PayloadsOf<D>["input"], PayloadsOf<D>["output"]> {
    const client: TypedClient<Record<string, unknown>, Record<string, unknown>> = {
      call: (type, data, options = {}) => this.call({ ...attributesOf(options), type, data }, options),
      stream: (type, data, options = {}) => this.stream({ ...attributesOf(options), type, data }, options),
      cast: (type, data, options = {}) => this.cast({ ...options, type, data }),
      send: (type, data, options = {}) => this.send({ ...options, type, data }),
    };
    return client as never;
  }

  health(): NodeHealth {
    const modules = Object.fromEntries(this.#started.map((module) => [module.name, module.health()]));
    const all = Object.values(modules).map(({ status }) => status);
    const status = all.includes("failing") ? "failing" : all.includes("degraded") ? "degraded" : "ok";
    return { status, state: this.#state, modules };
  }

  stats(): TypeStats[] {
    return this.#observation.stats();
  }

  backlog(): Promise<Record<string, number>> {
    return this.#durable.backlog();
  }

  drain(options: { graceMs?: number } = {}): Promise<void> {
    return this.#end(options.graceMs ?? 10_000);
  }

  close(): Promise<void> {
    return this.#end(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  #moduleFolder(): string {
    if (this.#folder) return this.#folder.path;
    this.#scratch ??= mkdtempSync(join(tmpdir(), "metanode-"));
    return this.#scratch;
  }

  /** While modules start they may talk to each other already. */
  get #isOpen(): boolean {
    return this.#state === "running" || this.#state === "starting";
  }

  #closedError(): MetanodeError {
    return coreError("node.closed", `node ${this.name} is stopping; send to another, or again after its restart`, {
      retryAfterMs: 1_000,
    });
  }

  #end(graceMs: number): Promise<void> {
    this.#ending ??= this.#shutDown(graceMs);
    return this.#ending;
  }

  async #shutDown(graceMs: number): Promise<void> {
    this.#state = "draining";
    let failure: MetanodeError | undefined;
    const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        failure ??= asMetanodeError(error);
        this.logger.error({ err: error }, `stopping: ${what} failed`);
      }
    };
    const deadlineMs = this.#clock.now() + graceMs;
    const leftMs = (): number => Math.max(0, deadlineMs - this.#clock.now());
    await attempt("durable deliveries", () => this.#durable.drain(leftMs()));
    const modules = this.#started.toReversed();
    if (graceMs > 0) for (const module of modules) await attempt(module.name, () => module.drain(leftMs()));
    for (const module of modules) await attempt(module.name, () => module.stop());
    this.#started = [];
    await attempt("the log", () => this.log.close());
    this.#folder?.release();
    if (this.#scratch !== undefined) rmSync(this.#scratch, { recursive: true, force: true });
    this.#state = "closed";
    this.#settleClosed(failure);
  }
}

function attributesOf(options: CallOptions & MessageAttributes): MessageAttributes {
  const { timeoutMs: _timeout, signal: _signal, ...attributes } = options;
  return attributes;
}

function nodeName(given = "node"): string {
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(textOf("name", given))) return given;
  throw coreError(
    "config.invalid",
    `node name ${JSON.stringify(given)} may hold lower-case letters, digits and - only, at most 63`,
    {
      details: { path: "name" },
    },
  );
}

/** A node that holds its data folder and its log, and whose modules have not started. */
export interface MadeNode {
  readonly node: MetaNode;
  /** Starts the modules in order. To be called once. @throws what a module's start throws (N2) */
  start(): Promise<void>;
}

/**
 * Makes a meta node: takes the data folder, opens the log if it has one. For those who have work to do with the node
 * while its modules start; all others take {@link createNode}.
 * @throws {MetanodeError} config.invalid, node.data_in_use, log.storage
 */
export async function makeNode(options: NodeOptions = {}): Promise<MadeNode> {
  rejectUnknownKeys("", options, KEYS);
  nodeName(options.name);
  const folder = options.folder === undefined ? undefined : takeDataFolder(options.folder);
  const clock = options.clock ?? systemClock;
  const logger = (options.logger ?? pino({ level: "info" }, pino.destination(2))).child({ node: nodeName(options.name) });
  const onFault = (error: MetanodeError): void => logger.error({ err: error }, "the storage of the log fails; it is tried again");
  let log: Log | undefined = options.log;
  try {
    log ??=
      folder === undefined
        ? createMemoryLog({ clock })
        : await openSqliteLog({ folder: join(folder.path, "log"), makeOnUse: true, clock, onFault });
    const node: RunningNode = new RunningNode(options, { folder, log, logger, spans: await loadSpans() });
    return { node, start: () => node.start() };
  } catch (error) {
    await log?.close();
    folder?.release();
    throw error;
  }
}

/**
 * Starts a meta node: takes the data folder, opens the log if it has one, starts the modules in order.
 * @throws {MetanodeError} config.invalid, node.data_in_use, log.storage, and what a module's start throws (N2).
 */
export async function createNode(options: NodeOptions = {}): Promise<MetaNode> {
  const { node, start } = await makeNode(options);
  await start();
  return node;
}
