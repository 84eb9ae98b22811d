import { paths } from "../api/paths.ts";
import type { Items, ProcessorView } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { processorTable } from "../output/processors.ts";
import { showOrWatch } from "../watch.ts";

/** `metanode processor ls` */
export async function run(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  await showOrWatch(invocation, {
    look: () => client.json<Items<ProcessorView>>({ path: paths.processors }),
    text: ({ items }) => processorTable(invocation.output, items),
  });
}
