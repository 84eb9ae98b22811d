import { randomUUID } from "node:crypto";
import { systemClock } from "@metanode/core/clock";
import { coreError } from "@metanode/core/errors";
import { type Credit, Origin } from "../delivery/origin.ts";
import { MemoryProgress, type Progress, type ProgressStore, type StateChange } from "../delivery/progress.ts";
import type { Source } from "../delivery/source.ts";
import { streamError } from "../errors.ts";
import { Batch } from "../record/batch.ts";
import { Receipt } from "../record/receipt.ts";
import type { RunningEdge, Tap } from "../stage/outlets.ts";
import type { Action, Stage } from "../stage/stage.ts";
import { Commits } from "./commits.ts";
import { hostOf, openStage, rowFrom } from "./hosting.ts";
import { Intake } from "./intake.ts";
import type { GraphRunOptions, RunEnd, RunHost } from "./options.ts";
import { Quiet } from "./quiet.ts";
import type { RunNode } from "./run-node.ts";
import { type RunState, type RunStatus, statusOf } from "./status.ts";
import { type Wiring, wireGraph } from "./wiring.ts";

const CREDIT: Credit = { maxRecords: 1_000_000, maxBytes: 24 * 1_024 * 1_024 };
/** However long checkpoints take, no more than this is to be read again after a crash. */
const LONGEST_CHECKPOINT_MS = 60_000;
const NO_LIMIT: Credit = { maxRecords: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY };

/**
 * A graph that runs in this process.
 *
 *  G1. What was committed when the last run ended is not read again; everything after it is.
 *  G2. Changes of state are stored in one commit with the positions that they belong to, while no record is under way. So
 *      after a crash the state is that of exactly the records that are not read again.
 *  G3. Checkpoints, swaps of a stage and the stop exclude each other.
 *  G4. When every source has ended, each stage ends after all that feed it; then the run has completed.
 */
export class GraphRun implements AsyncDisposable, RunHost {
  /** Settles once, never rejects. */
  readonly ended: Promise<RunEnd>;
  readonly options: RunHost["options"];
  readonly #wiring: Wiring;
  readonly #origins = new Map<string, Origin>();
  readonly #intakes = new Map<string, Intake>();
  readonly #commits: Commits;
  readonly #store: ProgressStore;
  readonly #quiet: Quiet;
  readonly #abort = new AbortController();
  readonly #resumed: (() => void)[] = [];
  #state: RunState = "running";
  #reason: string | undefined;
  #nodesOpen: number;
  #isSqueezing = false;
  /** Somebody has run out of credit since the last squeeze began. */
  #wantsSqueeze = false;
  #checkpointCostMs = 0;
  #exclusive: Promise<void> = Promise.resolve();
  #resolveEnded!: (end: RunEnd) => void;

  private constructor(options: GraphRunOptions) {
    this.options = { ...options, clock: options.clock ?? systemClock, epoch: options.epoch ?? 1 };
    this.#wiring = wireGraph(options.graph, options.actions);
    this.#nodesOpen = this.#wiring.nodes.size;
    this.#store = options.progress ?? new MemoryProgress();
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    const { clock } = this.options;
    const credit = this.#holdsEverything ? NO_LIMIT : { ...CREDIT, ...options.credit };
    for (const { node, action, isSource } of this.#wiring.nodes.values()) {
      if (!isSource) continue;
      // Where the k-th record is another one after a failure, its number says nothing beyond this run.
      const ids = action.replays === false || action.renumbers === true ? `${node.name}@${this.options.epoch}` : node.name;
      this.#origins.set(node.name, new Origin({ name: node.name, ids, credit, clock, onSettled: () => this.#settled() }));
    }
    // What came about by a timer changes state too: it has to be stored although no record has moved a position.
    this.#quiet = new Quiet([...this.#origins.values()], () => this.keepsState && this.#commits.touch());
    this.#commits = new Commits({
      store: this.#store,
      origins: [...this.#origins.values()],
      clock,
      commitMs: () => (this.keepsState ? this.#checkpointMs : (options.commitMs ?? 50)),
      onDue: () => this.#storeSoon(),
      onCommitted: (source, progress) => this.#committed(source, progress),
    });
  }

  /**
   * Opens every stage, sinks first, restores what they keep, and begins to read.
   * @throws {MetanodeError} stream.action_unknown – a node has no action for its place; whatever an action throws when it is
   * opened. Then nothing runs.
   */
  static async open(options: GraphRunOptions): Promise<GraphRun> {
    const run = new GraphRun(options);
    try {
      await run.#open();
    } catch (error) {
      await run.#end({ outcome: "failed", error });
      throw error;
    }
    return run;
  }

  get state(): RunState {
    return this.#state;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get quiet(): Quiet {
    return this.#quiet;
  }

  /** Whether any stage remembers something from record to record. */
  get keepsState(): boolean {
    return [...this.#wiring.nodes.values()].some(({ action }) => action.keepsState === true);
  }

  /** Whether a stage keeps everything until the end of the stream. */
  get #holdsEverything(): boolean {
    return [...this.#wiring.nodes.values()].some(({ action }) => action.holdsEverything === true);
  }

  /** A checkpoint stops the flow: about a tenth of the time may go into them, as far as they do not become too rare for that. */
  get #checkpointMs(): number {
    const { checkpointMs = 1_000 } = this.options;
    return Math.max(checkpointMs, Math.min(this.#checkpointCostMs * 10, LONGEST_CHECKPOINT_MS));
  }

  status(): RunStatus {
    const reason = this.#reason === undefined ? {} : { reason: this.#reason };
    return { state: this.#state, ...reason, epoch: this.options.epoch, ...statusOf(this.#wiring, this.#origins) };
  }

  /** Lets somebody look at what passes an edge. Returns how to stop. @throws {MetanodeError} resource.not_found */
  tap(from: string, to: string, tap: Tap): () => void {
    return this.#edge(from, to).tap(tap);
  }

  /** Reads nothing more until {@link resume}; what is under way goes on. */
  pause(reason?: string): void {
    if (this.#state !== "running") return;
    this.#state = "paused";
    this.#reason = reason;
    for (const intake of this.#intakes.values()) intake.hold();
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    this.#reason = undefined;
    for (const intake of this.#intakes.values()) intake.release();
    for (const resolve of this.#resumed.splice(0)) resolve();
  }

  /**
   * Stops reading, lets what is under way reach every sink, stores that, and ends as `stopped`. After `graceMs` (default
   * 30_000) it closes as it is. Idempotent.
   */
  async drain({ graceMs = 30_000 }: { graceMs?: number } = {}): Promise<RunEnd> {
    if (this.#holdsEverything && this.#nodesOpen > 0) return this.close(); // there is no part of it to be kept
    if (this.#state === "running" || this.#state === "paused") {
      this.#state = "draining";
      for (const resolve of this.#resumed.splice(0)) resolve();
      const overtime = this.options.clock.setTimer(graceMs, () => void this.close());
      await this.#exclusively(() => this.#drained()).catch((error) => this.fail(error));
      overtime.cancel();
    }
    return this.ended;
  }

  /** Drops what is under way: it comes again with the next run. Idempotent. */
  async close(): Promise<RunEnd> {
    await this.#end({ outcome: "stopped" });
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  /**
   * Puts another action in the place of a node's, between two records: holds the sources, lets everything through, opens
   * the new one, and goes on. Nothing is lost and nothing comes twice. When the new one cannot be opened, or the old one is
   * not done within `timeoutMs` (default 30_000), the old one goes on.
   * @throws {MetanodeError} resource.not_found, stream.stopped, stream.action_unknown, call.deadline
   */
  async upgrade(name: string, action: Action, { timeoutMs = 30_000 }: { timeoutMs?: number } = {}): Promise<void> {
    const node = this.#wiring.nodes.get(name);
    if (node === undefined) throw coreError("resource.not_found", `the graph has no node ${name}`);
    await this.#exclusively(() =>
      this.#held(timeoutMs, () => (node.isSource ? this.#swapSource(node, action) : this.#swapStage(node, action))),
    );
  }

  /**
   * Puts a record into a stage, as if an upstream gave it. Resolves when it is through; rejects when the run ends before.
   * @throws {MetanodeError} resource.not_found, stream.stopped
   */
  inject(name: string, record: unknown, trace?: string): Promise<void> {
    const stage = this.#wiring.nodes.get(name)?.stage;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stopped = (): void => reject(streamError("stream.stopped", `the graph stopped before the record was through`));
    if (stage === undefined) reject(coreError("resource.not_found", `the graph has no stage ${name}`));
    else if (this.signal.aborted) stopped();
    else {
      const inFlight = this.#quiet.receipt();
      this.signal.addEventListener("abort", stopped, { once: true });
      const receipt = new Receipt(() => {
        this.signal.removeEventListener("abort", stopped);
        inFlight.release();
        resolve();
      });
      const lineage = { idOf: (): string => `replayed:${randomUUID()}`, traceOf: () => trace };
      stage.take(new Batch({ records: [record] }, { receipt, lineage }), name);
    }
    return promise;
  }

  /** Ends the run as failed. */
  fail(error: unknown): void {
    void this.#end({ outcome: "failed", error });
  }

  /** Resolves when somebody resumes a paused run, or it ends or is to stop. */
  whenResumed(): Promise<void> {
    return this.#state === "paused" ? new Promise((resolve) => this.#resumed.push(resolve)) : Promise.resolve();
  }

  get isStopping(): boolean {
    return this.#state !== "running" && this.#state !== "paused";
  }

  /** Somewhere there is room again. */
  wake(): void {
    this.#wiring.waiters.wake();
  }

  readonly #nodeOf = (name: string): RunNode => this.#wiring.nodes.get(name) as RunNode;

  async #open(): Promise<void> {
    const saved = await this.#store.load();
    const nodes = [...this.#wiring.nodes.values()];
    for (const node of nodes.toReversed()) {
      if (node.isSource) continue;
      node.stage = await openStage(this, node, this.#nodeOf);
      node.stage.state?.restore(saved.state.get(node.node.name) ?? new Map());
    }
    for (const [name, progress] of saved.sources) {
      this.#origins.get(name)?.restore(progress);
      this.#commits.restore(name, progress);
    }
    const sources = nodes.filter(({ isSource }) => isSource);
    const opened = [];
    for (const node of sources) opened.push({ node, source: await this.#openSource(node) });
    for (const { node, source } of opened) this.#startIntake(node, source);
  }

  async #openSource(node: RunNode): Promise<Source> {
    const { source } = node.action;
    if (source !== undefined) return source(hostOf(this, node));
    const what = `${node.node.name} is the beginning of its graph, but its action gives no records by itself`;
    throw streamError("stream.action_unknown", `${what}; feed it, or give it an action that is a source`);
  }

  #startIntake(node: RunNode, source: Source): void {
    const { name } = node.node;
    const origin = this.#origins.get(name) as Origin;
    this.#intakes.set(
      name,
      new Intake({
        source,
        origin,
        outlet: node.outlet,
        from: origin.progress,
        onEnded: () => this.#sourceEnded(node),
        onFailed: (error) => this.fail(error),
        onStarved: () => this.#squeeze(),
      }),
    );
  }

  #settled(): void {
    this.#quiet.look();
    this.#commits.touch();
    for (const intake of this.#intakes.values()) intake.poke();
  }

  #storeSoon(): void {
    const stored = this.keepsState ? this.#exclusively(() => this.#checkpoint()) : this.#commits.now();
    stored.then(
      () => this.#commits.isBehind() && this.#commits.touch(),
      (error) => this.fail(error),
    );
  }

  #committed(source: string, { position }: Progress): void {
    // A source that cannot be told now is told of the next position.
    Promise.resolve(this.#intakes.get(source)?.commitTo(position)).catch((error) => this.fail(error));
  }

  async #checkpoint(): Promise<void> {
    if (this.#state === "draining" || this.signal.aborted) return;
    const { clock } = this.options;
    const beganMs = clock.now();
    await this.#held(Number.POSITIVE_INFINITY, () => Promise.resolve());
    this.#checkpointCostMs = clock.now() - beganMs;
  }

  /** Runs `work` while nothing is under way, everything is stored, and no source gives anything. */
  async #held(timeoutMs: number, work: () => Promise<void>): Promise<void> {
    if (this.signal.aborted) throw streamError("stream.stopped", "the graph does not run; run it first");
    for (const intake of this.#intakes.values()) intake.hold();
    try {
      await this.#inTime(timeoutMs, this.#settleAll());
      await this.#commits.now(this.#stateChanges());
      await work();
    } finally {
      if (this.#state === "running") for (const intake of this.#intakes.values()) intake.release();
    }
  }

  async #settleAll(): Promise<void> {
    for (const { stage } of this.#wiring.nodes.values()) await stage?.settle();
    await this.#quiet.reached(this.signal);
  }

  async #inTime(timeoutMs: number, work: Promise<void>): Promise<void> {
    if (timeoutMs === Number.POSITIVE_INFINITY) return work;
    const late = Promise.withResolvers<void>();
    const timer = this.options.clock.setTimer(timeoutMs, () => {
      late.reject(coreError("call.deadline", `the graph was not quiet within ${timeoutMs} ms; its stages go on as they are`));
    });
    await Promise.race([work, late.promise]).finally(() => timer.cancel());
  }

  #stateChanges(): StateChange[] {
    return [...this.#wiring.nodes.values()].flatMap(({ node, stage }) =>
      (stage?.state?.changes() ?? []).map((change) => ({ stage: node.name, ...change })),
    );
  }

  /** A source has no credit left: what waits in stages for more has to be finished, or it waits for ever. */
  #squeeze(): void {
    this.#wantsSqueeze = true;
    if (this.#isSqueezing) return;
    this.#isSqueezing = true;
    this.#wantsSqueeze = false;
    const settled = async (): Promise<void> => {
      for (const { stage } of this.#wiring.nodes.values()) await stage?.settle();
    };
    settled()
      .catch((error) => this.fail(error))
      .finally(() => {
        this.#isSqueezing = false;
        for (const intake of this.#intakes.values()) intake.poke();
        // What freed credit during this one may have been used up since: nobody asks again for that.
        if (this.#wantsSqueeze && !this.signal.aborted) this.#squeeze();
      });
  }

  async #drained(): Promise<void> {
    await Promise.all([...this.#intakes.values()].map((intake) => intake.stop()));
    if (this.signal.aborted) return;
    await this.#settleAll();
    if (this.signal.aborted) return;
    await this.#commits.now(this.#stateChanges());
    await this.#end({ outcome: "stopped" });
  }

  async #swapStage(node: RunNode, action: Action): Promise<void> {
    const oldAction = node.action;
    node.action = action;
    // Stages before it in a row may have been fused with the old one.
    const affected = [...this.#wiring.nodes.values()].filter(
      (one) => one === node || (!one.isSource && rowFrom(one, this.#nodeOf).includes(node)),
    );
    const opened = new Map<RunNode, Stage>();
    try {
      for (const one of affected) opened.set(one, await openStage(this, one, this.#nodeOf));
      const saved = await this.#store.load();
      for (const [one, stage] of opened) {
        stage.state?.restore(saved.state.get(one.node.name) ?? new Map());
        for (const name of one.ended) stage.upstreamEnded?.(name);
      }
    } catch (error) {
      node.action = oldAction;
      await Promise.allSettled([...opened.values()].map((stage) => stage.close()));
      throw error;
    }
    const old = affected.map(({ stage }) => stage);
    for (const [one, stage] of opened) one.stage = stage;
    await Promise.all(old.map((stage) => stage?.close()));
  }

  async #swapSource(node: RunNode, action: Action): Promise<void> {
    const old = this.#intakes.get(node.node.name);
    const oldAction = node.action;
    node.action = action;
    try {
      const source = await this.#openSource(node);
      await old?.stop();
      await this.#settleAll();
      await this.#commits.now(this.#stateChanges());
      await old?.close();
      this.#startIntake(node, source);
    } catch (error) {
      node.action = oldAction;
      throw error;
    }
  }

  #sourceEnded(node: RunNode): void {
    void this.#nodeEnded(node).catch((error) => this.fail(error));
  }

  async #nodeEnded(node: RunNode): Promise<void> {
    this.#nodesOpen--;
    for (const { to } of node.edges) {
      const next = this.#wiring.nodes.get(to) as RunNode;
      if (!next.upstreamEnded(node.node.name)) {
        next.stage?.upstreamEnded?.(node.node.name);
        continue;
      }
      void this.#endStage(next).catch((error) => this.fail(error));
    }
    if (this.#nodesOpen > 0) return;
    await this.#quiet.reached(this.signal);
    await this.#exclusively(async () => {
      if (this.signal.aborted) return;
      await this.#commits.now(this.#stateChanges());
      await this.#end({ outcome: "completed" });
    });
  }

  async #endStage(node: RunNode): Promise<void> {
    await node.stage?.end();
    if (!this.signal.aborted) await this.#nodeEnded(node);
  }

  async #end({ outcome, error }: Omit<RunEnd, "inFlight">): Promise<void> {
    if (this.signal.aborted) return;
    this.#state = outcome;
    if (error !== undefined) this.#reason = error instanceof Error ? error.message : String(error);
    this.#abort.abort();
    const stored = this.#commits.close();
    for (const resolve of this.#resumed.splice(0)) resolve();
    let inFlight = 0;
    for (const origin of this.#origins.values()) inFlight += origin.records;
    const closing: unknown[] = [
      stored,
      ...[...this.#intakes.values()].map((intake) => intake.close()),
      ...[...this.#wiring.nodes.values()].map(({ stage }) => stage?.close()),
    ];
    await Promise.allSettled(closing);
    this.#resolveEnded({ outcome, inFlight, ...(error === undefined ? {} : { error }) });
  }

  /** One after the other (G3). */
  #exclusively(work: () => Promise<void>): Promise<void> {
    const done = this.#exclusive.then(work);
    this.#exclusive = done.catch(() => undefined);
    return done;
  }

  #edge(from: string, to: string): RunningEdge {
    const edge = this.#wiring.edges.find((one) => one.from === from && one.to === to);
    if (edge !== undefined) return edge;
    throw coreError("resource.not_found", `the graph has no edge from ${from} to ${to}`);
  }
}
