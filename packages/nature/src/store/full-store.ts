import type { MaintenanceStore, RegistryStore } from "./admin.ts";
import type { StoreReads } from "./reads.ts";
import type { WorkStore } from "./store.ts";

/** A store: what engines work with, what is declared, upkeep, and reads for people. One engine works with it at a time. */
export interface Store extends WorkStore, RegistryStore, MaintenanceStore, AsyncDisposable {
  readonly dialect: "sqlite" | "postgresql";
  /** Typed reads for people and for HTTP. Loaded at first use. */
  readonly reads: StoreReads;
  /** Gives up what is owned, so that others go on with it at once, and ends. Idempotent. */
  close(): Promise<void>;
}
