import type { StepView } from "../api/journal.ts";
import { paths } from "../api/paths.ts";
import type { Items } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { traceTable } from "../output/steps.ts";

/** `metanode trace` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const answer = await client.json<Items<StepView>>({ path: paths.trace(invocation.arg(0)) });
  await output.show(answer, () => traceTable(output, answer.items));
}
