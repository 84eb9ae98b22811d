/**
 * Data-driven workflows: immutable, versioned instances of declared metas flow along declared relations, by executors.
 *
 * ```ts
 * await using nature = await openNature({ folder: "data", flows: [shop] });
 * await nature.input({ meta: shop.names.order, content: JSON.stringify(order) });
 * ```
 *
 * What reads, writes, compares and draws declarations is published by `@metanode/nature/declare`, how workflows plug into a node by
 * `@metanode/nature/module`, how they are tried by `@metanode/nature/testing`.
 */

// Not by way of the folder's index: it loads what reads and draws declarations as well, which a program that runs them has no use for.
export { defineFlow, type Flow } from "./declare/flow.ts";
export { type JoinedFlows, joinFlows } from "./declare/join.ts";
export type { LeafStates } from "./declare/leaf-states.ts";
export { type MetaSpec, meta } from "./declare/meta-spec.ts";
export type { EngineReport, ExecutorRun } from "./engine/engine-report.ts";
export type { FlowResult, WaitOptions } from "./engine/flows.ts";
export type { InputResult } from "./engine/inputs.ts";
export type { EngineStats, RelationMeasures } from "./engine/measures.ts";
export type { EngineOptions } from "./engine/options.ts";
export type { NatureErrorCode } from "./errors.ts";
export type { Converter, ConvertRequest, ConvertResult, Output } from "./executor/executor.ts";
export { defineExecutors, type JsonOutput, jsonConverter, type LocalExecutor, refuse, tryLater } from "./executor/local.ts";
export { parseLossless } from "./executor/lossless-json.ts";
export { fromNatureResult } from "./executor/nature-json.ts";
export { type Instance, type InstanceInput, keyOf, type Locator } from "./instance/instance.ts";
export type { Meta } from "./meta/meta.ts";
export { type Nature, type NatureOptions, openNature } from "./nature/index.ts";
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
export type { Relation } from "./relation/relation.ts";
export type { Store } from "./store/full-store.ts";
export { openPostgresStore } from "./store/open-postgres.ts";
export type { StoreReads } from "./store/reads.ts";
export { openSqliteStore } from "./store/sqlite.ts";
