import { asMetanodeError, type Router } from "@metanode/core/internal";
import { streamError } from "../errors.ts";
import type { GraphNode } from "../graph/form.ts";
import { Batch } from "../record/batch.ts";
import { RunLineage } from "../record/lineage.ts";
import { needService, type Services } from "../stage/built-in.ts";
import type { Action, Stage, StageHost } from "../stage/stage.ts";
import { placedSource } from "./placed-source.ts";
import { farNode, isOfNode, nearFailure, readAnswer, type StageKey, WORK_TYPE, workMessage } from "./placed-wire.ts";
import { Places } from "./places.ts";

/*
 * A stage whose work is done on another node.
 *
 * P1. One batch is under way at a time per replica, so order is kept. It counts as handled when what was made of it is here: a node
 *     that dies before has done nothing, and the batch goes to another that fits.
 */

/** How long one batch may take, in milliseconds: a run of a program over it included. */
const WORK_MS = 10 * 60_000;
const MAX_WAITING = 10_000;

/** The action of a node that says on which nodes of the tree it runs. @throws {MetanodeError} stream.graph */
export function placedAction(node: GraphNode, local: Action, services: Services): Action {
  const router = needService(services, "router", node);
  if (local.keepsState === true)
    throw unplaceable(node, "it remembers something from record to record, and would lose it with the node");
  if (local.holdsEverything === true) throw unplaceable(node, "it needs all records before it gives one");
  if (local.renumbers === true && local.stage === undefined)
    throw unplaceable(node, "whoever sends to it waits until the records are through, or they are numbered anew with every run");
  const on = node.on ?? "";
  return {
    ...(local.source === undefined || local.renumbers === true ? {} : { source: placedSource(router, on) }),
    ...(local.replays === undefined ? {} : { replays: local.replays }),
    ...(local.stage === undefined ? {} : { stage: (host: StageHost) => new PlacedStage(host, { router, on, hosts: [] }) }),
    ...(local.warnings === undefined ? {} : { warnings: local.warnings }),
  };
}

/**
 * The action of a node whose `placement` names machines, as schemes of GoStreaming do: where the tree has nodes of those names, or on
 * hosts so called, it runs there, the first before the second; else here, as it would without.
 */
export function hintedAction(node: GraphNode, local: Action, { router }: Services): Action {
  const { stage } = local;
  const hosts = (node.placement ?? []).map(({ host }) => host);
  const isFixed = stage === undefined || local.keepsState === true || local.holdsEverything === true;
  if (hosts.length === 0 || router?.find("metanode.tree.all") === undefined || isFixed) return local;
  const on = hosts.map((host) => `name=${JSON.stringify(host)} | fact.hostname=${JSON.stringify(host)}`).join(" | ");
  const { fuse: _fuse, ...others } = local;
  return {
    ...others,
    stage: async (host) => {
      const placed = new PlacedStage(host, { router, on, hosts });
      return (await placed.hasPlaces()) ? placed : stage(host);
    },
  };
}

function unplaceable({ name }: GraphNode, why: string): Error {
  return streamError("stream.graph", `${name} cannot be placed with \`on\`: ${why}`);
}

interface Taken {
  readonly batch: Batch;
  readonly from: string;
}

class PlacedStage implements Stage {
  readonly #host: StageHost;
  readonly #router: Router;
  readonly #node: GraphNode;
  readonly #on: string;
  readonly #places: Places;
  readonly #queue: Taken[] = [];
  readonly #closing = new AbortController();
  #waiting = 0;
  #given = 0;
  #working: Promise<void> | undefined;
  #last: string | undefined;

  constructor(host: StageHost, { router, on, hosts }: { router: Router; on: string; hosts: readonly string[] }) {
    this.#host = host;
    this.#router = router;
    this.#on = on;
    const { signal } = this.#closing;
    const log = host.log.bind(host);
    this.#places = new Places({ router, clock: host.clock, type: WORK_TYPE, on, hosts, signal, log });
    this.#node = farNode(host.node);
  }

  /** Whether there is a node that fits now. */
  hasPlaces(): Promise<boolean> {
    return this.#places.hasAny();
  }

  get waiting(): number {
    return this.#waiting;
  }

  hasRoom(): boolean {
    return this.#waiting < MAX_WAITING && this.#host.outlet.hasRoom();
  }

  take(batch: Batch, from: string): void {
    if (batch.count === 0) {
      batch.receipt.release();
      return;
    }
    this.#queue.push({ batch, from });
    this.#waiting += batch.count;
    this.#working ??= this.#work();
  }

  async settle(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  end(): Promise<void> {
    return this.settle();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#queue.length = 0;
  }

  describe(): Readonly<Record<string, unknown>> {
    return { on: this.#on, nodes: this.#places.known.map(({ path }) => path), last: this.#last };
  }

  async #work(): Promise<void> {
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        await this.#one(next);
        this.#waiting -= next.batch.count;
        this.#host.wake();
      }
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#host.fail(error);
    } finally {
      this.#working = undefined;
    }
  }

  /** One batch: until a node has done the work. */
  async #one({ batch, from }: Taken): Promise<void> {
    const { graph, replica, epoch } = this.#host;
    const key: StageKey = { graph, node: this.#node, replica, epoch };
    const { outputs, failed, counts } = await this.#done(batch, key);
    for (const [what, by] of Object.entries(counts)) this.#host.count(what as keyof typeof counts, by);
    for (const content of outputs) {
      batch.receipt.hold();
      const made = new Batch(content, { receipt: batch.receipt, lineage: this.#lineageOf(batch) });
      this.#given += made.count;
      this.#host.outlet.push(made);
    }
    for (const one of failed) {
      const answer = await this.#host.giveUp(nearFailure(one, batch, from));
      if (answer !== "retry") continue;
      batch.receipt.hold();
      await this.#one({ batch: batch.pick([one.index]), from });
    }
    batch.receipt.release();
  }

  #lineageOf(batch: Batch): RunLineage {
    return new RunLineage(batch.lineage, `${this.#node.name}@${this.#host.epoch}`, this.#given);
  }

  async #done(batch: Batch, key: StageKey): Promise<ReturnType<typeof readAnswer>> {
    const { signal } = this.#closing;
    const avoided = new Set<string>();
    while (true) {
      signal.throwIfAborted();
      const place = await this.#places.choose(avoided, this.#last);
      try {
        const message = workMessage(batch, key, place.path);
        const work = (): Promise<unknown> => this.#router.call(message, { timeoutMs: WORK_MS, signal });
        const answer = await this.#places.during(place, work);
        this.#last = place.path;
        return readAnswer(answer);
      } catch (error) {
        if (signal.aborted || !isOfNode(error)) throw error;
        const { code, message } = asMetanodeError(error);
        this.#host.log("warn", `${place.path} did not do the work (${code}: ${message}); it goes to another node`);
        this.#host.count("retries");
        avoided.add(place.path);
        this.#last = undefined;
        this.#places.forget();
      }
    }
  }
}
