/**
 * Graphs of stages, before they run: expressions, lists of edges and a typed builder, which compile to one form.
 *
 * ```ts
 * const { graph, warnings } = compileGraph({ expression: "numgen; filter; (printer || counter)" });
 * const { startOrder } = planGraph(graph);
 * ```
 */

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
export { createGraphBuilder, type Flow, type GraphBuilder, type Nothing, parallel } from "./graph/builder.ts";
export { graphHash } from "./graph/canonical.ts";
export { compileGraph, planGraph } from "./graph/compile.ts";
export type {
  CompiledGraph,
  Graph,
  GraphDocument,
  GraphIssue,
  GraphNode,
  NodeSettings,
  Placement,
} from "./graph/form.ts";
export { graphMermaid } from "./graph/mermaid.ts";
export { importScheme } from "./graph/scheme.ts";
export { graphExpression, graphTree } from "./graph/series-parallel.ts";
