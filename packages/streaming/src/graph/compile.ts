import { streamError } from "../errors.ts";
import { checkExpression } from "../expression/check.ts";
import type { Diagnostic } from "../expression/diagnostic.ts";
import { type Edge, maxEdgesOf, type PlanOptions, planTree, startOrderOf, type Wiring } from "../expression/planner.ts";
import type { ExpressionTree } from "../expression/tree.ts";
import { analyseEdges } from "./analysis.ts";
import { canonicalGraph } from "./canonical.ts";
import type { CompiledGraph, Graph, GraphDocument, GraphIssue, GraphNode } from "./form.ts";
import { issuesError } from "./issues.ts";
import { isObject, Reader } from "./reader.ts";
import { readSettings, settingNames } from "./settings.ts";

const NAME = /^[A-Za-z][A-Za-z0-9]*$/;
const DOCUMENT_KEYS = ["name", "nodes", "expression", "edges", "version"];
const NODE_KEYS = ["name", ...settingNames];

/**
 * Compiles a graph document to its canonical form. A {@link Graph} is a document too, and compiles to itself. Nodes that an
 * expression does not mention are left out, with a warning.
 * @throws {MetanodeError} stream.graph – the document is wrong; `details.issues` lists every fault.
 * @throws {MetanodeError} stream.syntax – only the expression is wrong; `details.errors` lists every place.
 * @throws {MetanodeError} stream.too_large – more than `maxEdges` edges.
 */
export function compileGraph(document: GraphDocument, options: PlanOptions = {}): CompiledGraph {
  const given: unknown = document;
  const reader = new Reader([]);
  if (!isObject(given)) {
    reader.fault("bad-form", given, "an object with `nodes`, and `expression` or `edges`");
    throw issuesError("stream.graph", reader.issues);
  }
  reader.onlyKeys(given, DOCUMENT_KEYS);
  if (given.version !== undefined && given.version !== 1) reader.at("version").fault("bad-form", given.version, "1");
  const name =
    given.name === undefined ? undefined : reader.at("name").matching(given.name, /^[A-Za-z0-9]+$/, "letters and digits");
  const nodes = given.nodes === undefined ? undefined : readNodes(reader.at("nodes"), given.nodes);
  if ((given.expression === undefined) === (given.edges === undefined)) {
    reader.say("bad-form", `the document needs \`expression\` or \`edges\`, and not both`);
    throw issuesError("stream.graph", reader.issues);
  }
  const parts = { reader, name, nodes, maxEdges: maxEdgesOf(options) };
  if (given.edges !== undefined) return fromEdges(parts, given.edges);
  return fromExpression(parts, given.expression);
}

interface Parts {
  readonly reader: Reader;
  readonly name: string | undefined;
  readonly nodes: ReadonlyMap<string, GraphNode> | undefined;
  readonly maxEdges: number;
}

/** Nodes by name. One without a sound name is not among them, and its own fault says so. */
function readNodes(reader: Reader, given: unknown): Map<string, GraphNode> {
  const found = new Map<string, GraphNode>();
  reader.list(given, (place, item) => {
    if (!isObject(item)) return place.fault("bad-value", item, "an object with `name`");
    const name = place.at("name").matching(item.name, NAME, "a letter and then letters and digits");
    const own = name === undefined ? place : place.of(name);
    own.onlyKeys(item, NODE_KEYS);
    const settings = readSettings(own, item);
    if (name === undefined) return;
    if (found.has(name)) own.say("duplicate-node", `${place.path}: a node called ${name} exists already`);
    else found.set(name, { name, ...settings });
  });
  return found;
}

function fromExpression({ reader, name, nodes, maxEdges }: Parts, given: unknown): CompiledGraph {
  if (typeof given !== "string") {
    reader.at("expression").fault("bad-value", given, "a text");
    throw issuesError("stream.graph", reader.issues);
  }
  const check = checkExpression(given, nodes === undefined ? {} : { names: [...nodes.keys()] });
  reader.issues.push(...check.errors.map((error) => expressionIssue(error)));
  if (reader.issues.length > 0 || check.tree === undefined) {
    const isSyntax = reader.issues.length === check.errors.length;
    throw issuesError(isSyntax ? "stream.syntax" : "stream.graph", reader.issues, { errors: check.errors });
  }
  const compiled = graphOfTree(check.tree, { name, nodes, maxEdges });
  return {
    graph: compiled.graph,
    warnings: [...check.warnings.map((warning) => expressionIssue(warning)), ...compiled.warnings],
  };
}

/** The graph of a tree whose names are sound and, when nodes are given, known. */
export function graphOfTree(
  tree: ExpressionTree,
  { name, nodes, maxEdges }: Pick<Parts, "name" | "nodes" | "maxEdges">,
): CompiledGraph {
  const { startOrder, edges } = planTree(tree, { maxEdges });
  const used = new Set(startOrder);
  const unused = [...(nodes?.keys() ?? [])].filter((node) => !used.has(node));
  return {
    graph: canonicalGraph({ name, nodes: startOrder.map((node) => nodes?.get(node) ?? { name: node }), edges }),
    warnings: unused.map((node) => ({
      kind: "unused-node",
      node,
      message: `the expression does not mention node ${node}, so it is not a part of the graph`,
    })),
  };
}

/** A mistake in the expression as a fault of the document. */
export function expressionIssue(diagnostic: Diagnostic, path = "expression"): GraphIssue {
  const { kind, message, line, column, suggestion } = diagnostic;
  return {
    kind:
      kind === "unknown-node" || kind === "accidental-source" ? kind : kind === "duplicate-use" ? "duplicate-node" : "bad-form",
    message: `line ${line}, column ${column}: ${message}`,
    path,
    ...(suggestion === undefined ? {} : { suggestion }),
  };
}

function fromEdges({ reader, name, nodes, maxEdges }: Parts, given: unknown): CompiledGraph {
  const place = reader.at("edges");
  if (Array.isArray(given) && given.length > maxEdges) {
    throw streamError("stream.too_large", `the graph has ${given.length} edges, and may have ${maxEdges}`, {
      details: { maxEdges },
    });
  }
  const edges: Edge[] = [];
  place.list(given, (own, item) => {
    const edge = readEdge(own, item);
    if (edge !== undefined) edges.push(edge);
  });
  const known = nodes ?? new Map(edges.flat().map((node) => [node, { name: node }]));
  const { errors, warnings } = analyseEdges([...known.keys()], edges);
  reader.issues.push(...errors);
  if (reader.issues.length > 0) throw issuesError("stream.graph", reader.issues);
  return { graph: canonicalGraph({ name, nodes: known.values(), edges }), warnings };
}

function readEdge(reader: Reader, given: unknown): Edge | undefined {
  if (!Array.isArray(given) || given.length !== 2) {
    reader.fault("bad-value", given, "a pair of node names");
    return undefined;
  }
  const [from, to] = given.map((end: unknown, index) => reader.at(index).matching(end, NAME, "the name of a node"));
  return from === undefined || to === undefined ? undefined : [from, to];
}

/** Who feeds whom in a graph, and the order to start its nodes in: sources and sinks by name. */
export function planGraph({ nodes, edges }: Graph): Wiring {
  const fed = new Set(edges.map(([, to]) => to));
  const feeding = new Set(edges.map(([from]) => from));
  const names = nodes.map(({ name }) => name);
  const sources = names.filter((name) => !fed.has(name));
  return { sources, sinks: names.filter((name) => !feeding.has(name)), edges, startOrder: startOrderOf(sources, edges) };
}
