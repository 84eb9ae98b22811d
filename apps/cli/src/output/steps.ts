import type { StepView } from "../api/journal.ts";
import { formatDuration } from "../duration.ts";
import type { Output } from "./output.ts";
import { oneLine } from "./width.ts";

/** Room for the longest kind, so that what follows it stands below each other. */
const KIND_WIDTH = 9;

/** One step as a line of its own, for a series without an end. */
export function stepLine(output: Output, step: StepView): string {
  const { at, kind, type, what, member, ms, code, traceId } = step;
  return [
    output.paint("dim", at),
    output.paint("cyan", kind.padEnd(KIND_WIDTH)),
    oneLine(type),
    oneLine(what),
    member === undefined ? "" : `by ${oneLine(member)}`,
    ms === undefined ? "" : `in ${msOf(step)}ms`,
    code === undefined ? "" : output.paint("red", code),
    traceId === undefined ? "" : output.paint("dim", `trace ${traceId}`),
  ]
    .filter((part) => part !== "")
    .join("  ");
}

/** Messages, one line each. */
export function messageTable(output: Output, items: readonly StepView[]): string {
  return output.table(
    items,
    [
      { title: "AT", value: (row) => row.at },
      { title: "TYPE", value: (row) => row.type },
      { title: "ID", value: (row) => row.what },
      { title: "BY", value: (row) => row.member },
      { title: "MS", value: msOf, align: "right" },
      { title: "ERROR", value: (row) => row.code, paint: (text) => output.paint("red", text) },
      { title: "TRACE", value: (row) => row.traceId },
    ],
    "no messages",
  );
}

/** The steps of one trace, with the time since the first. */
export function traceTable(output: Output, items: readonly StepView[]): string {
  const startMs = Date.parse(items[0]?.at ?? "");
  return output.table(items, [
    { title: "+TIME", value: (row) => `+${formatDuration(Date.parse(row.at) - startMs)}`, align: "right" },
    { title: "KIND", value: (row) => row.kind },
    { title: "TYPE", value: (row) => row.type },
    { title: "WHAT", value: (row) => row.what },
    { title: "BY", value: (row) => row.member },
    { title: "MS", value: msOf, align: "right" },
    { title: "ERROR", value: (row) => row.code, paint: (text) => output.paint("red", text) },
  ]);
}

function msOf({ ms }: StepView): string | undefined {
  return ms?.toFixed(1);
}
