import { paths } from "../api/paths.ts";
import type { Page, TaskView, WorkflowStatsView } from "../api/workflows.ts";
import type { Invocation } from "../invocation.ts";
import { statsText, taskDetails, taskTable } from "../output/tasks.ts";

/** What narrows a list of tasks, and its page. */
export function filterOf(invocation: Invocation): Record<string, string | number | undefined> {
  return {
    to: invocation.text("to"),
    from: invocation.text("from"),
    limit: invocation.number("limit"),
    cursor: invocation.text("cursor"),
  };
}

/** `metanode task ls` */
export async function list(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const answer = await client.json<Page<TaskView>>({ path: paths.tasks, query: filterOf(invocation) });
  await output.show(answer, () => taskTable(output, answer.items));
  if (output.format === "table" && answer.next !== undefined) output.talk(`there are more: --cursor ${answer.next}`);
}

/** `metanode task get` */
export async function get(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const view = await client.json<TaskView>({ path: paths.task(invocation.arg(0)) });
  await invocation.output.show(view, () => taskDetails(view));
}

/** `metanode task stats` */
export async function stats(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const view = await client.json<WorkflowStatsView>({ path: paths.workflows("stats") });
  await output.show(view, () => statsText(output, view));
}
