import type { ActionView, GraphView, StageLineView, StatusView, TappedView, VersionView } from "../api/graphs.ts";
import { formatDuration } from "../duration.ts";
import type { Output } from "./output.ts";
import { renderFields } from "./table.ts";
import { oneLine } from "./width.ts";

/** Graphs, one line each. */
export function graphTable(output: Output, items: readonly GraphView[]): string {
  return output.table(
    items,
    [
      { title: "GRAPH", value: (row) => row.name },
      { title: "STATE", value: (row) => row.state },
      { title: "VERSION", value: (row) => row.version, align: "right" },
      { title: "RUNS", value: (row) => row.epoch, align: "right" },
      { title: "EXPRESSION", value: (row) => row.document.expression },
      { title: "REASON", value: (row) => row.reason },
    ],
    "no graphs; apply one: metanode stream apply <file>",
  );
}

/** One graph. */
export function graphDetails(view: GraphView): string {
  return renderFields([
    ["graph", view.name],
    ["state", view.state],
    ["wanted", view.desired],
    ["version", view.version],
    ["hash", view.hash],
    ["applied", view.appliedAt],
    ["runs", view.epoch],
    ["failures", view.failures === 0 ? undefined : view.failures],
    ["reason", view.reason],
    ["expression", view.document.expression],
  ]);
}

export function historyTable(output: Output, items: readonly VersionView[]): string {
  return output.table(items, [
    { title: "VERSION", value: (row) => row.version, align: "right" },
    { title: "APPLIED", value: (row) => row.appliedAt },
    { title: "HASH", value: (row) => row.hash.slice(0, 19) },
    { title: "EXPRESSION", value: (row) => row.document.expression },
  ]);
}

/** How each stage does; with what was seen `before`, rates as well. */
export function statusText(output: Output, view: StatusView, before?: StatusView): string {
  const seconds = before === undefined ? 0 : (Date.parse(view.at) - Date.parse(before.at)) / 1_000;
  const rate = (name: string, out: number): string | undefined => {
    const earlier = before?.nodes.find((node) => node.name === name);
    return earlier === undefined || seconds <= 0 ? undefined : `${Math.round((out - earlier.out) / seconds)}/s`;
  };
  const head = renderFields([
    ["state", view.state],
    ["run", view.epoch],
    ["reason", view.reason],
  ]);
  const stages = output.table(view.nodes, [
    { title: "STAGE", value: (row) => row.name },
    { title: "ROLE", value: (row) => row.role },
    { title: "OUT", value: (row) => row.out, align: "right" },
    ...(before === undefined ? [] : [{ title: "RATE", value: (row: StatusView["nodes"][number]) => rate(row.name, row.out) }]),
    { title: "WAITING", value: (row) => row.waiting, align: "right" },
    { title: "IN FLIGHT", value: (row) => row.inFlight, align: "right" },
    { title: "OLDEST", value: (row) => (row.oldestAgeMs === undefined ? undefined : formatDuration(row.oldestAgeMs)) },
    { title: "ROOM", value: (row) => (row.hasRoom ? "yes" : "no") },
    {
      title: "COUNTS",
      value: (row) =>
        Object.entries(row.counts)
          .map(([kind, count]) => `${kind} ${count}`)
          .join(", "),
    },
  ]);
  const edges = output.table(view.edges, [
    { title: "EDGE", value: (row) => `${row.from} → ${row.to}` },
    { title: "RECORDS", value: (row) => row.records, align: "right" },
    { title: "BYTES", value: (row) => row.bytes, align: "right" },
    { title: "REFUSALS", value: (row) => row.refusals, align: "right" },
  ]);
  return view.nodes.length === 0 ? head : `${head}\n\n${stages}\n\n${edges}`;
}

export function actionTable(output: Output, items: readonly ActionView[]): string {
  return output.table(
    items,
    [
      { title: "ACTION", value: (row) => row.name },
      { title: "KIND", value: (row) => row.kind },
      { title: "VERSION", value: (row) => row.version, align: "right" },
      { title: "BYTES", value: (row) => row.bytes, align: "right" },
      { title: "SUMMARY", value: (row) => row.summary },
    ],
    "no actions",
  );
}

export function stageLine(output: Output, { at, node, level, text }: StageLineView): string {
  const colour = level === "error" ? "red" : level === "warn" ? "yellow" : "cyan";
  return `${output.paint("dim", at)} ${output.paint(colour, node === "" ? "-" : node)} ${oneLine(text)}`;
}

/** A record as text: what it is, or its bytes in base64. */
export function tappedText({ text, base64, value }: TappedView): string {
  return text ?? base64 ?? JSON.stringify(value) ?? "";
}
