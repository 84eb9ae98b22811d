import type { FailedTaskView, TaskView, WorkflowStatsView } from "../api/workflows.ts";
import { formatDuration } from "../duration.ts";
import type { Output } from "./output.ts";
import { renderFields } from "./table.ts";
import { keyOf } from "./workflows.ts";

/** Work that waits, one line each. */
export function taskTable(output: Output, items: readonly TaskView[]): string {
  return output.table(
    items,
    [
      { title: "ID", value: (row) => row.id, align: "right" },
      { title: "FROM", value: (row) => keyOf(row.upstream) },
      { title: "TO", value: (row) => row.to },
      { title: "DUE", value: (row) => row.dueAt },
      { title: "ATTEMPTS", value: (row) => row.attempts, align: "right" },
      { title: "AT WORK", value: (row) => (row.isOwned === true ? "yes" : "no") },
      { title: "ERROR", value: (row) => row.error },
    ],
    "no work waits",
  );
}

/** Work that was given up, one line each. */
export function failedTaskTable(output: Output, items: readonly FailedTaskView[]): string {
  return output.table(
    items,
    [
      { title: "ID", value: (row) => row.id, align: "right" },
      { title: "FROM", value: (row) => keyOf(row.upstream) },
      { title: "TO", value: (row) => row.to },
      { title: "FAILED", value: (row) => row.failedAt },
      { title: "ATTEMPTS", value: (row) => row.attempts, align: "right" },
      { title: "ERROR", value: (row) => `${row.code}: ${row.error}` },
    ],
    "no failed tasks",
  );
}

/** One task with its mission. */
export function taskDetails(view: TaskView & Partial<FailedTaskView>): string {
  const { id, upstream, to, createdAt, dueAt, attempts, failedAt, code, error, mission } = view;
  const fields = renderFields([
    ["id", id],
    ["from", keyOf(upstream)],
    ["to", to],
    ["created", createdAt],
    ["due", dueAt],
    ["attempts", attempts],
    ...(failedAt === undefined ? [] : ([["failed", failedAt]] as const)),
    ["error", code === undefined ? error : `${code}: ${error}`],
  ]);
  return `${fields}\n\nmission\n${JSON.stringify(mission, null, 2)}`;
}

/** How the workflows of a node do. */
export function statsText(output: Output, view: WorkflowStatsView): string {
  const { engine, backlog } = view;
  const fields = renderFields([
    ["declared", `${view.metas} metas, ${view.relations} relations, version ${view.version}`],
    ["stored", `${engine.stored} instances, ${engine.inputs} of them put in`],
    ["done", `${engine.converted} tasks, ${engine.retried} tries repeated`],
    ["waiting", `${backlog.owned + backlog.due} tasks, ${backlog.delayed} more for their time`],
    ["oldest due", backlog.oldestDueAt],
    ["failed", backlog.failed],
    ...(view.awaySince === undefined ? [] : ([["database", `away since ${view.awaySince}`]] as const)),
  ]);
  const problems = view.problems.map(({ what, text }) => `${output.paint("red", "wrong")} ${what}: ${text}`);
  const flows = output.table(view.flows, [
    { title: "FROM", value: (row) => row.from },
    { title: "TO", value: (row) => row.to },
    { title: "DONE", value: (row) => row.converted, align: "right" },
    { title: "RETRIED", value: (row) => row.retried, align: "right" },
    { title: "FAILED", value: (row) => row.failed, align: "right" },
    { title: "MEAN", value: (row) => formatDuration(row.meanMs), align: "right" },
  ]);
  return [fields, ...(problems.length === 0 ? [] : [problems.join("\n")]), ...(view.flows.length === 0 ? [] : [flows])].join(
    "\n\n",
  );
}
