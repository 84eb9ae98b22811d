import type { Store } from "./full-store.ts";
import type { PostgresStoreOptions } from "./postgres.ts";

/**
 * Opens the store in a database, making or updating its tables first; several nodes may do so at once. While the database is away everything
 * fails with `store.unavailable`; when it is back the store goes on by itself. Its driver is loaded with the first store, so that a node without one
 * does not pay for it.
 * @throws store.unavailable – it cannot be reached; store.unusable – it refuses us, or its tables are newer than this program; config.invalid
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { openPostgresStore: open } = await import("./postgres.ts");
  return open(options);
}
