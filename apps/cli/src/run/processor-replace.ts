import { paths } from "../api/paths.ts";
import { CHANGE_TIMEOUT_MS, specOf } from "../api/spec.ts";
import type { ProcessorView } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { processorDetails } from "../output/processors.ts";

/** `metanode processor replace` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const view = await client.json<ProcessorView>({
    method: "PUT",
    path: paths.processor(invocation.arg(0)),
    body: specOf(invocation, client.connection.url),
    timeoutMs: CHANGE_TIMEOUT_MS,
  });
  await output.show(view, () => processorDetails(output, view));
}
