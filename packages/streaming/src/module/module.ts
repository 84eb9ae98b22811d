import { join } from "node:path";
import { coreError, type ModuleHealth, type ModuleHost, type NodeModule } from "@metanode/core";
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

class StreamingOnNode implements StreamingModule {
  readonly name = "streams";
  readonly #options: StreamingModuleOptions;
  #streams: Streams | undefined;

  constructor(options: StreamingModuleOptions) {
    this.#options = options;
  }

  get streams(): Streams {
    if (this.#streams === undefined) throw coreError("node.closed", "the graphs of this node are not running");
    return this.#streams;
  }

  async start({ folder, clock, log, router, metrics, journal, logger }: ModuleHost): Promise<void> {
    const { onChange } = this.#options;
    this.#streams = await openStreams({
      ...this.#options,
      folder: join(folder, "streams"),
      clock,
      services: { log, router },
      onChange: (name) => {
        const state = this.#stateOf(name);
        logger.info({ graph: name, state }, `graph ${name} is ${state}`);
        journal.add({ kind: "graph", what: name, type: state });
        onChange?.(name);
      },
    });
    exposeMetrics(metrics, () => this.#streams);
  }

  health(): ModuleHealth {
    const streams = this.#streams;
    if (streams === undefined) return { status: "failing", reasons: ["the graphs are not running"] };
    const reasons = streams.list().flatMap(complaintOf);
    return { status: reasons.length === 0 ? "ok" : "degraded", reasons };
  }

  async drain(graceMs: number): Promise<void> {
    await this.#streams?.drain(graceMs);
    this.#streams = undefined;
  }

  async stop(): Promise<void> {
    await this.#streams?.close();
    this.#streams = undefined;
  }

  #stateOf(name: string): string {
    return this.#streams?.list().find((graph) => graph.name === name)?.state ?? "gone";
  }
}

function complaintOf({ name, state, reason = "nobody knows why", failures }: GraphInfo): string[] {
  if (state === "restarting") return [`graph ${name} failed and is started again soon: ${reason}`];
  if (state === "crash-looping") return [`graph ${name} failed ${failures} times in a row: ${reason}`];
  if (state === "failed") return [`graph ${name} failed: ${reason}`];
  return state === "paused" ? [`graph ${name} is paused: ${reason}`] : [];
}
