import { paths } from "../api/paths.ts";
import type { DeadLetterView } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { deadLetterDetails } from "../output/dead-letters.ts";

/** `metanode dead-letter get` */
export async function run(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const view = await client.json<DeadLetterView>({ path: paths.deadLetter(invocation.arg(0)) });
  await invocation.output.show(view, () => deadLetterDetails(view));
}
