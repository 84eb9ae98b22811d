import type { Instance, Locator } from "../instance/instance.ts";
import type { MetaString } from "../meta/meta-string.ts";
import type { FailedTask, RangeQuery, Task } from "./store.ts";

/** A page, and what to ask for the next one. */
export interface ReadPage<T> {
  readonly items: readonly T[];
  /** Undefined = this was the last page. */
  readonly cursor: string | undefined;
}

/** Where a page begins, and its size. */
export interface PageQuery {
  /** From the page before; absent = from the beginning. */
  readonly cursor?: string;
  /** Items in a page. 1 to 1,000. @default 100 */
  readonly limit?: number;
}

/** A task as people see it. */
export interface TaskView extends Task {
  /** Whether an engine is at it. */
  readonly isOwned: boolean;
  /** Why the last try failed. */
  readonly error: string | undefined;
}

/** Instances of one meta. */
export interface MetaCount {
  readonly meta: MetaString;
  readonly instances: number;
  /** Of data with states: how many lines have a state in their last version. Sorted by state. */
  readonly states: readonly { readonly state: string; readonly lines: number }[];
}

/** Reads for people: the same answers on both databases. @throws config.invalid – a cursor or limit that is none; store.unavailable */
export interface StoreReads {
  instance(key: Locator): Promise<Instance | undefined>;
  /** The versions of a line, the last first. */
  versions(line: Omit<Locator, "version">, page?: PageQuery): Promise<ReadPage<Instance>>;
  /** A range of keys, in ascending order. */
  range(query: Omit<RangeQuery, "limit"> & PageQuery): Promise<ReadPage<Instance>>;
  /** The instances of a meta, the youngest first. */
  recent(meta: MetaString, page?: PageQuery): Promise<ReadPage<Instance>>;
  /** What was made from an instance, in ascending order of keys. */
  downstream(key: Locator, page?: PageQuery): Promise<ReadPage<Instance>>;
  /** What an instance was made from, step by step back to the input; at most `limit` steps. @param limit @default 100 */
  upstream(key: Locator, limit?: number): Promise<Instance[]>;
  /** Unfinished tasks by their ids, the oldest first. */
  tasks(query?: PageQuery & { readonly to?: MetaString; readonly from?: Locator }): Promise<ReadPage<TaskView>>;
  /** Failed tasks by their ids, the oldest first. */
  failedTasks(query?: PageQuery & { readonly to?: MetaString; readonly from?: Locator }): Promise<ReadPage<FailedTask>>;
  /** Counts per meta and state, sorted by meta. Looks at all instances, or at those of one meta. */
  counts(meta?: MetaString): Promise<MetaCount[]>;
}
