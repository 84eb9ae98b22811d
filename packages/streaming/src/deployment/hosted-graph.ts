import type { Clock, Timer } from "@metanode/core";
import { coreError } from "@metanode/core/errors";
import type { Log } from "@metanode/core/log";
import { streamError } from "../errors.ts";
import type { Graph, GraphNode } from "../graph/form.ts";
import { GraphRun } from "../run/graph-run.ts";
import type { NodeLogLine, RunEnd } from "../run/options.ts";
import type { RunStatus } from "../run/status.ts";
import type { Tap } from "../stage/outlets.ts";
import type { Action, FailedRecord } from "../stage/stage.ts";
import type { Catalogue } from "./catalogue.ts";
import { GraphDeadLetters } from "./dead-letters.ts";
import { buffered } from "./durable-stage.ts";
import { journaled } from "./journal.ts";
import { LogRing } from "./log-ring.ts";
import type { Desired, GraphStore, StoredGraph } from "./store.ts";

/** How a graph does, as people see it. */
export type GraphState =
  | "stopped"
  | "running"
  | "paused"
  | "draining"
  | "completed"
  | "failed"
  /** It failed and will be started again after a while. */
  | "restarting"
  /** It fails again and again, soon after each start; it is still started again, but seldom. */
  | "crash-looping";

export interface GraphHostOptions {
  readonly store: GraphStore;
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  readonly log: Log | undefined;
  readonly folder: string;
  /** Called when the state of the graph has changed. */
  readonly onChange: (name: string) => void;
  /** Called when a record has become a dead letter. */
  readonly onDeadLetter?: ((letter: DeadLetterNote) => void) | undefined;
}

/** A record that a stage of a graph gave up on. */
export interface DeadLetterNote {
  readonly graph: string;
  readonly stage: string;
  /** The W3C traceparent that it belongs to. */
  readonly trace: string | undefined;
}

/** Delays before the next start after a failure; the last one repeats. */
const RESTART_MS = [100, 500, 2_000, 10_000, 30_000] as const;
/** A run that lasts as long has outlived what made the ones before fail. */
const HEALTHY_MS = 60_000;
/** Failures in a row that make a crash loop. */
const CRASH_LOOP = 5;

/**
 * One graph on one node: it keeps to what is wanted of it. A run that fails is begun again from what was committed, after a
 * delay that grows; the end of the stream ends the graph as completed, until somebody runs it again.
 */
export class HostedGraph {
  readonly name: string;
  readonly log = new LogRing();
  readonly #options: GraphHostOptions;
  #run: GraphRun | undefined;
  /** The numbers with which the last run ended. */
  #last: RunStatus | undefined;
  #letters: GraphDeadLetters | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  #startedAtMs = 0;
  /** One change at a time. */
  #changes: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(name: string, options: GraphHostOptions) {
    this.name = name;
    this.#options = options;
  }

  get stored(): StoredGraph {
    return this.#options.store.get(this.name);
  }

  get run(): GraphRun | undefined {
    return this.#run;
  }

  get failures(): number {
    return this.#failures;
  }

  get state(): GraphState {
    if (this.#run !== undefined) return this.#run.state;
    const { desired, outcome } = this.stored;
    if (outcome === "completed") return "completed";
    if (desired === "stopped") return outcome ?? "stopped";
    return this.#failures >= CRASH_LOOP ? "crash-looping" : "restarting";
  }

  /** The numbers of the run, or those with which the last one ended. */
  status(): RunStatus | undefined {
    return this.#run?.status() ?? this.#last;
  }

  /** Brings it to what was wanted when the node was last here. */
  reconcile(): Promise<void> {
    return this.#change(async () => {
      const { desired, outcome } = this.stored;
      if (desired === "stopped" || outcome === "completed") return;
      await this.#start().catch((error) => this.#failed(error));
      if (desired === "paused") this.#run?.pause("it was paused before the node was started again");
    });
  }

  /**
   * Runs it. Resolves when every stage is open. A graph that runs already runs on.
   * @throws {MetanodeError} stream.graph, and whatever its actions throw when they are opened; then it is not run.
   */
  start({ fromStart = false }: { fromStart?: boolean } = {}): Promise<void> {
    return this.#change(async () => {
      if (this.#run !== undefined) return;
      this.#failures = 0;
      this.#timer?.cancel();
      const { outcome } = this.stored;
      // Whoever runs a completed graph again wants it from its beginning: there is nothing behind its end.
      if (fromStart || outcome === "completed") this.#options.store.forget(this.name);
      await this.#start();
      this.#options.store.setDesired(this.name, "running");
    });
  }

  /** Ends it: by draining within `graceMs`, or `now`, when what is under way comes again with the next run. */
  stop({ now = false, graceMs }: { now?: boolean; graceMs?: number } = {}): Promise<RunEnd | undefined> {
    return this.#change(async () => {
      this.#options.store.setDesired(this.name, "stopped");
      return this.#halt({ now, ...(graceMs === undefined ? {} : { graceMs }) });
    });
  }

  /** @throws {MetanodeError} stream.stopped */
  pause(): Promise<void> {
    return this.#want("paused", (run) => run.pause("on request"));
  }

  /** @throws {MetanodeError} stream.stopped */
  resume(): Promise<void> {
    return this.#want("running", (run) => run.resume());
  }

  /**
   * Takes over the version that is now the stored one. While it runs: where only what nodes run has changed, their stages are
   * swapped one by one without losing a record; where the graph itself has changed, it drains and goes on as the new one.
   */
  changed(before: Graph): Promise<void> {
    return this.#change(async () => {
      const run = this.#run;
      const { graph } = this.stored;
      if (run === undefined || JSON.stringify(before) === JSON.stringify(graph)) return;
      const swapped = swappable(before, graph);
      if (swapped === undefined) {
        await this.#halt({ now: false });
        await this.#start();
        return;
      }
      const actions = this.#actionsOf(graph);
      for (const { name } of swapped) await run.upgrade(name, actions.get(name) as Action);
    });
  }

  /** @throws {MetanodeError} stream.stopped, resource.not_found */
  tap(from: string, to: string, tap: Tap): () => void {
    return this.#running().tap(from, to, tap);
  }

  /** Leaves it as it is wanted, for the next start of the node. */
  close(options: { now: boolean; graceMs?: number }): Promise<unknown> {
    return this.#change(async () => {
      this.#isClosed = true;
      await this.#halt(options);
      await this.#letters?.[Symbol.asyncDispose]();
    });
  }

  async #start(): Promise<void> {
    if (this.#isClosed) throw coreError("node.closed", "the node does not run any more");
    const { store, clock, folder, log } = this.#options;
    const { graph } = this.stored;
    const actions = this.#actionsOf(graph);
    if (log !== undefined) {
      this.#letters ??= await GraphDeadLetters.open(this.name, log, () => {
        const run = this.#run;
        return run === undefined ? undefined : (stage, record, trace) => run.inject(stage, record, trace);
      });
    }
    const letters = this.#letters;
    const epoch = store.nextEpoch(this.name);
    this.#startedAtMs = clock.now();
    const run = await GraphRun.open({
      graph,
      actions,
      epoch,
      clock,
      folder: `${folder}/${this.name}`,
      progress: store.progressOf(this.name, epoch),
      onLog: (line) => this.log.add(line),
      ...(letters === undefined ? {} : { onDeadLetter: (failed, stage) => this.#keep(letters, failed, stage) }),
    });
    this.#run = run;
    this.#options.onChange(this.name);
    void run.ended.then((end) => this.#ended(run, end));
  }

  async #keep(letters: GraphDeadLetters, failed: FailedRecord, stage: string): Promise<void> {
    await letters.keep(failed, stage);
    this.#options.onDeadLetter?.({ graph: this.name, stage, trace: failed.trace });
  }

  #actionsOf(graph: Graph): Map<string, Action> {
    const { catalogue, log } = this.#options;
    const actions = catalogue.actionsOf(graph);
    for (const node of graph.nodes) actions.set(node.name, this.#withLog(node, actions.get(node.name) as Action, log));
    return actions;
  }

  #withLog(node: GraphNode, action: Action, log: Log | undefined): Action {
    if (log === undefined) {
      if (node.buffer !== "durable") return action;
      throw streamError("stream.graph", `${node.name} wants a durable buffer, and there is no log here; run it on a node`);
    }
    const kept = node.replay === "none" ? action : journaled(action, log);
    return node.buffer === "durable" ? buffered(kept, log) : kept;
  }

  async #halt({ now, graceMs }: { now: boolean; graceMs?: number }): Promise<RunEnd | undefined> {
    this.#timer?.cancel();
    const run = this.#run;
    if (run === undefined) return undefined;
    const end = now ? await run.close() : await run.drain(graceMs === undefined ? {} : { graceMs });
    this.#last = run.status();
    this.#run = undefined;
    this.#options.onChange(this.name);
    return end;
  }

  #ended(run: GraphRun, { outcome, error }: RunEnd): void {
    if (this.#run !== run) return; // somebody halted it, and knows
    this.#last = run.status();
    this.#run = undefined;
    if (outcome === "completed") {
      this.#options.store.setOutcome(this.name, "completed");
      this.#options.store.setDesired(this.name, "stopped");
    } else if (outcome === "failed") this.#failed(error);
    this.#options.onChange(this.name);
  }

  #failed(error: unknown): void {
    const { store, clock } = this.#options;
    const text = error instanceof Error ? error.message : String(error);
    this.#say("error", `the graph failed: ${text}`);
    store.setOutcome(this.name, "failed", text);
    if (this.#isClosed || this.stored.desired === "stopped") return;
    if (clock.now() - this.#startedAtMs > HEALTHY_MS) this.#failures = 0;
    const delayMs = RESTART_MS[Math.min(this.#failures, RESTART_MS.length - 1)] ?? 0;
    this.#failures++;
    // Graphs that fail for one reason do not all come back at one moment.
    this.#timer = clock.setTimer(delayMs * (0.75 + Math.random() / 2), () => void this.reconcile());
  }

  #say(level: NodeLogLine["level"], text: string): void {
    this.log.add({ node: "", atMs: this.#options.clock.now(), level, text });
  }

  #running(): GraphRun {
    if (this.#run !== undefined) return this.#run;
    throw streamError("stream.stopped", `graph ${this.name} is ${this.state}; run it first`);
  }

  #want(desired: Desired, apply: (run: GraphRun) => void): Promise<void> {
    return this.#change(async () => {
      apply(this.#running());
      this.#options.store.setDesired(this.name, desired);
      this.#options.onChange(this.name);
    });
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#changes.then(work);
    this.#changes = done.catch(() => undefined);
    return done;
  }
}

/** The nodes whose stages can be swapped to get from one graph to the other; `undefined` when the graph itself differs. */
function swappable(before: Graph, after: Graph): GraphNode[] | undefined {
  const structure = ({ nodes, edges }: Graph): string =>
    JSON.stringify([nodes.map(({ name, buffer, replicas }) => [name, buffer, replicas]), edges]);
  if (structure(before) !== structure(after)) return undefined;
  const old = new Map(before.nodes.map((node) => [node.name, JSON.stringify(node)] as const));
  return after.nodes.filter((node) => old.get(node.name) !== JSON.stringify(node));
}
