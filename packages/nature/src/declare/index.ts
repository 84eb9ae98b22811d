/**
 * Metas and relations as data and as code: declared in TypeScript, read and written as files and as Nature's rows, compared, drawn. Stands on
 * nothing that works or stores, so tools can load it alone.
 */

export type { Declarations } from "../catalog/catalog.ts";
export { formatMetaString, type MetaName, parseMetaString } from "../meta/meta-string.ts";
export { printStates } from "../meta/state-expression.ts";
export { type ResolvedStates, type StateConflict, StateRules, stateRules } from "../meta/state-set.ts";
export type { ExecutorSettings, ExecutorUse, FlowExecutors, ForeignExecutor } from "./executors.ts";
export { type DeclarationFile, FILE_FORMAT, fromFile, toFile } from "./file.ts";
export { defineFlow, type Flow, type FlowParts, type FlowRelationSettings, type Relate } from "./flow.ts";
export { type JoinedFlows, joinFlows } from "./join.ts";
export type { LeafStates } from "./leaf-states.ts";
export { DIAGRAM_VIEWS, type DiagramView, toMermaid } from "./mermaid.ts";
export { type DeclaredMeta, type MetaOptions, type MetaSpec, meta } from "./meta-spec.ts";
export type { Note } from "./nature-note.ts";
export {
  fromNatureRows,
  type NatureMetaRow,
  type NatureRelationRow,
  type NatureRows,
  toNatureRows,
} from "./nature-rows.ts";
export { fromNatureSql, toNatureSql } from "./nature-sql.ts";
export {
  type ChangePlan,
  type FieldChange,
  type PlannedChange,
  type PlanOptions,
  planChanges,
  planText,
} from "./plan.ts";
