import type { MaintenanceStore, RegistryStore } from "./admin.ts";
import type { WorkStore } from "./store.ts";

/** A store: what engines work with, what is declared, and upkeep. One engine works with it at a time. */
export interface Store extends WorkStore, RegistryStore, MaintenanceStore, AsyncDisposable {
  readonly dialect: "sqlite" | "postgresql";
  /** Gives up what is owned, so that others go on with it at once, and ends. Idempotent. */
  close(): Promise<void>;
}
