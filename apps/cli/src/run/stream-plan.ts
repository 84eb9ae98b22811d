import { coreError } from "@metanode/core/errors";
import {
  checkExpression,
  compileGraph,
  type Diagnostic,
  type ExpressionCheck,
  type ExpressionPlan,
  graphMermaid,
  planTree,
  syntaxError,
  treeText,
} from "@metanode/streaming";
import { readInput } from "../data.ts";
import type { Invocation } from "../invocation.ts";
import type { Output } from "../output/output.ts";
import { renderFields } from "../output/table.ts";

/** `metanode stream plan` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const text = (await readInput(invocation.arg(0))).toString("utf8");
  const names = namesOf(invocation.text("names"));
  const check = checkExpression(text, names === undefined ? {} : { names });
  if (check.tree === undefined) {
    // The problem of the machine formats carries them.
    if (output.format === "table") sayErrors(output, check);
    throw syntaxError(check);
  }
  for (const warning of check.warnings) say(output, "warning", warning);
  const plan: ExpressionPlan = { tree: treeText(check.tree), ...planTree(check.tree) };
  if (!invocation.has("mermaid")) return output.show(plan, () => textOf(plan));
  const mermaid = graphMermaid(compileGraph({ expression: text }).graph);
  await output.show({ ...plan, mermaid }, () => mermaid);
}

function namesOf(given: string | undefined): string[] | undefined {
  if (given === undefined) return undefined;
  const names = given.split(",").flatMap((name) => (name.trim() === "" ? [] : [name.trim()]));
  const bad = names.find((name) => !/^[A-Za-z][A-Za-z0-9]*$/.test(name));
  if (bad === undefined) return names;
  throw coreError("usage.invalid", `${JSON.stringify(bad)} in --names is no name: a letter and then letters and digits`);
}

function sayErrors(output: Output, { errors, moreErrors }: ExpressionCheck): void {
  for (const error of errors) say(output, "error", error);
  if (moreErrors > 0) output.talk(`and ${moreErrors} more errors`);
}

/** One diagnostic: its place and kind, what is wrong, and the place shown. */
function say(output: Output, level: "error" | "warning", diagnostic: Diagnostic): void {
  const { kind, line, column, message, caret } = diagnostic;
  const suggestion = diagnostic.suggestion;
  const hint = suggestion === undefined || message.includes(suggestion) ? "" : `; did you mean \`${suggestion}\`?`;
  output.talk(`${level} at line ${line}, column ${column}: ${kind}: ${message}${hint}`);
  output.talk(caret.replace(/^/gm, "  "));
}

function textOf({ tree, sources, sinks, edges, startOrder }: ExpressionPlan): string {
  return renderFields([
    ["tree", tree],
    ["sources", sources.join(", ")],
    ["sinks", sinks.join(", ")],
    ["edges", edges.length === 0 ? "none" : edges.map(([from, to]) => `${from} → ${to}`).join(", ")],
    ["start order", startOrder.join(", ")],
  ]);
}
