import { paths } from "../api/paths.ts";
import type { DeadLetterView, Items } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { deadLetterTable } from "../output/dead-letters.ts";

/** `metanode dead-letter ls` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const answer = await client.json<Items<DeadLetterView> & { readonly next?: string }>({
    path: paths.deadLetters,
    query: {
      stream: invocation.text("logStream"),
      consumer: invocation.text("consumer"),
      limit: invocation.number("limit"),
      cursor: invocation.text("cursor"),
    },
  });
  await output.show(answer, () => deadLetterTable(output, answer.items));
  if (output.format === "table" && answer.next !== undefined) output.talk(`there are more: --cursor ${answer.next}`);
}
