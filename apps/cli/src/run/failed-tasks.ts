import { asMetanodeError, coreError, errorRow } from "@metanode/core/errors";
import "@metanode/nature/errors"; // its codes, for their exit statuses
import type { ApiClient } from "../api/client.ts";
import { paths } from "../api/paths.ts";
import type { FailedTaskView, Page } from "../api/workflows.ts";
import { confirm } from "../confirm.ts";
import { jsonObject } from "../data.ts";
import { Exit, PARTIAL } from "../exit.ts";
import { problemOf } from "../failure.ts";
import type { Invocation } from "../invocation.ts";
import { failedTaskTable, taskDetails } from "../output/tasks.ts";
import { filterOf } from "./tasks.ts";

/** Most that the node lists at once. */
const PAGE = 1_000;

/** `metanode task failed` */
export async function show(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const id = invocation.optionalArg(0);
  const client = await invocation.client();
  if (id !== undefined) {
    const view = await client.json<FailedTaskView>({ path: paths.failedTask(id) });
    await output.show(view, () => taskDetails(view));
    return;
  }
  const answer = await client.json<Page<FailedTaskView>>({ path: paths.failedTasks, query: filterOf(invocation) });
  await output.show(answer, () => failedTaskTable(output, answer.items));
  if (output.format === "table" && answer.next !== undefined) output.talk(`there are more: --cursor ${answer.next}`);
}

/** `metanode task drop` */
export async function drop(invocation: Invocation): Promise<void> {
  const id = invocation.arg(0);
  const client = await invocation.client();
  await confirm(invocation, `Forget task ${id} for good?`);
  await client.json({ method: "DELETE", path: paths.failedTask(id) });
  invocation.output.talk(`task ${id} is dropped`);
}

/** `metanode task replay` */
export async function replay(invocation: Invocation): Promise<void> {
  const id = invocation.optionalArg(0);
  if ((id === undefined) !== invocation.has("all")) {
    throw coreError(
      "usage.invalid",
      id === undefined ? "which task? give its id, or --all" : "both an id and --all are given, expected one of them",
    );
  }
  const change = invocation.text("mission");
  const body = change === undefined ? {} : { mission: await jsonObject(change, "the mission") };
  const client = await invocation.client();
  if (id === undefined) return replayAll(invocation, client, body);
  await replayOne(client, id, body);
  invocation.output.talk(`task ${id} is tried again`);
}

function replayOne(client: ApiClient, id: string, body: object): Promise<unknown> {
  return client.json({ method: "POST", path: paths.failedTask(id, "replay"), body });
}

interface Replayed {
  readonly id: string;
  readonly status: "ok" | "error";
  readonly problem?: Record<string, unknown>;
}

/** What has failed by now; what fails again meanwhile is not taken a second time. */
async function replayAll(invocation: Invocation, client: ApiClient, body: object): Promise<void> {
  const { output } = invocation;
  const ids = await listIds(invocation, client);
  if (ids.length > 0) await confirm(invocation, `Try ${ids.length} tasks again?`);
  const items: Replayed[] = [];
  let status = 0;
  for (const id of ids) {
    try {
      await replayOne(client, id, body);
      items.push({ id, status: "ok" });
    } catch (thrown) {
      const error = asMetanodeError(thrown);
      // Nothing more will come of the rest.
      if (error.code === "node.unreachable" || error.code === "auth.unauthenticated") throw error;
      status ||= errorRow(error.code).exit;
      items.push({ id, status: "error", problem: problemOf(error) });
      output.talk(`error ${error.code}: task ${id}: ${error.message}`);
    }
  }
  const failed = items.filter((item) => item.status === "error").length;
  await output.show({ items }, () => `${items.length - failed} replayed, ${failed} failed`);
  if (failed > 0) throw new Exit(failed < items.length ? PARTIAL : status);
}

async function listIds(invocation: Invocation, client: ApiClient): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const query = { to: invocation.text("to"), from: invocation.text("from"), limit: PAGE, cursor };
    const page: Page<FailedTaskView> = await client.json({ path: paths.failedTasks, query });
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.next;
  } while (cursor !== undefined);
  return ids;
}
