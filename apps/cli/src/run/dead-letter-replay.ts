import { asMetanodeError, coreError, errorRow } from "@metanode/core/errors";
import type { ApiClient } from "../api/client.ts";
import { paths } from "../api/paths.ts";
import type { DeadLetterView, Items } from "../api/views.ts";
import { confirm } from "../confirm.ts";
import { Exit, PARTIAL } from "../exit.ts";
import { problemOf } from "../failure.ts";
import type { Invocation } from "../invocation.ts";

/** Most that the node lists at once. */
const PAGE = 1_000;

/** What became of one of many. */
interface Replayed {
  readonly id: string;
  readonly status: "ok" | "error";
  readonly problem?: Record<string, unknown>;
}

/** `metanode dead-letter replay` */
export async function run(invocation: Invocation): Promise<void> {
  const id = invocation.optionalArg(0);
  if ((id === undefined) !== invocation.has("all")) {
    throw coreError(
      "usage.invalid",
      id === undefined ? "which dead letter? give its id, or --all" : "both an id and --all are given, expected one of them",
    );
  }
  const client = await invocation.client();
  if (id !== undefined) {
    await replay(client, id);
    invocation.output.talk(`dead letter ${id} is replayed`);
    return;
  }
  await replayAll(invocation, client);
}

function replay(client: ApiClient, id: string): Promise<unknown> {
  return client.json({ method: "POST", path: paths.deadLetter(id, "replay") });
}

/** What is there now; what becomes a dead letter again meanwhile is not taken a second time. */
async function replayAll(invocation: Invocation, client: ApiClient): Promise<void> {
  const { output } = invocation;
  const ids = await listIds(invocation, client);
  if (ids.length > 0) await confirm(invocation, `Replay ${ids.length} dead letters?`);
  const items: Replayed[] = [];
  let status = 0;
  for (const id of ids) {
    try {
      await replay(client, id);
      items.push({ id, status: "ok" });
    } catch (thrown) {
      const error = asMetanodeError(thrown);
      // Nothing more will come of the rest.
      if (error.code === "node.unreachable" || error.code === "auth.unauthenticated") throw error;
      status ||= errorRow(error.code).exit;
      items.push({ id, status: "error", problem: problemOf(error) });
      output.endProgress();
      output.talk(`error ${error.code}: dead letter ${id}: ${error.message}`);
    }
    output.progress(`${items.length} of ${ids.length}`);
  }
  output.endProgress();
  const failed = items.filter((item) => item.status === "error").length;
  await output.show({ items }, () => `${items.length - failed} replayed, ${failed} failed`);
  if (failed > 0) throw new Exit(failed < items.length ? PARTIAL : status);
}

async function listIds(invocation: Invocation, client: ApiClient): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page: Items<DeadLetterView> & { readonly next?: string } = await client.json({
      path: paths.deadLetters,
      query: { stream: invocation.text("logStream"), consumer: invocation.text("consumer"), limit: PAGE, cursor },
    });
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.next;
  } while (cursor !== undefined);
  return ids;
}
