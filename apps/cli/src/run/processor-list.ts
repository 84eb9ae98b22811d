import { paths } from "../api/paths.ts";
import type { Items, ProcessorView } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { processorTable } from "../output/processors.ts";

/** `metanode processor ls` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const answer = await client.json<Items<ProcessorView>>({ path: paths.processors });
  await output.show(answer, () => processorTable(output, answer.items));
}
