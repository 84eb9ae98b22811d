import type { Store } from "../../src/store/full-store.ts";
import { openPostgresStore } from "../../src/store/postgres.ts";
import type { StoreHarness } from "../../src/testing/store-conformance.ts";
import { testDatabase } from "../postgres/database.ts";

/** A store on PostgreSQL, in a database of its own. */
export async function postgresHarness(serverUrl: string): Promise<StoreHarness & { readonly url: string }> {
  const database = await testDatabase(serverUrl);
  const options = { url: database.url, maxConnections: 4, registryPollMs: 5 };
  let store: Store = await openPostgresStore(options);
  const others: Store[] = [];
  return {
    url: database.url,
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = await openPostgresStore(options);
      return store;
    },
    async another() {
      const other = await openPostgresStore(options);
      others.push(other);
      return other;
    },
    async dispose() {
      await Promise.all([store, ...others].map((one) => one.close()));
      await database[Symbol.asyncDispose]();
    },
  };
}
