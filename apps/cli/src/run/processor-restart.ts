import { paths } from "../api/paths.ts";
import { CHANGE_TIMEOUT_MS } from "../api/spec.ts";
import type { ProcessorView } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { processorDetails } from "../output/processors.ts";

/** `metanode processor restart` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const path = paths.processor(invocation.arg(0), "restart");
  const view = await client.json<ProcessorView>({ method: "POST", path, timeoutMs: CHANGE_TIMEOUT_MS });
  await output.show(view, () => processorDetails(output, view));
}
