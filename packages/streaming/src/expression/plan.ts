import { type ExpressionOptions, parseExpression } from "./check.ts";
import { type PlanOptions, planTree, type Wiring } from "./planner.ts";
import { treeText } from "./tree.ts";

/** The plan of an expression. */
export interface ExpressionPlan extends Wiring {
  /** The tree as text: `SEQ[a,PAR[b,c]]`. */
  readonly tree: string;
}

/**
 * Parses and plans an expression.
 * @throws {MetanodeError} stream.syntax – it is wrong; `details.errors` lists every place.
 * @throws {MetanodeError} stream.too_large – more than `maxEdges` edges.
 */
export function planExpression(text: string, options: ExpressionOptions & PlanOptions = {}): ExpressionPlan {
  const tree = parseExpression(text, options);
  return { tree: treeText(tree), ...planTree(tree, options) };
}
