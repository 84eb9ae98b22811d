import type { Store } from "../store/full-store.ts";

/** A store under test, and the means to restart it. */
export interface StoreHarness {
  /** Empty at first; after `reopen` the new one. */
  readonly store: Store;
  /** Closes the store and opens it again on the same data. */
  reopen(): Promise<Store>;
  /** Opens the same data for another engine at the same time. Absent where one process has the data for itself. */
  another?(): Promise<Store>;
  /** Closes all stores and removes the data. */
  dispose(): Promise<void>;
}

/** One promise of the contract, as a test. */
export interface StorePromise {
  readonly title: string;
  /** Whether it is about engines that share a database. */
  readonly needsAnother?: boolean;
  run(harness: StoreHarness): Promise<void>;
}
