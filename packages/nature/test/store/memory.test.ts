import { MemoryDisk } from "../../src/testing/memory-disk.ts";
import { openMemoryStore } from "../../src/testing/memory-store.ts";
import { type StoreHarness, storeConformance } from "../../src/testing/store-conformance.ts";

async function memoryHarness(): Promise<StoreHarness> {
  const disk = new MemoryDisk();
  let store = openMemoryStore(disk);
  return {
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = openMemoryStore(disk);
      return store;
    },
    another: async () => openMemoryStore(disk),
    dispose: () => store.close(),
  };
}

storeConformance({ name: "the memory of tests", open: memoryHarness });
