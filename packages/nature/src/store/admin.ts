import type { Meta } from "../meta/meta.ts";
import type { MetaString } from "../meta/meta-string.ts";
import type { Relation } from "../relation/relation.ts";
import type { FailedTask } from "./store.ts";

/** Everything declared, as it was at one moment. */
export interface StoredRegistry {
  /** Rises with every edit. */
  readonly version: number;
  /** In the order of their first declaration. */
  readonly metas: readonly Meta[];
  /** In the order of their first declaration. */
  readonly relations: readonly Relation[];
}

/** One change of what is declared. A put replaces what has the same name. */
export type RegistryEdit =
  | { readonly op: "put-meta"; readonly meta: Meta }
  | { readonly op: "delete-meta"; readonly meta: MetaString }
  | { readonly op: "put-relation"; readonly relation: Relation }
  | { readonly op: "delete-relation"; readonly from: MetaString; readonly to: MetaString };

/** Where what is declared lives. Nothing is checked here; meta-strings come in their canonical spelling. */
export interface RegistryStore {
  loadRegistry(): Promise<StoredRegistry>;
  /**
   * Makes all edits or none; resolves to the new version.
   * @param ifVersion – only if the registry still has this version; else nothing is done and undefined comes back
   */
  editRegistry(edits: readonly RegistryEdit[], ifVersion?: number): Promise<number | undefined>;
  /**
   * Tells a listener of each new version, whoever made it; edits of other nodes within `registryPollMs`. Versions that come close together may be
   * told as one.
   * @returns ends it
   */
  watchRegistry(listener: (version: number) => void): () => void;
  /** Whether there is any instance of a meta. */
  hasInstances(meta: MetaString): Promise<boolean>;
  /** The value of a setting; the first node to ask sets it, the others get what that one set. */
  setting(name: string, preset: string): Promise<string>;
}

/** What is waiting, for metrics and health. */
export interface Backlog {
  /** Tasks at work or in the memory of an engine. */
  readonly owned: number;
  /** Tasks that are due and wait for an engine. */
  readonly due: number;
  /** Tasks whose time has not come. */
  readonly delayed: number;
  readonly failed: number;
  /** When the longest waiting task became due; undefined = none is. */
  readonly oldestDueMs: number | undefined;
}

/** A page of failed tasks. */
export interface FailedQuery {
  /** Only those with higher ids. @default 0 */
  readonly afterId?: number;
  /** Only those whose relation leads to this meta. */
  readonly to?: MetaString;
  readonly limit: number;
}

/** Upkeep. */
export interface MaintenanceStore {
  /**
   * Removes at most `limit` instances of a meta that were stored before a moment, the oldest first; how many. Kept are those that a task or a failed
   * task still works on, and the last version of a line as long as there are others. Call it again until it removes none.
   */
  removeOld(query: { readonly meta: MetaString; readonly createdLtMs: number; readonly limit: number }): Promise<number>;
  backlog(nowMs: number): Promise<Backlog>;
  /** Failed tasks by their ids, in ascending order. */
  failedTasks(query: FailedQuery): Promise<FailedTask[]>;
  /**
   * Gives failed tasks another first try, due now; the ids of those that there were.
   * @param mission – what they are to do in place of what they did
   */
  replayFailed(ids: readonly number[], nowMs: number, mission?: string): Promise<number[]>;
  /** Forgets failed tasks; how many there were. */
  dropFailed(ids: readonly number[]): Promise<number>;
}
