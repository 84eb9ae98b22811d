import { paths } from "../api/paths.ts";
import type { ProcessorView } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { processorDetails } from "../output/processors.ts";

/** `metanode processor get` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const view = await client.json<ProcessorView>({ path: paths.processor(invocation.arg(0)) });
  await output.show(view, () => processorDetails(output, view));
}
