import { wait } from "@metanode/core/clock";
import { asMetanodeError, type Router } from "@metanode/core/internal";
import { streamError } from "../errors.ts";
import type { GraphNode } from "../graph/form.ts";
import { Batch } from "../record/batch.ts";
import { RunLineage } from "../record/lineage.ts";
import { needService, type Services } from "../stage/built-in.ts";
import type { Action, Stage, StageHost } from "../stage/stage.ts";
import { isOfNode, nearFailure, readAnswer, type StageKey, WORK_TYPE, workMessage } from "./placed-wire.ts";

/*
 * A stage whose work is done on another node.
 *
 * P1. One batch is under way at a time per replica, so order is kept. It counts as handled when what was made of it is here: a node
 *     that dies before has done nothing, and the batch goes to another that fits.
 * P2. Of the nodes that fit, the one with the fewest batches under way for its capacity (label `capacity`, else 1); the one that
 *     worked last before others, because its programs run already.
 */

/** How long one batch may take, in milliseconds: a run of a program over it included. */
const WORK_MS = 10 * 60_000;
/** How long a list of nodes is good, and how long it is waited where none fits. */
const LIST_MS = 5_000;
const NOBODY_MS = 500;
const MAX_WAITING = 10_000;

/** The action of a node that says on which nodes of the tree it runs. @throws {MetanodeError} stream.graph */
export function placedAction(node: GraphNode, local: Action, services: Services): Action {
  const router = needService(services, "router", node);
  if (local.stage === undefined) throw unplaceable(node, "it takes no records; put it on the node that runs the graph");
  if (local.keepsState === true)
    throw unplaceable(node, "it remembers something from record to record, and would lose it with the node");
  if (local.holdsEverything === true) throw unplaceable(node, "it needs all records before it gives one");
  const on = node.on ?? "";
  return {
    stage: (host) => new PlacedStage(host, { router, on, hosts: [] }),
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

/** A node that can do the work. */
interface Place {
  readonly path: string;
  readonly capacity: number;
  /** Those with the lowest come first. */
  readonly rank: number;
}

/** Batches under way, by the path of the node, over all stages of this process. */
const underWay = new Map<string, number>();

class PlacedStage implements Stage {
  readonly #host: StageHost;
  readonly #router: Router;
  readonly #node: GraphNode;
  readonly #on: string;
  /** Machines in the order in which they are turned to; none where the nodes that fit are equal. */
  readonly #hosts: readonly string[];
  readonly #queue: Taken[] = [];
  readonly #closing = new AbortController();
  #waiting = 0;
  #given = 0;
  #working: Promise<void> | undefined;
  #last: string | undefined;
  #places: readonly Place[] = [];
  #listedMs = Number.NEGATIVE_INFINITY;
  #hasTold = false;

  constructor(host: StageHost, { router, on, hosts }: { router: Router; on: string; hosts: readonly string[] }) {
    this.#host = host;
    this.#router = router;
    this.#on = on;
    this.#hosts = hosts;
    const { on: _on, placement: _placement, buffer: _buffer, replicas: _replicas, ...node } = host.node;
    this.#node = node;
  }

  /** Whether there is a node that fits now. */
  async hasPlaces(): Promise<boolean> {
    await this.#list();
    return this.#places.length > 0;
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
    return { on: this.#on, nodes: this.#places.map(({ path }) => path), last: this.#last };
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
    const avoided = new Set<string>();
    while (true) {
      this.#closing.signal.throwIfAborted();
      const place = await this.#choose(avoided);
      underWay.set(place.path, (underWay.get(place.path) ?? 0) + 1);
      try {
        const message = workMessage(batch, key, place.path);
        const answer = await this.#router.call(message, { timeoutMs: WORK_MS, signal: this.#closing.signal });
        this.#last = place.path;
        return readAnswer(answer);
      } catch (error) {
        if (this.#closing.signal.aborted || !isOfNode(error)) throw error;
        const { code, message } = asMetanodeError(error);
        this.#host.log("warn", `${place.path} did not do the work (${code}: ${message}); it goes to another node`);
        this.#host.count("retries");
        avoided.add(place.path);
        this.#last = undefined;
        this.#listedMs = Number.NEGATIVE_INFINITY;
      } finally {
        underWay.set(place.path, (underWay.get(place.path) ?? 1) - 1);
      }
    }
  }

  /** A node that fits; waits until there is one. Those that have failed are tried again when nobody else is left. */
  async #choose(avoided: Set<string>): Promise<Place> {
    const { clock } = this.#host;
    while (true) {
      await this.#list();
      const able = this.#places.filter(({ path }) => !avoided.has(path));
      const last = able.find(({ path }) => path === this.#last);
      const busy = ({ path, capacity }: Place): number => (underWay.get(path) ?? 0) / capacity;
      const [best] = able.sort((a, b) => a.rank - b.rank || busy(a) - busy(b));
      if (last !== undefined && best !== undefined && last.rank === best.rank && busy(last) <= busy(best)) return last;
      if (best !== undefined) return best;
      if (!this.#hasTold) this.#host.log("warn", `no node of the tree fits ${this.#on}; the records wait for one`);
      this.#hasTold = true;
      avoided.clear();
      this.#listedMs = Number.NEGATIVE_INFINITY;
      await wait(clock, NOBODY_MS, this.#closing.signal);
    }
  }

  async #list(): Promise<void> {
    const { clock } = this.#host;
    if (clock.now() - this.#listedMs < LIST_MS) return;
    const where = `type=${WORK_TYPE} & (${this.#on})`;
    const data = { type: "metanode.node.describe", where, policy: "best-effort", timeoutMs: LIST_MS };
    const events = (await this.#router.call({ type: "metanode.tree.all", data })) as Told[];
    this.#listedMs = clock.now();
    this.#places = events.flatMap((event) => {
      if (event.kind !== "outcome" || event.status !== "ok" || event.value === undefined) return [];
      const { labels, name, facts } = event.value.card;
      const rank = Math.max(
        0,
        this.#hosts.findIndex((host) => host === name || host === facts.hostname),
      );
      return [{ path: event.path ?? "", capacity: Math.max(0.01, Number(labels.capacity ?? 1) || 1), rank }];
    });
    if (this.#places.length > 0) this.#hasTold = false;
  }
}

interface Told {
  readonly kind: string;
  readonly path?: string;
  readonly status?: string;
  readonly value?: {
    readonly card: {
      readonly name: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly facts: Readonly<Record<string, string | number>>;
    };
  };
}
