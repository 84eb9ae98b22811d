export type { ExecutorSettings, ExecutorUse, FlowExecutors, ForeignExecutor, LocalFunction } from "./executors.ts";
export { defineFlow, type Flow, type FlowParts, type FlowRelationSettings, type Relate } from "./flow.ts";
export { type JoinedFlows, joinFlows } from "./join.ts";
export type { LeafStates } from "./leaf-states.ts";
export { type DeclaredMeta, type MetaOptions, type MetaSpec, meta } from "./meta-spec.ts";
