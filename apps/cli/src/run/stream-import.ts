import { hasCode, type MetanodeError } from "@metanode/core/errors";
import { type CompiledGraph, graphExpression, graphHash, importScheme, streamError } from "@metanode/streaming";
import { parseDocument } from "yaml";
import { readInput } from "../data.ts";
import type { Invocation } from "../invocation.ts";
import type { Output } from "../output/output.ts";
import { renderFields } from "../output/table.ts";

/** `metanode stream import` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const file = invocation.arg(0);
  const bytes = await readInput(file === "-" ? file : `@${file}`);
  const { graph, warnings } = imported(output, parseScheme(bytes.toString("utf8"), file));
  for (const { kind, message } of warnings) output.talk(`warning: ${kind}: ${message}`);
  await output.show(graph, () => textOf(output, graph));
}

function imported(output: Output, document: unknown): CompiledGraph {
  try {
    return importScheme(document);
  } catch (error) {
    if (hasCode(error, "stream.scheme") && output.format === "table") {
      const { issues = [] } = ((error as MetanodeError).details ?? {}) as {
        issues?: { kind: string; message: string; path?: string }[];
      };
      for (const { kind, message, path = "" } of issues) {
        output.talk(`error: ${kind}: ${message.startsWith(path) ? message : `${path}: ${message}`}`);
      }
    }
    throw error;
  }
}

/** JSON by its own rules; YAML with every value as the text that stands there, as `args: [1.50]` means "1.50". */
function parseScheme(text: string, file: string): unknown {
  try {
    if (file.endsWith(".json")) return JSON.parse(text);
    const document = parseDocument(text, { schema: "failsafe" });
    if (document.errors[0] !== undefined) throw document.errors[0];
    return document.toJS();
  } catch (cause) {
    const [first = ""] = (cause as Error).message.split("\n");
    throw streamError("stream.scheme", `${file === "-" ? "the input" : file} cannot be read: ${first.replace(/[:.]$/, "")}`, {
      cause,
    });
  }
}

function textOf(output: Output, graph: CompiledGraph["graph"]): string {
  const head = renderFields([
    ["graph", graph.name],
    ["hash", graphHash(graph)],
    ["expression", graphExpression(graph)],
  ]);
  const feeds = new Map<string, string[]>();
  for (const [from, to] of graph.edges) feeds.set(from, [...(feeds.get(from) ?? []), to]);
  const nodes = output.table(graph.nodes, [
    { title: "NODE", value: (row) => row.name },
    { title: "ACTION", value: (row) => [row.action, ...(row.args ?? [])].join(" ") },
    { title: "FEEDS", value: (row) => feeds.get(row.name)?.join(", ") },
    { title: "PLACEMENT", value: (row) => row.placement?.map(({ host, port }) => `${host}:${port}`).join(", ") },
    { title: "EGRESS", value: (row) => (typeof row.egress === "string" ? row.egress : row.egress?.join(", ")) },
  ]);
  return `${head}\n\n${nodes}`;
}
