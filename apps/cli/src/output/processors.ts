import type { ProcessorView } from "../api/views.ts";
import { formatBytes, formatDuration } from "../duration.ts";
import { nowMs } from "../time.ts";
import type { Output } from "./output.ts";
import { renderFields } from "./table.ts";

const GOOD = new Set(["ready", "ok", "running"]);

/** A state in its colour: green is well, red is not. */
export function paintState(output: Output, text: string, state: string): string {
  if (GOOD.has(state)) return output.paint("green", text);
  return output.paint(state === "down" || state === "quarantined" || state === "failing" ? "red" : "yellow", text);
}

/** The processors of a node, one line each. */
export function processorTable(output: Output, items: readonly ProcessorView[]): string {
  return output.table(
    items,
    [
      { title: "PROCESSOR", value: (row) => row.name },
      { title: "STATE", value: (row) => row.state, paint: (text, row) => paintState(output, text, row.state) },
      {
        title: "READY",
        value: (row) => `${row.processes.filter(({ state }) => state === "ready").length}/${row.processes.length}`,
      },
      { title: "IN FLIGHT", value: (row) => row.inFlight, align: "right" },
      { title: "QUEUED", value: (row) => row.queued, align: "right" },
      { title: "RESTARTS", value: (row) => row.processes.reduce((sum, { restarts }) => sum + restarts, 0), align: "right" },
      { title: "MEMORY", value: memoryOf, align: "right" },
      { title: "TYPES", value: (row) => row.types.map(({ type }) => type).join(", ") },
    ],
    "no processors; `metanode processor add` starts one",
  );
}

/** One processor with its processes and types. */
export function processorDetails(output: Output, view: ProcessorView): string {
  const head = renderFields([
    ["processor", view.name],
    ["state", view.state],
    ["command", view.command.length === 0 ? "in process" : view.command.join(" ")],
    ["in flight", view.inFlight],
    ["queued", view.queued],
  ]);
  const processes = output.table(view.processes, [
    { title: "PROCESS", value: (row) => row.id },
    { title: "STATE", value: (row) => row.state, paint: (text, row) => paintState(output, text, row.state) },
    { title: "PID", value: (row) => row.pid, align: "right" },
    {
      title: "AGE",
      value: (row) => (row.startedAt === undefined ? undefined : formatDuration(nowMs() - Date.parse(row.startedAt))),
    },
    { title: "IN FLIGHT", value: (row) => row.inFlight, align: "right" },
    { title: "RESTARTS", value: (row) => row.restarts, align: "right" },
    {
      title: "MEMORY",
      value: (row) => (row.memoryBytes === undefined ? undefined : formatBytes(row.memoryBytes)),
      align: "right",
    },
    { title: "RUNTIME", value: (row) => row.runtime },
    { title: "LAST ERROR", value: (row) => row.lastError },
  ]);
  const types = output.table(
    view.types,
    [
      { title: "TYPE", value: (row) => row.type },
      { title: "VERSION", value: (row) => row.version },
      { title: "DESCRIPTION", value: (row) => row.description || undefined },
    ],
    "no types",
  );
  return [head, processes, types].join("\n\n");
}

function memoryOf({ processes }: ProcessorView): string | undefined {
  const known = processes.flatMap(({ memoryBytes }) => (memoryBytes === undefined ? [] : [memoryBytes]));
  return known.length === 0 ? undefined : formatBytes(known.reduce((sum, bytes) => sum + bytes, 0));
}
