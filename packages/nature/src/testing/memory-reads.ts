import { byBytes } from "../byte-order.ts";
import { type Instance, keyOf, type Locator } from "../instance/instance.ts";
import type { MetaString } from "../meta/meta-string.ts";
import { afterOf, limitOf, pageOf } from "../store/pages.ts";
import type { MetaCount, PageQuery, ReadPage, StoreReads, TaskView } from "../store/reads.ts";
import type { Cell } from "../store/rows.ts";
import type { FailedTask, RangeQuery, Task } from "../store/store.ts";
import { byKey, compareCells, keyCells, type MemoryDisk } from "./memory-disk.ts";

const KEY = ["text", "text", "text", "number"] as const;

type TaskQuery = PageQuery & { readonly to?: MetaString; readonly from?: Locator };

/** Reads for people, of a {@link MemoryDisk}. */
export class MemoryReads implements StoreReads {
  readonly #disk: MemoryDisk;
  readonly #range: (query: RangeQuery) => Promise<Instance[]>;

  constructor(disk: MemoryDisk, range: (query: RangeQuery) => Promise<Instance[]>) {
    this.#disk = disk;
    this.#range = range;
  }

  async instance(key: Locator): Promise<Instance | undefined> {
    return this.#disk.instances.get(keyOf(key));
  }

  async versions(line: Omit<Locator, "version">, page: PageQuery = {}): Promise<ReadPage<Instance>> {
    const all = [...this.#disk.versions(line)].sort((a, b) => b.version - a.version);
    return pageBy(all, page, { sample: ["number"], cells: ({ version }) => [version] });
  }

  async range(query: Omit<RangeQuery, "limit"> & PageQuery): Promise<ReadPage<Instance>> {
    const { cursor: _, limit: __, ...bounds } = query;
    return inKeyOrder(await this.#range({ ...bounds, limit: Number.MAX_SAFE_INTEGER }), query);
  }

  async recent(meta: MetaString, page: PageQuery = {}): Promise<ReadPage<Instance>> {
    const order = (a: Instance, b: Instance): number =>
      b.createdMs - a.createdMs || compareCells(keyCells(a).slice(1, 3), keyCells(b).slice(1, 3)) || b.version - a.version;
    const all = [...this.#disk.instances.values()].filter((one) => one.meta === meta).sort(order);
    const cells = (one: Instance): Cell[] => [one.createdMs, ...keyCells(one).slice(1)];
    return pageBy(all, page, { sample: ["number", "text", "text", "number"], cells });
  }

  async downstream(key: Locator, page: PageQuery = {}): Promise<ReadPage<Instance>> {
    return inKeyOrder([...this.#disk.madeFrom(key)].sort(byKey), page);
  }

  async upstream(key: Locator, limit = 100): Promise<Instance[]> {
    const chain: Instance[] = [];
    for (let next = await this.instance(key); next?.from !== undefined && chain.length < limit; ) {
      next = await this.instance(next.from);
      if (next !== undefined) chain.push(next);
    }
    return chain;
  }

  async tasks(query: TaskQuery = {}): Promise<ReadPage<TaskView>> {
    const views = [...this.#disk.tasks.values()].map(
      ({ owner, ...task }): TaskView => ({ ...task, isOwned: owner !== undefined }),
    );
    return byId(views, query);
  }

  async failedTasks(query: TaskQuery = {}): Promise<ReadPage<FailedTask>> {
    return byId([...this.#disk.failed.values()], query);
  }

  async counts(meta?: MetaString): Promise<MetaCount[]> {
    const all = [...this.#disk.instances.values()].filter((one) => meta === undefined || one.meta === meta);
    const byMeta = Map.groupBy(all, (one) => one.meta);
    return [...byMeta.keys()].sort(byBytes).map((one) => {
      const instances = byMeta.get(one) ?? [];
      return { meta: one, instances: instances.length, states: this.#states(instances) };
    });
  }

  #states(instances: readonly Instance[]): MetaCount["states"] {
    const last = instances.filter((one) => one.version > 0 && this.#disk.latest(one) === one);
    const byState = Map.groupBy(
      last.flatMap(({ states }) => states),
      (state) => state,
    );
    return [...byState].sort(([a], [b]) => byBytes(a, b)).map(([state, lines]) => ({ state, lines: lines.length }));
  }
}

interface Order<T> {
  readonly sample: readonly ("text" | "number")[];
  readonly cells: (one: T) => readonly Cell[];
}

function inKeyOrder(sorted: readonly Instance[], page: PageQuery): ReadPage<Instance> {
  return pageBy(sorted, page, { sample: KEY, cells: keyCells });
}

function byId<T extends Task>(tasks: readonly T[], { to, from, ...page }: TaskQuery): ReadPage<T> {
  const isWanted = (task: T): boolean =>
    (to === undefined || task.to === to) && (from === undefined || keyOf(task.upstream) === keyOf(from));
  const sorted = tasks.filter(isWanted).sort((a, b) => a.id - b.id);
  return pageBy(sorted, page, { sample: ["number"], cells: ({ id }) => [id] });
}

/** The items behind a cursor. The one that it was made of is there: nothing is removed while tests read pages. */
function pageBy<T>(sorted: readonly T[], page: PageQuery, { sample, cells }: Order<T>): ReadPage<T> {
  const limit = limitOf(page);
  const after = afterOf(page, sample);
  if (after === undefined) return pageOf(sorted.slice(0, limit + 1), limit, cells);
  const at = sorted.findIndex((one) => compareCells(cells(one), after) === 0);
  return pageOf(sorted.slice(at + 1, at + 2 + limit), limit, cells);
}
