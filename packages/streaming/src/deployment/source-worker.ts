import { join } from "node:path";
import { type CallContext, coreError, type Message } from "@metanode/core";
import { wait } from "@metanode/core/clock";
import type { Source } from "../delivery/source.ts";
import { streamError } from "../errors.ts";
import type { SourceHost } from "../stage/stage.ts";
import { type SourceRequest, writeRead } from "./placed-wire.ts";
import type { StageWorkerOptions } from "./stage-worker.ts";

/*
 * Sources of graphs that run elsewhere.
 *
 * W3. A source is read by one at a time: whoever comes with the same or a newer run of its graph ends the reading before it.
 * W4. Records are read when they are asked for, so a slow graph slows its source here too.
 */

/** How long a reading may take to end. */
const ENDING_MS = 5_000;

interface Reading {
  readonly epoch: number;
  readonly source: Source;
  readonly ending: AbortController;
  readonly over: Promise<void>;
}

export class SourceWorker {
  readonly #options: StageWorkerOptions;
  readonly #readings = new Map<string, Reading>();

  constructor(options: StageWorkerOptions) {
    this.#options = options;
  }

  /** The records of one source, until nobody wants them. @throws {MetanodeError} stream.graph, stream.action_unknown … */
  async *read({ data }: Message, { signal }: CallContext): AsyncGenerator<Uint8Array> {
    const request = data as SourceRequest;
    const { position, sequence = 0 } = request;
    const name = nameOf(request);
    await this.#end(name, request);
    const ending = new AbortController();
    const either = signal === undefined ? ending.signal : AbortSignal.any([ending.signal, signal]);
    const over = Promise.withResolvers<void>();
    const source = await this.#open(request, either);
    this.#readings.set(name, { epoch: request.epoch, source, ending, over: over.promise });
    try {
      for await (const batch of source.read({ position, sequence, signal: either })) {
        yield writeRead(batch, batch.position);
        batch.onSettled?.(); // it is out of this node's hands
      }
    } finally {
      if (this.#readings.get(name)?.ending === ending) this.#readings.delete(name);
      await source.close?.();
      over.resolve();
    }
  }

  /** The records up to a position are through. Nothing happens where the source is not read now. */
  async commit({ data }: Message): Promise<null> {
    const request = data as SourceRequest;
    const reading = this.#readings.get(nameOf(request));
    if (reading?.epoch === request.epoch && request.position !== undefined) await reading.source.commit?.(request.position);
    return null;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#readings.values()].map((reading) => this.#isEnded(reading)));
  }

  async #end(name: string, { epoch, graph }: SourceRequest): Promise<void> {
    const reading = this.#readings.get(name);
    if (reading === undefined) return;
    if (reading.epoch > epoch) {
      throw streamError("stream.graph", `run ${epoch} of graph ${graph} is over: run ${reading.epoch} reads here`);
    }
    if (await this.#isEnded(reading)) return;
    throw coreError("call.resource_exhausted", `the source ${name} is still being read by another; ask again`);
  }

  /** Ends a reading. One whose reader takes nothing more ends only with its link, which is not waited for long. */
  async #isEnded({ ending, over }: Reading): Promise<boolean> {
    ending.abort();
    const waiting = new AbortController();
    const late = wait(this.#options.clock, ENDING_MS, waiting.signal).then(
      () => false,
      () => true,
    );
    const isEnded = await Promise.race([over.then(() => true), late]);
    waiting.abort();
    return isEnded;
  }

  async #open({ graph, node, epoch }: SourceRequest, signal: AbortSignal): Promise<Source> {
    const { catalogue, clock, folder, onLog } = this.#options;
    const { source } = catalogue.localActionOf(node);
    if (source === undefined) throw streamError("stream.graph", `${node.name} gives no records by itself`);
    const host: SourceHost = {
      graph,
      node,
      epoch,
      clock,
      folder: join(folder, graph, node.name),
      signal,
      log: (level, text) => onLog(level, `${graph}/${node.name}: ${text}`),
      count: () => undefined,
    };
    return source(host);
  }
}

function nameOf({ graph, node }: SourceRequest): string {
  return `${graph}/${node.name}`;
}
