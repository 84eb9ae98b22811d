import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Store } from "../../src/store/full-store.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { StoreHarness } from "../../src/testing/store-conformance.ts";

/** A folder for one test, removed with its `await using` block. */
export async function testFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "metanode-store-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

/** A store on SQLite, in a folder of its own. */
export async function sqliteHarness(): Promise<StoreHarness & { readonly folder: string }> {
  const folder = await testFolder();
  let store: Store = await openSqliteStore({ folder: folder.path });
  return {
    folder: folder.path,
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = await openSqliteStore({ folder: folder.path });
      return store;
    },
    async dispose() {
      await store.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}
