/** For siblings in this repository, without promises. */

import type { Store } from "./store/full-store.ts";
import type { PostgresStoreOptions } from "./store/postgres.ts";

export { builtIns } from "./builtin/built-ins.ts";
export type { Catalog, CatalogProblem, Declarations } from "./catalog/catalog.ts";
export { normalMeta, normalRelation, relationName } from "./catalog/normal.ts";
export { defineFlow, type Flow, type JoinedFlows, joinFlows, meta } from "./declare/index.ts";
export { type ChangePlan, type PlannedChange, planChanges, planText } from "./declare/plan.ts";
export { Engine, type EngineStore } from "./engine/engine.ts";
export type { EngineReport } from "./engine/engine-report.ts";
export type { FlowResult } from "./engine/flows.ts";
export type { InputResult } from "./engine/inputs.ts";
export type { EngineStats, RelationMeasures } from "./engine/measures.ts";
export type { QueueLoad } from "./engine/task-queue.ts";
export { type NatureErrorCode, natureError } from "./errors.ts";
export { type Credentials, createCredentials } from "./executor/credentials.ts";
export type { ConvertResult, SelfRouteConverter } from "./executor/executor.ts";
export type { Resolvers } from "./executor/executors.ts";
export { createHttpExecutors, type HttpExecutors } from "./executor/http.ts";
export { defineExecutors, jsonConverter } from "./executor/local.ts";
export { digitsOf, parseLossless, rawNumber } from "./executor/lossless-json.ts";
export { fromNature, fromNatureResult, fromNatureRoute, toNature } from "./executor/nature-json.ts";
export { type Ask, remoteExecutors } from "./executor/remote.ts";
export { checkId } from "./instance/id.ts";
export { type Instance, type InstanceInput, keyOf, type Locator } from "./instance/instance.ts";
export type { Meta } from "./meta/meta.ts";
export { canonicalMeta } from "./meta/meta-string.ts";
export { applyChanges } from "./registry/apply.ts";
export type { Edit } from "./registry/edit.ts";
export { type EditResult, openRegistry, Registry } from "./registry/registry.ts";
export type { Mission } from "./relation/mission.ts";
export type { Relation } from "./relation/relation.ts";
export type { Backlog } from "./store/admin.ts";
export type { Store } from "./store/full-store.ts";
export type { MetaCount, ReadPage, StoreReads, TaskView } from "./store/reads.ts";
export { openSqliteStore } from "./store/sqlite.ts";
export type { FailedTask, Task } from "./store/store.ts";

/** A store on PostgreSQL. What it takes is loaded with the first one: its client costs 12 MB. */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const postgres = await import("./store/postgres.ts");
  return postgres.openPostgresStore(options);
}
