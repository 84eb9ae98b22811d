import { coreError } from "../errors.ts";
import { loadCodec } from "../link/codec.ts";
import { ProcessorHost } from "../processor/host.ts";
import type { LogLine } from "../processor/launch.ts";
import { type ProcessorSpec, resolveProcessorSpec } from "../processor/options.ts";
import type { PoolInfo } from "../processor/pool.ts";
import type { ModuleHealth, ModuleHost, NodeModule } from "./module.ts";

/** The module that hosts processors. */
export interface ProcessorsModule extends NodeModule {
  /** Lives from the start of the node to its stop. @throws {MetanodeError} node.closed – outside of that */
  readonly host: ProcessorHost;
  /**
   * Resolves when the start has begun a process for each that there is to be, or has failed before. They take a while
   * until they are ready: the time to load what comes after them.
   */
  readonly launched: Promise<void>;
}

/** What goes well is told once, what does not is told loudly. */
const LEVELS = {
  launched: "debug",
  started: "info",
  stopped: "info",
  crashed: "warn",
  killed: "warn",
  quarantined: "warn",
} as const;

class Processors implements ProcessorsModule {
  readonly name = "processors";
  readonly #specs: readonly ProcessorSpec[];
  readonly #launched = Promise.withResolvers<void>();
  #host: ProcessorHost | undefined;

  constructor(specs: readonly ProcessorSpec[]) {
    for (const spec of specs) resolveProcessorSpec(spec);
    this.#specs = specs;
  }

  get host(): ProcessorHost {
    if (this.#host === undefined) throw coreError("node.closed", "the processors of this node are not running");
    return this.#host;
  }

  get launched(): Promise<void> {
    return this.#launched.promise;
  }

  start(node: ModuleHost): Promise<void> {
    return this.#start(node).finally(() => this.#launched.resolve());
  }

  async #start(node: ModuleHost): Promise<void> {
    const { logger, journal } = node;
    this.#host = await ProcessorHost.open({
      router: node.router,
      clock: node.clock,
      node: node.node,
      folder: node.folder,
      maxMessageBytes: node.maxMessageBytes,
      onLine: (line: LogLine) =>
        logger[line.stream === "stderr" ? "warn" : "info"]({ processor: line.processor, stream: line.stream }, line.text),
      onEvent: (event) => {
        const level = LEVELS[event.kind];
        logger[level](
          { processor: event.slot, processPid: event.pid, kind: event.kind },
          `${event.slot} ${event.kind}: ${event.text}`,
        );
        if (event.kind !== "launched") journal.add({ kind: "processor", what: event.slot, type: event.kind });
      },
      onRefused: (error) => logger.warn({ err: error }, "a stranger was refused at the processors' socket"),
    });
    const { host } = this;
    node.metrics.registerMetric(restartsMetric(host) as never);
    // One that does not come up is no reason to take the others down: it is tried again, and health says so.
    const added = this.#specs.map((spec) => host.add(spec));
    if (added.length > 0) loadCodec(); // which their greetings will need, while they come up
    this.#launched.resolve();
    const results = await Promise.allSettled(added);
    for (const result of results)
      if (result.status === "rejected") logger.error({ err: result.reason }, (result.reason as Error).message);
  }

  health(): ModuleHealth {
    const reasons = (this.#host?.list() ?? []).flatMap((pool) => complaints(pool));
    return { status: reasons.length === 0 ? "ok" : "degraded", reasons };
  }

  async drain(graceMs: number): Promise<void> {
    await this.#host?.close(graceMs);
    this.#host = undefined;
  }

  async stop(): Promise<void> {
    await this.#host?.close(0);
    this.#host = undefined;
  }
}

function complaints(pool: PoolInfo): string[] {
  // A process that starts for the first time is no complaint; one that starts again after a failure is, until it is ready.
  const down = pool.processes.filter(
    ({ state, lastError }) => state === "quarantined" || state === "backoff" || (state === "starting" && lastError !== undefined),
  );
  if (down.length === 0) return [];
  return [
    `${down.length} of ${pool.processes.length} processes of ${pool.name} are down: ${down[0]?.lastError ?? "no reason known"}`,
  ];
}

function restartsMetric(host: ProcessorHost): object {
  const head = {
    name: "metanode_processor_restarts_total",
    help: "Restarts of processes, by processor.",
    type: "counter",
    aggregator: "sum",
  };
  const values = (): object[] =>
    host
      .list()
      .map((pool) => ({ labels: { processor: pool.name }, value: pool.processes.reduce((sum, one) => sum + one.restarts, 0) }));
  return { ...head, get: async () => ({ ...head, values: values() }), reset: () => undefined };
}

/**
 * The module that hosts processors: each a pool of OS processes that the node starts, supervises and dispatches to.
 * @throws {MetanodeError} config.invalid – with the path of what is wrong.
 */
export function processors(specs: readonly ProcessorSpec[] = []): ProcessorsModule {
  return new Processors(specs);
}
