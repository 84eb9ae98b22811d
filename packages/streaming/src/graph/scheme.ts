import { nearest } from "@metanode/core/internal/options";
import { checkExpression } from "../expression/check.ts";
import { maxEdgesOf, type PlanOptions } from "../expression/planner.ts";
import { expressionIssue, graphOfTree } from "./compile.ts";
import type { CompiledGraph, GraphIssue, GraphNode, Placement } from "./form.ts";
import { issuesError, shown } from "./issues.ts";
import { isObject, Reader } from "./reader.ts";
import { readEnv, readPlacement } from "./settings.ts";

/**
 * A GoStreaming scheme: `name`, `dataflow`, and `nodes` with `name`, `action`, `addresses`, `args`, `env` and `conn_whitelist`.
 * Faults are in the order in which GoStreaming looks for them (the syntax of the dataflow, the nodes one by one, the use of
 * names in the dataflow), so that the first is the one that it reports.
 */

const NAME = /^[A-Za-z0-9]+$/;
const SCHEME_KEYS = ["name", "dataflow", "nodes"];
const NODE_KEYS = ["name", "action", "addresses", "args", "env", "conn_whitelist"];

/**
 * Imports a GoStreaming scheme, parsed from JSON or YAML. Addresses become placements, `conn_whitelist` becomes egress, arguments
 * and environment are kept verbatim. Keys that GoStreaming does not know are passed over, with a warning; so are nodes that the
 * dataflow does not mention.
 * @throws {MetanodeError} stream.scheme – the document is wrong; `details.issues` lists every fault with its path and its node.
 * @throws {MetanodeError} stream.too_large – more than `maxEdges` edges.
 */
export function importScheme(document: unknown, options: PlanOptions = {}): CompiledGraph {
  const reader = new Reader([]);
  if (!isObject(document)) {
    reader.fault("bad-form", document, "an object with `name`, `dataflow` and `nodes`");
    throw issuesError("stream.scheme", reader.issues);
  }
  const warnings: GraphIssue[] = [];
  const dataflow = typeof document.dataflow === "string" ? document.dataflow : undefined;
  if (dataflow === undefined) reader.at("dataflow").fault("bad-value", document.dataflow, "an expression");
  const check = checkExpression(dataflow ?? "", { names: nodeNames(document.nodes) });
  const found = dataflow === undefined ? [] : check.errors;
  const isUse = (kind: string): boolean => kind === "duplicate-use" || kind === "unknown-node";
  for (const error of found) if (!isUse(error.kind)) reader.issues.push(expressionIssue(error, "dataflow"));
  strangeKeys({ reader, given: document, known: SCHEME_KEYS, warnings });
  const name = reader.at("name").matching(document.name, NAME, "letters and digits");
  const nodes = readNodes(reader.at("nodes"), document.nodes, warnings);
  for (const error of found) if (isUse(error.kind)) reader.issues.push(expressionIssue(error, "dataflow"));
  if (reader.issues.length > 0 || check.tree === undefined) {
    throw issuesError("stream.scheme", reader.issues, { errors: found });
  }
  const compiled = graphOfTree(check.tree, { name, nodes, maxEdges: maxEdgesOf(options) });
  const lint = check.warnings.map((warning) => expressionIssue(warning, "dataflow"));
  return { graph: compiled.graph, warnings: [...lint, ...warnings, ...compiled.warnings] };
}

/** The names that nodes carry, sound or not: a node with another fault is not an unknown node as well. */
function nodeNames(nodes: unknown): string[] {
  if (!Array.isArray(nodes)) return [];
  return nodes.flatMap((node: unknown) => (isObject(node) && typeof node.name === "string" ? [node.name] : []));
}

function readNodes(reader: Reader, given: unknown, warnings: GraphIssue[]): Map<string, GraphNode> {
  const found = new Map<string, GraphNode>();
  const taken = new Map<string, string>(); // addresses, with the path of their first use
  reader.list(given, (place, item) => {
    if (!isObject(item)) return place.fault("bad-value", item, "an object with `name`, `action` and `addresses`");
    const own = typeof item.name === "string" && item.name !== "" ? place.of(shownName(item.name)) : place;
    strangeKeys({ reader: own, given: item, known: NODE_KEYS, warnings });
    const name = own.at("name").matching(item.name, NAME, "letters and digits");
    const node = readNode(own, item);
    if (name !== undefined) {
      if (found.has(name)) own.say("duplicate-node", `${own.path}: a node called ${name} exists already`);
      else found.set(name, { name, ...node });
    }
    for (const [index, { host, port }] of node.placement.entries()) {
      if (host === "" || port === 0) continue; // told of already
      const { path } = own.at("addresses").at(index);
      const address = `${host}:${port}`;
      const before = taken.get(address);
      if (before === undefined) taken.set(address, path);
      else
        own.say("bad-value", `${path} (node ${name ?? "without a name"}): the address ${address} is taken by ${before}`, {
          path,
        });
    }
  });
  return found;
}

function readNode(reader: Reader, item: Readonly<Record<string, unknown>>): Omit<GraphNode, "name"> & { placement: Placement[] } {
  const optional = (key: string): Reader["list"] => {
    const place = reader.at(key);
    return (given, read) => (given === undefined || given === null ? [] : place.list(given, read));
  };
  const action = reader.at("action").text(item.action);
  const addresses = reader.at("addresses");
  const placement = addresses.list(item.addresses, readPlacement);
  if (Array.isArray(item.addresses) && placement.length === 0) addresses.empty("one address or more");
  const args = optional("args")(item.args, (one, given) => one.text(given));
  const env = item.env === undefined || item.env === null ? {} : readEnv(reader.at("env"), item.env);
  const egress = optional("conn_whitelist")(item.conn_whitelist, (one, given) => one.text(given));
  return { action, placement, args, env, egress: egress.length === 1 && egress[0] === "all" ? "all" : egress };
}

function strangeKeys(place: {
  readonly reader: Reader;
  readonly given: object;
  readonly known: readonly string[];
  readonly warnings: GraphIssue[];
}): void {
  const { reader, given, known, warnings } = place;
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const suggestion = key.length > 64 ? undefined : nearest(key, known);
    const { path } = reader.at(key);
    const hint = suggestion === undefined ? "" : `; did you mean ${suggestion}?`;
    warnings.push({
      kind: "bad-form",
      path,
      message: `${path} means nothing in a scheme, and is passed over${hint}`,
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  }
}

function shownName(name: string): string {
  return NAME.test(name) && name.length <= 64 ? name : shown(name);
}
