/** Data-driven workflows. What reads, writes, compares and draws declarations is published by `@metanode/nature/declare`. */

export { builtIns } from "./builtin/built-ins.ts";
export { Catalog } from "./catalog/catalog.ts";
// Not by way of the folder's index: it loads what reads and draws declarations as well, which a program that runs them has no use for.
export { defineFlow, type Flow } from "./declare/flow.ts";
export { type JoinedFlows, joinFlows } from "./declare/join.ts";
export type { LeafStates } from "./declare/leaf-states.ts";
export { type MetaSpec, meta } from "./declare/meta-spec.ts";
export { Engine } from "./engine/engine.ts";
export type { EngineReport } from "./engine/engine-report.ts";
export type { NatureErrorCode } from "./errors.ts";
export { createCredentials } from "./executor/credentials.ts";
export type { Converter, ConvertRequest, ConvertResult } from "./executor/executor.ts";
export type { Resolvers } from "./executor/executors.ts";
export { createHttpExecutors } from "./executor/http.ts";
export { defineExecutors, type JsonOutput, jsonConverter, refuse, tryLater } from "./executor/local.ts";
export { parseLossless } from "./executor/lossless-json.ts";
export { fromNatureResult } from "./executor/nature-json.ts";
export { type Instance, type InstanceInput, keyOf, type Locator } from "./instance/instance.ts";
export {
  applyChanges,
  type Edit,
  type EditOptions,
  type EditResult,
  type MetaUses,
  openRegistry,
  type Registry,
  type RegistryParts,
} from "./registry/index.ts";
export type { Store } from "./store/full-store.ts";
export { openPostgresStore } from "./store/open-postgres.ts";
export { openSqliteStore } from "./store/sqlite.ts";
