import type { StepView } from "../api/journal.ts";
import { paths } from "../api/paths.ts";
import type { Page } from "../api/workflows.ts";
import type { Invocation } from "../invocation.ts";
import { messageTable } from "../output/steps.ts";

/** `metanode messages` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const query = {
    type: invocation.text("type"),
    member: invocation.text("member"),
    code: invocation.text("code"),
    failed: invocation.has("failed") || undefined,
    limit: invocation.number("limit"),
    cursor: invocation.text("cursor"),
  };
  const client = await invocation.client();
  const answer = await client.json<Page<StepView>>({ path: paths.messageFeed, query });
  await output.show(answer, () => messageTable(output, answer.items));
  if (output.format === "table" && answer.next !== undefined) output.talk(`there are more: --cursor ${answer.next}`);
}
