/** What users test their workflows with: the real engine in memory, on a clock that they move. */

export type { FaultPoint } from "../engine/fault.ts";
export { FAULT_POINTS } from "../engine/fault.ts";
export { MemoryDisk } from "./memory-disk.ts";
export { type MemoryStore, type MemoryStoreOptions, openMemoryStore, type StoreOperation } from "./memory-store.ts";
export { createTestNature, type TestNature, type TestNatureOptions } from "./test-nature.ts";
