/**
 * Graphs of stages: expressions, lists of edges and a typed builder, which compile to one form; and runs of them in this process.
 *
 * ```ts
 * const { graph, warnings } = compileGraph({ expression: "numgen; filter; (printer || counter)" });
 * const { startOrder } = planGraph(graph);
 *
 * const flow = createFlow("sums");
 * flow.source("numbers", () => [1, 2, 3]).to(flow.sink("add", (number) => { sum += number; }));
 * const { outcome } = await (await flow.run()).ended;
 * ```
 */

export { type LaunchProgram, programAction } from "./action/program-action.ts";
export { connectors } from "./connector/connectors.ts";
export {
  type Commit,
  MemoryProgress,
  type Progress,
  type ProgressStore,
  type SavedProgress,
  type StateChange,
} from "./delivery/progress.ts";
export type { ReadOptions, Source, SourceBatch } from "./delivery/source.ts";
export type { ActionInfo, GivenActions } from "./deployment/catalogue.ts";
export type { DeadLetterNote, GraphState, HostedGraph } from "./deployment/hosted-graph.ts";
export type { Desired, GraphVersion } from "./deployment/store.ts";
export { type GraphCheck, type GraphInfo, openStreams, type Streams, type StreamsOptions } from "./deployment/streams.ts";
export { type StreamErrorCode, streamError } from "./errors.ts";
export {
  checkExpression,
  type ExpressionCheck,
  type ExpressionOptions,
  parseExpression,
  syntaxError,
} from "./expression/check.ts";
export type { Diagnostic, DiagnosticKind } from "./expression/diagnostic.ts";
export { type ExpressionPlan, planExpression } from "./expression/plan.ts";
export { type Edge, type PlanOptions, planTree, type Wiring } from "./expression/planner.ts";
export { type ExpressionTree, type GroupTree, type NameTree, printExpression, treeText } from "./expression/tree.ts";
export { createFlow, type FlowBuilder } from "./flow/flow.ts";
export { functionAction, iterableAction } from "./flow/function-action.ts";
export { createGraphBuilder, type Flow, type GraphBuilder, type Nothing, parallel } from "./graph/builder.ts";
export { graphHash } from "./graph/canonical.ts";
export { compileGraph, planGraph } from "./graph/compile.ts";
export type {
  CodecName,
  CompiledGraph,
  FailureSettings,
  Graph,
  GraphDocument,
  GraphIssue,
  GraphNode,
  Limits,
  NodeSettings,
  Placement,
  ProgramSettings,
} from "./graph/form.ts";
export { graphMermaid } from "./graph/mermaid.ts";
export { importScheme } from "./graph/scheme.ts";
export { graphExpression, graphTree } from "./graph/series-parallel.ts";
export { type Aggregate, type AggregateName, aggregateOf } from "./operator/aggregate.ts";
export { type BatchOptions, batchAction } from "./operator/batch.ts";
export { type DedupeOptions, dedupeAction } from "./operator/dedupe.ts";
export { type JoinOptions, joinAction } from "./operator/join.ts";
export { type KeyedContext, type KeyedOptions, keyedAction } from "./operator/keyed.ts";
export { type MergeOptions, mergeAction } from "./operator/merge.ts";
export { operators } from "./operator/operators.ts";
export { type ThrottleOptions, throttleAction } from "./operator/throttle.ts";
export { windowAction } from "./operator/window.ts";
export type { WindowOptions, WindowResult, WindowShape } from "./operator/window-options.ts";
export type { Batch, Block } from "./record/batch.ts";
export { GraphRun } from "./run/graph-run.ts";
export type { GraphRunOptions, NodeLogLine, RunEnd } from "./run/options.ts";
export type { EdgeStatus, NodeStatus, RunState, RunStatus } from "./run/status.ts";
export { type Answer, filter, flatMap, type Many, many, type RecordContext, type StageFunction } from "./stage/answer.ts";
export { type BuiltIn, defineBuiltIn, needService, type Services } from "./stage/built-in.ts";
export type { Tap } from "./stage/outlets.ts";
export type { Action, FailedRecord, Outlet, SourceHost, Stage, StageHost, StageState } from "./stage/stage.ts";
export { type ThreadOptions, threadAction } from "./thread/thread-action.ts";
export type { UploadedAction, UploadStore } from "./upload/upload-store.ts";
