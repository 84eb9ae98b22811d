import { join } from "node:path";
import { coreError, handlerMember, type ModuleHealth, type ModuleHost, type NodeModule, traceIdOf } from "@metanode/core";
import { COMMIT_TYPE, READ_TYPE, WORK_TYPE } from "../deployment/placed-wire.ts";
import { type GraphInfo, openStreams, type Streams, type StreamsOptions } from "../deployment/streams.ts";
import { exposeMetrics } from "./metrics.ts";

/** What a node adds by itself is left out: the folder, the clock, the log, the router. */
export type StreamingModuleOptions = Omit<StreamsOptions, "folder" | "clock" | "services">;

/** The module that hosts graphs. */
export interface StreamingModule extends NodeModule {
  /** Lives from the start of the node to its stop. @throws {MetanodeError} node.closed – outside of that */
  readonly streams: Streams;
}

/** Graphs on a node: with its log for journals and dead letters, with its router for messages in and out. */
export function streaming(options: StreamingModuleOptions = {}): StreamingModule {
  return new StreamingOnNode(options);
}

/** What was told of a graph last. */
type Told = Pick<GraphInfo, "version" | "epoch"> & { readonly state: GraphInfo["state"] | "gone" };

class StreamingOnNode implements StreamingModule {
  readonly name = "streams";
  readonly #options: StreamingModuleOptions;
  readonly #told = new Map<string, Told>();
  #streams: Streams | undefined;
  #work: readonly { remove(): void }[] = [];

  constructor(options: StreamingModuleOptions) {
    this.#options = options;
  }

  get streams(): Streams {
    if (this.#streams === undefined) throw coreError("node.closed", "the graphs of this node are not running");
    return this.#streams;
  }

  async start(host: ModuleHost): Promise<void> {
    const { folder, clock, log, router, metrics } = host;
    const { onChange, onDeadLetter } = this.#options;
    // Graphs that begin with the node change before there is anybody to ask about them.
    const early = new Set<string>();
    const streams = await openStreams({
      ...this.#options,
      folder: join(folder, "streams"),
      clock,
      services: { log, router },
      onChange: (name) => {
        if (this.#streams === undefined) early.add(name);
        else this.#tell(host, name, this.#streams);
        onChange?.(name);
      },
      onWorkLog: (level, text) => host.logger[level](text),
      onDeadLetter: (letter) => {
        const { graph, stage, trace } = letter;
        const what = `${graph}/${stage}`;
        host.journal.add({ kind: "graph", what, type: "dead-letter", traceId: traceIdOf(trace), code: "stream.action_failed" });
        onDeadLetter?.(letter);
      },
    });
    for (const { name, version } of streams.list()) this.#told.set(name, { version, state: "stopped", epoch: 0 });
    this.#streams = streams;
    this.#work = [
      router.register({ type: WORK_TYPE, member: handlerMember("stages", (message) => streams.work(message)) }),
      router.register({
        type: READ_TYPE,
        member: handlerMember("sources", (message, context) => streams.read(message, context)),
        streaming: true,
      }),
      router.register({ type: COMMIT_TYPE, member: handlerMember("sources", (message) => streams.commit(message)) }),
    ];
    for (const name of early) this.#tell(host, name, streams);
    exposeMetrics(metrics, () => this.#streams);
  }

  health(): ModuleHealth {
    const streams = this.#streams;
    if (streams === undefined) return { status: "failing", reasons: ["the graphs are not running"] };
    const reasons = streams.list().flatMap(complaintOf);
    return { status: reasons.length === 0 ? "ok" : "degraded", reasons };
  }

  async drain(graceMs: number): Promise<void> {
    for (const route of this.#work) route.remove();
    await this.#streams?.drain(graceMs);
    this.#streams = undefined;
  }

  async stop(): Promise<void> {
    for (const route of this.#work) route.remove();
    await this.#streams?.close();
    this.#streams = undefined;
  }

  /** What has become of a graph, each time once: another version is `applied`, whatever its state was and stays. */
  #tell({ logger, journal }: ModuleHost, name: string, streams: Streams): void {
    const known = this.#told.get(name);
    const now: Told = streams.list().find((graph) => graph.name === name) ?? { version: 0, state: "gone", epoch: 0 };
    if (known?.version === now.version && known.state === now.state && known.epoch === now.epoch) return;
    const type = now.state !== "gone" && known?.version !== now.version ? "applied" : now.state;
    if (now.state === "gone") this.#told.delete(name);
    else this.#told.set(name, { version: now.version, state: now.state, epoch: now.epoch });
    logger.info({ graph: name, state: now.state }, `graph ${name} is ${type}`);
    journal.add({ kind: "graph", what: name, type });
  }
}

function complaintOf({ name, state, reason = "nobody knows why", failures }: GraphInfo): string[] {
  if (state === "restarting") return [`graph ${name} failed and is started again soon: ${reason}`];
  if (state === "crash-looping") return [`graph ${name} failed ${failures} times in a row: ${reason}`];
  if (state === "failed") return [`graph ${name} failed: ${reason}`];
  return state === "paused" ? [`graph ${name} is paused: ${reason}`] : [];
}
