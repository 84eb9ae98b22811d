import { join } from "node:path";
import { type CallContext, type Clock, type Message, systemClock } from "@metanode/core";
import { coreError } from "@metanode/core/errors";
import type { Log } from "@metanode/core/log";
import { connectors } from "../connector/connectors.ts";
import { streamError } from "../errors.ts";
import { graphHash } from "../graph/canonical.ts";
import { compileGraph, planGraph } from "../graph/compile.ts";
import type { Graph, GraphDocument, GraphIssue, NodeSettings } from "../graph/form.ts";
import { operators } from "../operator/operators.ts";
import type { RunEnd } from "../run/options.ts";
import type { RunStatus } from "../run/status.ts";
import type { BuiltIn, Services } from "../stage/built-in.ts";
import { thread } from "../thread/thread-action.ts";
import { UploadStore } from "../upload/upload-store.ts";
import { type ActionInfo, Catalogue, type GivenActions } from "./catalogue.ts";
import { type DeadLetterNote, type GraphState, HostedGraph } from "./hosted-graph.ts";
import { SourceWorker } from "./source-worker.ts";
import { StageWorker } from "./stage-worker.ts";
import { type Desired, GraphStore, type GraphVersion } from "./store.ts";

export interface StreamsOptions {
  /** Where graphs and their progress are kept. */
  readonly folder: string;
  /** Actions of your own, by the names that nodes give. */
  readonly functions?: GivenActions;
  /** More built-in actions. */
  readonly builtIns?: readonly BuiltIn[];
  /** Without a log there are no journals, no durable buffers, and no dead letters: then a record that fails for good ends its run. */
  readonly services?: Services;
  readonly clock?: Clock;
  /** Called when the state of a graph has changed. */
  readonly onChange?: (name: string) => void;
  /** Told what stages have to say whose graphs run on other nodes. */
  readonly onWorkLog?: (level: "debug" | "info" | "warn" | "error", text: string) => void;
  /** Called when a record has become a dead letter. */
  readonly onDeadLetter?: (letter: DeadLetterNote) => void;
}

/** A graph, and how it does. */
export interface GraphInfo {
  readonly name: string;
  readonly state: GraphState;
  readonly desired: Desired;
  readonly version: number;
  readonly hash: string;
  readonly epoch: number;
  readonly appliedAtMs: number;
  /** Why it failed, or is paused. */
  readonly reason?: string;
  /** Failures in a row. */
  readonly failures: number;
  readonly document: unknown;
  readonly graph: Graph;
}

/** What would run, and what is wrong with it. */
export interface GraphCheck {
  readonly graph?: Graph;
  readonly plan?: ReturnType<typeof planGraph>;
  readonly issues: readonly GraphIssue[];
  readonly warnings: readonly string[];
}

/** Opens the graphs that are kept in a folder, and brings each to what is wanted of it. */
export async function openStreams(options: StreamsOptions): Promise<Streams> {
  const uploads = await UploadStore.open({
    folder: join(options.folder, "actions"),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  const streams = new Streams(options, uploads);
  await streams.reconcile();
  return streams;
}

/**
 * The graphs of one node: applied, run, watched and changed by name.
 *
 * What is wanted of a graph outlives the process: after a crash it runs again from what was committed. Leaving the block of
 * `await using` drains every graph and leaves what is wanted as it is.
 */
export class Streams implements AsyncDisposable {
  readonly #options: StreamsOptions;
  readonly #store: GraphStore;
  readonly #graphs = new Map<string, HostedGraph>();
  readonly #catalogue: Catalogue;
  readonly #clock: Clock;
  readonly #log: Log | undefined;
  #isClosed = false;

  /** Programs that were uploaded. */
  readonly uploads: UploadStore;
  readonly #worker: StageWorker;
  readonly #sources: SourceWorker;

  constructor(options: StreamsOptions, uploads: UploadStore) {
    this.#options = options;
    this.uploads = uploads;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.services?.log;
    this.#store = new GraphStore(join(options.folder, "streams.sqlite"));
    this.#catalogue = new Catalogue({
      ...(options.functions === undefined ? {} : { functions: options.functions }),
      builtIns: [...connectors, ...operators, thread, ...(options.builtIns ?? [])],
      services: options.services ?? {},
      uploads,
    });
    const work = {
      catalogue: this.#catalogue,
      folder: join(options.folder, "work"),
      clock: this.#clock,
      onLog: options.onWorkLog ?? (() => undefined),
    };
    this.#worker = new StageWorker(work);
    this.#sources = new SourceWorker(work);
    for (const name of this.#store.names()) this.#graphs.set(name, this.#host(name));
  }

  /** Does the work of a stage of a graph that runs on another node: the handler of {@link WORK_TYPE}. */
  work(message: Message): Promise<Uint8Array> {
    return this.#worker.work(message);
  }

  /** The records of a source of a graph that runs on another node: the handler of {@link READ_TYPE}. */
  read(message: Message, context: CallContext): AsyncGenerator<Uint8Array> {
    return this.#sources.read(message, context);
  }

  /** What of them is through: the handler of {@link COMMIT_TYPE}. */
  commit(message: Message): Promise<null> {
    return this.#sources.commit(message);
  }

  async reconcile(): Promise<void> {
    await Promise.all([...this.#graphs.values()].map((graph) => graph.reconcile()));
  }

  actions(): ActionInfo[] {
    return this.#catalogue.list();
  }

  list(): GraphInfo[] {
    return [...this.#graphs.keys()].sort().map((name) => this.get(name));
  }

  /** @throws {MetanodeError} resource.not_found */
  get(name: string): GraphInfo {
    const hosted = this.#find(name);
    const { document, graph, version, hash, epoch, desired, appliedAtMs, reason } = hosted.stored;
    const why = hosted.run?.status().reason ?? reason;
    return {
      name,
      state: hosted.state,
      desired,
      version,
      hash,
      epoch,
      appliedAtMs,
      failures: hosted.failures,
      document,
      graph,
      ...(why === undefined ? {} : { reason: why }),
    };
  }

  /** What a document would make, with every fault as data; nothing is stored. */
  check(document: GraphDocument): GraphCheck {
    const { graph, warnings } = compileGraph(document);
    const checked = this.#catalogue.check(graph);
    return {
      graph,
      plan: planGraph(graph),
      issues: checked.issues,
      warnings: [...warnings.map(({ message }) => message), ...checked.warnings],
    };
  }

  /**
   * Stores a document as the next version of its graph; the same content again changes nothing. A graph that runs goes on as
   * the new version without losing a record. `unchecked` leaves it to the first run whether its actions are there.
   * @throws {MetanodeError} stream.graph, stream.syntax, stream.too_large – the document is wrong, and nothing is stored;
   * stream.storage.
   */
  async apply(document: GraphDocument, { unchecked = false }: { unchecked?: boolean } = {}): Promise<GraphInfo> {
    const graph = this.#pinned(compileGraph(document).graph);
    const { name } = graph;
    if (name === undefined) throw streamError("stream.graph", "the document has no `name`; a graph that is kept needs one");
    if (!unchecked) this.#catalogue.actionsOf(graph);
    const before = this.#store.find(name)?.graph;
    this.#store.put(name, { graph, hash: graphHash(graph), document, atMs: this.#clock.now() });
    const hosted = this.#graphs.get(name) ?? this.#host(name);
    this.#graphs.set(name, hosted);
    if (before !== undefined) await hosted.changed(before);
    this.#options.onChange?.(name);
    return this.get(name);
  }

  /** Runs a graph. With `fromStart` what it had come to is forgotten. @throws {MetanodeError} resource.not_found, and what its actions throw */
  async run(name: string, options: { fromStart?: boolean } = {}): Promise<GraphInfo> {
    await this.#find(name).start(options);
    return this.get(name);
  }

  /**
   * Stops a graph: drains it within `graceMs` (default 30_000), or drops what is under way `now`; that comes again with the
   * next run. Tells what was left.
   * @throws {MetanodeError} resource.not_found
   */
  async stop(name: string, options: { now?: boolean; graceMs?: number } = {}): Promise<RunEnd | undefined> {
    return this.#find(name).stop(options);
  }

  /** @throws {MetanodeError} resource.not_found, stream.stopped */
  async pause(name: string): Promise<GraphInfo> {
    await this.#find(name).pause();
    return this.get(name);
  }

  /** @throws {MetanodeError} resource.not_found, stream.stopped */
  async resume(name: string): Promise<GraphInfo> {
    await this.#find(name).resume();
    return this.get(name);
  }

  /**
   * Forgets a graph, its history and its progress. One that runs is refused unless `force` stops it.
   * @throws {MetanodeError} resource.not_found; state.conflict – it runs
   */
  async remove(name: string, { force = false }: { force?: boolean } = {}): Promise<void> {
    const hosted = this.#find(name);
    if (hosted.run !== undefined && !force) {
      throw coreError("state.conflict", `graph ${name} runs; stop it first, or force it`, { details: { name } });
    }
    await hosted.close({ now: true });
    this.#graphs.delete(name);
    this.#store.remove(name);
    this.#options.onChange?.(name);
  }

  /** All versions, the newest first. @throws {MetanodeError} resource.not_found */
  history(name: string): GraphVersion[] {
    this.#find(name);
    return this.#store.history(name);
  }

  /** Applies an older version again, as the newest. @throws {MetanodeError} resource.not_found */
  async rollback(name: string, version: number): Promise<GraphInfo> {
    const found = this.history(name).find((one) => one.version === version);
    if (found === undefined) throw coreError("resource.not_found", `graph ${name} has no version ${version}; see its history`);
    return this.apply({ ...(found.document as GraphDocument), name });
  }

  /**
   * Gives one stage other settings, as a new version of the graph; while it runs, the stage is swapped between two records.
   * @throws {MetanodeError} resource.not_found; stream.graph – the settings are wrong, and nothing has changed
   */
  async upgrade(name: string, stage: string, settings: NodeSettings): Promise<GraphInfo> {
    const { graph } = this.get(name);
    const isThere = graph.nodes.some((node) => node.name === stage);
    if (!isThere) throw coreError("resource.not_found", `graph ${name} has no stage ${stage}`, { details: { name, stage } });
    const nodes = graph.nodes.map((node) => (node.name === stage ? { ...settings, name: stage } : node));
    const { expression } = this.get(name).document as GraphDocument;
    return this.apply({ name, nodes, ...(expression === undefined ? { edges: graph.edges } : { expression }) });
  }

  /** The numbers of a running graph, or those with which its last run ended; `undefined` before its first here. @throws {MetanodeError} resource.not_found */
  status(name: string): RunStatus | undefined {
    return this.#find(name).status();
  }

  /** The graph itself: taps, logs. @throws {MetanodeError} resource.not_found */
  graph(name: string): HostedGraph {
    return this.#find(name);
  }

  /** Drains every graph; what is wanted of them stays. Idempotent. */
  async drain(graceMs = 30_000): Promise<void> {
    await Promise.all([...this.#graphs.values()].map((graph) => graph.close({ now: false, graceMs })));
    await Promise.all([this.#worker.close(), this.#sources.close()]);
    this.#close();
  }

  /** Drops what is under way; it comes again. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([...this.#graphs.values()].map((graph) => graph.close({ now: true })));
    await Promise.all([this.#worker.close(), this.#sources.close()]);
    this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  /** Uploaded programs by the version that is the newest now: what runs does not change when another one is uploaded. */
  #pinned(graph: Graph): Graph {
    const nodes = graph.nodes.map((node) => {
      const name = node.action ?? node.name;
      if (node.command !== undefined || name.includes("@") || this.#catalogue.isGiven(name)) return node;
      const uploaded = this.uploads.find(name);
      return uploaded === undefined ? node : { ...node, action: `${name}@${uploaded.version}` };
    });
    return { ...graph, nodes };
  }

  /**
   * Forgets an uploaded program, or one version of it. One that a graph names is refused unless `force`; what runs goes on
   * with its own copy.
   * @throws {MetanodeError} stream.action_unknown; state.conflict – a graph names it
   */
  async removeAction(reference: string, { force = false }: { force?: boolean } = {}): Promise<void> {
    const { name, version } = this.uploads.get(reference);
    const meant = reference.includes("@")
      ? [`${name}@${version}`]
      : this.uploads.list().map((one) => `${one.name}@${one.version}`);
    const user = this.list().find(({ graph }) =>
      graph.nodes.some(({ action = "" }) => action.startsWith(`${name}@`) && meant.includes(action)),
    );
    if (user !== undefined && !force) {
      throw coreError("state.conflict", `graph ${user.name} names ${name}; change it first, or force it`, {
        details: { graph: user.name },
      });
    }
    await this.uploads.remove(reference);
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#store.close();
  }

  #find(name: string): HostedGraph {
    const found = this.#graphs.get(name);
    if (found !== undefined) return found;
    throw coreError("resource.not_found", `there is no graph ${name}; apply one of that name first`, { details: { name } });
  }

  #host(name: string): HostedGraph {
    return new HostedGraph(name, {
      store: this.#store,
      catalogue: this.#catalogue,
      clock: this.#clock,
      log: this.#log,
      folder: this.#options.folder,
      onChange: (changed) => this.#options.onChange?.(changed),
      onDeadLetter: this.#options.onDeadLetter,
    });
  }
}
