import { type Clock, wait } from "@metanode/core/clock";
import type { Router } from "@metanode/core/internal";
import type { LogLevel } from "../stage/stage.ts";

/*
 * Which nodes of the tree do the work of stages and sources.
 *
 * L1. Of the nodes that fit, the one with the least under way for its capacity (label `capacity`, else 1); the one that worked last
 *     before others, because its programs run already.
 * L2. Where none fits, or the one that is needed is away, it is said once and waited for.
 */

/** How long a list of nodes is good, and how long it is waited where none fits. */
const LIST_MS = 5_000;
const NOBODY_MS = 500;

/** A node that can do the work. */
export interface Place {
  readonly id: string;
  readonly path: string;
  readonly capacity: number;
  /** Those with the lowest come first. */
  readonly rank: number;
}

export interface PlacesOptions {
  readonly router: Router;
  readonly clock: Clock;
  /** What a node has to handle. */
  readonly type: string;
  /** The selector. */
  readonly on: string;
  /** Machines in the order in which they are turned to; none where the nodes that fit are equal. */
  readonly hosts: readonly string[];
  readonly signal: AbortSignal;
  readonly log: (level: LogLevel, text: string) => void;
}

/** What is under way, by the path of the node, over all stages of this process. */
const underWay = new Map<string, number>();

export class Places {
  readonly #options: PlacesOptions;
  #list: readonly Place[] = [];
  #listedMs = Number.NEGATIVE_INFINITY;
  #hasTold = false;

  constructor(options: PlacesOptions) {
    this.#options = options;
  }

  /** Those that fitted when it was last asked. */
  get known(): readonly Place[] {
    return this.#list;
  }

  /** Whether there is a node that fits now. */
  async hasAny(): Promise<boolean> {
    await this.#ask();
    return this.#list.length > 0;
  }

  /** Asks anew the next time: a node that was chosen did not do the work. */
  forget(): void {
    this.#listedMs = Number.NEGATIVE_INFINITY;
  }

  /** A node that fits; waits until there is one. Those that have failed are tried again when nobody else is left. */
  async choose(avoided: Set<string>, lastPath: string | undefined): Promise<Place> {
    while (true) {
      await this.#ask();
      const able = this.#list.filter(({ path }) => !avoided.has(path));
      const last = able.find(({ path }) => path === lastPath);
      const busy = ({ path, capacity }: Place): number => (underWay.get(path) ?? 0) / capacity;
      const [best] = able.sort((a, b) => a.rank - b.rank || busy(a) - busy(b));
      if (best !== undefined) {
        this.#hasTold = false;
        return last !== undefined && last.rank === best.rank && busy(last) <= busy(best) ? last : best;
      }
      avoided.clear();
      await this.#wait(`no node of the tree fits ${this.#options.on}; the records wait for one`);
    }
  }

  /** The node with this id, also where it does not fit any more; waits until the tree has it. */
  async find(id: string): Promise<Place> {
    while (true) {
      await this.#ask(`(${this.#options.on}) | id=${JSON.stringify(id)}`);
      const found = this.#list.find((place) => place.id === id);
      if (found !== undefined) {
        this.#hasTold = false;
        return found;
      }
      await this.#wait(`node ${id} is not in the tree now, and only it knows where to read on; the graph waits for it`);
    }
  }

  /** Does one piece of work that counts as under way there. */
  async during<T>({ path }: Place, work: () => Promise<T>): Promise<T> {
    underWay.set(path, (underWay.get(path) ?? 0) + 1);
    try {
      return await work();
    } finally {
      underWay.set(path, (underWay.get(path) ?? 1) - 1);
    }
  }

  async #wait(text: string): Promise<void> {
    const { clock, signal, log } = this.#options;
    if (!this.#hasTold) log("warn", text);
    this.#hasTold = true;
    this.forget();
    await wait(clock, NOBODY_MS, signal);
  }

  async #ask(on = this.#options.on): Promise<void> {
    const { clock, router, type, hosts } = this.#options;
    if (clock.now() - this.#listedMs < LIST_MS) return;
    const data = { type: "metanode.node.describe", where: `type=${type} & (${on})`, policy: "best-effort", timeoutMs: LIST_MS };
    const events = (await router.call({ type: "metanode.tree.all", data })) as Told[];
    this.#listedMs = clock.now();
    this.#list = events.flatMap((event) => {
      if (event.kind !== "outcome" || event.status !== "ok" || event.value === undefined) return [];
      const { id, labels, name, facts } = event.value.card;
      const rank = Math.max(
        0,
        hosts.findIndex((host) => host === name || host === facts.hostname),
      );
      return [{ id, path: event.path ?? "", capacity: Math.max(0.01, Number(labels.capacity ?? 1) || 1), rank }];
    });
  }
}

interface Told {
  readonly kind: string;
  readonly path?: string;
  readonly status?: string;
  readonly value?: {
    readonly card: {
      readonly id: string;
      readonly name: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly facts: Readonly<Record<string, string | number>>;
    };
  };
}
