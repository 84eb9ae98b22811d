import { byBytes } from "../byte-order.ts";
import { type Instance, keyOf, type Locator, lineKeyOf } from "../instance/instance.ts";
import type { Meta } from "../meta/meta.ts";
import type { Relation } from "../relation/relation.ts";
import { type Cell, storedId } from "../store/rows.ts";
import type { FailedTask, NewInstance, Task, Unit, UnitResult } from "../store/store.ts";

/** A task on the disk. */
export interface DiskTask extends Task {
  /** The slot of the engine that is at it. */
  readonly owner: number | undefined;
  /** Why the last try failed. */
  readonly error: string | undefined;
}

/**
 * What survives a crash: a database in memory, for tests. Engines reach it through handles ({@link openMemoryStore}), each of which
 * can die by itself.
 */
export class MemoryDisk {
  /** By key. */
  readonly instances = new Map<string, Instance>();
  readonly tasks = new Map<number, DiskTask>();
  readonly failed = new Map<number, FailedTask>();
  /** The end of the lease of each engine, by slot. */
  readonly leases = new Map<number, number>();
  readonly settings = new Map<string, string>();
  readonly metas = new Map<string, Meta>();
  readonly relations = new Map<string, Relation>();
  readonly watchers = new Set<(version: number) => void>();
  registryVersion = 0;
  /** While true every operation fails with `store.unavailable`: the database is away. */
  isAway = false;
  /** While true nothing can be written: the disk is full. */
  isFull = false;
  readonly #lines = new Map<string, Instance[]>();
  readonly #made = new Map<string, Instance[]>();
  #slots = 0;
  #blocks = 0;

  nextSlot(): number {
    return ++this.#slots;
  }

  nextBlock(): number {
    return this.#blocks++;
  }

  /** The highest version of a line. */
  latest(line: Omit<Locator, "version">): Instance | undefined {
    return this.#lines.get(lineKeyOf(line))?.reduce((a, b) => (b.version > a.version ? b : a));
  }

  /** The versions of a line, in the order of their storing. */
  versions(line: Omit<Locator, "version">): readonly Instance[] {
    return this.#lines.get(lineKeyOf(line)) ?? [];
  }

  /** What was made from an upstream. */
  madeFrom(upstream: Locator): readonly Instance[] {
    return this.#made.get(keyOf(upstream)) ?? [];
  }

  /** All instances in the order of their keys. */
  sorted(): Instance[] {
    return [...this.instances.values()].sort(byKey);
  }

  /** Stores a unit whole or not at all, for the engine of a slot. */
  store({ taskId, instances }: Unit, slot: number): UnitResult {
    if (taskId !== undefined && this.tasks.get(taskId)?.owner !== slot) return { status: "lost" };
    // A unit holds at most one version of a line, so that none of them depends on another.
    if (instances.some(({ instance }) => this.#clashes(instance))) return { status: "conflict" };
    if (taskId !== undefined) this.tasks.delete(taskId);
    return { status: "done", stored: instances.map((one) => this.#put(one, slot)) };
  }

  #clashes(instance: Instance): boolean {
    if (instance.version === 0 || this.#wasMade(instance)) return false;
    return (this.latest(instance)?.version ?? 0) !== instance.version - 1;
  }

  /** Whether something of this line was made from this upstream already. */
  #wasMade({ from, ...instance }: Instance): boolean {
    return from !== undefined && this.madeFrom(from).some((one) => lineKeyOf(one) === lineKeyOf(instance));
  }

  #put({ instance, tasks }: NewInstance, slot: number): boolean {
    const key = keyOf(instance);
    if (this.instances.has(key) || this.#wasMade(instance)) return false;
    this.instances.set(key, instance);
    push(this.#lines, lineKeyOf(instance), instance);
    if (instance.from !== undefined) push(this.#made, keyOf(instance.from), instance);
    for (const { mine, ...task } of tasks) this.tasks.set(task.id, { ...task, owner: mine ? slot : undefined, error: undefined });
    return true;
  }

  remove(instance: Instance): void {
    this.instances.delete(keyOf(instance));
    pull(this.#lines, lineKeyOf(instance), instance);
    if (instance.from !== undefined) pull(this.#made, keyOf(instance.from), instance);
  }

  /** Frees the tasks of engines that are not there, but for one; how many. */
  freeTasks(mine: number): number {
    let freed = 0;
    for (const [id, task] of this.tasks) {
      if (task.owner === undefined || task.owner === mine || this.leases.has(task.owner)) continue;
      this.tasks.set(id, { ...task, owner: undefined });
      freed++;
    }
    return freed;
  }
}

function push(map: Map<string, Instance[]>, key: string, instance: Instance): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [instance]);
  else list.push(instance);
}

function pull(map: Map<string, Instance[]>, key: string, instance: Instance): void {
  const rest = (map.get(key) ?? []).filter((one) => one !== instance);
  if (rest.length > 0) map.set(key, rest);
  else map.delete(key);
}

/** The cells of a key, each of which orders as it does in a database. */
export function keyCells({ meta, id, para, version }: Locator): Cell[] {
  return [meta, storedId(id), para, version];
}

/** Compares part by part; a shorter list is compared with the same part of the longer one. */
export function compareCells(a: readonly Cell[], b: readonly Cell[]): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const one = a[at];
    const other = b[at];
    const order = typeof one === "number" && typeof other === "number" ? one - other : byBytes(String(one), String(other));
    if (order !== 0) return order;
  }
  return 0;
}

/** In the order of keys. */
export function byKey(a: Locator, b: Locator): number {
  return compareCells(keyCells(a), keyCells(b));
}
